"""Who may do what: every route × method × kind of caller × own, foreign and unknown ids, by the table.

The routes come from urlpatterns and from order entry's own table, so a new one fails here until its
row exists. They are asked at the ASGI door: what runs is what is tested.
"""

import asyncio
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

import pytest
from channels.testing import WebsocketCommunicator
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from oms_project.access import keys, principal, rights
from oms_project.access.models import Desk, Membership
from oms_project.access.rights import Action, Reach
from oms_project.asgi import application
from oms_project.asgi import sockets as sockets_of_the_product
from oms_project.kernel.words import Role
from oms_project.rest.sockets import Seats, guarded
from oms_project.tests import asgi
from oms_project.tests.asgi import Answer
from orders.tests.world import World, new_id, publish

pytestmark = pytest.mark.django_db(databases=["default", "store"], transaction=True)

PUBLIC: Final = None
OWNER: Final = "owner"
"""Who made the key: nobody here did, so it does not exist."""
GET: Final = "GET"
POST: Final = "POST"
METHODS: Final = (GET, POST, "DELETE")
OPEN: Final = {GET: PUBLIC}
READ: Final = {GET: Action.READ}
Rule = Mapping[str, Action | str | None]

RULES: Final[Mapping[str, Rule]] = {
    "health": OPEN,
    "auth-login": {POST: PUBLIC},
    "auth-refresh": {POST: PUBLIC},
    "auth-logout": {POST: PUBLIC},
    "keys-api": {GET: Action.KEYS, POST: Action.KEYS},
    "key-rotate-api": {POST: OWNER},
    "key-revoke-api": {POST: OWNER},
    "meta-errors": OPEN,
    "meta-limits": OPEN,
    "meta-time": OPEN,
    "meta-order-states": OPEN,
    "schema": OPEN,
    "docs": OPEN,
    "instruments": OPEN,
    "ticker": OPEN,
    "book": OPEN,
    "trades": OPEN,
    "candles": OPEN,
    "feeds": OPEN,
    "orders": READ,
    "orders-place": {POST: Action.TRADE},
    "orders-batch": {POST: Action.TRADE},
    "orders-cancel": {POST: Action.CANCEL},
    "order": READ,
    "order-events": READ,
    "order-fills": READ,
    "order-cancel": {POST: Action.CANCEL},
    "accounts": READ,
    "account": READ,
    "account-positions": READ,
    "account-balances": READ,
    "account-fills": READ,
    "integrity": {GET: Action.WATCH},
}
"""Route -> method -> what of access/rights.py one must be allowed. A method that is not here is none."""
ENTRY: Final = {
    "orders-place": "/api/orders",
    "orders-batch": "/api/orders/batch",
    "orders-cancel": "/api/orders/cancel",
    "order-cancel": "/api/orders/<str:order_id>/cancel",
}
"""Order entry, which has no view: flow.py."""
IN_BODY: Final = ("orders-place", "orders-batch", "orders-cancel")
"""Routes whose account is in the body."""
ONE_PATH: Final = ("orders", "orders-place")
CELLS_MIN: Final = 1_500


def routes(patterns: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield (name, path) of every route below the API, and of the probes."""
    for found in patterns:
        path = f"{prefix}{found.pattern}"
        if isinstance(found, URLResolver):
            yield from routes(found.url_patterns, path)
        elif isinstance(found, URLPattern) and (path.startswith("api/") or "/" not in path):
            yield found.name or path, f"/{path}"


def api_routes() -> dict[str, str]:
    found = {
        name: path
        for name, path in routes(get_resolver().url_patterns)
        if path.startswith("/api/") or name in RULES
    }
    return found | ENTRY


class Caller(NamedTuple):
    """Somebody who asks. desk "": nobody at all; role None: a member of nothing."""

    name: str
    desk: str
    role: Role | None
    fields: Mapping[str, str]
    scopes: frozenset[str] | None = None


class Desks:
    """Ann's account and order, Bob's, and ids of nobody."""

    def __init__(self) -> None:
        self.world = World()
        self.loop = asyncio.Runner()
        publish("BTC-USD", 2_000_000, 2_000_100)
        self.ids: dict[str, dict[str, str]] = {}
        for owner in ("own", "foreign"):
            account_id = self.world.account()
            order_id = self.world.order(account_id, filled=1)
            self.ids[owner] = {"account_id": account_id, "order_id": order_id}
        self.ids["unknown"] = {"account_id": new_id(), "order_id": new_id()}
        self.ids["nonsense"] = {"account_id": "x' OR 1=1", "order_id": "%00"}
        self.callers = [Caller("nobody", "", None, {})]
        mine = self.ids["own"]["account_id"]
        self.users: dict[str, Any] = {}
        for desk in Desk.values:
            for role in (*Role, None):
                name = f"{desk}-{role}"
                user = self.world.user(name, {mine: role} if role else {}, desk_role=desk)
                self.users[name] = user
                self.callers.append(Caller(name, desk, role, _bearer(self.world.token(user))))
        trader = self.users["trader-trader"]
        for scope in ("read", "trade", "cancel"):
            made = keys.make(trader, label=scope, scopes=[scope], bearer=True)
            self.callers.append(
                Caller(
                    f"key to {scope}", "trader", Role.TRADER,
                    _bearer(f"{made.key.pk}.{made.secret}"), frozenset({scope}),
                )
            )  # fmt: skip
        root = self.world.user("root", is_staff=True, is_superuser=True)
        self.callers.append(Caller("superuser", "trader", None, _bearer(self.world.token(root))))

    def caller(self, name: str) -> Caller:
        return next(one for one in self.callers if one.name == name)

    def ask(self, method: str, name: str, path: str, whose: str, caller: Caller) -> Answer:
        ids = self.ids[whose]
        for key, value in {**ids, "symbol": "BTC-USD", "key_id": "oms_x"}.items():
            path = path.replace(f"<str:{key}>", value)
        assert "<" not in path, f"{path}: say what to put in"
        headers = {"host": "localhost", "x-request-id": "matrix-request", **caller.fields}
        body = b""
        if method == "POST":
            body = json.dumps(_body(name, ids["account_id"])).encode()
            headers |= {
                "idempotency-key": new_id(), "content-type": "application/json",
                "content-length": str(len(body)),
            }  # fmt: skip
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        return self.loop.run(
            asgi.ask(application, method, unquote(path), headers=raw, pieces=[body])
        )


def _bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def _body(name: str, account_id: str) -> Any:
    order = {
        "account_id": account_id, "symbol": "BTC-USD", "side": "buy", "type": "limit",
        "quantity": "0.1", "price": "20000.00",
    }  # fmt: skip
    bodies = {
        "orders-place": order, "orders-batch": {"orders": [order]},
        "orders-cancel": {"account_id": account_id},
    }  # fmt: skip
    return bodies.get(name, {})


def expected(caller: Caller, action: Action, whose: str, *, of_account: bool) -> str:
    """Return "yes", "forbidden" or "missing" by the table: the oracle, and nothing of principal.py."""
    reach = rights.TABLE[Desk(caller.desk)][action]
    scoped = caller.scopes is None or bool(caller.scopes & rights.SCOPES.get(action, frozenset()))
    if not of_account:
        return "yes" if scoped and reach is not Reach.NONE else "forbidden"
    sees_all = rights.TABLE[Desk(caller.desk)][Action.READ] is Reach.ALL
    member = whose == "own" and caller.role is not None
    if not member and not (sees_all and whose in ("own", "foreign")):
        return "missing"
    reaches = {
        Reach.NONE: False, Reach.ALL: True, Reach.MEMBER: member,
        Reach.TRADING: member and caller.role is Role.TRADER,
    }[reach]  # fmt: skip
    return "yes" if scoped and reaches else "forbidden"


CODES: Final = {"forbidden": (403, "permission_denied"), "missing": (404, "not_found")}


def judge(caller: Caller, name: str, method: str, whose: str, answer: Answer) -> str:
    """Return what is wrong with *answer* by the table; "" if nothing is."""
    body = json.loads(answer.body) if answer.status >= 400 and answer.body else {}
    got = (answer.status, body.get("code"))
    rule = RULES[name]
    if answer.status >= 500:
        return f"broke: {got}"
    if method not in rule:
        return "" if got[0] in (401, 403, 405) else f"{got} for a method that is none"
    action = rule[method]
    if action is PUBLIC:
        return "" if got[0] not in (403, 404) else f"{got} where anybody may"
    if not caller.desk:
        return "" if got == (401, "not_authenticated") else f"{got} to nobody"
    if action == OWNER:
        wanted = CODES["missing" if caller.scopes is None else "forbidden"]
        return "" if got == wanted else f"{got}, not {wanted}"
    assert isinstance(action, Action)
    of_account = name in IN_BODY or "_id>" in api_routes()[name]
    verdict = expected(caller, action, whose, of_account=of_account)
    if verdict == "missing" and caller.scopes is not None and action is Action.READ:
        # What a key may not at all it is told before whose it is.
        verdict = "missing" if "read" in caller.scopes else "forbidden"
    if verdict == "yes":
        return "" if got[0] in (200, 201, 202, 422) and got[1] != "permission_denied" else f"{got}"
    return "" if got == CODES[verdict] else f"{got}, not {CODES[verdict]}"


def test_every_route_has_a_row() -> None:
    """Default deny: whoever adds a route says here what it takes."""
    assert set(api_routes()) == set(RULES)


def test_the_matrix() -> None:
    """Route × method × caller × whose: what the table says, and foreign and unknown are the same bytes."""
    desks = Desks()
    cells, wrong = 0, []
    for name, path in api_routes().items():
        has_id = name in IN_BODY or "_id>" in path
        variants = ("own", "foreign", "unknown", "nonsense") if has_id else ("own",)
        for method in METHODS:
            if name in ONE_PATH and method in (GET, POST) and method not in RULES[name]:
                continue  # the other one's
            for caller in desks.callers:
                bodies = {}
                for whose in variants if method in RULES[name] else ("own",):
                    answer = desks.ask(method, name, path, whose, caller)
                    cells += 1
                    problem = judge(caller, name, method, whose, answer)
                    wrong += (
                        [f"{method} {name} {whose} by {caller.name}: {problem}"] if problem else []
                    )
                    body = json.loads(answer.body) if answer.status >= 400 and answer.body else {}
                    body.pop("instance", None)
                    bodies[whose] = (answer.status, body, sorted(answer.headers))
                hidden = len(bodies) > 1 and bodies["foreign"][0] == 404
                if hidden and not bodies["foreign"] == bodies["unknown"] == bodies["nonsense"]:
                    wrong.append(f"{method} {name} tells {caller.name} foreign from unknown")
    assert wrong == [], "\n".join(wrong)
    assert cells >= CELLS_MIN


def test_sockets_by_the_table() -> None:
    """Subscribing is reading."""
    desks = Desks()

    async def story(caller: Caller, whose: str) -> str:
        app = guarded(sockets_of_the_product, Seats())
        headers = [(b"host", b"localhost")]
        headers += [(name.encode(), value.encode()) for name, value in caller.fields.items()]
        made = WebsocketCommunicator(app, "/ws/orders", headers=headers)
        assert (await made.connect(timeout=10))[0]
        if not caller.desk:
            return str((await made.receive_output(timeout=10))["code"])
        account_id = desks.ids[whose]["account_id"]
        await made.send_json_to({"op": "subscribe", "account_id": account_id})
        told = await made.receive_json_from(timeout=10)
        await made.disconnect()
        return str(told.get("code", told["op"]))

    said = {"yes": "subscribed", "forbidden": "permission_denied", "missing": "not_found"}
    for caller in desks.callers:
        for whose in ("own", "foreign", "unknown"):
            wanted = "4401"
            if caller.desk:
                wanted = said[expected(caller, Action.READ, whose, of_account=True)]
            assert desks.loop.run(story(caller, whose)) == wanted, (caller.name, whose)


def test_pages_by_the_table() -> None:
    """A page shows what its desk role and memberships reach, and asks everybody else to log in."""
    desks = Desks()
    pages: dict[str, Action] = {
        "/orders/": Action.READ, "/positions/": Action.READ, "/orders.csv": Action.READ,
        "/ops/": Action.WATCH, "/keys/": Action.KEYS, "/orders/<order>/": Action.READ,
    }  # fmt: skip
    for caller in desks.callers:
        if caller.scopes is not None or caller.name == "superuser":
            continue
        page = Client()
        if caller.desk:
            page.force_login(desks.users[caller.name])
        for path, action in pages.items():
            for whose in ("own", "foreign", "unknown") if "<" in path else ("own",):
                found = page.get(path.replace("<order>", desks.ids[whose]["order_id"]))
                where = f"{path} {whose} by {caller.name}: {found.status_code}"
                if not caller.desk:
                    assert found.headers["Location"].startswith("/login/"), where
                    continue
                verdict = expected(caller, action, whose, of_account="<" in path)
                good = found.status_code == 200
                assert good if verdict == "yes" else found.status_code in (403, 404), where


ADMIN: Final = {
    "/admin/access/account/": Action.WATCH,
    "/admin/access/account/add/": Action.REFER,
    "/admin/access/account/<account>/adjust/": Action.MONEY,
    "/admin/access/user/": Action.USERS,
    "/admin/access/user/add/": Action.USERS,
    "/admin/access/apikey/": Action.USERS,
}


def test_the_admin_by_the_table() -> None:
    """Staff of each desk role with every permission Django has: the table decides, not they."""
    desks = Desks()
    for desk in Desk.values:
        user = desks.world.user(f"staff {desk}", desk_role=desk, is_staff=True, is_superuser=True)
        page = Client()
        page.force_login(user)
        for path, action in ADMIN.items():
            found = page.get(path.replace("<account>", desks.ids["own"]["account_id"]))
            wanted = 200 if rights.TABLE[Desk(desk)][action] is not Reach.NONE else 403
            assert found.status_code == wanted, (path, desk)


def test_lists_never_hold_foreign_rows() -> None:
    """Whatever the filter; and asking for a foreign account is asking for none."""
    desks = Desks()
    token = desks.caller("trader-trader").fields["authorization"][7:]
    foreign = desks.ids["foreign"]
    headers = {"authorization": f"Bearer {token}", "x-request-id": "matrix-request"}
    for query in ({}, {"symbol": "BTC-USD"}, {"limit": 500}, {"status": "PARTIALLY_FILLED"}):
        answer = Client().get("/api/orders", query, headers=headers)
        assert answer.status_code == 200
        assert foreign["account_id"].encode() not in answer.content
    assert (
        foreign["account_id"].encode() not in Client().get("/api/accounts", headers=headers).content
    )
    answers = [
        Client().get("/api/orders", {"account_id": account_id}, headers=headers)
        for account_id in (foreign["account_id"], desks.ids["unknown"]["account_id"])
    ]
    assert answers[0].content == answers[1].content
    assert answers[0].status_code == 404


def test_a_membership_taken_away() -> None:
    """What was one's own is gone with the role."""
    desks = Desks()
    account_id = desks.ids["own"]["account_id"]
    headers = {
        "authorization": f"Bearer {desks.caller('trader-trader').fields['authorization'][7:]}"
    }
    assert Client().get(f"/api/accounts/{account_id}", headers=headers).status_code == 200
    Membership.objects.filter(account_id=account_id).delete()
    principal.forget_all()
    assert Client().get(f"/api/accounts/{account_id}", headers=headers).status_code == 404


def test_cookies_do_not_write() -> None:
    """A session without our CSRF token writes nothing."""
    world = World()
    account_id = world.account()
    user = world.user("ann", {account_id: Role.TRADER})
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    assert client.get("/api/orders").status_code == 200
    answer = client.post("/api/orders", {}, content_type="application/json")
    assert answer.status_code in (403, 405)
    assert answer.json()["code"] in ("csrf_failed", "method_not_allowed")

"""Who may read what: every route × every kind of caller × own, foreign and unknown ids.

The routes come from urlpatterns and from order entry's own table, so a new one fails here until its
row exists. They are asked at the ASGI door: what runs is what is tested.
"""

import asyncio
import json
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import unquote

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from oms_project.access import principal
from oms_project.access.models import Desk, Membership
from oms_project.asgi import application
from oms_project.kernel.words import Role
from oms_project.tests import asgi
from oms_project.tests.asgi import Answer
from orders.tests.world import World, new_id, publish

pytestmark = pytest.mark.django_db(databases=["default", "store"], transaction=True)

PUBLIC: Final = "public"
MEMBER: Final = "member"  # of the account, or of the order's
OWNER: Final = "who made the key"
ANYBODY: Final = "anybody logged in"
WATCHERS: Final = ("risk_officer", "operator")  # by desk role, whatever their memberships
ELSEWHERE: Final = "tested with its pages"

RULES: Final = {
    "health": PUBLIC,
    "auth-login": PUBLIC,
    "auth-refresh": PUBLIC,
    "auth-logout": PUBLIC,
    "keys-api": ANYBODY,
    "key-rotate-api": OWNER,
    "key-revoke-api": OWNER,
    "meta-errors": PUBLIC,
    "meta-time": PUBLIC,
    "meta-order-states": PUBLIC,
    "schema": PUBLIC,
    "docs": PUBLIC,
    "instruments": PUBLIC,
    "ticker": PUBLIC,
    "book": PUBLIC,
    "trades": PUBLIC,
    "candles": PUBLIC,
    "orders": ANYBODY,
    "orders-place": ANYBODY,
    "orders-batch": ANYBODY,
    "orders-cancel": ANYBODY,
    "order": MEMBER,
    "order-events": MEMBER,
    "order-fills": MEMBER,
    "order-cancel": MEMBER,
    "accounts": ANYBODY,
    "account": MEMBER,
    "account-positions": MEMBER,
    "account-balances": MEMBER,
    "account-fills": MEMBER,
    "integrity": WATCHERS,
}
ENTRY: Final = {
    "orders-place": "/api/orders",
    "orders-batch": "/api/orders/batch",
    "orders-cancel": "/api/orders/cancel",
    "order-cancel": "/api/orders/<str:order_id>/cancel",
}
"""Order entry, which has no view: flow.py."""
WRITES: Final = {
    "key-rotate-api",
    "key-revoke-api",
    "auth-login",
    "auth-refresh",
    "auth-logout",
    *ENTRY,
}


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
        self.callers: dict[str, str] = {"nobody": ""}
        mine = self.ids["own"]["account_id"]
        for desk in Desk.values:
            for role in Role:
                user = self.world.user(f"{desk}-{role}", {mine: role}, desk_role=desk)
                self.callers[f"{desk}, {role}"] = self.world.token(user)
        outsider = self.world.user("outsider", is_staff=True, is_superuser=True)
        self.outsider = self.callers["superuser without membership"] = self.world.token(outsider)

    def ask(self, name: str, path: str, whose: str, token: str) -> Answer:
        for key, value in {**self.ids[whose], "symbol": "BTC-USD", "key_id": "oms_x"}.items():
            path = path.replace(f"<str:{key}>", value)
        assert "<" not in path, f"{path}: say what to put in"
        headers = {"host": "localhost", "x-request-id": "matrix-request"}
        if token:
            headers["authorization"] = f"Bearer {token}"
        if name in WRITES:
            headers |= {"idempotency-key": new_id(), "content-type": "application/json"} | {
                "content-length": "2"
            }
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        method, pieces = ("POST", (b"{}",)) if name in WRITES else ("GET", (b"",))
        return self.loop.run(
            asgi.ask(application, method, unquote(path), headers=raw, pieces=pieces)
        )


def test_every_route_has_a_row() -> None:
    """Default deny: whoever adds a route says here who may use it."""
    assert set(api_routes()) <= set(RULES)


def test_the_matrix() -> None:
    """Nobody gets more than their row says; foreign and unknown cannot be told apart."""
    desks = Desks()
    checks = 0
    for name, path in api_routes().items():
        rule = RULES[name]
        variants = ("own", "foreign", "unknown", "nonsense") if "_id>" in path else ("own",)
        for caller, token in desks.callers.items():
            bodies = {}
            for whose in variants:
                answer = desks.ask(name, path, whose, token)
                checks += 1
                where = f"{name} {whose} by {caller}: {answer.status}"
                assert answer.status < 500, where
                if rule != PUBLIC and not token:
                    assert (answer.status, json.loads(answer.body)["code"]) == (
                        401, "not_authenticated",
                    ), where  # fmt: skip
                elif rule == MEMBER and (whose != "own" or token == desks.outsider):
                    assert (answer.status, json.loads(answer.body)["code"]) == (404, "not_found"), (
                        where
                    )
                elif rule == OWNER:
                    assert answer.status == 404, where
                elif rule == WATCHERS:
                    expected = 200 if caller.startswith(WATCHERS) else 403
                    assert answer.status == expected, where
                elif rule == MEMBER and name not in WRITES:
                    assert answer.status == 200, where
                body = json.loads(answer.body) if answer.status >= 400 else {}
                body.pop("instance", None)
                bodies[whose] = (answer.status, body, sorted(answer.headers))
            if rule == MEMBER and token:
                assert bodies["foreign"] == bodies["unknown"] == bodies["nonsense"], name
    assert checks > 250


def test_lists_never_hold_foreign_rows() -> None:
    """Whatever the filter; and asking for a foreign account is asking for none."""
    desks = Desks()
    token = desks.callers["trader, trader"]
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
    headers = {"authorization": f"Bearer {desks.callers['trader, trader']}"}
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

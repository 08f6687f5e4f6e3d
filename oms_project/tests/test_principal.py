"""Who is let in: tokens built by hand, sessions, the cache, CSRF."""

import base64
import dataclasses
import hashlib
import hmac
import json
from typing import Any

import jwt
import pytest
import structlog
from django.conf import settings
from django.contrib.auth import get_user_model
from django.test import Client

from oms_project.access import principal, tokens
from oms_project.access.errors import AccessError
from oms_project.access.models import Account, Membership, TokenFamily
from oms_project.access.principal import Cache, Principal
from oms_project.access.rights import Action
from oms_project.adapters.clock import NS_PER_S, FakeClock, SystemClock
from oms_project.kernel.words import Role

pytestmark = pytest.mark.django_db
User = get_user_model()
CONF = settings.TOKENS


@pytest.fixture(autouse=True)
def _no_cache() -> None:
    principal.forget_all()


@pytest.fixture
def user() -> Any:
    made = User.objects.create_user("ann", password="a long enough one")
    for name, role in (("a-1", Role.TRADER), ("a-2", Role.VIEWER)):
        account = Account.objects.create(id=name, name=name)
        Membership.objects.create(user=made, account=account, role=role)
    return made


def a_token(
    user: Any, *, key: str = CONF["SIGNING_KEY"], header: Any = None, **changes: Any
) -> str:
    """Build an access token by hand; a change of None leaves the claim out."""
    family = TokenFamily.objects.create(user=user, current=user.pk)
    now_s = SystemClock.now_ns() // NS_PER_S
    claims = {
        "token_type": "access", "sub": str(user.pk), "version": user.token_version,
        "family": str(family.pk), "jti": "j", "iat": now_s, "exp": now_s + 60,
        "iss": CONF["ISSUER"], "aud": CONF["AUDIENCE"], **changes,
    }  # fmt: skip
    kept = {name: value for name, value in claims.items() if value is not None}
    algorithm = (header or {}).get("alg", "HS256")
    return jwt.encode(kept, key, algorithm=algorithm, headers=header)


def refused(token: str) -> str:
    with pytest.raises(AccessError) as caught:
        principal.from_bearer(token)
    return caught.value.code


def test_a_good_token(user: Any) -> None:
    """Roles come from the memberships."""
    found = principal.from_bearer(a_token(user))
    assert (found.username, found.via, found.desk_role) == ("ann", "token", "trader")
    assert dict(found.roles) == {"a-1": Role.TRADER, "a-2": Role.VIEWER}
    assert [found.can_read(a) for a in ("a-1", "a-2", "a-3")] == [True, True, False]
    assert [found.can_trade(a) for a in ("a-1", "a-2", "a-3")] == [True, False, False]


ANN = Principal("u-1", "ann", "trader", {"a-1": Role.TRADER, "a-2": Role.VIEWER}, "token")
VERA = dataclasses.replace(ANN, username="vera", desk_role="viewer")


@pytest.mark.parametrize(
    ("who", "account_id", "action", "code"),
    [
        (ANN, "a-1", Action.READ, None),
        (ANN, "a-1", Action.TRADE, None),
        (ANN, "a-1", Action.CANCEL, None),
        (ANN, "a-2", Action.READ, None),
        (ANN, "a-2", Action.TRADE, "permission_denied"),
        (ANN, "a-2", Action.CANCEL, "permission_denied"),
        (ANN, "a-3", Action.READ, "not_found"),
        (ANN, "a-3", Action.TRADE, "not_found"),
        (ANN, "", Action.READ, "not_found"),
        (VERA, "a-1", Action.READ, None),
        (VERA, "a-1", Action.TRADE, "permission_denied"),
    ],
)
def test_who_may(who: Principal, account_id: str, action: Action, code: str | None) -> None:
    """Every refusal is one line of evidence, and nothing else is."""
    with structlog.testing.capture_logs() as lines:
        refused = who.on(account_id, action)
    assert (refused.code if refused else None) == code
    told = [(line["event"], line["code"], line["username"], line["account_id"]) for line in lines]
    assert told == ([("access_refused", code, who.username, account_id)] if code else [])


def test_the_log_does_not_grow_by_what_is_asked_for() -> None:
    """An account id is anybody's text."""
    with structlog.testing.capture_logs() as lines:
        assert ANN.on("x" * 10_000, Action.READ) is not None
    assert len(lines[0]["account_id"]) == principal.ACCOUNT_ID_CHARS_MAX


def test_what_needs_no_account() -> None:
    """What belongs to a desk role needs no membership, and a membership gives none of it."""
    officer = dataclasses.replace(ANN, desk_role="risk_officer", roles={})
    assert officer.may(Action.WATCH) is None
    with structlog.testing.capture_logs() as lines:
        refused = ANN.may(Action.WATCH)
    assert refused is not None
    assert refused.code == "permission_denied"
    assert [line["event"] for line in lines] == ["access_refused"]


def test_a_role_nobody_has() -> None:
    """Default deny: what the table does not name may nothing."""
    stranger = dataclasses.replace(ANN, desk_role="owner")
    assert not stranger.can_trade("a-1")
    assert all(stranger.on("a-1", action) is not None for action in Action)


BAD = [
    ("expired", {"exp": 1}, "token_expired"),
    ("no expiry", {"exp": None}, "invalid_token"),
    ("expiry is text", {"exp": "tomorrow"}, "invalid_token"),
    ("issued tomorrow", {"iat": 99_999_999_999}, "invalid_token"),
    ("not yet good", {"nbf": 99_999_999_999}, "invalid_token"),
    ("another issuer", {"iss": "evil"}, "invalid_token"),
    ("no issuer", {"iss": None}, "invalid_token"),
    ("another audience", {"aud": "evil"}, "invalid_token"),
    ("no audience", {"aud": None}, "invalid_token"),
    ("a refresh token", {"token_type": "refresh"}, "invalid_token"),
    ("no type", {"token_type": None}, "invalid_token"),
    ("an old version", {"version": 0}, "invalid_token"),
    ("no version", {"version": None}, "invalid_token"),
    ("nobody", {"sub": "00000000-0000-4000-8000-000000000000"}, "invalid_token"),
    ("no uuid", {"sub": "1' OR 1=1"}, "invalid_token"),
    ("no family", {"family": None}, "invalid_token"),
    (
        "an unknown family",
        {"family": "00000000-0000-4000-8000-000000000000"},
        "invalid_token",
    ),
    ("another key", {"key": "k" * 64}, "invalid_token"),
    ("another hash", {"header": {"alg": "HS512"}}, "invalid_token"),
    ("a critical extension", {"header": {"crit": ["x"], "x": 1}}, "invalid_token"),
]


@pytest.mark.parametrize(("changes", "code"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_bad_claims(user: Any, changes: dict[str, Any], code: str) -> None:
    """Every claim is checked, and the algorithm is pinned."""
    assert refused(a_token(user, **changes)) == code


def test_forged_bytes(user: Any) -> None:
    """alg none, an edited payload, and things that are no token."""
    header, payload, signature = a_token(user).split(".")
    for alg in ("none", "None", "RS256"):
        forged = base64.urlsafe_b64encode(json.dumps({"alg": alg, "typ": "JWT"}).encode())
        start = f"{forged.decode().rstrip('=')}.{payload}"
        made = hmac.new(CONF["SIGNING_KEY"].encode(), start.encode(), hashlib.sha256).digest()
        again = base64.urlsafe_b64encode(made).decode().rstrip("=")
        assert refused(f"{start}.") == "invalid_token"
        assert refused(f"{start}.{again}") == "invalid_token"
    edited = base64.urlsafe_b64encode(b'{"sub":"x"}').decode().rstrip("=")
    for token in (f"{header}.{edited}.{signature}", "", "a.b.c", "x", "é.é.é", "\x00"):
        assert refused(token) == "invalid_token"


def test_a_key_of_before_is_still_read(user: Any, monkeypatch: Any) -> None:
    """Another key logs nobody out; a key that is taken off the list does."""
    old = a_token(user, key="k" * 40)
    assert refused(old) == "invalid_token"
    monkeypatch.setattr(tokens, "_KEYS", (CONF["SIGNING_KEY"], "x" * 40, "k" * 40))
    assert principal.from_bearer(old).username == "ann"
    assert principal.from_bearer(a_token(user)).username == "ann"
    assert refused(a_token(user, key="k" * 40, exp=1)) == "token_expired"
    assert refused(a_token(user, key="y" * 40)) == "invalid_token"


def test_the_token_says_nothing_about_its_key(user: Any) -> None:
    """kid, jku and jwk in the header change nothing."""
    header = {"kid": "../../dev/null", "jku": "https://evil.example/jwks"}
    assert principal.from_bearer(a_token(user, header=header)).username == "ann"


def test_revocation(user: Any) -> None:
    """Disabled, a raised token_version and an ended family are seen once the cache forgets."""
    token = a_token(user)
    principal.from_bearer(token)
    for change, undo in (
        ({"is_active": False}, {"is_active": True}),
        ({"token_version": 2}, {"token_version": 1}),
    ):
        User.objects.filter(pk=user.pk).update(**change)
        principal.forget_all()
        assert refused(token) == "invalid_token"
        User.objects.filter(pk=user.pk).update(**undo)
        assert principal.from_bearer(token)
    TokenFamily.objects.update(revoked=True)
    principal.forget_all()
    assert refused(token) == "invalid_token"


def test_cached_asks_nothing(user: Any, django_assert_num_queries: Any) -> None:
    """None on a miss; after one slow look no query."""
    token = a_token(user)
    with django_assert_num_queries(0):
        assert principal.cached_bearer(token) is None
    found = principal.from_bearer(token)
    with django_assert_num_queries(0):
        assert principal.cached_bearer(token) is found
        assert principal.from_bearer(token) is found


def test_cache_forgets() -> None:
    """An entry dies on time, and a full cache drops the oldest."""
    clock = FakeClock()
    cache = Cache(clock.monotonic_ns, entries_max=2)
    ann = Principal("1", "ann", "trader", {}, "token")
    for name in ("a", "b", "c"):
        cache.put(name, ann, NS_PER_S)
    assert [cache.get(name) for name in "abc"] == [None, ann, ann]
    clock.advance_ns(NS_PER_S + 1)
    assert cache.get("c") is None


def test_a_token_is_not_cached_beyond_its_end(user: Any, monkeypatch: Any) -> None:
    """The entry of a token about to expire lives no longer than the token."""
    clock = FakeClock()
    cache = Cache(clock.monotonic_ns, entries_max=2)
    monkeypatch.setattr(principal, "CACHE", cache)
    now_s = SystemClock.now_ns() // NS_PER_S
    token = a_token(user, exp=now_s + 1)
    principal.from_bearer(token)
    clock.advance_ns(NS_PER_S + 1)
    assert principal.cached_bearer(token) is None


def test_session(user: Any) -> None:
    """A page's session is the same person; logging out or another password ends it."""
    client = Client()
    client.force_login(user)
    cookies = {name: morsel.value for name, morsel in client.cookies.items()}
    assert principal.from_session(cookies).via == "session"
    principal.forget_all()
    user.set_password("another long one")
    user.save()
    with pytest.raises(AccessError):
        principal.from_session(cookies)
    for nobody in ({}, {settings.SESSION_COOKIE_NAME: "x" * 32}):
        with pytest.raises(AccessError):
            principal.from_session(nobody)


HOST = {"Host": "localhost"}
SECRET = "a" * 32
CSRF = [
    ("safe", "GET", {}, True),
    ("no token", "POST", {}, False),
    ("token", "POST", {"X-CSRFToken": SECRET}, True),
    ("wrong token", "POST", {"X-CSRFToken": "b" * 32}, False),
    ("our origin", "POST", {"X-CSRFToken": SECRET, "Origin": "http://localhost"}, True),
    (
        "their origin",
        "POST",
        {"X-CSRFToken": SECRET, "Origin": "http://evil.example"},
        False,
    ),
    ("null origin", "POST", {"X-CSRFToken": SECRET, "Origin": "null"}, False),
]


@pytest.mark.parametrize(
    ("method", "headers", "ok"), [row[1:] for row in CSRF], ids=[row[0] for row in CSRF]
)
def test_csrf(method: str, headers: dict[str, str], ok: bool) -> None:
    """Django's rules, from plain values."""
    assert principal.csrf_ok(method, {**HOST, **headers}, {"csrftoken": SECRET}) is ok


def test_refresh_tokens_turn_over(user: Any, monkeypatch: Any) -> None:
    """A refresh token works once; used again it ends everything the login gave."""
    monkeypatch.setattr(tokens, "GRACE_S", -1)
    first = tokens.issue(user)
    second = tokens.refresh(first.refresh)
    assert principal.from_bearer(second.access).username == "ann"
    with pytest.raises(AccessError):
        tokens.refresh(first.refresh)
    principal.forget_all()
    with pytest.raises(AccessError):
        tokens.refresh(second.refresh)
    assert refused(second.access) == refused(first.access) == "invalid_token"


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic x", "Bearer a b", "x" * 5000])
def test_authorization_header(header: str) -> None:
    """Exactly one bearer token."""
    with pytest.raises(AccessError):
        principal.bearer_of(header)

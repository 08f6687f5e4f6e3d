"""Who is asking: the only file that turns a token or a session into a Principal.

Split in two so that an async door never blocks: `cached_…(…)` is a dictionary look-up (None on a
miss), `from_bearer` and `from_session` ask the database and belong in a thread. An answer is kept
CACHE_MS at most, so a disabled user, a raised token_version, a logout or a removed membership
counts everywhere within that time.
"""

import dataclasses
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType, SimpleNamespace
from typing import Any, Final

import structlog
from django.conf import settings
from django.contrib.auth import SESSION_KEY, get_user
from django.http import HttpRequest, parse_cookie
from django.middleware.csrf import CsrfViewMiddleware

from oms_project.access import actors, changes, rights, tokens
from oms_project.access.errors import AccessError
from oms_project.access.models import Account, ApiKey, Membership, TokenFamily, User
from oms_project.access.rights import Action, Reach
from oms_project.access.sessions import SessionStore
from oms_project.adapters.clock import NS_PER_MS, NS_PER_S, SystemClock
from oms_project.kernel.words import Role
from oms_project.problem import NOT_FOUND, Problem

CACHE_MS: Final = 2_000
CACHE_ENTRIES_MAX: Final = 8_192
TOKEN_CHARS_MAX: Final = 4_096
SESSION_KEY_CHARS_MAX: Final = 64
ACCOUNT_ID_CHARS_MAX: Final = 64
"""As much of what was asked for goes into the log."""
_monotonic_ns = SystemClock.monotonic_ns
_now_ns = SystemClock.now_ns
_logger = structlog.get_logger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Principal:
    """Somebody let in. roles: account id -> their membership; via: token | session | key.

    everybodys: every account there is, for who reads them all (as viewer, where they are no member).
    scopes: what an API key was made for, None for people; key_id: which one it is.
    Stands in for Django's user in REST views (`request.user`).
    """

    user_id: str
    username: str
    desk_role: str
    roles: Mapping[str, Role]
    via: str
    scopes: frozenset[str] | None = None
    key_id: str = ""
    everybodys: Mapping[str, Role] | None = None

    is_authenticated = True
    is_anonymous = False
    is_active = True

    @property
    def pk(self) -> str:
        return self.user_id

    @property
    def actor(self) -> str:
        """Who this is in the log."""
        return actors.of_user(self.user_id, self.username, self.key_id)

    @property
    def readable(self) -> Mapping[str, Role]:
        """Every account that exists for this user, and the role on it."""
        return self.roles if self.everybodys is None else self.everybodys

    def on(self, account_id: str, action: Action) -> Problem | None:
        """Return why this user may not do *action* with an account; None: they may (rights.py).

        Somebody else's account does not exist, one's own may be for reading only. A refusal is
        logged: it is evidence.
        """
        if account_id not in self.readable:
            refused = NOT_FOUND
        elif not self._in_scope(action):
            refused = _out_of_scope(action)
        elif self._reaches(account_id, action):
            return None
        else:
            refused = Problem("permission_denied", f"Your role on this account does not {action}.")
        self._log_refusal(refused, action=action, account_id=account_id[:ACCOUNT_ID_CHARS_MAX])
        return refused

    def may(self, action: Action) -> Problem | None:
        """Return why this user may not do *action* at all; None: they may, to some account at least."""
        if not self._in_scope(action):
            refused = _out_of_scope(action)
        elif rights.reach(self.desk_role, action) is not Reach.NONE:
            return None
        else:
            refused = Problem(
                "permission_denied", f"Your role is not to {rights.MEANINGS[action]}."
            )
        self._log_refusal(refused, action=action)
        return refused

    def can_read(self, account_id: str) -> bool:
        return account_id in self.readable and self._in_scope(Action.READ)

    def can_trade(self, account_id: str) -> bool:
        return self._in_scope(Action.TRADE) and self._reaches(account_id, Action.TRADE)

    def _in_scope(self, action: Action) -> bool:
        return self.scopes is None or rights.in_scope(self.scopes, action)

    def _reaches(self, account_id: str, action: Action) -> bool:
        match rights.reach(self.desk_role, action):
            case Reach.ALL:
                return account_id in self.readable
            case Reach.MEMBER:
                return account_id in self.roles
            case Reach.TRADING:
                return self.roles.get(account_id) is Role.TRADER
        return False

    def _log_refusal(self, refused: Problem, **about: str) -> None:
        _logger.warning(
            "access_refused", code=refused.code, user_id=self.user_id, username=self.username,
            desk_role=str(self.desk_role), via=self.via, key_id=self.key_id, **about,
        )  # fmt: skip


def _out_of_scope(action: Action) -> Problem:
    return Problem("permission_denied", f"The API key was not made to {action}.")


# ------------------------------------------------------------------ cache
Credential = tuple[str, str]
"""What kind it is, token or session, and its text."""


class Cache:
    """Answers kept for a moment. All live equally long, so the oldest insert goes first."""

    def __init__(self, monotonic_ns: Callable[[], int], entries_max: int) -> None:
        self._monotonic_ns = monotonic_ns
        self._entries_max = entries_max
        self._entries: dict[Credential, tuple[int, Principal]] = {}
        self._writes = threading.Lock()

    def get(self, credential: Credential) -> Principal | None:
        found = self._entries.get(credential)
        if found is None or found[0] < self._monotonic_ns():
            return None
        return found[1]

    def put(self, credential: Credential, principal: Principal, lives_ns: int) -> None:
        with self._writes:
            self._entries.pop(credential, None)
            if len(self._entries) >= self._entries_max:
                del self._entries[next(iter(self._entries))]
            self._entries[credential] = (self._monotonic_ns() + lives_ns, principal)

    def clear(self) -> None:
        with self._writes:
            self._entries.clear()


CACHE: Final = Cache(_monotonic_ns, CACHE_ENTRIES_MAX)
changes.forgets(CACHE.clear)


# A session's key is no token and a token no session: each is looked up as what it was sent as.
def cached_bearer(token: str) -> Principal | None:
    """Return whom *token* was given to, if it was asked a moment ago."""
    return CACHE.get(("token", token))


def cached_session(key: str) -> Principal | None:
    """Return who is logged in with the session *key*, if it was asked a moment ago."""
    return CACHE.get(("session", key))


def forget_all() -> None:
    """Ask the database again from now on (after a logout or a change of rights in this process)."""
    changes.forget()


# ------------------------------------------------------------------ tokens
def bearer_of(authorization: str) -> str:
    """Return the token of an Authorization header.

    Raises:
        AccessError: invalid_token, if it is anything but one bearer token.
    """
    kind, _, token = authorization.partition(" ")
    if kind.lower() != "bearer" or not token or " " in token or len(token) > TOKEN_CHARS_MAX:
        raise AccessError("invalid_token")
    return token


def from_bearer(token: str) -> Principal:
    """Return whom an access token was given to, asking the database on a miss.

    Raises:
        AccessError: invalid_token or token_expired.
    """
    found = cached_bearer(token)
    if found is not None:
        return found
    claims = tokens.read(token, tokens.ACCESS)
    user = _live_user(claims)
    principal = _principal(user, "token")
    left_ns = claims["exp"] * NS_PER_S - _now_ns()
    CACHE.put(("token", token), principal, min(CACHE_MS * NS_PER_MS, left_ns))
    return principal


def _live_user(claims: Mapping[str, Any]) -> User:
    """Return the user of *claims* unless disabled, revoked or logged out since."""
    try:
        user_id, family_id = (
            uuid.UUID(claims["sub"]),
            uuid.UUID(str(claims.get("family"))),
        )
        user = User.objects.get(pk=user_id, is_active=True)
    except (ValueError, User.DoesNotExist) as error:
        raise AccessError("invalid_token") from error
    family = TokenFamily.objects.filter(pk=family_id, user=user, revoked=False)
    if user.token_version != claims.get("version") or not family.exists():
        raise AccessError("invalid_token")
    return user


# ------------------------------------------------------------------ sessions
def session_key_of(cookies: Mapping[str, str]) -> str:
    """Return the session's key; "" if there is none, or nothing that could be one."""
    key = cookies.get(settings.SESSION_COOKIE_NAME, "")
    return key if key.isalnum() and len(key) <= SESSION_KEY_CHARS_MAX else ""


def from_session(cookies: Mapping[str, str]) -> Principal:
    """Return who is logged in with the session cookie, asking the database on a miss.

    Raises:
        AccessError: not_authenticated.
    """
    key = session_key_of(cookies)
    found = cached_session(key) if key else None
    if found is not None:
        return found
    if not key:
        raise AccessError("not_authenticated")
    session = SessionStore(session_key=key)
    if SESSION_KEY not in session:
        raise AccessError("not_authenticated")
    user = get_user(SimpleNamespace(session=session))  # also checks the password's hash
    if not isinstance(user, User):
        raise AccessError("not_authenticated")
    principal = _principal(user, "session")
    CACHE.put(("session", key), principal, CACHE_MS * NS_PER_MS)
    return principal


def cookies_of(header: str) -> dict[str, str]:
    """Return a Cookie header as a mapping, read as Django reads it.

    *header* has come through a door that lets no backslash pass (rest/door.py).
    """
    return parse_cookie(header)


def _principal(user: User, via: str) -> Principal:
    roles = _roles(user)
    return Principal(
        str(user.pk), user.username, user.desk_role, roles, via, everybodys=_everybodys(user, roles)
    )


def _everybodys(user: User, roles: Mapping[str, Role]) -> Mapping[str, Role] | None:
    """Return every account for who reads them all."""
    if rights.reach(user.desk_role, Action.READ) is not Reach.ALL:
        return None
    ids = Account.objects.values_list("id", flat=True)
    return MappingProxyType({account: Role.VIEWER for account in ids} | dict(roles))


def _roles(user: User) -> Mapping[str, Role]:
    rows = Membership.objects.filter(user=user).values_list("account_id", "role")
    return MappingProxyType({account: Role(role) for account, role in rows})


def of_user(user: User) -> Principal:
    """Return what *user* may do, however they come in."""
    return _principal(user, "user")


def of_key(key: ApiKey) -> Principal:
    """Return what a program with *key* may do: never more than its owner may now."""
    user = key.user
    roles = _roles(user)
    every = _everybodys(user, roles)
    if key.accounts:
        roles = _some(roles, key.accounts)
        every = None if every is None else _some(every, key.accounts)
    return Principal(
        str(user.pk), user.username, user.desk_role, roles, "key", frozenset(key.scopes), key.pk,
        every,
    )  # fmt: skip


def _some(roles: Mapping[str, Role], accounts: Sequence[str]) -> Mapping[str, Role]:
    return MappingProxyType({one: role for one, role in roles.items() if one in accounts})


# ------------------------------------------------------------------ CSRF
class _Csrf(CsrfViewMiddleware):
    def _reject(self, request: HttpRequest, reason: str) -> str:  # type: ignore[override]
        return reason


class _Shim(HttpRequest):
    """As much of a request as Django's CSRF rules look at."""

    def __init__(
        self,
        method: str,
        headers: Mapping[str, str],
        cookies: Mapping[str, str],
        scheme: str,
    ) -> None:
        super().__init__()
        self.method = method
        self.META = {f"HTTP_{name.upper().replace('-', '_')}": headers[name] for name in headers}
        self.COOKIES = dict(cookies)
        self._scheme = scheme

    def _get_scheme(self) -> str:
        return self._scheme


_csrf: Final = _Csrf(lambda request: None)  # type: ignore[arg-type,return-value]


def csrf_reason(request: HttpRequest) -> str | None:
    """Return why *request* is not from our own pages by Django's rules (token, Origin), or None."""
    _csrf.process_request(request)
    return _csrf.process_view(request, None, (), {})  # type: ignore[return-value]


def csrf_ok(
    method: str,
    headers: Mapping[str, str],
    cookies: Mapping[str, str],
    scheme: str = "http",
) -> bool:
    """Tell whether a request with a session cookie comes from our own pages.

    *headers*: names in any case, with "-" between words. Safe methods always pass.
    """
    return csrf_reason(_Shim(method, headers, cookies, scheme)) is None

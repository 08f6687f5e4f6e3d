"""Access and refresh tokens: the only file that makes, turns over and revokes them.

A login opens a *family*. Every refresh gives a new pair and makes the one before worthless; a
refresh token that comes back well after it was used means that somebody else has a copy, so the whole
family ends, and with it the access tokens it gave (principal.py looks).
"""

import contextlib
import uuid
from typing import Any, Final

import jwt
import msgspec
import structlog
from django.conf import settings
from django.contrib.auth import authenticate
from django.contrib.auth.signals import user_logged_in
from django.http import HttpRequest

from oms_project.access.errors import AccessError
from oms_project.access.models import TokenFamily, User
from oms_project.adapters.clock import NS_PER_S, SystemClock
from oms_project.adapters.ids import new_uuid

ACCESS: Final = "access"
REFRESH: Final = "refresh"
LEEWAY_S: Final = 5
"""As far may the clocks of two hosts be apart: a token of ours that is a moment ahead is good already, and
one that just ended still is, this long, at the host whose clock is ahead."""
GRACE_S: Final = 10
"""So long the refresh token before the current one gives the same successor again: an answer may be
lost, and two tabs may ask at once. Later it is a copy in somebody else's hands."""
_REQUIRED: Final = ["exp", "iat", "iss", "aud", "sub", "jti", "token_type"]
_CONF: Final[dict[str, Any]] = settings.TOKENS
_KEY: Final[str] = _CONF["SIGNING_KEY"]
_KEYS: Final[tuple[str, ...]] = (_KEY, *_CONF["OLD_KEYS"])
"""Whose signature is good: the newest key signs, those of before only say what they said."""
_now_ns = SystemClock.now_ns
_logger = structlog.get_logger(__name__)


class Pair(msgspec.Struct, frozen=True):
    """What a login or a refresh answers."""

    access: str
    refresh: str
    expires_in: int
    token_type: str = "Bearer"


# ------------------------------------------------------------------ bytes
def read(token: str, kind: str) -> dict[str, Any]:
    """Return the claims of *token* if we signed it for *kind*.

    Raises:
        AccessError: invalid_token or token_expired.
    """
    for key in _KEYS[:-1]:
        with contextlib.suppress(jwt.InvalidSignatureError):
            return _read(token, key, kind)
    try:
        return _read(token, _KEYS[-1], kind)
    except jwt.InvalidSignatureError as error:
        raise AccessError("invalid_token") from error


def _read(token: str, key: str, kind: str) -> dict[str, Any]:
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[_CONF["ALGORITHM"]],  # pinned: the header does not choose
            audience=_CONF["AUDIENCE"],
            issuer=_CONF["ISSUER"],
            options={"require": _REQUIRED},
            leeway=LEEWAY_S,
        )
    except jwt.InvalidSignatureError:
        raise  # it may be another key's
    except jwt.ExpiredSignatureError as error:
        raise AccessError("token_expired") from error
    except (jwt.InvalidTokenError, ValueError, TypeError) as error:
        raise AccessError("invalid_token") from error
    if claims["token_type"] != kind:
        raise AccessError("invalid_token")
    return claims


def _write(kind: str, user: User, family: TokenFamily, jti: str, now_s: int) -> str:
    claims = {
        "token_type": kind,
        "sub": str(user.pk),
        "version": user.token_version,
        "family": str(family.pk),
        "jti": jti,
        "iat": now_s,
        "exp": now_s + _lifetime_s(kind),
        "iss": _CONF["ISSUER"],
        "aud": _CONF["AUDIENCE"],
    }
    return jwt.encode(claims, _KEY, algorithm=_CONF["ALGORITHM"])


def _now_s() -> int:
    return _now_ns() // NS_PER_S


def _lifetime_s(kind: str) -> int:
    lifetime = _CONF["ACCESS_TOKEN_LIFETIME" if kind == ACCESS else "REFRESH_TOKEN_LIFETIME"]
    return int(lifetime.total_seconds())


def _pair(user: User, family: TokenFamily, jti: uuid.UUID, turned_at_s: int) -> Pair:
    """Return a pair; its refresh token depends on nothing but the arguments."""
    return Pair(
        access=_write(ACCESS, user, family, str(new_uuid()), _now_s()),
        refresh=_write(REFRESH, user, family, str(jti), turned_at_s),
        expires_in=_lifetime_s(ACCESS),
    )


# ------------------------------------------------------------------ what a client may do
def login(request: HttpRequest, username: str, password: str) -> Pair:
    """Return a first pair for a name and a password.

    Raises:
        AccessError: invalid_credentials (the same for a name nobody has), or rate_limited while
            this name is locked from this address.
    """
    user = authenticate(request, username=username, password=password)
    if getattr(request, "axes_locked_out", False):
        request.axes_locked_out = False  # type: ignore[attr-defined]  # else axes answers for us
        raise AccessError("rate_limited", int(settings.AXES_COOLOFF_TIME.total_seconds()))
    if not isinstance(user, User):
        raise AccessError("invalid_credentials")
    user_logged_in.send(sender=User, request=request, user=user)  # forgets the failures before
    return issue(user)


def issue(user: User) -> Pair:
    """Return the first pair of a new family for *user*, who has proved to be it."""
    jti, now_s = new_uuid(), _now_s()
    family = TokenFamily.objects.create(user=user, current=jti, turned_at_s=now_s)
    return _pair(user, family, jti, now_s)


def refresh(token: str) -> Pair:
    """Return the next pair; *token* is worthless afterwards, but for GRACE_S.

    Raises:
        AccessError: invalid_token or token_expired; a token used before also ends its family.
    """
    claims = read(token, REFRESH)
    family = _family(claims)
    user = family.user
    if not user.is_active or user.token_version != claims.get("version"):
        raise AccessError("invalid_token")
    following, now_s = new_uuid(), _now_s()
    mine = TokenFamily.objects.filter(pk=family.pk, revoked=False, current=claims["jti"])
    # One statement: of two at the same time one turns it over, the other finds it turned over.
    if mine.update(current=following, previous=claims["jti"], turned_at_s=now_s):
        return _pair(user, family, following, now_s)
    family.refresh_from_db()
    late_s = now_s - family.turned_at_s
    if not family.revoked and str(family.previous) == claims["jti"] and late_s <= GRACE_S:
        return _pair(user, family, family.current, family.turned_at_s)
    if not family.revoked:
        _logger.warning("refresh_token_reused", user_id=str(user.pk), username=user.username)
    revoke(family)
    raise AccessError("invalid_token")


def logout(token: str) -> None:
    """End the family of a refresh token. An expired one has nothing left to end.

    Raises:
        AccessError: invalid_token.
    """
    try:
        revoke(_family(read(token, REFRESH)))
    except AccessError as error:
        if error.code != "token_expired":
            raise


def revoke(family: TokenFamily) -> None:
    """Make every token of *family* worthless."""
    TokenFamily.objects.filter(pk=family.pk).update(revoked=True)


def _family(claims: dict[str, Any]) -> TokenFamily:
    try:
        family_id = uuid.UUID(str(claims.get("family")))
        uuid.UUID(str(claims["jti"]))
        return TokenFamily.objects.select_related("user").get(pk=family_id)
    except (ValueError, TokenFamily.DoesNotExist) as error:
        raise AccessError("invalid_token") from error

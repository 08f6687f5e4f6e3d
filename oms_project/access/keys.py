"""API keys: the only file that makes, turns over and revokes them.

A key may do what its scopes say, on its accounts, of what its owner may do at that moment: principal.py
asks for both. It ends with its owner's log-ins (a new password, another role, "log out everywhere").
"""

import base64
import ipaddress
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, Final, NamedTuple

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.db import transaction

from oms_project.access import changes
from oms_project.access import key_ring as ring
from oms_project.access import principal as access
from oms_project.access.errors import KeyFormError
from oms_project.access.key_ring import Network
from oms_project.access.models import ApiKey, ApiKeySecret, User
from oms_project.access.rights import Action
from oms_project.adapters.clock import SystemClock, utc

SCOPES: Final = (Action.READ, Action.TRADE, Action.CANCEL)
LABEL_CHARS_MAX: Final = 64
ACCOUNTS_MAX: Final = 100
ADDRESSES_MAX: Final = 50
OF_USER_MAX: Final = 50
DAYS_DEFAULT: Final = 90
DAYS_MAX: Final = 366
DAYS_ANYWHERE_MAX: Final = 90
"""A key that trades from any address: the longest it lives."""
OVERLAP_H_DEFAULT: Final = 24
OVERLAP_H_MAX: Final = 7 * 24
_now_ns = SystemClock.now_ns
_logger = structlog.get_logger(__name__)


class Made(NamedTuple):
    """A key and the secret that is shown once; "" where the owner has it (Ed25519)."""

    key: ApiKey
    secret: str


# ------------------------------------------------------------------ making
def make(
    user: User,
    *,
    label: str,
    scopes: Sequence[str],
    kind: str = ApiKey.HMAC,
    public_key: str = "",
    accounts: Sequence[str] = (),
    addresses: Sequence[str] = (),
    bearer: bool = False,
    days: int = DAYS_DEFAULT,
) -> Made:
    """Make a key of *user*'s.

    Raises:
        KeyFormError: what it is to be cannot be; names the field.
    """
    _check(user, label, scopes, accounts, bearer, kind)
    networks = [str(one) for one in _networks(addresses)]
    longest = DAYS_MAX if networks or Action.TRADE not in scopes else DAYS_ANYWHERE_MAX
    if not 1 <= days <= longest:
        raise KeyFormError("days", f"From 1 to {longest}; a year needs addresses, or no trading.")
    now = utc(_now_ns())
    key = ApiKey(
        id=ring.new_id(), user=user, label=label, kind=kind, bearer=bearer, created_at=now,
        scopes=[one.value for one in SCOPES if one in scopes], accounts=sorted(set(accounts)),
        addresses=networks, owner_version=user.token_version, expires_at=now + timedelta(days=days),
    )  # fmt: skip
    row, secret = _new_secret(key, public_key)
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)  # two at once count each other
        if ApiKey.objects.filter(user=user, revoked_at=None).count() >= OF_USER_MAX:
            raise KeyFormError("label", f"At most {OF_USER_MAX} keys: revoke one first.")
        key.save(force_insert=True)
        row.save(force_insert=True)
    _logger.warning(
        "api_key_made", key_id=key.pk, user_id=str(user.pk), username=user.username, kind=kind,
        scopes=key.scopes, accounts=key.accounts, addresses=networks, bearer=bearer,
    )  # fmt: skip
    return Made(key, secret)


def _check(
    user: User, label: str, scopes: Sequence[str], accounts: Sequence[str], bearer: bool, kind: str
) -> None:
    if not label.strip() or len(label) > LABEL_CHARS_MAX or not label.isprintable():
        raise KeyFormError("label", f"Say what it is for, in up to {LABEL_CHARS_MAX} characters.")
    if not scopes or not set(scopes) <= set(SCOPES):
        raise KeyFormError("scopes", f"Some of {', '.join(SCOPES)}.")
    if kind not in (ApiKey.HMAC, ApiKey.ED25519):
        raise KeyFormError("kind", f"{ApiKey.HMAC} or {ApiKey.ED25519}.")
    if bearer and kind == ApiKey.ED25519:
        raise KeyFormError("bearer", "An Ed25519 key has no secret that could be sent.")
    theirs = access.of_user(user).readable
    if len(accounts) > ACCOUNTS_MAX or not set(accounts) <= set(theirs):
        raise KeyFormError("accounts", "Some account is not the owner's.")


def _networks(addresses: Iterable[str]) -> list[Network]:
    try:
        found = [ipaddress.ip_network(one.strip()) for one in addresses]
    except ValueError as error:
        raise KeyFormError("addresses", f"{error}"[:200]) from error
    if len(found) > ADDRESSES_MAX:
        raise KeyFormError("addresses", f"At most {ADDRESSES_MAX}.")
    return found


def _new_secret(key: ApiKey, public_key: str) -> tuple[ApiKeySecret, str]:
    row = ApiKeySecret(key=key, made_at=utc(_now_ns()))
    if key.kind == ApiKey.ED25519:
        row.proof = _public_bytes(public_key).hex()
        return row, ""
    if public_key:
        raise KeyFormError("public_key", "Only an Ed25519 key has one.")
    secret = ring.secret_of(ring.roots()[0], row)
    row.proof = ring.proof(secret)
    return row, secret


_PEM: Final = "-----BEGIN PUBLIC KEY-----"
_DER_HEAD: Final = bytes.fromhex("302a300506032b6570032100")
"""What stands before the 32 bytes of an Ed25519 key in its PEM form (RFC 8410)."""


def _public_bytes(text: str) -> bytes:
    """Return the 32 bytes of a public key in PEM, hex or base64."""
    text = text.strip()
    try:
        if text.startswith(_PEM):
            raw = base64.b64decode("".join(text.split("\n")[1:-1]), validate=True)
            if not raw.startswith(_DER_HEAD):
                raise ValueError
            raw = raw.removeprefix(_DER_HEAD)
        elif len(text) == 64:
            raw = bytes.fromhex(text)
        else:
            raw = base64.b64decode(text, validate=True)
        Ed25519PublicKey.from_public_bytes(raw)
    except ValueError as error:
        raise KeyFormError("public_key", "An Ed25519 public key: PEM, hex or base64.") from error
    return raw


def rotate(key: ApiKey, *, overlap_h: int = OVERLAP_H_DEFAULT, public_key: str = "") -> str:
    """Give *key* a new secret, and return it; the one before is good for *overlap_h* hours more.

    Raises:
        KeyFormError: it is over, or cannot be turned over like that.
    """
    if key.revoked_at is not None or key.expires_at <= utc(_now_ns()):
        raise KeyFormError("key", "It is over; make another.")
    if not 0 <= overlap_h <= OVERLAP_H_MAX:
        raise KeyFormError("overlap_h", f"From 0 to {OVERLAP_H_MAX} hours.")
    row, secret = _new_secret(key, public_key)
    until = utc(_now_ns()) + timedelta(hours=overlap_h)
    with transaction.atomic():
        ApiKey.objects.select_for_update().get(pk=key.pk)
        *older, newest = key.secrets.all()
        key.secrets.filter(pk__in=[one.pk for one in older]).delete()
        newest.good_until = until
        newest.save(update_fields=["good_until"])
        row.save(force_insert=True)
        changes.announce()
    _logger.warning("api_key_rotated", key_id=key.pk, overlap_h=overlap_h)
    return secret


def revoke(keys: Iterable[ApiKey], *, by: str) -> int:
    """End keys, their sockets too; return how many were not over before."""
    names = [key.pk for key in keys]
    found = ApiKey.objects.filter(pk__in=names, revoked_at=None)
    count = found.update(revoked_at=utc(_now_ns()))
    if count:
        changes.announce()
        _logger.warning("api_keys_revoked", key_ids=names, by=by)
    return count


def shown(key: ApiKey) -> dict[str, Any]:
    """Return a key as REST and the command line show it."""
    now = utc(_now_ns())
    ended = key.revoked_at is not None or key.owner_version != key.user.token_version
    state = "revoked" if ended else "expired" if key.expires_at <= now else "active"
    good = [one for one in key.secrets.all() if one.good_until is None or one.good_until > now]
    return {
        "key_id": key.pk, "label": key.label, "kind": key.kind, "scopes": key.scopes,
        "accounts": key.accounts, "addresses": key.addresses, "bearer": key.bearer,
        "state": state, "secrets": len(good) if state == "active" else 0,
        "created_at": key.created_at, "expires_at": key.expires_at, "used_at": key.used_at,
        "used_from": key.used_from,
    }  # fmt: skip


def rows(**where: Any) -> list[ApiKey]:
    """Return keys with their owners and secrets, newest first."""
    found = ApiKey.objects.filter(**where).select_related("user").prefetch_related("secrets")
    return list(found)

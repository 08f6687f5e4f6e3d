"""Who a program is: the one place where a door asks, whatever the program sends.

Three ways, of which a request takes one: `Authorization: Bearer` with an access token or, where the key
allows it, with an API key and its secret (`oms_….secret`); or the four OMS-* fields of a signed request
(signing.py). A page's session is none of them (principal.py).

Split as principal.py is: `at_hand` never waits and is for event loops, None means "ask `asked`", which
may wait for the database and belongs in a thread.

Rules of this file:
- What is wrong with a signature is told in one order: form, key, time, signature; only who has the
  secret hears that the key is over, or may not be used from there. The nonce is spent last.
- A refusal is logged with the key's id and the address, never with what was sent as a secret.
"""

import hmac
import ipaddress
from collections.abc import Mapping
from functools import cache
from typing import Final, NamedTuple

import structlog
from django.conf import settings

from oms_project import metrics
from oms_project.access import key_ring as ring
from oms_project.access import principal, signing
from oms_project.access.errors import AccessError
from oms_project.access.key_ring import Network, Record
from oms_project.access.principal import Principal
from oms_project.access.signing import Signed
from oms_project.adapters.clock import NS_PER_MS, SystemClock
from oms_project.adapters.nonces import FileNonces, Nonces, RedisNonces

_IDEMPOTENCY_KEY: Final = b"idempotency-key"
_logger = structlog.get_logger(__name__)
_now_ns = SystemClock.now_ns


class Call(NamedTuple):
    """A request as far as it says who asks. target: path and query as on the request line."""

    method: str
    target: bytes
    headers: Mapping[bytes, bytes]
    address: str
    body: bytes = b""


@cache
def nonces() -> Nonces:
    """Return this process' view of the nonces that were used."""
    settings.ENV.data_dir.mkdir(parents=True, exist_ok=True)
    here = FileNonces(settings.ENV.data_dir / "nonces.sqlite3")
    url = settings.ENV.redis_url
    return RedisNonces(url, here) if url else here


def has_credentials(headers: Mapping[bytes, bytes]) -> bool:
    """Tell whether a request is judged here: then its cookies count for nothing."""
    return b"authorization" in headers or signing.is_signed(headers)


def at_hand(call: Call) -> Principal | None:
    """Return who asks if that can be told without waiting.

    Raises:
        AccessError: nobody who may come in.
    """
    if not signing.is_signed(call.headers):
        token = bearer_of(call)
        if not ring.is_key(token):
            return principal.cached_bearer(token)
        found = ring.cached(ring.id_in(token))
        if found is None or ring.note_is_due(ring.id_in(token)):
            return None
        return _by_secret(token, found, call.address)
    signed = _signed(call)
    record = ring.cached(signed.key_id)
    if record is None or ring.note_is_due(signed.key_id) or nonces().blocks:
        return None
    return _by_signature(signed, record, call)


def asked(call: Call) -> Principal:
    """Return who asks; may wait for the database.

    Raises:
        AccessError: nobody who may come in.
    """
    if not signing.is_signed(call.headers):
        token = bearer_of(call)
        if not ring.is_key(token):
            return principal.from_bearer(token)
        key_id = ring.id_in(token)
        found = _by_secret(token, _found(key_id, call), call.address)
    else:
        signed = _signed(call)
        key_id = signed.key_id
        found = _by_signature(signed, _found(key_id, call), call)
    ring.note_use(key_id, call.address)
    return found


def by_protocol(protocol: str, call: Call) -> Principal:
    """Return who opens a socket with the sub-protocol `signed.…`; may wait for the database.

    Raises:
        AccessError: nobody who may come in.
    """
    signed = signing.fields_in(protocol)
    if signed is None:
        raise _refused("invalid_signature", "", call.address)
    _in_time(signed, call)
    found = _by_signature(signed, _found(signed.key_id, call), call)
    ring.note_use(signed.key_id, call.address)
    return found


def again(key_id: str, address: str) -> Principal:
    """Return who came with a key before, if they still may: for sockets that are open.

    Raises:
        AccessError: the key is over.
    """
    return _live(key_id, ring.find(key_id), address)


def bearer_of(call: Call) -> str:
    """Return the bearer token of a call.

    Raises:
        AccessError: invalid_token, or two kinds of credentials at once.
    """
    return principal.bearer_of(call.headers.get(b"authorization", b"").decode("latin-1"))


# ------------------------------------------------------------------ signatures
def _signed(call: Call) -> Signed:
    """Return the fields of a signed request, if they are in form and in time."""
    if b"authorization" in call.headers:  # which of them is meant is not ours to guess
        raise _refused("invalid_signature", "", call.address)
    signed = signing.fields_of(call.headers)
    if signed is None:
        raise _refused("invalid_signature", "", call.address)
    return _in_time(signed, call)


def _in_time(signed: Signed, call: Call) -> Signed:
    if not ring.is_ours(signed.key_id):
        raise _refused("invalid_api_key", signed.key_id, call.address)
    if not signing.is_in_time(signed, _now_ns() // NS_PER_MS):
        raise _refused("timestamp_out_of_window", signed.key_id, call.address)
    return signed


def _by_signature(signed: Signed, record: Record, call: Call) -> Principal:
    key = call.headers.get(_IDEMPOTENCY_KEY, b"")
    message = signing.text(signed, call.method, call.target, key, call.body)
    secrets = record.secrets_at(_now_ns())
    if not signing.is_by(signed, secrets, message):
        raise _refused("invalid_signature", signed.key_id, call.address)
    found = _live(signed.key_id, record, call.address)
    if not nonces().use(signed.key_id, signed.nonce):
        raise _refused("nonce_reused", signed.key_id, call.address)
    metrics.KEY_REQUESTS.labels("signed").inc()
    return found


# ------------------------------------------------------------------ keys
def _found(key_id: str, call: Call) -> Record:
    try:
        return ring.find(key_id)
    except AccessError as error:
        raise _refused(error.code, key_id, call.address) from error


def _by_secret(token: str, record: Record, address: str) -> Principal:
    key_id = ring.id_in(token)
    secret = token[len(key_id) + 1 :].encode("latin-1", "replace")
    good = [
        hmac.compare_digest(one, secret)
        for one in record.secrets_at(_now_ns())
        if isinstance(one, bytes)
    ]
    if not any(good) or not record.bearer:
        raise _refused("invalid_api_key", key_id, address)
    found = _live(key_id, record, address)
    metrics.KEY_REQUESTS.labels("bearer").inc()
    return found


def _live(key_id: str, record: Record, address: str) -> Principal:
    """Return whose key it is, if it is not over and may be used from *address*."""
    if record.gone:
        raise _refused("api_key_revoked", key_id, address)
    if record.expires_ns <= _now_ns():
        raise _refused("api_key_expired", key_id, address)
    if record.networks and not _within(address, record.networks):
        raise _refused("ip_not_allowed", key_id, address)
    return record.principal


def _within(address: str, networks: tuple[Network, ...]) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False  # a socket of the file system has no address
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return any(found in one for one in networks)


def _refused(code: str, key_id: str, address: str) -> AccessError:
    _logger.warning("api_key_refused", code=code, key_id=key_id, address=address)
    now_ms = str(_now_ns() // NS_PER_MS) if code == "timestamp_out_of_window" else ""
    return AccessError(code, server_time=now_ms)

"""API keys as they are recognised: ids that only we make, secrets that nobody stores, a cache.

A key is `oms_…`, public, and ends in a mark that only we can make: ids of nobody are refused without a
database. A secret is never stored. It is made of the row's id and a key of this installation that no
database holds (OMS_SECRET_KEY and those of before); the row keeps its SHA-256, which says with which of
them. So a copy of the database signs nothing, and neither does a copy of the environment.
"""

import base64
import hashlib
import hmac
import ipaddress
import threading
from functools import lru_cache
from typing import Final, NamedTuple

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.conf import settings

from oms_project.access import changes
from oms_project.access import principal as access
from oms_project.access.errors import AccessError
from oms_project.access.models import ApiKey, ApiKeySecret
from oms_project.access.principal import Principal
from oms_project.access.signing import Secret
from oms_project.adapters.clock import NS_PER_MS, NS_PER_S, SystemClock, utc
from oms_project.adapters.ids import new_uuid

PREFIX: Final = "oms_"
CACHE_MS: Final = 2_000
CACHE_ENTRIES_MAX: Final = 8_192
NOTE_S: Final = 60
"""How often the use of a key is noted: a row a minute, not a row a request."""
_MARK_CHARS: Final = 8
_now_ns = SystemClock.now_ns
_monotonic_ns = SystemClock.monotonic_ns
_logger = structlog.get_logger(__name__)

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Record(NamedTuple):
    """A key as it is looked at with every request.

    secrets: those that are good, newest first, each with when it ends. gone: it was revoked, or its
    owner's log-ins ended; who cannot sign is not told.
    """

    principal: Principal
    secrets: tuple[tuple[Secret, int], ...]
    networks: tuple[Network, ...]
    bearer: bool
    expires_ns: int
    gone: bool

    def secrets_at(self, now_ns: int) -> list[Secret]:
        return [secret for secret, until_ns in self.secrets if now_ns < until_ns]


# ------------------------------------------------------------------ ids and secrets
def roots() -> list[bytes]:
    """Return the installation's keys, the newest first."""
    keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return [hmac.digest(key.encode(), b"oms api keys 1", "sha256") for key in keys]


def _mark(root: bytes, body: str) -> str:
    made = hmac.digest(root, b"id:" + body.encode(), "sha256")
    return base64.b32encode(made).decode().lower()[:_MARK_CHARS]


def new_id() -> str:
    body = base64.b32encode(new_uuid().bytes).decode().lower().rstrip("=")
    return f"{PREFIX}{body}{_mark(roots()[0], body)}"


@lru_cache(maxsize=1_024)
def is_ours(key_id: str) -> bool:
    """Tell whether *key_id* is one we made; costs no look-up. Those that come often are remembered."""
    body, mark = key_id[len(PREFIX) : -_MARK_CHARS], key_id[-_MARK_CHARS:]
    if not key_id.startswith(PREFIX) or not key_id.isascii():
        return False
    return any([hmac.compare_digest(_mark(root, body), mark) for root in roots()])


def is_key(token: str) -> bool:
    """Tell whether a bearer token means to be an API key with its secret."""
    return token.startswith(PREFIX)


def id_in(token: str) -> str:
    """Return the key's id in `oms_….secret`."""
    return token.partition(".")[0]


def secret_of(root: bytes, row: ApiKeySecret) -> str:
    made = hmac.digest(root, b"secret:" + row.key_id.encode() + row.id.bytes, "sha256")
    return base64.urlsafe_b64encode(made).decode().rstrip("=")


def proof(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _known(kind: str, row: ApiKeySecret) -> Secret | None:
    """Return what a signature is checked with; None: the key it was made with is not there any more."""
    if kind == ApiKey.ED25519:
        return Ed25519PublicKey.from_public_bytes(bytes.fromhex(row.proof))
    for root in roots():
        secret = secret_of(root, row)
        if hmac.compare_digest(proof(secret), row.proof):
            return secret.encode()
    return None


# ------------------------------------------------------------------ finding
class _Cache:
    """Records kept for a moment: a request needs no database. The oldest goes first."""

    def __init__(self) -> None:
        self._records: dict[str, tuple[int, Record]] = {}
        self._noted_ns: dict[str, int] = {}
        self._writes = threading.Lock()

    def get(self, key_id: str) -> Record | None:
        found = self._records.get(key_id)
        return found[1] if found is not None and _monotonic_ns() < found[0] else None

    def put(self, key_id: str, record: Record) -> None:
        with self._writes:
            self._records.pop(key_id, None)
            if len(self._records) >= CACHE_ENTRIES_MAX:
                del self._records[next(iter(self._records))]
            self._records[key_id] = (_monotonic_ns() + CACHE_MS * NS_PER_MS, record)

    def clear(self) -> None:
        with self._writes:
            self._records.clear()

    def note_is_due(self, key_id: str) -> bool:
        return _monotonic_ns() - self._noted_ns.get(key_id, -NOTE_S * NS_PER_S) >= NOTE_S * NS_PER_S

    def note(self, key_id: str) -> None:
        with self._writes:
            if len(self._noted_ns) >= CACHE_ENTRIES_MAX:
                self._noted_ns.clear()
            self._noted_ns[key_id] = _monotonic_ns()


_CACHE: Final = _Cache()
changes.forgets(_CACHE.clear)


def cached(key_id: str) -> Record | None:
    """Return a key's record if it was asked for a moment ago; never waits."""
    return _CACHE.get(key_id)


def find(key_id: str) -> Record:
    """Return a key's record, asking the database on a miss.

    Raises:
        AccessError: invalid_api_key, there is none.
    """
    record = cached(key_id)
    if record is not None:
        return record
    if not is_ours(key_id):
        raise AccessError("invalid_api_key")
    found = ApiKey.objects.select_related("user").filter(pk=key_id).first()
    if found is None:
        raise AccessError("invalid_api_key")
    record = _record(found)
    _CACHE.put(key_id, record)
    return record


def _record(key: ApiKey) -> Record:
    secrets = []
    for row in reversed(key.secrets.all()):
        known = _known(key.kind, row)
        if known is None:
            _logger.error(
                "api_key_secret_lost", key_id=key.pk, why="OMS_SECRET_KEYS_OLD lacks its key"
            )
        else:
            until = row.good_until or key.expires_at
            secrets.append((known, int(until.timestamp() * NS_PER_S)))
    ended = not key.user.is_active or key.user.token_version != key.owner_version
    return Record(
        principal=access.of_key(key),
        secrets=tuple(secrets),
        networks=tuple(ipaddress.ip_network(one) for one in key.addresses),
        bearer=key.bearer,
        expires_ns=int(key.expires_at.timestamp() * NS_PER_S),
        gone=key.revoked_at is not None or ended,
    )


def note_is_due(key_id: str) -> bool:
    """Tell whether `note_use` has anything to do; never waits."""
    return _CACHE.note_is_due(key_id)


def note_use(key_id: str, address: str) -> None:
    """Note that a key is used now, and from where. Asks the database, once in NOTE_S."""
    if not note_is_due(key_id):
        return
    _CACHE.note(key_id)
    ApiKey.objects.filter(pk=key_id).update(used_at=utc(_now_ns()), used_from=address[:45])

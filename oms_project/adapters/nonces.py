"""Nonces that were used: none is good twice, in any process of any host, nor after a restart.

A signature is good for seconds (signing.py), so a nonce is remembered for KEEP_S and no longer.

- FileNonces: a SQLite file of the data folder, shared by all processes of the host. It is written without
  waiting for the disk: a killed process loses nothing, and a host that lost power is not back within
  KEEP_S.
- RedisNonces: one call more, shared by all hosts. While Redis is away the host's file answers: a signature
  could then be used on a second host within its seconds, where the order's idempotency key, which is
  signed too, still makes one order of it.
"""

import hashlib
import sqlite3
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

import structlog
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from oms_project.adapters.clock import NS_PER_S, SystemClock
from oms_project.kernel.errors import TransportError
from oms_project.kernel.ports import Clock

KEEP_S: Final = 8
"""More than a signature is good for, from the first instant it may come to the last."""
BUSY_MS_MAX: Final = 200
PREFIX: Final = "oms:access:nonce:"
WAIT_S_MAX: Final = 0.1
REST_NS: Final = NS_PER_S

_logger = structlog.get_logger(__name__)


class Nonces(Protocol):
    """blocks: a call waits for a wire, so an event loop asks from a thread."""

    blocks: bool

    def use(self, key_id: str, nonce: str) -> bool:
        """Note a nonce; return whether it was not used before.

        Raises:
            TransportError: it cannot be told; nobody may come in.
        """

    def close(self) -> None: ...


class FileNonces:
    """One file, and in it a table for each KEEP_S: a nonce is looked for in the present one and both its
    neighbours (a clock may be set back), and older ones are dropped."""

    blocks = False

    def __init__(self, path: Path, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._turn = -1
        self._insert = ""
        self._wire = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        for pragma in ("journal_mode=WAL", "synchronous=OFF", f"busy_timeout={BUSY_MS_MAX}"):
            self._wire.execute(f"PRAGMA {pragma}")

    def use(self, key_id: str, nonce: str) -> bool:
        digest = hashlib.blake2b(f"{key_id}:{nonce}".encode(), digest_size=16).digest()
        turn = self._clock.now_ns() // (KEEP_S * NS_PER_S)
        try:
            with self._lock:
                if turn != self._turn:
                    self._begin(turn)
                return self._wire.execute(self._insert, (digest,)).rowcount == 1
        except sqlite3.Error as error:
            self._turn = -1
            raise TransportError("nonces", str(error)) from error

    def _begin(self, turn: int) -> None:
        """Make this turn's table and its neighbours, and drop what is older."""
        names = {f"n{turn}", f"n{turn - 1}", f"n{turn + 1}"}
        for name in names:
            self._wire.execute(
                f"CREATE TABLE IF NOT EXISTS {name} (digest BLOB PRIMARY KEY) WITHOUT ROWID"
            )
        rows = self._wire.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (name,) in rows:
            if name not in names and int(name[1:]) < turn:
                self._wire.execute(f"DROP TABLE IF EXISTS {name}")
        self._insert = (
            f"INSERT OR IGNORE INTO n{turn} SELECT ?1 "
            f"WHERE NOT EXISTS (SELECT 1 FROM n{turn - 1} WHERE digest = ?1) "
            f"AND NOT EXISTS (SELECT 1 FROM n{turn + 1} WHERE digest = ?1)"
        )
        self._turn = turn

    def close(self) -> None:
        self._wire.close()


class RedisNonces:
    """*here* answers alone while Redis does not."""

    blocks = True

    def __init__(self, url: str, here: Nonces, clock: Clock | None = None) -> None:
        self._here = here
        self._clock = clock or SystemClock()
        self._rest_until_ns = 0
        self._redis = Redis.from_url(
            url, socket_timeout=WAIT_S_MAX, socket_connect_timeout=WAIT_S_MAX,
            retry=Retry(NoBackoff(), 0),
        )  # fmt: skip

    def use(self, key_id: str, nonce: str) -> bool:
        # Here, too: what was used while Redis was away is known when it is back.
        if not self._here.use(key_id, nonce):
            return False
        if self._clock.monotonic_ns() >= self._rest_until_ns:
            try:
                name = f"{PREFIX}{key_id}:{nonce}"
                return bool(self._redis.set(name, b"", nx=True, ex=KEEP_S))
            except RedisError as error:
                self._rest_until_ns = self._clock.monotonic_ns() + REST_NS
                _logger.warning("nonces_count_alone", error=repr(error))
        return True

    def close(self) -> None:
        with suppress(RedisError):
            self._redis.close()
        self._here.close()

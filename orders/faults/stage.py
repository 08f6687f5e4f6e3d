"""The product that is broken on purpose: its roles, its servers, and how it is seen to be well again.

It watches its roles as `manage.py up` does: one that dies is started again, later and later if it
dies at once. A death nobody asked for is counted.
"""

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Final

import msgspec
import structlog
from django.conf import settings

from oms_project.adapters.clock import NS_PER_MS, NS_PER_S, SystemClock
from oms_project.adapters.servers import LocalServer, Services, free_port
from oms_project.kernel.errors import TransportError
from oms_project.kernel.ids import partition_of
from oms_project.kernel.ports import Record
from oms_project.kernel.words import Topic
from oms_project.management.commands import up
from orders import wiring
from orders.bench.product import Product
from orders.domain import commands
from orders.faults.points import EMBEDDED, SERVICES

PROBE_S: Final = 12.0
WATCH_S: Final = 0.1
WELL_S: Final = 90.0
QUICK_NS: Final = 5 * NS_PER_S
BACK_OFF_S: Final = (0.0, 0.5, 1.0, 2.0, 4.0)

_clock = SystemClock()
_logger = structlog.get_logger(__name__)


class NotWellError(Exception):
    """The product did not come back by itself in time. Nothing more can be proved by this run."""


class Ready(msgspec.Struct):
    """What /readyz said: its status, which dependencies failed, and how long it took."""

    status: int
    failed: frozenset[str] = frozenset()
    ms: int = 0


class Stage:
    """The product with everything that can be done to it. Used by one thread at a time."""

    def __init__(self, services: Services | None) -> None:
        self.services = services
        self.backend = SERVICES if services else EMBEDDED
        self.deaths: list[str] = []
        self.recoveries_ms: list[int] = []
        self._port = free_port()
        self._inner = free_port()
        lines = up.roles(self._port, {"web": self._inner})
        found = {role: line for role, line in lines.items() if role != "worker"}
        self.product = Product(found, self._port)
        self.stopped = threading.Event()
        self._quick: dict[str, int] = {}
        self._start_at_ns: dict[str, int] = {}
        self._started_ns: dict[str, int] = {}
        self._sentinels = 0
        self._expected: set[str] = set()
        self._store = Path(settings.DATABASES["store"]["NAME"])
        self._backup = self._store.with_suffix(".backup")

    @property
    def port(self) -> int:
        return self._port

    # -------------------------------------------------------------- roles

    def start(self, *roles: str, crash: str = "", jump: str = "") -> None:
        """Start roles; *crash*: the crash point they shall die at; *jump*: of their clock."""
        for role in roles or tuple(self.product.commands):
            self._started_ns[role] = _clock.monotonic_ns()
            self.product.start(role, OMS_CRASH=crash, OMS_CLOCK_JUMP=jump)

    def kill(self, role: str) -> None:
        """SIGKILL; `watch` does not start it again before `start` did."""
        self._expected.add(role)
        self.product.kill(role)

    def revive(self, role: str, *, jump: str = "") -> None:
        """Start what was killed."""
        self._expected.discard(role)
        self.start(role, jump=jump)

    def end(self, role: str) -> None:
        """SIGTERM, and wait until it has left."""
        self._expected.add(role)
        process = self.product.processes[role]
        process.terminate()
        process.wait(up.STOP_S)

    def tell_to_leave(self, role: str) -> None:
        """SIGTERM; it may not come to its end."""
        self.product.processes[role].terminate()

    def expect_death(self, role: str) -> None:
        """Let `watch` leave the role alone: it is about to die at a crash point."""
        self._expected.add(role)

    def is_dead(self, role: str) -> bool:
        return self.product.processes[role].poll() is not None

    def watch(self) -> None:
        """Start again what died by itself, as `manage.py up` does."""
        now_ns = _clock.monotonic_ns()
        for role, process in self.product.processes.items():
            code = process.poll()
            if code is None or role in self._expected:
                continue
            if role not in self._start_at_ns:
                quick = now_ns - self._started_ns[role] < QUICK_NS
                times = self._quick[role] = self._quick.get(role, 0) + 1 if quick else 0
                back_off_s = BACK_OFF_S[min(times, len(BACK_OFF_S) - 1)]
                self._start_at_ns[role] = now_ns + int(back_off_s * NS_PER_S)
                self.deaths.append(f"{role} ended with {code}")
            elif now_ns >= self._start_at_ns[role]:
                del self._start_at_ns[role]
                self.start(role)

    def wait(self, seconds: float) -> None:
        """Let time pass, watching."""
        self.until(lambda: False, seconds)

    def until(self, holds: Callable[[], bool], seconds: float) -> bool:
        """Wait until *holds*, watching; tell whether it did in time.

        Raises:
            NotWellError: `stopped` was set.
        """
        deadline_ns = _clock.monotonic_ns() + int(seconds * NS_PER_S)
        while True:
            self.watch()
            if holds():
                return True
            if _clock.monotonic_ns() >= deadline_ns:
                return False
            if self.stopped.wait(WATCH_S):
                raise NotWellError("the run was broken off")

    # -------------------------------------------------------------- being well

    def ready(self) -> Ready:
        """Ask /readyz; status 0: nobody answered."""
        status, body, ms = self.get("/readyz", port=self._inner)
        checks = body.get("checks", {})
        failed = frozenset(name for name, one in checks.items() if one["status"] != "ok")
        return Ready(status, failed, ms)

    def get(self, path: str, token: str = "", port: int = 0) -> tuple[int, dict[str, Any], int]:
        """Return status (0: nobody answered), body and how many ms it took."""
        begun_ns = _clock.monotonic_ns()
        connection = HTTPConnection("127.0.0.1", port or self._port, timeout=PROBE_S)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        status, body = 0, {}
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            body = msgspec.json.decode(answer.read())
            status = answer.status
        except (OSError, HTTPException, msgspec.DecodeError) as error:
            _logger.info("no_answer", path=path, error=repr(error))
        finally:
            connection.close()
        return status, body, (_clock.monotonic_ns() - begun_ns) // NS_PER_MS

    def wait_until_well(self, account_ids: list[str]) -> int:
        """Wait until a command sent now is decided and stored in every partition, and web is ready.

        Returns how long that took in ms.

        Raises:
            NotWellError: it did not come to that within WELL_S.
        """
        begun_ns = _clock.monotonic_ns()
        waiting: dict[int, int] = {}
        if not self.until(lambda: self._sent(account_ids, waiting), WELL_S):
            raise NotWellError("the log takes no command")
        if not self.until(lambda: self._stored(waiting), WELL_S):
            raise NotWellError(f"commands {waiting} are not stored; died: {self.deaths[-5:]}")
        if not self.until(lambda: self.ready().status == 200, WELL_S):
            raise NotWellError(f"/readyz: {self.ready()}")
        took_ms = (_clock.monotonic_ns() - begun_ns) // NS_PER_MS
        self.recoveries_ms.append(took_ms)
        return took_ms

    def _sent(self, account_ids: list[str], waiting: dict[int, int]) -> bool:
        """Put a command that has an event behind everything that is in the log now."""
        log = wiring.log()
        for account_id in account_ids:
            partition = partition_of(account_id, log.partitions)
            if partition in waiting:
                continue
            self._sentinels += 1
            name = f"sentinel-{_clock.now_ns()}-{self._sentinels}"
            command = commands.AdjustBalance(account_id, name, "USD", 1, "faults")
            try:
                waiting[partition] = wiring.gateway().broadcast(
                    command, account_id=account_id, actor="faults"
                )
            except TransportError as error:
                _logger.info("sentinel_waits", error=str(error))
                return False
        return True

    def _stored(self, waiting: dict[int, int]) -> bool:
        store = wiring.store()
        try:
            return all(
                store.progress(partition).last_command >= offset
                for partition, offset in waiting.items()
            )
        except TransportError as error:
            _logger.info("store_waits", error=str(error))
            return False

    # -------------------------------------------------------------- the log and the servers

    def back_up(self) -> None:
        """Copy the embedded store while the product runs, as an operator does."""
        _copy(self._store, self._backup)

    def restore(self) -> None:
        """Kill all that runs, put the copy in the place of the store, start all (operations.md).

        Into the same file: this process and its threads have it open too.
        """
        for role in self.product.processes:
            self._expected.add(role)
            if not self.is_dead(role):
                self.product.kill(role)
        _copy(self._backup, self._store)
        for role in self.product.commands:
            self.revive(role)

    def poison(self, topic: Topic, value: bytes) -> None:
        """Append bytes that nobody can read to every partition of a topic."""
        log = wiring.log()
        records = [Record(number, "", value) for number in range(log.partitions)]
        log.append(topic, records)

    def server(self, name: str) -> LocalServer:
        """Return kafka, valkey or secantusdb."""
        if self.services is None:
            raise LookupError("the embedded product has no servers")
        return getattr(self.services, name)  # type: ignore[no-any-return]

    def flush_valkey(self) -> None:
        import redis

        with redis.Redis.from_url(settings.ENV.redis_url, socket_timeout=5) as valkey:
            valkey.flushall()

    def close(self) -> None:
        """End the roles gently (the engine keeps a last snapshot), then nothing else."""
        for role in ("web", "marketdata", "pusher", "engine", "projector"):
            if role in self.product.processes and not self.is_dead(role):
                self.end(role)

    def log_folder(self) -> Path:
        return settings.ENV.data_dir / "logs"


def _copy(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as read, closing(sqlite3.connect(target)) as written:
        read.backup(written)

"""The inner port of every role: /livez, /readyz, /health and /metrics, for probes and for Prometheus.

Never reachable from outside, so it asks for no Host and no credentials. It has threads of its own:
a role whose loop is busy still answers, and one whose loop is frozen can say so.

Rule of this file: an answer costs nothing. What must be asked for (dependencies, lags, ages) is asked
in the background, every SAMPLE_S or so; whoever asks reads what is known.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Protocol

import msgspec
import structlog
from django.db import close_old_connections
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from oms_project import checks, metrics
from oms_project.adapters.clock import NS_PER_S, SystemClock

SAMPLE_S: Final = 1.0
SOURCES_EVERY: Final = 2
"""Dependencies are asked in every sample, sources in every second one: they ask each partition."""
REQUEST_S_MAX: Final = 5.0
REQUESTS_MAX: Final = 16
TURNS_MAX: Final = 4_096
BEAT_S: Final = 0.5
FROZEN_NS: Final = 30 * NS_PER_S
"""An event loop that did not come back for so long never will: restart it."""

_logger = structlog.get_logger(__name__)
_monotonic_ns = SystemClock.monotonic_ns


# ------------------------------------------------------------------ what is asked in the background
class Lag:
    """How far a reader is behind, in records and in seconds, from looks at the log's end.

    Behind by the seconds since the log first ended beyond where the reader is: as exact as the looks
    are frequent, and right whatever the records say of their own time.
    """

    def __init__(self) -> None:
        self._grew: dict[int, deque[tuple[int, int]]] = {}

    def look(self, now_ns: int, end: int, partition: int, position: int) -> tuple[int, float]:
        """Return (records, seconds) behind."""
        grew = self._grew.setdefault(partition, deque())
        newest = grew[-1][1] if grew else position
        if end > newest:
            if len(grew) < TURNS_MAX:
                grew.append((now_ns, end))
            else:
                grew[-1] = (grew[-1][0], end)
        while grew and grew[0][1] <= position:
            grew.popleft()
        seconds = (now_ns - grew[0][0]) / NS_PER_S if grew else 0.0
        return max(0, end - position), seconds


class Source(Protocol):
    """A gauge that must be asked for. families: name -> what it says."""

    label: str
    families: Mapping[str, str]

    def ask(self) -> Mapping[str, Mapping[str, float]]:
        """Return name -> label's value -> the gauge."""


class LagSource:
    """Two gauges a partition: <name>_records and <name>_seconds."""

    label = "partition"

    def __init__(
        self,
        name: str,
        what: str,
        ends: Callable[[], Sequence[int]],
        positions: Callable[[], Mapping[int, int]],
    ) -> None:
        self._records, self._seconds = f"{name}_records", f"{name}_seconds"
        self.families = {self._records: what, self._seconds: f"{what}: for how long"}
        self._ends, self._positions = ends, positions
        self._lag = Lag()

    def ask(self) -> Mapping[str, Mapping[str, float]]:
        positions = (
            self._positions()
        )  # first: a reader that moves meanwhile is not ahead of the end
        ends, now_ns = self._ends(), _monotonic_ns()
        found = {
            str(part): self._lag.look(now_ns, ends[part], part, at)
            for part, at in sorted(positions.items())
        }
        return {
            self._records: {part: one[0] for part, one in found.items()},
            self._seconds: {part: one[1] for part, one in found.items()},
        }


class ValueSource:
    """One gauge with one label."""

    def __init__(
        self, name: str, what: str, label: str, ask: Callable[[], Mapping[Any, float]]
    ) -> None:
        self.label = label
        self.families = {name: what}
        self._name, self._ask = name, ask

    def ask(self) -> Mapping[str, Mapping[str, float]]:
        return {self._name: {str(key): value for key, value in self._ask().items()}}


class Sampler(Collector):
    """Asks the sources every SAMPLE_S in a thread; a scrape gets what they said last."""

    def __init__(self, sources: Sequence[Source], found: checks.Checks) -> None:
        self._sources = sources
        self._checks = found
        self._known: dict[str, Mapping[str, float]] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="probes-sampler", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(REQUEST_S_MAX)

    def _run(self) -> None:
        turn = 0
        while not self._stop.is_set():
            self._checks.results()
            if turn % SOURCES_EVERY == 0:
                self.sample()
            turn += 1
            self._stop.wait(SAMPLE_S)

    def sample(self) -> None:
        """Ask every source once. What cannot be asked is left out of the next scrape."""
        for source in self._sources:
            try:
                self._known |= source.ask()
            except Exception as error:  # whatever is away, the others are still known
                for name in source.families:
                    self._known.pop(name, None)
                _logger.warning("not_known", metric=next(iter(source.families)), error=repr(error))
        close_old_connections()

    def collect(self) -> Iterable[Metric]:
        for source in self._sources:
            for name, what in source.families.items():
                family = GaugeMetricFamily(name, what, labels=[source.label])
                for value, gauge in self._known.get(name, {}).items():
                    family.add_metric([value], gauge)
                yield family

    def describe(self) -> Iterable[Metric]:
        for source in self._sources:
            for name, what in source.families.items():
                yield GaugeMetricFamily(name, what, labels=[source.label])


class Heart:
    """Tells whether an event loop still turns: it beats in it, and is asked from another thread."""

    def __init__(self) -> None:
        self._beat_ns = _monotonic_ns()

    async def run(self) -> None:
        """Beat for ever in the running event loop, and note how late it comes back."""
        while True:
            asked_ns = self._beat_ns = _monotonic_ns()
            await asyncio.sleep(BEAT_S)
            late_s = (_monotonic_ns() - asked_ns) / NS_PER_S - BEAT_S
            metrics.EVENT_LOOP_SECONDS.observe(max(0.0, late_s))

    def alive(self) -> str:
        """Return "" while it beats, else what is wrong."""
        silent_ns = _monotonic_ns() - self._beat_ns
        return f"the event loop stands for {silent_ns // NS_PER_S} s" * (silent_ns > FROZEN_NS)


HEART: Final = Heart()
"""The web process' own."""


# ------------------------------------------------------------------ the port
class Port:
    """What one process answers on its inner port. alive: "" or why it must be restarted."""

    def __init__(self, role: str, found: checks.Checks, alive: Callable[[], str]) -> None:
        self._role = role
        self._checks = found
        self._alive = alive

    def answer(self, path: str) -> tuple[int, str, bytes]:
        """Return status, content type and body."""
        if path == "/metrics":
            return 200, CONTENT_TYPE_LATEST, generate_latest(REGISTRY)
        status, body = self._told(path)
        return status, "application/json", msgspec.json.encode(body)

    def _told(self, path: str) -> checks.Answer:
        match path:
            case "/livez":
                wrong = self._alive()
                return (503, {"status": wrong}) if wrong else (200, {"status": checks.OK})
            case "/readyz":
                return checks.ready(self._checks)
            case "/health":
                return checks.summary(self._checks, self._role)
        return 404, {"status": "/livez, /readyz, /health and /metrics are here"}


class _Server(ThreadingHTTPServer):
    """A thread a request, so many at most."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], port: Port) -> None:
        self.port = port
        self._room = threading.BoundedSemaphore(REQUESTS_MAX)
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._room.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        _logger.info("inner_request_broke", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    timeout = REQUEST_S_MAX
    server: _Server

    def do_GET(self) -> None:
        status, kind, body = self.server.port.answer(self.path.partition("?")[0])
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Probes come every second: nothing to tell."""


@contextmanager
def serving(
    role: str,
    address: tuple[str, int],
    found: checks.Checks,
    *,
    alive: Callable[[], str] = lambda: "",
    sources: Sequence[Source] = (),
) -> Iterator[int]:
    """Answer on the inner port while the context lasts; yield the port. Port 0: none is opened."""
    if not address[1]:
        yield 0
        return
    sampler = Sampler(sources, found)
    with _Server(address, Port(role, found, alive)) as server:
        REGISTRY.register(sampler)
        sampler.start()
        thread = threading.Thread(target=server.serve_forever, name="probes", daemon=True)
        thread.start()
        _logger.info("inner_port", role=role, port=server.server_port)
        try:
            yield server.server_port
        finally:
            server.shutdown()
            sampler.stop()
            REGISTRY.unregister(sampler)

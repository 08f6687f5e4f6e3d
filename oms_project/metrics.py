"""Every metric by name, of every role: a process counts what it does, and its inner port tells it.

Names follow Prometheus: oms_<what>_<unit>, counters end in _total. Labels have few values: never an
id, a path or a user. What must be asked for (how far behind, how old) is asked in the background by
probes.py; a scrape reads what is known.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

from oms_project.adapters.clock import NS_PER_S, SystemClock

disable_created_metrics()
_FAST_S: Final = (
    0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0,
)  # fmt: skip

# ------------------------------------------------------------------ web
ORDERS_ACCEPTED: Final = Counter("oms_orders_accepted_total", "Orders acknowledged (202, 201)")
ORDERS_REPLAYED: Final = Counter("oms_orders_replayed_total", "Requests answered from their claim")
REQUESTS_REFUSED: Final = Counter("oms_requests_refused_total", "Problems by code", ["code"])
KEY_REQUESTS: Final = Counter(
    "oms_api_key_requests_total", "Requests let in with an API key", ["how"]
)
ACK_SECONDS: Final = Histogram(
    "oms_ack_latency_seconds",
    "From request to durable acknowledgement",
    buckets=_FAST_S,
)
HTTP_REQUESTS: Final = Counter("oms_http_requests_total", "HTTP answers", ["method", "status"])
HTTP_SECONDS: Final = Histogram(
    "oms_http_request_seconds", "From request to answer", ["area"], buckets=_FAST_S
)
SOCKETS: Final = Gauge("oms_ws_connections", "Open websockets", ["path"])
SOCKETS_CLOSED: Final = Counter("oms_ws_closed_total", "Websockets we closed", ["path", "code"])
EVENT_LOOP_SECONDS: Final = Histogram(
    "oms_event_loop_delay_seconds",
    "How much later than asked for the event loop came back",
    buckets=_FAST_S,
)

# ------------------------------------------------------------------ loops: engine, projector, …
LOOP_ROUNDS: Final = Counter("oms_loop_rounds_total", "Rounds done", ["loop"])
LOOP_ITEMS: Final = Counter(
    "oms_loop_items_total", "Records, prices or hints the rounds dealt with", ["loop"]
)
LOOP_ERRORS: Final = Counter("oms_loop_errors_total", "Rounds that a broken wire ended", ["loop"])
LOOP_SECONDS: Final = Histogram(
    "oms_loop_round_seconds", "Length of rounds that dealt with something", ["loop"],
    buckets=_FAST_S,
)  # fmt: skip
FEED_STATE: Final = Gauge(
    "oms_feed_state", "1 for the state a venue's feed is in", ["venue", "symbol", "state"]
)
FEED_LEFT_OUT: Final = Gauge(
    "oms_feed_left_out",
    "1 while a venue's book is not in the consolidated one",
    ["venue", "symbol"],
)
FEED_COUNTS: Final = Gauge(
    "oms_feed_counts",
    "What a venue's book went through since the process began: gaps, resyncs, checksum_failures, …",
    ["venue", "symbol", "what"],
)
DEAD_LETTERS: Final = Counter("oms_dead_letters_total", "Records set aside", ["topic"])

# ------------------------------------------------------------------ background tasks
TASKS: Final = Counter("oms_tasks_total", "Background tasks by how they ended", ["task", "state"])
TASK_SECONDS: Final = Histogram("oms_task_seconds", "Length of background tasks", ["task"])
TASK_SUCCEEDED: Final = Gauge(
    "oms_task_last_success_timestamp_seconds", "When a task last succeeded", ["task"]
)

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
STALLED_NS: Final = 30 * NS_PER_S
"""A loop that made no good round for that long is not ready."""
_monotonic_ns = SystemClock.monotonic_ns


def count_http(method: str, path: str, status: int, seconds: float) -> None:
    """Count one answer. A method nobody has is "other"."""
    _http_requests(method if method in _METHODS else "other", status).inc()
    (_HTTP_API if path.startswith("/api/") else _HTTP_OTHER).observe(seconds)


@cache
def _http_requests(method: str, status: int) -> Counter:
    return HTTP_REQUESTS.labels(method, str(status))


_HTTP_API: Final = HTTP_SECONDS.labels("api")
_HTTP_OTHER: Final = HTTP_SECONDS.labels("other")


class Meter:
    """What one loop does: rate, errors, duration. Written by its thread, read by any."""

    def __init__(self, loop: str) -> None:
        self.loop = loop
        self._rounds = LOOP_ROUNDS.labels(loop)
        self._items = LOOP_ITEMS.labels(loop)
        self._errors = LOOP_ERRORS.labels(loop)
        self._seconds = LOOP_SECONDS.labels(loop)
        self._good_at_ns = _monotonic_ns()
        self._broken = ""

    def round(self, items: int, begun_ns: int) -> None:
        """Note a round that began at *begun_ns* (monotonic) and dealt with *items*."""
        now_ns = _monotonic_ns()
        self._rounds.inc()
        if items:
            self._items.inc(items)
            self._seconds.observe((now_ns - begun_ns) / NS_PER_S)
        self._good_at_ns = now_ns
        self._broken = ""

    def broke(self, error: Exception) -> None:
        """Note a round that a broken wire ended."""
        self._errors.inc()
        self._broken = str(error)

    def check(self) -> Mapping[str, Any]:
        """Return how long ago the last good round was.

        Raises:
            LookupError: too long.
        """
        age_ns = _monotonic_ns() - self._good_at_ns
        if age_ns > STALLED_NS:
            raise LookupError(
                f"{self.loop}: no good round for {age_ns // NS_PER_S} s {self._broken}"
            )
        return {"last_round_ms": age_ns // (NS_PER_S // 1000)}

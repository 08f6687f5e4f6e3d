"""Is it ready, how far behind is it: what each role depends on, and how that is asked.

The inner port (probes.py) answers with it in every role; the public one has GET /health, one word."""

import functools
import threading
from collections.abc import Mapping
from typing import Any, Final

import msgspec
import redis
from django.conf import settings
from django.db import connections
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from marketdata import wiring as marketdata_wiring
from oms_project.access import quota
from oms_project.adapters.clock import NS_PER_MS, NS_PER_S, SystemClock
from oms_project.adapters.dead_letters import Pause, Pauses
from oms_project.checks import CHECK_S, FAILED, OK, Check, Checks, is_ready
from oms_project.kernel.ports import Progress
from oms_project.kernel.words import Topic
from oms_project.probes import LagSource, Source, ValueSource
from orders import engine, wiring

PROGRESS_NS: Final = 900 * NS_PER_MS


# ------------------------------------------------------------------ the dependencies
@functools.cache
def _migrated() -> bool:
    """Tell that all migrations are applied; asked until they are, and never again.

    Raises:
        LookupError: some are not. A process that is newer than its database waits for it.
    """
    for alias in settings.DATABASES:
        executor = MigrationExecutor(connections[alias])
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            raise LookupError(f"{alias}: not migrated; manage.py migrate --database {alias}")
    return True


def _database() -> Mapping[str, Any]:
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.fetchone()
    _migrated()
    return {}


def _log() -> Mapping[str, Any]:
    wiring.log().end_offsets(Topic.COMMANDS)
    return {}


def _store() -> Mapping[str, Any]:
    wiring.store().ping()
    return {}


def _redis() -> Mapping[str, Any]:
    with redis.Redis.from_url(
        settings.ENV.redis_url, socket_timeout=CHECK_S, socket_connect_timeout=CHECK_S
    ) as client:
        client.ping()
    return {}


def _limits() -> Mapping[str, Any]:
    """Each process counts requests for itself while Redis is away: together they let more through."""
    if quota.count_alone():
        raise LookupError("rate limits are counted by each process for itself")
    return {}


def _prices() -> Mapping[str, Any]:
    view = marketdata_wiring.view()
    view.refresh()
    stale = [symbol for symbol in view.symbols() if view.is_stale(symbol)]
    if stale or not view.symbols():
        raise LookupError(f"stale: {stale}" if stale else "no prices")
    return {"symbols": len(view.symbols())}


class _Progress:
    """How far the store is in each partition, asked once for everybody who wants to know."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: tuple[int, dict[int, Progress]] | None = None

    def all(self) -> dict[int, Progress]:
        with self._lock:
            now_ns = SystemClock.monotonic_ns()
            if self._kept is None or now_ns - self._kept[0] > PROGRESS_NS:
                store = wiring.store()
                found = {part: store.progress(part) for part in range(wiring.log().partitions)}
                self._kept = now_ns, found
            return self._kept[1]


_progress: Final = _Progress()


def projector_positions() -> dict[int, int]:
    """Return partition -> where the store goes on in oms.events."""
    return {part: one.next_offset for part, one in _progress.all().items()}


def _event_ends() -> list[int]:
    return wiring.log().end_offsets(Topic.EVENTS)


def projector_lags() -> dict[int, int]:
    """Return partition -> records of oms.events that are not in the store yet."""
    positions = projector_positions()
    ends = _event_ends()
    return {part: max(0, ends[part] - at) for part, at in positions.items()}


def engine_positions() -> dict[int, int]:
    """Return partition -> where the engines go on in oms.commands, at most a second old."""
    committed = wiring.log().committed(Topic.COMMANDS, engine.GROUP)
    return {part: committed.get(part, 0) for part in range(wiring.log().partitions)}


def _command_ends() -> list[int]:
    return wiring.log().end_offsets(Topic.COMMANDS)


def engine_lags() -> dict[int, int]:
    """Return partition -> commands that no engine has decided yet."""
    positions = engine_positions()
    ends = _command_ends()
    return {part: max(0, ends[part] - at) for part, at in positions.items()}


def _lag() -> Mapping[str, Any]:
    return {"projector": projector_lags(), "engine": engine_lags()}


def _price_ages_s() -> Mapping[str, float]:
    view = marketdata_wiring.view()
    return {symbol: (view.age_ms(symbol) or 0) / 1000 for symbol in view.symbols()}


_pauses: Final = functools.cache(lambda: Pauses(wiring.log()))
_pauses_lock: Final = threading.Lock()


def paused() -> list[Pause]:
    """Return the partitions that wait for an operator (docs/operations.md, dead letters)."""
    with _pauses_lock:
        _pauses().refresh()
        return _pauses().all()


def paused_by_partition() -> dict[int, int]:
    """Return partition -> how many of its topics are paused."""
    counts = dict.fromkeys(range(wiring.log().partitions), 0)
    for pause in paused():
        counts[pause.partition] += 1
    return counts


def _dead_letters() -> Mapping[str, Any]:
    """A flood of unreadable records holds up a partition: orders are taken, and decided later."""
    waits = [f"{pause.topic}/{pause.partition} at {pause.offset}" for pause in paused()]
    if waits:
        raise LookupError(f"paused: {', '.join(waits)}; manage.py deadletter list")
    return {"paused": 0}


def _integrity() -> Mapping[str, Any]:
    """The newest result of the check of the books; that there is none yet is no failure."""
    result = wiring.integrity()
    if result is None:
        return {"checked": False}
    if not result.good:
        raise LookupError(f"{len(result.breaches)} breaches, first: {result.breaches[0]}")
    age_s = (SystemClock.now_ns() - result.at_ns) // NS_PER_S
    return {"checked": True, "age_s": age_s, "concerns": len(result.concerns)}


REQUIRED: Final[Mapping[str, Mapping[str, Check]]] = {
    "web": {"database": _database, "log": _log, "store": _store},
    "engine": {"log": _log, "store": _store},
    "projector": {"database": _database, "log": _log, "store": _store},
    "pusher": {"store": _store},
    "worker": {"database": _database, "log": _log, "store": _store},
}
"""What a role cannot work without. A lost Redis makes nobody unready: claims are in SQL as well, and
sockets look by themselves."""


def checks(role: str, **own: Check) -> Checks:
    """Return the checks of a role; *own*: required ones that its process brings, its loop mostly."""
    informational: dict[str, Check] = {}
    if role == "web":
        informational = {
            "prices": _prices, "lag": _lag, "integrity": _integrity, "dead_letters": _dead_letters,
        }  # fmt: skip
    if settings.ENV.redis_url and role == "web":
        informational["limits"] = _limits
    if settings.ENV.redis_url and role in ("web", "pusher", "worker"):
        informational["redis"] = _redis
    return Checks({**REQUIRED[role], **own}, informational)


CHECKS: Final = checks("web")
SOURCES: Final[tuple[Source, ...]] = (
    LagSource(
        "oms_projector_lag", "Events that are not stored yet", _event_ends, projector_positions
    ),
    LagSource(
        "oms_engine_lag", "Commands that are not decided yet", _command_ends, engine_positions
    ),
    ValueSource(
        "oms_paused_topics", "Topics that wait for an operator", "partition", paused_by_partition
    ),
    ValueSource("oms_price_age_seconds", "Age of the newest price", "symbol", _price_ages_s),
)
"""What the web role tells of the others: it sees them when they are gone, too."""


@csrf_exempt
@require_safe
@never_cache
def health(request: HttpRequest) -> HttpResponse:
    """GET /health on the public port: one word. Who wants to know more asks the inner port."""
    good = is_ready(CHECKS.known())
    body = msgspec.json.encode({"status": OK if good else FAILED})
    return HttpResponse(body, status=200 if good else 503, content_type="application/json")

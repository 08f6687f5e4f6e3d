"""Is it alive, is it ready, how far behind is it: /livez, /readyz, /health.

Every dependency is asked in a thread of its own and has CHECK_S. One that hangs is not asked again
until its first answer is there, so a dead dependency cannot use up the threads.
"""

import functools
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any, Final

import msgspec
import redis
import structlog
from django.conf import settings
from django.db import close_old_connections, connections
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import REGISTRY

from marketdata import wiring as marketdata_wiring
from oms_project.adapters.clock import NS_PER_MS, NS_PER_S, SystemClock
from oms_project.adapters.dead_letters import Pause, Pauses
from oms_project.kernel.words import Topic
from oms_project.metrics import LagCollector
from orders import wiring

CHECK_S: Final = 1.0
KEPT_NS: Final = 500 * NS_PER_MS
"""An answer this young is given again: anybody may ask, and asking costs the dependencies."""
OK: Final = "ok"
FAILED: Final = "failed"

_logger = structlog.get_logger(__name__)
_monotonic_ns = SystemClock.monotonic_ns
_started_ns = _monotonic_ns()
Check = Callable[[], Mapping[str, Any]]


class Result(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one dependency said. required: without it we are not ready. info: for people."""

    status: str
    ms: int
    required: bool
    info: Mapping[str, Any] = {}


class Checks:
    """Asks all dependencies at once. Safe for any number of threads."""

    def __init__(self, required: Mapping[str, Check], informational: Mapping[str, Check]) -> None:
        self._checks = {**required, **informational}
        self._required = frozenset(required)
        self._pool = ThreadPoolExecutor(len(self._checks), thread_name_prefix="health")
        self._asked: dict[str, tuple[int, Future[Mapping[str, Any]]]] = {}
        self._lock = threading.Lock()
        self._kept: tuple[int, dict[str, Result]] | None = None

    def results(self) -> dict[str, Result]:
        """Return what each said within CHECK_S, by name."""
        with self._lock:
            if self._kept is None or _monotonic_ns() - self._kept[0] > KEPT_NS:
                self._kept = (_monotonic_ns(), self._ask())
            return self._kept[1]

    def _ask(self) -> dict[str, Result]:
        for name, check in self._checks.items():
            asked = self._asked.get(name)
            if asked is None or asked[1].done():
                self._asked[name] = (_monotonic_ns(), self._pool.submit(_closing, check))
        deadline_ns = _monotonic_ns() + int(CHECK_S * NS_PER_S)
        return {name: self._answer(name, deadline_ns) for name in self._checks}

    def _answer(self, name: str, deadline_ns: int) -> Result:
        asked_ns, future = self._asked[name]
        left_s = max(0, deadline_ns - _monotonic_ns()) / NS_PER_S
        info: Mapping[str, Any] = {}
        try:
            info = future.result(left_s)
            status = OK
        except FutureTimeoutError:
            status = FAILED
            _logger.warning("dependency_slow", dependency=name)
        except Exception as error:  # whatever it is, the dependency does not work
            status = FAILED
            _logger.warning("dependency_failed", dependency=name, error=repr(error))
        ms = (_monotonic_ns() - asked_ns) // NS_PER_MS
        return Result(status, ms, name in self._required, info)


def _closing(check: Check) -> Mapping[str, Any]:
    """Ask, and leave no database connection behind in the thread."""
    try:
        return check()
    finally:
        close_old_connections()


# ------------------------------------------------------------------ the dependencies
def _database() -> Mapping[str, Any]:
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.fetchone()
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


def _prices() -> Mapping[str, Any]:
    view = marketdata_wiring.view()
    view.refresh()
    stale = [symbol for symbol in view.symbols() if view.is_stale(symbol)]
    if stale or not view.symbols():
        raise LookupError(f"stale: {stale}" if stale else "no prices")
    return {"symbols": len(view.symbols())}


def projector_lags() -> dict[int, int]:
    """Return partition -> records of oms.events that are not in the store yet."""
    log, store = wiring.log(), wiring.store()
    return {
        partition: max(
            0,
            log.end_offset(Topic.EVENTS, partition) - store.progress(partition).next_offset,
        )
        for partition in range(log.partitions)
    }


def engine_lags() -> dict[int, int]:
    """Return partition -> commands behind the newest one whose effect is stored: an upper bound.

    Commands without an effect (marks, mostly) count until one with an effect comes after them.
    """
    log, store = wiring.log(), wiring.store()
    return {
        partition: max(
            0,
            log.end_offset(Topic.COMMANDS, partition) - store.progress(partition).last_command - 1,
        )
        for partition in range(log.partitions)
    }


def _lag() -> Mapping[str, Any]:
    return {"projector": projector_lags(), "engine": engine_lags()}


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


def _checks() -> Checks:
    required: dict[str, Check] = {"database": _database, "log": _log, "store": _store}
    if settings.ENV.redis_url:
        required["redis"] = _redis
    return Checks(
        required,
        {"prices": _prices, "lag": _lag, "integrity": _integrity, "dead_letters": _dead_letters},
    )


CHECKS: Final = _checks()
for _collector in (
    LagCollector("oms_projector_lag_records", "Events that are not stored yet", projector_lags),
    LagCollector("oms_paused_topics", "Topics that wait for an operator", paused_by_partition),
    LagCollector("oms_engine_lag_records", "Commands whose effect is not stored", engine_lags),
):
    REGISTRY.register(_collector)


# ------------------------------------------------------------------ views
def _answer(body: Mapping[str, Any], *, ready: bool) -> HttpResponse:
    raw = msgspec.json.encode(body)
    return HttpResponse(raw, status=200 if ready else 503, content_type="application/json")


def _ready(results: Mapping[str, Result]) -> bool:
    return all(result.status == OK for result in results.values() if result.required)


@require_safe
@never_cache
def livez(request: HttpRequest) -> HttpResponse:
    """The process answers. Nothing else is asked: a dead database is no reason to restart us."""
    return _answer({"status": OK}, ready=True)


@require_safe
@never_cache
def readyz(request: HttpRequest) -> HttpResponse:
    """Every dependency by name; 503 while one that is required fails."""
    results = CHECKS.results()
    ready = _ready(results)
    checks = {name: msgspec.structs.replace(found, info={}) for name, found in results.items()}
    return _answer({"status": OK if ready else FAILED, "checks": checks}, ready=ready)


@require_safe
@never_cache
def health(request: HttpRequest) -> HttpResponse:
    """A summary for people and dashboards: version, uptime, dependencies, lag. Always 200."""
    results = CHECKS.results()
    uptime_s = (_monotonic_ns() - _started_ns) // NS_PER_S
    body = {
        "status": OK if _ready(results) else FAILED,
        "version": settings.SPECTACULAR_SETTINGS["VERSION"],
        "uptime_s": uptime_s,
        "checks": results,
    }
    return _answer(body, ready=True)

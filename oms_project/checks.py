"""Asks what a process depends on, all at once, and says whether it is ready.

Every dependency is asked in a thread of its own and has CHECK_S. One that hangs is not asked again
until its first answer is there, so a dead dependency cannot use up the threads.
"""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any, Final

import msgspec
import structlog
from django.conf import settings
from django.db import close_old_connections

from oms_project.adapters.clock import NS_PER_MS, NS_PER_S, SystemClock

CHECK_S: Final = 1.0
KEPT_NS: Final = 500 * NS_PER_MS
"""An answer this young is given again: anybody may ask, and asking costs the dependencies."""
KNOWN_NS: Final = 5 * NS_PER_S
"""Where somebody asks in the background: so old an answer is still given."""
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
        self._asked: dict[str, tuple[int, Future[tuple[int, Mapping[str, Any]]]]] = {}
        self._told: dict[str, str] = {}
        self._lock = threading.Lock()
        self._kept: tuple[int, dict[str, Result]] | None = None

    def results(self) -> dict[str, Result]:
        """Return what each said within CHECK_S, by name."""
        with self._lock:
            if self._kept is None or _monotonic_ns() - self._kept[0] > KEPT_NS:
                self._kept = (_monotonic_ns(), self._ask())
            return self._kept[1]

    def known(self) -> dict[str, Result]:
        """Return what each said last, asking only if that is older than KNOWN_NS."""
        kept = self._kept
        if kept is not None and _monotonic_ns() - kept[0] < KNOWN_NS:
            return kept[1]
        return self.results()

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
        wrong = ""
        try:
            ended_ns, info = future.result(left_s)
        except FutureTimeoutError:
            ended_ns, wrong = _monotonic_ns(), f"no answer within {CHECK_S:g} s"
        except Exception as error:  # whatever it is, the dependency does not work
            ended_ns, wrong = _monotonic_ns(), repr(error)
        self._tell(name, wrong)
        ms = (ended_ns - asked_ns) // NS_PER_MS
        return Result(FAILED if wrong else OK, ms, name in self._required, info)

    def _tell(self, name: str, wrong: str) -> None:
        """Log what changed: somebody asks every second, for as long as it is away."""
        before, self._told[name] = self._told.get(name, ""), wrong
        if wrong and not before:
            _logger.warning("dependency_failed", dependency=name, error=wrong)
        elif before and not wrong:
            _logger.warning("dependency_is_back", dependency=name)


def _closing(check: Check) -> tuple[int, Mapping[str, Any]]:
    """Ask, and leave no database connection behind in the thread; return when it answered, too."""
    try:
        info = check()
        return _monotonic_ns(), info
    finally:
        close_old_connections()


# ------------------------------------------------------------------ answers
Answer = tuple[int, Mapping[str, Any]]
"""Status and body."""


def is_ready(results: Mapping[str, Result]) -> bool:
    return all(result.status == OK for result in results.values() if result.required)


def ready(found: Checks) -> Answer:
    """Every dependency by name, without its reasons; 503 while one that is required fails."""
    results = found.known()
    good = is_ready(results)
    shown = {name: msgspec.structs.replace(one, info={}) for name, one in results.items()}
    return 200 if good else 503, {"status": OK if good else FAILED, "checks": shown}


def summary(found: Checks, role: str) -> Answer:
    """For people and dashboards: role, version, uptime, dependencies with what they told. 200."""
    results = found.known()
    return 200, {
        "status": OK if is_ready(results) else FAILED,
        "role": role,
        "version": settings.SPECTACULAR_SETTINGS["VERSION"],
        "uptime_s": (_monotonic_ns() - _started_ns) // NS_PER_S,
        "checks": results,
    }

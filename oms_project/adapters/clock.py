"""The only file that reads the system's clock."""

import time
from datetime import UTC, datetime

from oms_project.kernel.numbers import NS_PER_MS, NS_PER_S

__all__ = ["NS_PER_MS", "NS_PER_S", "FakeClock", "SystemClock", "utc"]


class SystemClock:
    """The machine's clock."""

    now_ns = staticmethod(time.time_ns)
    monotonic_ns = staticmethod(time.monotonic_ns)


def jump(spec: str) -> None:
    """Let this process' wall clock jump as *spec* says: "seconds@after", both in seconds; "" never.

    Raises:
        ValueError: it is neither.
    """
    if not spec:
        return
    by, _, after = spec.partition("@")
    by_ns = int(by) * NS_PER_S
    at_ns = time.monotonic_ns() + int(after or "0") * NS_PER_S

    def now_ns() -> int:
        return time.time_ns() + (by_ns if time.monotonic_ns() >= at_ns else 0)

    SystemClock.now_ns = staticmethod(now_ns)


def utc(ns: int) -> datetime:
    """Return a time of the wall clock as Django's database fields take it."""
    return datetime.fromtimestamp(ns / NS_PER_S, UTC)


class FakeClock:
    """The twin for tests: time moves only when it is told to.

    `jump_ns` moves the wall clock alone, as an administrator or a leap second does.
    """

    def __init__(self, now_ns: int = 1_790_000_000 * NS_PER_S, monotonic_ns: int = 0) -> None:
        self._now_ns = now_ns
        self._monotonic_ns = monotonic_ns

    def now_ns(self) -> int:
        return self._now_ns

    def monotonic_ns(self) -> int:
        return self._monotonic_ns

    def advance_ns(self, by_ns: int) -> None:
        """Let *by_ns* pass on both clocks."""
        if by_ns < 0:
            raise ValueError("time does not go back; use jump_ns for the wall clock")
        self._now_ns += by_ns
        self._monotonic_ns += by_ns

    def advance_s(self, by_s: int) -> None:
        self.advance_ns(by_s * NS_PER_S)

    def jump_ns(self, by_ns: int) -> None:
        """Set the wall clock forward or back; the monotonic one does not notice."""
        self._now_ns += by_ns

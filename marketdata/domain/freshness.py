"""How old what we know of a venue may be: the only file that decides that a venue is stale."""

from collections.abc import Iterable
from typing import Final

from oms_project.kernel.numbers import NS_PER_MS

STALE_MS: Final = 3_000


class Freshness:
    """Remembers when each venue was last heard. Silence, not emptiness, makes a venue stale."""

    __slots__ = ("_heard_ns", "stale_ns")

    def __init__(self, stale_ms: int = STALE_MS) -> None:
        self.stale_ns = stale_ms * NS_PER_MS
        self._heard_ns: dict[str, int] = {}

    def heard(self, venues: Iterable[str], at_ns: int) -> None:
        """Note that each of *venues* said something at *at_ns*."""
        for venue in venues:
            self._heard_ns[venue] = at_ns

    def heard_ns(self, venue: str) -> int | None:
        """Return when *venue* was last heard, None if never."""
        return self._heard_ns.get(venue)

    def is_fresh(self, venue: str, now_ns: int) -> bool:
        at_ns = self._heard_ns.get(venue)
        return at_ns is not None and self.is_near(at_ns, now_ns)

    def is_near(self, at_ns: int, now_ns: int) -> bool:
        """Tell whether the two instants are within the stale time of each other.

        Both ways: after the clock was set back, what was heard "in the future" proves nothing.
        """
        return abs(now_ns - at_ns) <= self.stale_ns

"""How a venue's feed of a symbol is: the state everybody is told, and what went wrong so far.

    CONNECTING   nothing was heard of the venue yet
    SYNCING      it speaks, but we have no book that is surely its own
    LIVE         we have, and it is fresh
    STALE        it was silent for longer than the stale time
    DOWN         it was silent for longer than DOWN_MS

A venue that is LIVE may still be left out of the consolidated book: crossed in itself, or too far
from what the others say. Then the reason stands beside the state.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, Protocol, runtime_checkable

import msgspec

from oms_project.kernel.numbers import NS_PER_MS, PPM

DOWN_MS: Final = 30_000
FAR_PPM: Final = 20_000
"""A venue whose mid is so far from the middle one of three or more is not believed."""


class FeedState(StrEnum):
    CONNECTING = "CONNECTING"
    SYNCING = "SYNCING"
    LIVE = "LIVE"
    STALE = "STALE"
    DOWN = "DOWN"


class LeftOut(StrEnum):
    """Why a venue's book is not in the consolidated one."""

    NO = ""
    NO_BOOK = "no_book"
    STALE = "stale"
    CROSSED = "crossed"
    FAR_OFF = "far_off"


class Counters(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a book went through since the process began. checked: checksums that the venue sent;
    unreadable: messages of the whole venue that could not be read."""

    gaps: int = 0
    resyncs: int = 0
    checked: int = 0
    checksum_failures: int = 0
    crossed: int = 0
    unreadable: int = 0


class FeedStatus(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One venue's feed of one symbol. since_ns: when the state began; heard_ns: 0 if never."""

    venue: str
    symbol: str
    state: FeedState
    since_ns: int
    heard_ns: int
    left_out: LeftOut
    counters: Counters


@runtime_checkable
class Counting(Protocol):
    """A feed that counts what its books go through."""

    def counters(self) -> Mapping[tuple[str, str], Counters]:
        """Return the counters of each (venue, symbol), those that never had a book included."""


class Board:
    """Keeps the state of every feed and since when it is that. Used by one thread."""

    def __init__(self, stale_ms: int) -> None:
        self._stale_ns = stale_ms * NS_PER_MS
        self._known: dict[tuple[str, str], FeedStatus] = {}

    def note(
        self,
        venue: str,
        symbol: str,
        *,
        heard_ns: int | None,
        left_out: LeftOut,
        counters: Counters,
        now_ns: int,
    ) -> bool:
        """Take note of how a feed is now; tell whether that is news."""
        state = self._state(heard_ns, left_out, now_ns)
        before = self._known.get((venue, symbol))
        same = before is not None and before.state is state
        since_ns = before.since_ns if same and before else now_ns
        self._known[venue, symbol] = FeedStatus(
            venue, symbol, state, since_ns, heard_ns or 0, left_out, counters
        )
        return not same or (before is not None and before.left_out is not left_out)

    def all(self) -> tuple[FeedStatus, ...]:
        return tuple(self._known[key] for key in sorted(self._known))

    def _state(self, heard_ns: int | None, left_out: LeftOut, now_ns: int) -> FeedState:
        if heard_ns is None:
            return FeedState.CONNECTING
        silent_ns = abs(now_ns - heard_ns)
        if silent_ns > DOWN_MS * NS_PER_MS:
            return FeedState.DOWN
        if silent_ns > self._stale_ns:
            return FeedState.STALE
        return FeedState.SYNCING if left_out is LeftOut.NO_BOOK else FeedState.LIVE


def far_off(mids: Mapping[str, int]) -> set[str]:
    """Return the venues whose mid is not to be believed: far from the middle one of three or more."""
    if len(mids) < 3:
        return set()
    middle = sorted(mids.values())[len(mids) // 2]
    return {venue for venue, mid in mids.items() if abs(mid - middle) * PPM > middle * FAR_PPM}

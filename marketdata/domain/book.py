"""One venue's book of one symbol, and the two ways venues let us check that ours is still theirs.

Rules of this file: prices and sizes are ints in the *venue's own* scale (as many decimals as it
prints), so that nothing is rounded before the check; `quote.py` turns them into ticks and lots.
A book that failed its check is emptied at once: no book is better than a wrong one.
"""

import zlib
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

Pair = tuple[int, int]
"""(price, size) in the venue's scale."""

BUFFER_MAX: Final = 10_000
"""Diffs kept while waiting for a snapshot; more means that no snapshot will ever fit."""

CHECKSUM_LEVELS: Final = 10


class VenueBook:
    """Bids and asks of one venue. An update carries the absolute size at a price; 0 removes it."""

    __slots__ = ("asks", "bids", "depth_max")

    def __init__(self, depth_max: int = 0) -> None:
        """Keep at most *depth_max* levels a side after each update (0: all)."""
        self.bids: dict[int, int] = {}
        self.asks: dict[int, int] = {}
        self.depth_max = depth_max

    def load(self, bids: Iterable[Pair], asks: Iterable[Pair]) -> None:
        """Replace everything by a snapshot."""
        self.bids = {price: size for price, size in bids if size}
        self.asks = {price: size for price, size in asks if size}

    def clear(self) -> None:
        self.bids = {}
        self.asks = {}

    def update(self, bids: Iterable[Pair], asks: Iterable[Pair]) -> None:
        """Set the size at each price."""
        _set(self.bids, bids)
        _set(self.asks, asks)
        if self.depth_max:
            _truncate(self.bids, self.depth_max, best_is_high=True)
            _truncate(self.asks, self.depth_max, best_is_high=False)

    def best_bid(self) -> int | None:
        return max(self.bids, default=None)

    def best_ask(self) -> int | None:
        return min(self.asks, default=None)

    def top_bids(self, count: int) -> list[Pair]:
        """Return up to *count* bids, best (highest) first."""
        return sorted(self.bids.items(), reverse=True)[:count]

    def top_asks(self, count: int) -> list[Pair]:
        """Return up to *count* asks, best (lowest) first."""
        return sorted(self.asks.items())[:count]

    def is_crossed(self) -> bool:
        """Return whether somebody bids as much as another asks: no single venue shows that."""
        bid, ask = self.best_bid(), self.best_ask()
        return bid is not None and ask is not None and bid >= ask


def _set(side: dict[int, int], pairs: Iterable[Pair]) -> None:
    for price, size in pairs:
        if size:
            side[price] = size
        else:
            side.pop(price, None)  # unknown price: venues remove levels we never saw


def _truncate(side: dict[int, int], depth_max: int, *, best_is_high: bool) -> None:
    while len(side) > depth_max:
        del side[min(side) if best_is_high else max(side)]


class Diff(msgspec.Struct, frozen=True, gc=False):
    """One diff-depth event: it covers the venue's update ids first..last, both included."""

    first: int
    last: int
    bids: tuple[Pair, ...]
    asks: tuple[Pair, ...]


class DepthSync:
    """Keeps a book in step with a diff-depth stream (Binance's published procedure).

    Diffs are buffered until a snapshot arrives; those it already contains are dropped; from then on
    each must begin at or below the next expected id. A gap empties the book, and everything is
    buffered again until another snapshot fits.
    Source: https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams
    ("How to manage a local order book correctly").
    """

    __slots__ = ("_buffer", "book", "gaps", "last_id", "live")

    def __init__(self, book: VenueBook | None = None, buffer_max: int = BUFFER_MAX) -> None:
        self.book = book or VenueBook()
        self.live = False
        self.last_id = 0
        self.gaps = 0
        self._buffer: deque[Diff] = deque(maxlen=buffer_max)

    @property
    def needs_snapshot(self) -> bool:
        """Whether somebody should fetch a snapshot now."""
        return not self.live

    def on_snapshot(self, last_update_id: int, bids: Iterable[Pair], asks: Iterable[Pair]) -> bool:
        """Take a snapshot and every buffered diff behind it; return whether the book is live.

        A snapshot older than the first buffered diff cannot be joined to it: the book stays out.
        A snapshot older than a live book is ignored.
        """
        if self.live and last_update_id <= self.last_id:
            return True
        waiting = [diff for diff in self._buffer if diff.last > last_update_id]
        if waiting and waiting[0].first > last_update_id + 1:
            return self.live
        self._buffer.clear()
        self.book.load(bids, asks)
        self.last_id = last_update_id
        self.live = True
        for diff in waiting:
            self.on_diff(diff)
        return self.live

    def on_diff(self, diff: Diff) -> bool:
        """Apply or buffer one diff; return whether the book is live after it."""
        if not self.live:
            self._buffer.append(diff)
            return False
        if diff.last <= self.last_id:
            return True  # already in the snapshot, or sent twice
        if diff.first > self.last_id + 1:
            self.lose()
            self._buffer.append(diff)
            return False
        self.book.update(diff.bids, diff.asks)
        self.last_id = diff.last
        return True

    def lose(self) -> None:
        """Forget the book: what we hold is no longer known to be the venue's."""
        self.gaps += 1
        self.live = False
        self.book.clear()
        self._buffer.clear()


def checksum(bids: Sequence[Pair], asks: Sequence[Pair]) -> int:
    """Return Kraken's CRC32 over the top ten asks, then the top ten bids, best first.

    Kraken joins price and volume without point and leading zeros; in the venue's own scale that
    text is exactly the integer. Source: https://docs.kraken.com/api/docs/guides/spot-ws-book-v1
    """
    parts: list[str] = []
    for side in (asks, bids):
        parts += [f"{price}{size}" for price, size in side[:CHECKSUM_LEVELS]]
    return zlib.crc32("".join(parts).encode())


class ChecksumSync:
    """Keeps a book in step with a stream that carries a checksum after each update (Kraken)."""

    __slots__ = ("book", "live", "mismatches")

    def __init__(self, depth_max: int) -> None:
        """*depth_max*: the subscribed depth; deeper levels must be dropped by the reader."""
        self.book = VenueBook(depth_max)
        self.live = False
        self.mismatches = 0

    def on_snapshot(self, bids: Iterable[Pair], asks: Iterable[Pair]) -> bool:
        self.book.load(bids, asks)
        self.live = True
        return True

    def on_update(self, bids: Iterable[Pair], asks: Iterable[Pair], expected: int | None) -> bool:
        """Apply one update; return whether the book is live and agrees with the venue."""
        if not self.live:
            return False
        self.book.update(bids, asks)
        if expected is None:
            return True
        top_bids = self.book.top_bids(CHECKSUM_LEVELS)
        if checksum(top_bids, self.book.top_asks(CHECKSUM_LEVELS)) != expected:
            self.mismatches += 1
            self.live = False
            self.book.clear()
        return self.live

"""One venue's book of one symbol, and the two ways venues let us check that ours is still theirs.

Rules of this file: prices and sizes are ints in the *venue's own* scale (as many decimals as it
prints), so that nothing is rounded before the check; `quote.py` turns them into ticks and lots.
A book that failed its check is emptied at once: no book is better than a wrong one.
"""

import zlib
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

Pair = tuple[int, int]
"""(price, size) in the venue's scale."""

BUFFER_MAX: Final = 10_000
"""Diffs kept while waiting for a snapshot; more means that no snapshot will ever fit."""

CHECKSUM_LEVELS: Final = 10


class _Side:
    """One side of a book: sizes by price, and the prices in order."""

    __slots__ = ("prices", "sizes")

    def __init__(self, pairs: Iterable[Pair] = ()) -> None:
        self.sizes = {price: size for price, size in pairs if size}
        self.prices = sorted(self.sizes)
        """Ascending."""

    def update(self, pairs: Iterable[Pair]) -> None:
        sizes, prices = self.sizes, self.prices
        for price, size in pairs:
            if size:
                if price not in sizes:
                    insort(prices, price)
                sizes[price] = size
            elif sizes.pop(price, None) is not None:  # venues remove levels we never saw
                del prices[bisect_left(prices, price)]

    def drop(self, prices: list[int]) -> None:
        for price in prices:
            del self.sizes[price]


class VenueBook:
    """Bids and asks of one venue. An update carries the absolute size at a price; 0 removes it."""

    __slots__ = ("_asks", "_bids", "depth_max")

    def __init__(self, depth_max: int = 0) -> None:
        """Keep at most *depth_max* levels a side after each update (0: all)."""
        self._bids = _Side()
        self._asks = _Side()
        self.depth_max = depth_max

    @property
    def bids(self) -> dict[int, int]:
        return self._bids.sizes

    @property
    def asks(self) -> dict[int, int]:
        return self._asks.sizes

    def load(self, bids: Iterable[Pair], asks: Iterable[Pair]) -> None:
        """Replace everything by a snapshot."""
        self._bids = _Side(bids)
        self._asks = _Side(asks)

    def clear(self) -> None:
        self.load((), ())

    def update(self, bids: Iterable[Pair], asks: Iterable[Pair]) -> None:
        """Set the size at each price."""
        self._bids.update(bids)
        self._asks.update(asks)
        most = self.depth_max
        if most and len(self._bids.prices) > most:
            self._bids.drop(self._bids.prices[:-most])
            del self._bids.prices[:-most]
        if most and len(self._asks.prices) > most:
            self._asks.drop(self._asks.prices[most:])
            del self._asks.prices[most:]

    def best_bid(self) -> int | None:
        return self._bids.prices[-1] if self._bids.prices else None

    def best_ask(self) -> int | None:
        return self._asks.prices[0] if self._asks.prices else None

    def top_bids(self, count: int) -> list[Pair]:
        """Return up to *count* bids, best (highest) first."""
        sizes = self._bids.sizes
        return [(price, sizes[price]) for price in reversed(self._bids.prices[-count:])]

    def top_asks(self, count: int) -> list[Pair]:
        """Return up to *count* asks, best (lowest) first."""
        sizes = self._asks.sizes
        return [(price, sizes[price]) for price in self._asks.prices[:count]]

    def is_crossed(self) -> bool:
        """Return whether somebody bids as much as another asks: no single venue shows that."""
        bid, ask = self.best_bid(), self.best_ask()
        return bid is not None and ask is not None and bid >= ask


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

    __slots__ = ("_buffer", "book", "gaps", "last_id", "live", "resyncs")

    def __init__(self, book: VenueBook | None = None, buffer_max: int = BUFFER_MAX) -> None:
        self.book = book or VenueBook()
        self.live = False
        self.last_id = 0
        self.gaps = 0
        self.resyncs = 0
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
        self.resyncs += self.gaps > 0
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

    __slots__ = ("book", "checked", "gaps", "live", "mismatches", "resyncs")

    def __init__(self, depth_max: int) -> None:
        """*depth_max*: the subscribed depth; deeper levels must be dropped by the reader."""
        self.book = VenueBook(depth_max)
        self.live = False
        self.checked = 0
        self.gaps = 0
        self.mismatches = 0
        self.resyncs = 0

    def on_snapshot(self, bids: Iterable[Pair], asks: Iterable[Pair]) -> bool:
        self.book.load(bids, asks)
        self.live = True
        self.resyncs += self.gaps + self.mismatches > 0
        return True

    def on_update(self, bids: Iterable[Pair], asks: Iterable[Pair], expected: int | None) -> bool:
        """Apply one update; return whether the book is live and agrees with the venue."""
        if not self.live:
            return False
        self.book.update(bids, asks)
        if expected is None:
            return True
        self.checked += 1
        top_bids = self.book.top_bids(CHECKSUM_LEVELS)
        if checksum(top_bids, self.book.top_asks(CHECKSUM_LEVELS)) != expected:
            self.mismatches += 1
            self._empty()
        return self.live

    def lose(self) -> None:
        """Forget the book: a message was lost, so what we hold is no longer known to be the venue's."""
        if self.live:
            self.gaps += 1
            self._empty()

    def _empty(self) -> None:
        self.live = False
        self.book.clear()

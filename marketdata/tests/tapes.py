"""Frames of a book as a socket sends them, some of them lost: for clients that must heal."""

import random  # noqa: TID251 - a seeded tape
from collections.abc import Iterator

from marketdata.domain.prices import Level, SymbolPrices
from marketdata.tests.build import NOW_NS, units
from marketdata.view import Seen
from marketdata.ws.frames import Frames

UNITS = units()


class BookTape:
    """A book that changes, and what the server would send of it. seed: of changes and losses."""

    def __init__(self, seed: int, lost_percent: int = 5) -> None:
        self._dice = random.Random(seed)
        self._lost_percent = lost_percent
        self._frames = Frames()
        self._bids = {99_00 - n: 5 for n in range(20)}
        self._asks = {101_00 + n: 5 for n in range(20)}
        self._history: dict[int, SymbolPrices] = {}
        self._seq = 0
        self.lost = 0
        self.step()

    def step(self) -> None:
        """Change some levels of each side."""
        dice = self._dice
        for side, low in ((self._bids, 98_70), (self._asks, 101_00)):
            for _ in range(dice.randrange(1, 6)):
                ticks = low + dice.randrange(40)
                side[ticks] = dice.randrange(1, 99)
                if len(side) > 15 and dice.random() < 0.5:
                    del side[ticks]
        self._seq += 1
        bids = tuple(Level(ticks, self._bids[ticks]) for ticks in sorted(self._bids, reverse=True))
        asks = tuple(Level(ticks, self._asks[ticks]) for ticks in sorted(self._asks))
        now = SymbolPrices("BTC-USD", self._seq, NOW_NS, bids[:20], asks[:20], 1, 1, 1, 1, 1)
        self._history[self._seq] = now

    @property
    def now(self) -> SymbolPrices:
        return self._history[self._seq]

    def snapshot(self) -> str:
        return self._frames.book(self._seen(), UNITS, stale=False)

    def deltas(self, count: int) -> Iterator[str]:
        """Yield the frames that arrive of *count* changes: one in so many is lost on the way."""
        for _ in range(count):
            before = self._seq
            self.step()
            frame = self._frames.book_delta(self._seen(), UNITS, before)
            assert frame is not None
            if self._dice.randrange(100) < self._lost_percent:
                self.lost += 1
            else:
                yield frame

    def _seen(self) -> Seen:
        return Seen(self.now, self._seq, (), self._history)

"""Keeps candles: counts trades as they come, finds out what was before, has all of it written down.

Two threads share this. The feed's counts trades and, in the pauses between its steps, asks the feed
for the past (`take`, `pause`). The writer's talks to the store (`work`), so that a store that is slow
or away delays nobody's price; what waits for it is bounded.

What was kept is read first. A feed that cannot tell of the past (domain.quote.Historian) leaves a gap
where nobody listened; what the log still has of it is counted.
"""

import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Protocol

import structlog
from django.db import DatabaseError

from marketdata.domain.candle import DAY, MINUTE, SECOND
from marketdata.domain.live_candles import LiveCandles, Row
from marketdata.domain.past import Found, Past, Piece, Span, live_of
from marketdata.domain.prices import Candle, Trade
from marketdata.domain.quote import Feed, Historian
from oms_project.kernel.numbers import NS_PER_S

PENDING_MAX: Final = 100_000
"""Rows that wait for a store that is away; seconds are given up first."""
EVERY_S: Final = 1.0

_logger = structlog.get_logger(__name__)


class Store(Protocol):
    """Where candles are kept (adapters.candles.SqlCandles)."""

    def save(self, rows: Sequence[Row], spans: Mapping[str, Span]) -> None: ...

    def spans(self) -> dict[str, Span]: ...

    def read(self, symbol: str, interval_s: int, from_s: int, until_s: int) -> list[Candle]: ...


class Candles:
    """The candles of one feed."""

    def __init__(self, feed: Feed, store: Store, *, history_s: int = DAY) -> None:
        self.live = LiveCandles()
        self.past: deque[tuple[str, list[Candle]]] = deque()
        """Minutes found out, for the day's figures: whoever keeps those takes them from here."""
        self._historian = feed if isinstance(feed, Historian) else None
        self._store = store
        self._history_s = history_s
        self._begun_ns: int | None = None
        self._found: Mapping[str, Found] | None = None
        self._told: Sequence[tuple[str, Trade]] = ()
        self._ready = False
        self._past: Past | None = None
        self._pieces: Iterator[Piece] = iter(())
        self._lock = threading.Lock()
        self._pending: dict[tuple[str, int, int], Candle] = {}
        self._spans: dict[str, Span] = {}
        self._closed_s = 0
        self._waiting = False

    # ------------------------------------------------------------------ the feed's thread

    def heard(self, told: Sequence[tuple[str, Trade]]) -> None:
        """Take the trades that the log had at the start: some may not be kept yet."""
        self._told = told

    def take(self, trades: Sequence[tuple[str, Trade]], now_ns: int) -> None:
        """Count what traded up to *now_ns*."""
        if self._begun_ns is None:
            self._begun_ns = now_ns
        for symbol, trade in trades:
            self.live.add(symbol, trade)
        now_s = now_ns // NS_PER_S
        self.live.tick(now_s)
        if self._ready and now_s > self._closed_s:
            self._closed_s = now_s
            self._keep(self.live.close(now_s))

    def pause(self) -> bool:
        """Find out one piece of the past; tell whether there may be more."""
        if not self._ready:
            if self._found is None:
                return False
            self._begin(self._found)
        piece = next(self._pieces, None)
        if piece is None:
            return False
        self._learn(piece)
        self._keep(piece.rows)
        return True

    def _begin(self, found: Mapping[str, Found]) -> None:
        """Go on from what was kept."""
        begun_ns = self._begun_ns or 0
        if self._historian is not None:
            self._past = Past(self._historian, begun_ns, found, self._history_s)
            for symbol, one in found.items():
                self._resume(symbol, [m for m in one.minutes if m.begin_s < one.joint_s])
            for piece in self._past.seam(self.live):
                self._learn(piece)
            self._pieces = self._past.pieces()
        else:
            for symbol, one in found.items():
                self._resume(symbol, one.minutes)
            self._count_told(found, begun_ns)
        self._ready = True

    def _resume(self, symbol: str, minutes: list[Candle]) -> None:
        """Put what was kept in front of what is open. A minute begun goes on."""
        now_s = (self._begun_ns or 0) // NS_PER_S
        for interval_s, candle in live_of(minutes, now_s).items():
            self.live.precede(symbol, interval_s, candle)
            if interval_s == MINUTE:
                self.live.resume(symbol, candle)
        self.live.last(symbol, minutes)
        if minutes:
            self.past.append((symbol, minutes))

    def _count_told(self, found: Mapping[str, Found], begun_ns: int) -> None:
        """Count what the log has and the store has not."""
        for symbol, trade in self._told:
            kept_ns = found[symbol].span.until_s * NS_PER_S if symbol in found else 0
            if kept_ns <= trade.at_ns <= begun_ns:
                self.live.add(symbol, trade)

    def _learn(self, piece: Piece) -> None:
        for one in piece.minutes:
            self.live.grow(piece.symbol, one)
        if piece.minutes:
            self.past.append((piece.symbol, piece.minutes))

    def _keep(self, rows: Sequence[Row]) -> None:
        with self._lock:
            self._pending.update({(row[0], row[1], row[2].begin_s): row[2] for row in rows})
            self._spans = {
                symbol: one for symbol in self.live.symbols() if (one := self._span(symbol))
            }
            if len(self._pending) > PENDING_MAX:
                seconds = [key for key in self._pending if key[1] == SECOND]
                for key in seconds[: len(self._pending) - PENDING_MAX]:
                    del self._pending[key]

    def _span(self, symbol: str) -> Span | None:
        """Return from when on candles are whole, None while that is not known."""
        if not self._closed_s:
            return None
        if self._past is not None:
            return self._past.span(symbol, self._closed_s)
        kept = (self._found or {}).get(symbol)
        begun_s = (self._begun_ns or 0) // NS_PER_S
        return Span(kept.span.from_s if kept else begun_s, self._closed_s)

    # ------------------------------------------------------------------ the writer's thread

    def run(self, stop: threading.Event) -> None:
        """Write until *stop* is set, and what is left then."""
        while not stop.wait(EVERY_S):
            self.work()
        self.work()

    def work(self) -> bool:
        """Read what is kept, once; after that write what waits. Tell whether the store answered."""
        try:
            if self._found is None:
                if self._begun_ns is not None:
                    self._found = self._read(self._begun_ns // NS_PER_S)
            else:
                self._write()
        except DatabaseError as error:
            if not self._waiting:
                _logger.warning("candles_wait", reason=str(error))
            self._waiting = True
            return False
        self._waiting = False
        return True

    def _read(self, now_s: int) -> dict[str, Found]:
        """Return what is kept of each symbol; nothing of one whose candles are ahead of our clock."""
        day_s = now_s // MINUTE * MINUTE - DAY
        return {
            symbol: Found(span, self._store.read(symbol, MINUTE, day_s, now_s + MINUTE))
            for symbol, span in self._store.spans().items()
            if span.until_s <= now_s + MINUTE
        }

    def _write(self) -> None:
        with self._lock:
            pending, self._pending = self._pending, {}
            spans = self._spans
        if not pending and not spans:
            return
        try:
            self._store.save([(key[0], key[1], one) for key, one in pending.items()], spans)
        except DatabaseError:
            with self._lock:
                self._pending = pending | self._pending
            raise

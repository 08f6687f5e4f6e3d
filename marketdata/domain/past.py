"""Finds out what traded before anybody counted: from the first step of a process backwards.

The minute of the first step is found out at once; then, a quarter of an hour at a time and newest
first, what lies between it and what is kept; then what lies in front of what is kept, as far back as
history is wanted. The minute in which the kept candles end is found out anew, whole.
"""

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from marketdata.domain.candle import DAY, INTERVALS, MINUTE, SECOND, fold, roll
from marketdata.domain.live_candles import LiveCandles, Row
from marketdata.domain.prices import Candle
from marketdata.domain.quote import Historian
from oms_project.kernel.numbers import NS_PER_S

CHUNK_S: Final = 900
"""Of one symbol, found out in one go: some milliseconds of work."""
SECONDS_S: Final = 3_600
"""So far back candles of a second are found out; further back only those of a minute."""


class Span(msgspec.Struct, frozen=True):
    """From when until when candles are whole: all trades of that time are in them."""

    from_s: int
    until_s: int


class Found(msgspec.Struct, frozen=True):
    """What was kept of a symbol at the start: since when it is whole, and its last day."""

    span: Span
    minutes: list[Candle]

    @property
    def joint_s(self) -> int:
        """Where what is kept ends, in whole minutes."""
        return self.span.until_s // MINUTE * MINUTE


class Piece(msgspec.Struct, frozen=True):
    """Some of the past of one symbol. rows: what is to be kept of it."""

    symbol: str
    minutes: list[Candle]
    rows: list[Row]


class _Cursor(msgspec.Struct):
    """What is found out of a symbol: all from until_s on. kept: what is not joined to it yet."""

    until_s: int
    kept: Found | None
    over: bool = False


class Past:
    """The past of one market. Used by one thread."""

    def __init__(
        self, historian: Historian, begun_ns: int, kept: Mapping[str, Found], history_s: int = DAY
    ) -> None:
        self._historian = historian
        self._begun_ns = begun_ns
        self._begun_s = begun_ns // NS_PER_S
        self._oldest_s = (self._begun_s - history_s) // MINUTE * MINUTE
        minute_s = self._begun_s // MINUTE * MINUTE
        self._cursors = {one: _Cursor(minute_s, kept.get(one)) for one in historian.symbols}

    def seam(self, live: LiveCandles) -> list[Piece]:
        """Put the beginning of this minute in front of what was counted since; return it."""
        found = []
        for symbol, cursor in self._cursors.items():
            after_ns = cursor.until_s * NS_PER_S - 1
            trades = self._historian.history(symbol, after_ns, self._begun_ns)
            seconds = fold(trades, SECOND)
            live.insert(symbol, seconds)
            found.append(Piece(symbol, roll(seconds, MINUTE), []))
        return found

    def pieces(self) -> Iterator[Piece]:
        """Find out a piece of each symbol in turn until all that is wanted is known."""
        while waiting := [pair for pair in self._cursors.items() if not pair[1].over]:
            for symbol, cursor in waiting:
                piece = self._piece(symbol, cursor)
                if piece is not None:
                    yield piece

    def span(self, symbol: str, until_s: int) -> Span | None:
        """Return from when on all is known up to *until_s*; None while a gap is open."""
        cursor = self._cursors.get(symbol)
        if cursor is None or (cursor.kept is not None and not cursor.over):
            return None
        return Span(cursor.until_s, until_s)

    def _piece(self, symbol: str, cursor: _Cursor) -> Piece | None:
        kept = cursor.kept
        if kept is not None and cursor.until_s <= kept.joint_s:
            cursor.until_s = min(cursor.until_s, kept.span.from_s)
            cursor.kept = kept = None
        end_s = cursor.until_s
        begin_s = max((end_s - 1) // CHUNK_S * CHUNK_S, self._oldest_s)
        if kept is not None:
            begin_s = max(begin_s, kept.joint_s)
        if begin_s >= end_s:
            cursor.over = True
            return None
        trades = self._historian.history(symbol, begin_s * NS_PER_S - 1, end_s * NS_PER_S - 1)
        rows: list[Row] = []
        if end_s > self._begun_s - SECONDS_S:
            seconds = fold(trades, SECOND)
            minutes = roll(seconds, MINUTE)
            rows += [(symbol, SECOND, one) for one in seconds]
        else:
            minutes = fold(trades, MINUTE)
        rows += [(symbol, MINUTE, one) for one in minutes]
        cursor.until_s = begin_s
        return Piece(symbol, minutes, rows)


def live_of(minutes: list[Candle], now_s: int) -> dict[int, Candle]:
    """Return the candle of each interval that is open at *now_s*, as far as minutes tell."""
    found: dict[int, Candle] = {}
    for interval_s in INTERVALS.values():
        begin_s = now_s // interval_s * interval_s
        inside = [one for one in minutes if one.begin_s >= begin_s]
        if inside and interval_s >= MINUTE:
            found[interval_s] = roll(inside, interval_s)[0]
    return found

"""The candles of a market as it trades: the one that grows of each interval, and those just closed.

Seconds are what is kept; minutes are put together from them here, everything longer elsewhere
(candle.roll). A trade that comes after its second was closed counts in the second that is open: it
is late, never lost.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from marketdata.domain.candle import INTERVALS, MINUTE, SECOND, merge, of_trade, quiet, roll
from marketdata.domain.prices import Candle, Live, Trade
from oms_project.kernel.numbers import NS_PER_S

SECONDS_MAX: Final = 3_600
"""Seconds of a symbol that wait to be closed; the oldest go first."""

Row = tuple[str, int, Candle]
"""(symbol, seconds of the interval, candle): what is to be kept."""


class _Symbol(msgspec.Struct):
    """live: by interval; seconds: not closed yet, by their begin; minutes: of closed seconds."""

    live: dict[int, Candle]
    seconds: dict[int, Candle]
    minutes: dict[int, Candle]
    touched: dict[tuple[int, int], Candle]


class LiveCandles:
    """One market's candles. Used by one thread."""

    def __init__(self) -> None:
        self.late = self.dropped = 0
        self._symbols: dict[str, _Symbol] = {}
        self._closed_s = 0

    def symbols(self) -> list[str]:
        return sorted(self._symbols)

    def add(self, symbol: str, trade: Trade) -> None:
        """Count one trade, in each interval."""
        at = self._of(symbol)
        if trade.at_ns < self._closed_s * NS_PER_S:
            self.late += 1
            trade = msgspec.structs.replace(trade, at_ns=self._closed_s * NS_PER_S)
        second = of_trade(trade, SECOND)
        known = at.seconds.get(second.begin_s)
        at.seconds[second.begin_s] = second if known is None else merge(known, second)
        if len(at.seconds) > SECONDS_MAX:
            self.dropped += 1
            del at.seconds[min(at.seconds)]
        for interval_s in INTERVALS.values():
            self._grow(at, interval_s, second)

    def grow(self, symbol: str, minute: Candle) -> None:
        """Put a minute found out of the past into the longer candles that are open."""
        at = self._of(symbol)
        for interval_s in INTERVALS.values():
            if interval_s >= MINUTE:
                self._grow(at, interval_s, minute)
            elif interval_s not in at.live:
                at.live[interval_s] = quiet(minute.begin_s, minute.close_ticks)

    def precede(self, symbol: str, interval_s: int, candle: Candle) -> None:
        """Put the kept part of a candle in front of what is open of it."""
        self._grow(self._of(symbol), interval_s, candle)

    def insert(self, symbol: str, seconds: Iterable[Candle]) -> None:
        """Take in seconds in front of those that are not closed yet."""
        at = self._of(symbol)
        for one in seconds:
            known = at.seconds.get(one.begin_s)
            at.seconds[one.begin_s] = one if known is None else merge(one, known)

    def resume(self, symbol: str, minute: Candle) -> None:
        """Go on with a minute of which a part is kept already."""
        self._of(symbol).minutes[minute.begin_s] = minute

    def last(self, symbol: str, minutes: Sequence[Candle]) -> None:
        """Learn the last price from what was kept: until something trades, it is that."""
        at = self._of(symbol)
        for interval_s in INTERVALS.values():
            if minutes and interval_s not in at.live:
                newest = minutes[-1]
                at.live[interval_s] = quiet(
                    newest.begin_s // interval_s * interval_s, newest.close_ticks
                )

    def tick(self, now_s: int) -> None:
        """Begin the candles that are due, at the last price, where nothing has traded in them yet."""
        for at in self._symbols.values():
            for interval_s, now in list(at.live.items()):
                begin_s = now_s // interval_s * interval_s
                if now.begin_s < begin_s:
                    at.live[interval_s] = begun = quiet(begin_s, now.close_ticks)
                    at.touched[interval_s, begin_s] = begun

    def touched(self, *, everything: bool = False) -> Mapping[str, tuple[Live, ...]]:
        """Return the live candles that changed since `told`; or all of them."""
        found = {}
        for symbol, at in self._symbols.items():
            news = dict(at.touched)
            if everything:
                news |= {(interval_s, one.begin_s): one for interval_s, one in at.live.items()}
            found[symbol] = tuple(Live(key[0], news[key]) for key in sorted(news))
        return found

    def told(self) -> None:
        for at in self._symbols.values():
            at.touched.clear()

    def close(self, until_s: int) -> list[Row]:
        """Return the seconds before *until_s* not returned before, and the minutes they changed."""
        rows: list[Row] = []
        for symbol, at in self._symbols.items():
            closed = [
                at.seconds.pop(begin_s) for begin_s in sorted(at.seconds) if begin_s < until_s
            ]
            for minute in roll(closed, MINUTE):
                known = at.minutes.get(minute.begin_s)
                at.minutes[minute.begin_s] = minute if known is None else merge(known, minute)
                rows.append((symbol, MINUTE, at.minutes[minute.begin_s]))
            rows += [(symbol, SECOND, one) for one in closed]
            for begin_s in [one for one in at.minutes if one + MINUTE <= until_s]:
                del at.minutes[begin_s]
        self._closed_s = max(self._closed_s, until_s)
        return rows

    def _of(self, symbol: str) -> _Symbol:
        found = self._symbols.get(symbol)
        if found is None:
            found = self._symbols[symbol] = _Symbol({}, {}, {}, {})
        return found

    @staticmethod
    def _grow(at: _Symbol, interval_s: int, second: Candle) -> None:
        begin_s = second.begin_s // interval_s * interval_s
        part = msgspec.structs.replace(second, begin_s=begin_s)
        now = at.live.get(interval_s)
        if now is None or now.begin_s < begin_s:
            at.live[interval_s] = part
        elif now.begin_s == begin_s:
            at.live[interval_s] = merge(now, part)
        else:
            return  # of a candle that is over: the store has it, or gets it
        at.touched[interval_s, begin_s] = at.live[interval_s]

"""Last price and the last 24 hours of one symbol, from its trades, in one-minute buckets."""

from collections import deque
from collections.abc import Sequence
from typing import Final

import msgspec

from marketdata.domain.prices import Candle

MINUTE_S: Final = 60
MINUTE_NS: Final = MINUTE_S * 1_000_000_000
WINDOW_MINUTES: Final = 24 * 60
WINDOW_NS: Final = WINDOW_MINUTES * MINUTE_NS


class Day(msgspec.Struct, frozen=True, gc=False):
    """A ticker's figures, ticks and lots; all 0 before the first trade."""

    last_ticks: int = 0
    open_ticks: int = 0
    high_ticks: int = 0
    low_ticks: int = 0
    volume_lots: int = 0


class _Bucket(msgspec.Struct, gc=False):
    """A minute. carried: what another process published of all minutes before this one's."""

    minute: int
    open_ticks: int
    high_ticks: int
    low_ticks: int
    volume_lots: int
    carried: bool = False


class Ticker:
    """Rolls a window of 24 h over trades. When nothing traded in it, all but the last price is 0.

    began_ns: the minute of the first trade ever counted, 0 before it: a window is no day before then.
    """

    __slots__ = ("_buckets", "_closed", "_last_ticks", "began_ns")

    def __init__(self) -> None:
        self.began_ns = 0
        self._buckets: deque[_Bucket] = deque()
        self._closed: tuple[int, int, int] | None = None
        self._last_ticks = 0

    def resume(self, day: Day, at_ns: int, began_ns: int = 0) -> None:
        """Go on from what another process published at *at_ns*: it counts as one trade then.

        began_ns: when its figures began, 0 if it did not say. Trades counted already are newer, so they keep the last word.
        """
        if not day.last_ticks:
            return
        self._last_ticks = self._last_ticks or day.last_ticks
        self.began_ns = began_ns or _minute_of(at_ns)
        if day.high_ticks:
            minute = at_ns // MINUTE_NS
            self._closed = None
            self._buckets.appendleft(
                _Bucket(
                    minute, day.open_ticks, day.high_ticks, day.low_ticks, day.volume_lots, True
                )
            )

    def fill(self, minutes: Sequence[Candle]) -> None:
        """Put in minutes out of the past, by time; they share no trade with what was counted.

        They are exact, so what was carried over from another process gives way to them.
        """
        buckets = {one.minute: one for one in self._buckets if not one.carried}
        for candle in minutes:
            minute = candle.begin_s // MINUTE_S
            known = buckets.get(minute)
            earlier = _Bucket(
                minute, candle.open_ticks, candle.high_ticks, candle.low_ticks, candle.lots
            )
            buckets[minute] = earlier if known is None else _both(earlier, known)
        if not buckets:
            return
        self._closed = None
        self._buckets = deque(buckets[minute] for minute in sorted(buckets))
        self._last_ticks = self._last_ticks or minutes[-1].close_ticks
        self.began_ns = self._buckets[0].minute * MINUTE_NS

    def on_trade(self, ticks: int, lots: int, at_ns: int) -> None:
        """Count one trade. One that is late counts for the newest minute."""
        self._last_ticks = ticks
        self.began_ns = self.began_ns or _minute_of(at_ns)
        minute = at_ns // MINUTE_NS
        buckets = self._buckets
        if not buckets or minute > buckets[-1].minute:
            self._closed = None
            buckets.append(_Bucket(minute, ticks, ticks, ticks, lots))
            return
        newest = buckets[-1]
        newest.high_ticks = max(newest.high_ticks, ticks)
        newest.low_ticks = min(newest.low_ticks, ticks)
        newest.volume_lots += lots

    def day(self, now_ns: int) -> Day:
        """Return the figures of the 24 h before *now_ns*, to the minute."""
        buckets = self._buckets
        oldest = now_ns // MINUTE_NS - WINDOW_MINUTES
        while buckets and buckets[0].minute < oldest:
            self._closed = None
            buckets.popleft()
        if not buckets:
            return Day(last_ticks=self._last_ticks)
        if self._closed is None:  # all but the newest minute: they stand still
            closed = [buckets[number] for number in range(max(len(buckets) - 1, 1))]
            self._closed = (
                max(one.high_ticks for one in closed),
                min(one.low_ticks for one in closed),
                sum(one.volume_lots for one in closed) if len(buckets) > 1 else 0,
            )
        high, low, volume = self._closed
        newest = buckets[-1]
        return Day(
            last_ticks=self._last_ticks,
            open_ticks=buckets[0].open_ticks,
            high_ticks=max(high, newest.high_ticks),
            low_ticks=min(low, newest.low_ticks),
            volume_lots=volume + newest.volume_lots,
        )


def _both(earlier: _Bucket, later: _Bucket) -> _Bucket:
    return _Bucket(
        earlier.minute,
        earlier.open_ticks,
        max(earlier.high_ticks, later.high_ticks),
        min(earlier.low_ticks, later.low_ticks),
        earlier.volume_lots + later.volume_lots,
    )


def _minute_of(at_ns: int) -> int:
    return at_ns // MINUTE_NS * MINUTE_NS

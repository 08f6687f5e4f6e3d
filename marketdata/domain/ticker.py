"""Last price and the last 24 hours of one symbol, from its trades, in one-minute buckets."""

from collections import deque
from typing import Final

import msgspec

MINUTE_NS: Final = 60 * 1_000_000_000
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
    minute: int
    open_ticks: int
    high_ticks: int
    low_ticks: int
    volume_lots: int


class Ticker:
    """Rolls a window of 24 h over trades. When nothing traded in it, all but the last price is 0.

    began_ns: the minute of the first trade ever counted, 0 before it: a window is no day before then.
    """

    __slots__ = ("_buckets", "_last_ticks", "began_ns")

    def __init__(self) -> None:
        self.began_ns = 0
        self._buckets: deque[_Bucket] = deque()
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
            self._buckets.appendleft(
                _Bucket(minute, day.open_ticks, day.high_ticks, day.low_ticks, day.volume_lots)
            )

    def on_trade(self, ticks: int, lots: int, at_ns: int) -> None:
        """Count one trade. One that is late counts for the newest minute."""
        self._last_ticks = ticks
        self.began_ns = self.began_ns or _minute_of(at_ns)
        minute = at_ns // MINUTE_NS
        buckets = self._buckets
        if not buckets or minute > buckets[-1].minute:
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
            buckets.popleft()
        if not buckets:
            return Day(last_ticks=self._last_ticks)
        return Day(
            last_ticks=self._last_ticks,
            open_ticks=buckets[0].open_ticks,
            high_ticks=max(bucket.high_ticks for bucket in buckets),
            low_ticks=min(bucket.low_ticks for bucket in buckets),
            volume_lots=sum(bucket.volume_lots for bucket in buckets),
        )


def _minute_of(at_ns: int) -> int:
    return at_ns // MINUTE_NS * MINUTE_NS

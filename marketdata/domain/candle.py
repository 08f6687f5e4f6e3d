"""Candles: what traded in a stretch of time, exact whatever order it is put together in.

Rules of this file:
- A candle belongs to the trades' own times, not to when they were heard.
- A candle knows the times of its first and last trade, so two of one stretch can be merged: each
  trade counted once, in any grouping, the result is the same. Roll-ups are that and nothing else.
- Where nothing traded the price stood still: a candle without trades, at the close before it.
"""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from marketdata.domain.prices import Candle, Trade
from oms_project.kernel.numbers import NS_PER_S

SECOND: Final = 1
MINUTE: Final = 60
DAY: Final = 86_400
INTERVALS: Final[Mapping[str, int]] = MappingProxyType(
    {"1s": SECOND, "1m": MINUTE, "5m": 300, "15m": 900, "1h": 3_600, "4h": 14_400, "1d": DAY}
)
"""Name -> seconds. Each is a multiple of the one before; days begin at midnight UTC."""
ROLLED: Final = tuple(seconds for seconds in INTERVALS.values() if seconds > MINUTE)
"""What is rolled up from minutes."""


def of_trade(trade: Trade, interval_s: int) -> Candle:
    """Return the candle of one trade."""
    begin_s = trade.at_ns // NS_PER_S // interval_s * interval_s
    ticks, lots, at_ns = trade.ticks, trade.lots, trade.at_ns
    return Candle(begin_s, ticks, ticks, ticks, ticks, lots, ticks * lots, 1, at_ns, at_ns)


def quiet(begin_s: int, close_ticks: int) -> Candle:
    """Return the candle of a stretch in which nothing traded."""
    return Candle(begin_s, close_ticks, close_ticks, close_ticks, close_ticks, 0, 0, 0, 0, 0)


def merge(one: Candle, other: Candle) -> Candle:
    """Return both together. They begin at the same time and share no trade; of two trades of one
    instant, those of *one* came first."""
    assert one.begin_s == other.begin_s, "candles of two stretches"
    if not one.trades:
        return other
    if not other.trades:
        return one
    first = one if one.first_ns <= other.first_ns else other
    last = other if other.last_ns >= one.last_ns else one
    return Candle(
        one.begin_s,
        first.open_ticks,
        max(one.high_ticks, other.high_ticks),
        min(one.low_ticks, other.low_ticks),
        last.close_ticks,
        one.lots + other.lots,
        one.turnover + other.turnover,
        one.trades + other.trades,
        first.first_ns,
        last.last_ns,
    )


def fold(trades: Iterable[Trade], interval_s: int) -> list[Candle]:
    """Return the candles of *trades* (in the order they came), by time."""
    return _gather(of_trade(trade, interval_s) for trade in trades)


def roll(candles: Iterable[Candle], interval_s: int) -> list[Candle]:
    """Return finer candles (by time) put together to coarser ones, by time."""
    return _gather(
        msgspec.structs.replace(one, begin_s=one.begin_s // interval_s * interval_s)
        for one in candles
    )


def _gather(candles: Iterable[Candle]) -> list[Candle]:
    found: dict[int, Candle] = {}
    for one in candles:
        known = found.get(one.begin_s)
        found[one.begin_s] = one if known is None else merge(known, one)
    return [found[begin_s] for begin_s in sorted(found)]


def without_gaps(
    candles: Iterable[Candle], interval_s: int, until_s: int, before: Candle | None = None
) -> Iterator[Candle]:
    """Yield *candles* (by time) and a quiet one for each gap between them, up to *until_s*.

    before: a candle in front of them; its close is the price of a gap at the beginning.
    """
    known = before
    for one in candles:
        yield from _between(known, one.begin_s, interval_s)
        yield one
        known = one
    yield from _between(known, until_s, interval_s)


def _between(known: Candle | None, until_s: int, interval_s: int) -> Iterator[Candle]:
    if known is None:
        return
    for begin_s in range(known.begin_s + interval_s, until_s, interval_s):
        yield quiet(begin_s, known.close_ticks)

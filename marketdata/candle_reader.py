"""Ranges of candles as they are shown: from the store, without gaps, the newest as it stands now."""

from collections.abc import Callable, Mapping
from typing import Final, Protocol

import msgspec

from marketdata.domain.candle import INTERVALS, without_gaps
from marketdata.domain.past import Span
from marketdata.domain.prices import Candle

NOTHING: Final = 0


class Window(msgspec.Struct, frozen=True):
    """Which candles are wanted: those of an interval that begin in [from_s, until_s)."""

    interval: str
    from_s: int
    until_s: int


class Range(msgspec.Struct, frozen=True):
    """Candles by time, without gaps. closed_until_s: what ends by then does not change any more."""

    candles: list[Candle]
    closed_until_s: int


class Store(Protocol):
    """What is asked of the store (adapters.candles.SqlCandles)."""

    def spans(self) -> dict[str, Span]: ...

    def read(self, symbol: str, interval_s: int, from_s: int, until_s: int) -> list[Candle]: ...

    def before(self, symbol: str, interval_s: int, begin_s: int) -> Candle | None: ...


class CandleReader:
    """live: the newest candles of a symbol, by interval, as this process heard of them."""

    def __init__(
        self, store: Store, live: Callable[[str], Mapping[int, tuple[Candle, ...]]]
    ) -> None:
        self._store = store
        self._live = live

    def range(self, symbol: str, window: Window) -> Range:
        """Return the candles of *window*."""
        interval_s = INTERVALS[window.interval]
        span = self._store.spans().get(symbol)
        kept = self._store.read(symbol, interval_s, window.from_s, window.until_s)
        found = {one.begin_s: one for one in kept}
        for one in self._live(symbol).get(interval_s, ()):
            known = found.get(one.begin_s)
            inside = window.from_s <= one.begin_s < window.until_s
            if inside and (known is None or known.trades < one.trades):
                found[one.begin_s] = one
        candles = [found[begin_s] for begin_s in sorted(found)]
        before = None
        if not candles or candles[0].begin_s > window.from_s:
            before = self._store.before(symbol, interval_s, window.from_s)
            if before is not None and before.begin_s < window.from_s - interval_s:
                before = msgspec.structs.replace(before, begin_s=window.from_s - interval_s)
        whole = list(without_gaps(candles, interval_s, window.until_s, before))
        return Range(whole, span.until_s if span else NOTHING)

"""Builds what the market data app runs on: the only file here that knows which adapter is which."""

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from django.conf import settings

from marketdata.adapters import instruments as instruments_table
from marketdata.adapters.candles import SqlCandles
from marketdata.adapters.instruments import Listing
from marketdata.adapters.recorded import RecordedFeed
from marketdata.candle_reader import CandleReader
from marketdata.candles import Candles
from marketdata.domain import demo
from marketdata.domain.instrument import Instrument, Units
from marketdata.domain.prices import Candle
from marketdata.domain.quote import Feed
from marketdata.domain.simulate import SimulatedFeed
from marketdata.domain.venue import SimulatedVenue
from marketdata.view import PriceView
from oms_project.adapters import process
from oms_project.adapters.clock import NS_PER_S, SystemClock
from oms_project.adapters.ids import seeded
from oms_project.adapters.logs import open_log
from oms_project.kernel.ports import Log

INSTRUMENTS_AGE_MAX_NS: Final = 2 * NS_PER_S
"""How long a process shows instruments without asking the table again."""

clock = functools.cache(SystemClock)


@functools.cache
def log() -> Log:
    """Return this process' log."""
    return open_log(settings.ENV.log_url, settings.ENV.partitions, process.role())


@functools.cache
def view() -> PriceView:
    """Return this process' view of the prices."""
    return PriceView(log(), clock())


@functools.cache
def candles_store() -> SqlCandles:
    """Return the store's candles."""
    return SqlCandles()


def candles(feed: Feed, history_hours: int) -> Candles:
    """Return the keeper of the candles of *feed*."""
    return Candles(feed, candles_store(), history_s=history_hours * 3_600)


@functools.cache
def candle_reader() -> CandleReader:
    """Return what reads ranges of candles, the newest ones as this process' view has them."""
    return CandleReader(candles_store(), _live_candles)


def _live_candles(symbol: str) -> Mapping[int, tuple[Candle, ...]]:
    seen = view().current(symbol)
    return seen.candles if seen is not None and not view().is_stale(symbol) else {}


class _Directory:
    """Instruments of the table, read again when they are older than INSTRUMENTS_AGE_MAX_NS."""

    def __init__(self) -> None:
        self._read_at_ns: int | None = None
        self._listings: dict[str, Listing] = {}
        self._units: dict[str, Units] = {}

    def old(self) -> bool:
        """Tell whether the next `listings` will ask the table."""
        read_at_ns = self._read_at_ns
        if read_at_ns is None:
            return True
        return clock().monotonic_ns() - read_at_ns > INSTRUMENTS_AGE_MAX_NS

    def known_units(self, symbol: str) -> Units | None:
        """Return a symbol's units as last read: never waits, for callers on an event loop."""
        return self._units.get(symbol)

    def listings(self) -> dict[str, Listing]:
        now_ns = clock().monotonic_ns()
        if self.old():
            found = {one.instrument.symbol: one for one in instruments_table.listings()}
            self._units = {symbol: Units(one.instrument) for symbol, one in found.items()}
            self._listings = found
            self._read_at_ns = now_ns
        return self._listings

    def units(self, symbol: str) -> Units | None:
        self.listings()
        return self._units.get(symbol)

    def forget(self) -> None:
        self._read_at_ns = None


_directory = _Directory()
listings = _directory.listings
units = _directory.units
known_units = _directory.known_units
instruments_old = _directory.old
forget_instruments = _directory.forget


def known_instruments() -> list[Instrument]:
    """Return the table's instruments, and those of the demo it does not have (yet)."""
    found = {one.symbol: one for one in demo.INSTRUMENTS}
    found.update({one.symbol: one for one in instruments_table.load()})
    return list(found.values())


def simulated_feed(seed: int, start_prices: Mapping[str, str]) -> SimulatedFeed:
    """Return the seeded market for the symbols of *start_prices* (symbol -> decimal text).

    Raises:
        ValueError: a symbol or price that does not fit the instruments.
    """
    return SimulatedFeed(demo.models(known_instruments(), start_prices), seed)


def recorded_feed(
    folder: Path, *, symbols: Mapping[str, str], speed_percent: int, repeat: bool
) -> RecordedFeed:
    """Return a replay of the captures in *folder*; *symbols*: the venue's name -> our symbol.

    Raises:
        ValueError: a symbol that is no instrument, or a folder without captures.
    """
    return RecordedFeed(
        folder,
        _units_of(known_instruments()),
        symbols=symbols,
        speed_percent=speed_percent,
        repeat=repeat,
    )


def simulated_venue() -> SimulatedVenue:
    """Return the venue of the environment: OMS_VENUE_SEED, OMS_VENUE_LATENCY_MS (min-max)."""
    least, _, most = settings.ENV.venue_latency_ms.partition("-")
    return SimulatedVenue(
        seeded(settings.ENV.venue_seed),
        latency_min_ms=int(least),
        latency_max_ms=int(most or least),
    )


def _units_of(instruments: Sequence[Instrument]) -> dict[str, Units]:
    return {one.symbol: Units(one) for one in instruments}

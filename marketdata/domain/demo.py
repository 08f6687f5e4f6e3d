"""The demo instruments and how the simulator makes them move. Seeded by `manage.py demo`."""

from collections.abc import Mapping, Sequence
from typing import Final

from marketdata.domain.instrument import SCALE, Instrument, Units
from marketdata.domain.path import SymbolModel
from oms_project.kernel.words import InstrumentState

_QUOTE_UNIT: Final = 10**SCALE
NOTIONAL_MIN: Final = 10 * _QUOTE_UNIT
NOTIONAL_MAX: Final = 1_000_000 * _QUOTE_UNIT

DEPTH_NOTIONAL: Final = 300_000 * _QUOTE_UNIT
"""What a venue offers at its first level: twenty merged levels hold several hundred bitcoins."""
GRID_PPM: Final = 80


def _instrument(
    base: str,
    *,
    tick_size: str,
    lot_size: str,
    quantity_max_lots: int,
    state: InstrumentState = InstrumentState.TRADING,
) -> Instrument:
    return Instrument(
        symbol=f"{base}-USD",
        base=base,
        quote="USD",
        tick_size=tick_size,
        lot_size=lot_size,
        quantity_min_lots=1,
        quantity_max_lots=quantity_max_lots,
        notional_min=NOTIONAL_MIN,
        notional_max=NOTIONAL_MAX,
        state=state,
    )


INSTRUMENTS: Final = (
    _instrument("BTC", tick_size="0.01", lot_size="0.0001", quantity_max_lots=1_000_000),
    _instrument("ETH", tick_size="0.01", lot_size="0.0001", quantity_max_lots=10_000_000),
    _instrument("SOL", tick_size="0.001", lot_size="0.001", quantity_max_lots=50_000_000),
    _instrument("XRP", tick_size="0.00001", lot_size="0.1", quantity_max_lots=50_000_000),
    _instrument("ADA", tick_size="0.00001", lot_size="0.1", quantity_max_lots=50_000_000),
    _instrument(
        "HALT",
        tick_size="0.01",
        lot_size="0.01",
        quantity_max_lots=1_000_000,
        state=InstrumentState.HALTED,
    ),
    _instrument(
        "OLD",
        tick_size="0.01",
        lot_size="0.01",
        quantity_max_lots=1_000_000,
        state=InstrumentState.DELISTED,
    ),
)

START_PRICES: Final[Mapping[str, str]] = {
    "BTC-USD": "65000.00",
    "ETH-USD": "3400.00",
    "SOL-USD": "150.000",
    "XRP-USD": "0.52000",
    "ADA-USD": "0.38000",
}

SWING_PERCENT: Final[Mapping[str, int]] = {
    "ETH-USD": 120, "SOL-USD": 160, "XRP-USD": 150, "ADA-USD": 150,
}  # fmt: skip
"""How far prices move: of BTC-USD's."""


def models(
    instruments: Sequence[Instrument], start_prices: Mapping[str, str]
) -> tuple[SymbolModel, ...]:
    """Return a model for every instrument that has a start price.

    Raises:
        ValueError: a start price that is no decimal, not on a tick or zero, or names no instrument.
    """
    known = {one.symbol: one for one in instruments}
    return tuple(_model(known, symbol, text) for symbol, text in start_prices.items())


def _model(known: Mapping[str, Instrument], symbol: str, price_text: str) -> SymbolModel:
    if symbol not in known:
        raise ValueError(f"start price for {symbol}, which is not an instrument")
    units = Units(known[symbol])
    try:
        ticks = units.ticks(price_text)
    except ValueError as error:
        raise ValueError(f"start price of {symbol}: {price_text!r} is {error}") from error
    if not ticks:
        raise ValueError(f"start price of {symbol}: {price_text} must be above 0, on a tick")
    return SymbolModel(
        symbol=symbol,
        start_ticks=ticks,
        grid_ticks=_round_down(ticks * GRID_PPM // 1_000_000),
        depth_lots=max(DEPTH_NOTIONAL // units.notional(ticks, 1), 1),
        swing_percent=SWING_PERCENT.get(symbol, 100),
    )


def _round_down(ticks: int) -> int:
    """Return the largest of 1, 2, 5, 10, 20, 50, … that is not above *ticks* (at least 1)."""
    best = size = 1
    while size <= ticks:
        best = max(step for step in (size, 2 * size, 5 * size) if step <= ticks)
        size *= 10
    return best

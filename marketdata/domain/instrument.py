"""What can be traded, and in which units: the only file that knows how ticks and lots make money."""

import re
from typing import Final

import msgspec

from oms_project.kernel import numbers
from oms_project.kernel.numbers import Count, Int64
from oms_project.kernel.words import InstrumentState

SYMBOL_PATTERN: Final = "[A-Z0-9]{2,12}-[A-Z0-9]{2,12}"
SYMBOL_CHARS_MAX: Final = 25
_SYMBOL: Final = re.compile(SYMBOL_PATTERN)
SCALE: Final = 8
"""Decimals of every asset's smallest unit (a satoshi; a hundred-millionth of a dollar)."""

UNITS_MAX: Final = 10**18
LOTS_MAX: Final = 10**12
TICKS_MAX: Final = 10**12
"""What one order may be worth and how large it may be: the doors refuse what is larger."""

SUM_MAX: Final = 4 * 10**18
"""What any sum of the books may be. Rules refuse orders that could pass it, reports that would are
set aside: so every sum fits a signed 64-bit integer, with room for one more trade."""


def is_symbol(text: str) -> bool:
    """Tell whether *text* has the form of a symbol: base-quote."""
    return _SYMBOL.fullmatch(text) is not None


class Instrument(msgspec.Struct, frozen=True, kw_only=True):
    """A traded pair, its filters and its rates.

    tick_size, lot_size: decimal texts, what one tick and one lot are; quantity_*_lots: lots;
    notional_*: smallest units of the quote asset, 0 switches a filter off; collar_ppm: how far a
    limit price may be from the mark; market_cap_ppm: how far through the mark a market order may
    trade; fees in ppm of the notional, taken in the quote asset; mark_age_max_ms: older is stale.
    """

    symbol: str
    base: str
    quote: str
    tick_size: str
    lot_size: str
    quantity_min_lots: Count = 1
    quantity_max_lots: Count = 0
    notional_min: Count = 0
    notional_max: Count = 0
    collar_ppm: Count = 500_000
    market_cap_ppm: Count = 50_000
    taker_fee_ppm: Count = 1_000
    maker_fee_ppm: Int64 = 500
    mark_age_max_ms: Count = 5_000
    state: InstrumentState = InstrumentState.TRADING


class Units:
    """An instrument's arithmetic, worked out once. All integers.

    tick_lot_units: what one lot at one tick is worth, in smallest units of the quote asset;
    lot_units: what one lot is, in smallest units of the base asset.
    """

    __slots__ = (
        "instrument", "lot_places", "lot_step", "lot_units",
        "price_places", "tick_lot_units", "tick_step",
    )  # fmt: skip

    def __init__(self, instrument: Instrument) -> None:
        """Work out the units of *instrument*.

        Raises:
            ValueError: a tick or lot that is not a decimal, is zero, or is too fine for the scale;
                fees that a hold (worked out with the taker's) would not cover.
        """
        self.instrument = instrument
        self.price_places = numbers.decimals_of(instrument.tick_size)
        self.lot_places = numbers.decimals_of(instrument.lot_size)
        tick = numbers.scaled(instrument.tick_size, self.price_places)
        lot = numbers.scaled(instrument.lot_size, self.lot_places)
        if not tick or not lot:
            raise ValueError("tick_size and lot_size must be above zero")
        if self.price_places + self.lot_places > SCALE:
            raise ValueError(f"one tick of one lot is finer than 10^-{SCALE} of {instrument.quote}")
        if not instrument.maker_fee_ppm <= instrument.taker_fee_ppm <= numbers.PPM:
            raise ValueError("fees: the maker's is at most the taker's, and that at most all")
        self.tick_step = tick
        self.lot_step = lot
        self.lot_units: int = lot * 10 ** (SCALE - self.lot_places)
        self.tick_lot_units: int = tick * lot * 10 ** (SCALE - self.price_places - self.lot_places)

    def ticks(self, text: str) -> int | None:
        """Return a price text in ticks, None if it is between two ticks; ValueError if no decimal."""
        return numbers.steps(text, self.price_places, self.tick_step)

    def lots(self, text: str) -> int | None:
        """Return a quantity text in lots, None if between two lots; ValueError if no decimal."""
        return numbers.steps(text, self.lot_places, self.lot_step)

    def price_text(self, ticks: int) -> str:
        """Return ticks as a price with the tick's decimals."""
        return numbers.text(ticks * self.tick_step, self.price_places, self.price_places)

    def quantity_text(self, lots: int) -> str:
        """Return lots as a quantity without needless zeros."""
        return numbers.text(lots * self.lot_step, self.lot_places)

    def notional(self, ticks: int, lots: int) -> int:
        """Return the worth of *lots* at *ticks* in smallest units of the quote asset, exact."""
        return ticks * lots * self.tick_lot_units

    def amount_text(self, tick_lots: int) -> str:
        """Return a sum of ticks × lots as an amount of the quote asset."""
        return numbers.text(tick_lots * self.tick_lot_units, SCALE, 2)

    def average_price_text(self, cost: int, lots: int) -> str | None:
        """Return cost / lots as a price, four decimals finer than the tick, rounded down; None at 0."""
        if not lots:
            return None
        places = self.price_places + 4
        return numbers.text(cost * self.tick_step * 10_000 // lots, places, self.price_places)


def units_text(units: int, decimals_min: int = 2) -> str:
    """Return smallest units of an asset as its decimal text."""
    return numbers.text(units, SCALE, decimals_min)

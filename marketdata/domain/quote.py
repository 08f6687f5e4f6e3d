"""What a feed hands over: each venue's book in ticks and lots, and what was traded.

Rounding is always against showing too much: bids down, asks up, sizes down.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

import msgspec

from marketdata.domain.book import Pair
from marketdata.domain.instrument import Units
from marketdata.domain.prices import Level, Trade
from oms_project.kernel.numbers import ceil_div


class Quote(msgspec.Struct, frozen=True, gc=False):
    """One venue's book of one symbol as of now; empty sides: the venue lost it."""

    venue: str
    symbol: str
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


class FeedStep(msgspec.Struct, frozen=True, gc=False):
    """What became known since the last step.

    heard: venues that gave a sign of life; quotes: books that changed; trades: (symbol, trade).
    """

    heard: tuple[str, ...] = ()
    quotes: tuple[Quote, ...] = ()
    trades: tuple[tuple[str, Trade], ...] = ()


class Feed(Protocol):
    """A source of prices. Driven by one thread; `step` never waits."""

    name: str

    def step(self, now_ns: int) -> FeedStep:
        """Return what happened since the last call, up to *now_ns*."""


@runtime_checkable
class Historian(Protocol):
    """A feed that can tell of trades nobody heard."""

    @property
    def symbols(self) -> tuple[str, ...]: ...

    def history(self, symbol: str, after_ns: int, until_ns: int) -> Iterator[Trade]:
        """Yield what traded behind *after_ns* up to *until_ns*, oldest first."""


class Scale(msgspec.Struct, frozen=True, gc=False):
    """A venue's decimals for one symbol: its ints are 10^-price_places and 10^-size_places."""

    price_places: int
    size_places: int


def bid_levels(pairs: Sequence[Pair], scale: Scale, units: Units) -> tuple[Level, ...]:
    """Return a venue's bids (best first) in ticks and lots, prices rounded down."""
    divisor = units.tick_step * 10**scale.price_places
    factor = 10**units.price_places
    ticks = [price * factor // divisor for price, _ in pairs]
    return _levels(ticks, pairs, scale, units)


def ask_levels(pairs: Sequence[Pair], scale: Scale, units: Units) -> tuple[Level, ...]:
    """Return a venue's asks (best first) in ticks and lots, prices rounded up."""
    divisor = units.tick_step * 10**scale.price_places
    factor = 10**units.price_places
    ticks = [ceil_div(price * factor, divisor) for price, _ in pairs]
    return _levels(ticks, pairs, scale, units)


def _levels(
    ticks: Sequence[int], pairs: Sequence[Pair], scale: Scale, units: Units
) -> tuple[Level, ...]:
    """Sum the sizes that fall on one tick before rounding them, and drop what is under a lot."""
    sizes: dict[int, int] = {}
    for at, (_, size) in zip(ticks, pairs, strict=True):
        sizes[at] = sizes.get(at, 0) + size
    found = ((at, lots_of(size, scale, units)) for at, size in sizes.items())
    return tuple(Level(at, lots) for at, lots in found if lots and at > 0)


def lots_of(size: int, scale: Scale, units: Units) -> int:
    """Return a venue's size in whole lots, rounded down."""
    factor: int = 10**units.lot_places
    divisor: int = units.lot_step * 10**scale.size_places
    return size * factor // divisor


def ticks_near(price: int, scale: Scale, units: Units) -> int:
    """Return a traded price in ticks, rounded to the nearest (half up)."""
    factor: int = 10**units.price_places
    divisor: int = units.tick_step * 10**scale.price_places
    return (2 * price * factor + divisor) // (2 * divisor)

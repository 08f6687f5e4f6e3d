"""Builders of test values, with defaults; `eventually` for what another thread or task does."""

import threading
from collections.abc import Callable, Sequence

from marketdata.domain.instrument import Instrument, Units
from marketdata.domain.prices import Level, Prices, SymbolPrices, Trade
from marketdata.domain.quote import FeedStep, Quote
from marketdata.domain.simulate import Dice
from oms_project.adapters.ids import seeded
from oms_project.kernel import wire
from oms_project.kernel.ports import Route

NOW_NS = 1_790_000_000_000_000_000
SECOND_NS = 1_000_000_000
MS_NS = 1_000_000
Pairs = Sequence[tuple[int, int]]


def an_instrument(
    symbol: str = "BTC-USD", *, tick_size: str = "0.01", lot_size: str = "0.0001"
) -> Instrument:
    base, _, quote = symbol.partition("-")
    return Instrument(symbol=symbol, base=base, quote=quote, tick_size=tick_size, lot_size=lot_size)


def units(symbol: str = "BTC-USD", *, tick_size: str = "0.01", lot_size: str = "0.0001") -> Units:
    return Units(an_instrument(symbol, tick_size=tick_size, lot_size=lot_size))


def levels(pairs: Pairs) -> tuple[Level, ...]:
    return tuple(Level(ticks, lots) for ticks, lots in pairs)


def a_quote(
    venue: str = "A",
    symbol: str = "BTC-USD",
    bids: Pairs = ((99, 5),),
    asks: Pairs = ((101, 5),),
) -> Quote:
    return Quote(venue, symbol, levels(bids), levels(asks))


def a_trade(trade_id: str = "1", ticks: int = 100, lots: int = 2, sign: int = 1) -> Trade:
    return Trade(trade_id, "A", ticks, lots, sign, NOW_NS)


def symbol_prices(
    symbol: str = "BTC-USD",
    *,
    seq: int = 1,
    bids: Pairs = ((99, 5), (98, 7)),
    asks: Pairs = ((101, 5), (102, 7)),
    at_ns: int = NOW_NS,
    trades: tuple[Trade, ...] = (),
    venues: tuple[str, ...] = ("A",),
) -> SymbolPrices:
    return SymbolPrices(
        symbol, seq, at_ns, levels(bids), levels(asks), 100, 90, 110, 80, 12, trades, venues
    )


def a_record(*symbols: SymbolPrices) -> bytes:
    """Return the value of one record of oms.prices."""
    return wire.seal("prices", Prices("test", symbols), id="test", at_ns=NOW_NS)


def a_route(
    order_id: str = "order-1",
    *,
    account_id: str = "account-1",
    symbol: str = "BTC-USD",
    sign: int = 1,
    lots: int = 5,
    limit_ticks: int = 101,
    rests: bool = True,
    all_or_none: bool = False,
    executions: int = 0,
) -> Route:
    return Route(
        order_id, account_id, symbol, sign, lots, limit_ticks, rests, all_or_none, executions
    )


def dice(seed: int = 1) -> Dice:
    """What the venue draws its latencies with."""
    return seeded(seed)


class ScriptedFeed:
    """A feed that plays the given steps, then says nothing more."""

    name = "scripted"

    def __init__(self, *steps: FeedStep) -> None:
        self.steps = list(steps)

    def step(self, now_ns: int) -> FeedStep:
        return self.steps.pop(0) if self.steps else FeedStep()


def eventually(holds: Callable[[], bool], deadline_s: int = 5) -> None:
    """Poll until *holds*; fail at the deadline."""
    never = threading.Event()
    for _ in range(deadline_s * 100):
        if holds():
            return
        never.wait(0.01)
    raise AssertionError("did not happen in time")

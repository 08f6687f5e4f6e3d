"""Candles over /ws/market: the one that grows, and the one before it."""

import msgspec
import pytest

from marketdata import wiring
from marketdata.domain.prices import Candle, Live, SymbolPrices
from marketdata.tests.build import symbol_prices
from marketdata.tests.fakes import BreakableLog
from marketdata.tests.sockets import Connect, put

# Channels looks at the database's connections after every message, whoever opened them.
pytestmark = pytest.mark.django_db


def a_candle(begin_s: int, close: int, trades: int = 1) -> Candle:
    return Candle(begin_s, 100, 120, 90, close, 5, 500, trades, 1, 2)


def told(*candles: Candle, interval_s: int = 60) -> SymbolPrices:
    live = tuple(Live(interval_s, one) for one in candles)
    return msgspec.structs.replace(symbol_prices(), candles=live)


async def test_the_candle_that_grows_is_pushed(price_log: BreakableLog, connect: Connect) -> None:
    """A snapshot of the newest two; then what grew, and the one before it, closed, when one begins."""
    put(price_log, told(a_candle(60, 100), a_candle(120, 101)))
    wiring.view().refresh()
    socket = await connect()
    snapshot = await socket.subscribe("candles", interval="1m")
    assert (snapshot["op"], snapshot["interval"]) == ("snapshot", "1m")
    assert [(one["close"], one["closed"]) for one in snapshot["candles"]] == [
        ("1.00", True), ("1.01", False),
    ]  # fmt: skip
    put(price_log, told(a_candle(120, 103, trades=2)))
    grown = await socket.next()
    assert grown["op"] == "update"
    assert [(one["close"], one["trades"]) for one in grown["candles"]] == [("1.03", 2)]
    put(price_log, told(a_candle(120, 104, trades=3), a_candle(180, 105)))
    begun = await socket.next()
    assert [(one["at"][-9:], one["close"], one["closed"]) for one in begun["candles"]] == [
        ("00:02:00Z", "1.04", True), ("00:03:00Z", "1.05", False),
    ]  # fmt: skip


async def test_other_intervals_and_quiet_records_are_not_told(
    price_log: BreakableLog, connect: Connect
) -> None:
    put(price_log, told(a_candle(120, 101)))
    wiring.view().refresh()
    socket = await connect()
    await socket.subscribe("candles", interval="1m")
    put(price_log, told(a_candle(300, 7), interval_s=300))
    put(price_log, told())
    put(price_log, told(a_candle(120, 102)))
    assert [one["close"] for one in (await socket.next())["candles"]] == ["1.02"]


async def test_intervals_are_subscriptions_of_their_own(
    price_log: BreakableLog, connect: Connect
) -> None:
    put(price_log, told(a_candle(120, 101)))
    wiring.view().refresh()
    socket = await connect()
    await socket.subscribe("candles", interval="1m")
    assert (await socket.subscribe("candles", interval="1d"))["candles"] == []
    where = {"channel": "candles", "symbol": "BTC-USD", "interval": "1m"}
    assert await socket.ask(op="unsubscribe", **where) == {"op": "unsubscribed", **where}


@pytest.mark.parametrize(
    "asked",
    [
        {"channel": "candles"},
        {"channel": "candles", "interval": "2m"},
        {"channel": "book", "interval": "1m"},
    ],
)
async def test_candles_need_an_interval_and_nothing_else_has_one(
    price_log: BreakableLog, connect: Connect, asked: dict[str, str]
) -> None:
    socket = await connect()
    answer = await socket.ask(op="subscribe", symbol="BTC-USD", **asked)
    assert (answer["op"], answer["code"]) == ("error", "validation_error")
    assert "1s, 1m, 5m" in answer["detail"]

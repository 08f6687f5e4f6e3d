"""/ws/market: subscriptions, snapshots, deltas, conflation, heartbeat and limits."""

import zlib
from typing import Any

import msgspec
import pytest
from django.db import OperationalError

from marketdata import wiring
from marketdata.domain.instrument import Units
from marketdata.tests.build import SECOND_NS, Pairs, a_trade, symbol_prices, units
from marketdata.tests.fakes import BreakableLog
from marketdata.tests.sockets import KNOWN, Connect, put
from marketdata.ws import market
from marketdata.ws.frames import Frames
from oms_project.adapters.clock import FakeClock
from oms_project.kernel.errors import TransportError
from oms_project.kernel.words import InstrumentState

# Channels looks at the database's connections after every message, whoever opened them.
pytestmark = pytest.mark.django_db


class ClientBook:
    """What a client keeps: applies deltas as documented and checks seq and checksum."""

    def __init__(self, snapshot: dict[str, Any]) -> None:
        assert snapshot["op"] == "snapshot"
        self.seq = snapshot["seq"]
        self.bids = dict(snapshot["bids"])
        self.asks = dict(snapshot["asks"])
        self.check(snapshot)

    def apply(self, delta: dict[str, Any]) -> None:
        assert delta["op"] == "delta"
        assert delta["prev_seq"] == self.seq
        self.seq = delta["seq"]
        for side, rows in ((self.bids, delta["bids"]), (self.asks, delta["asks"])):
            for price, quantity in rows:
                side[price] = quantity
                if quantity == "0":
                    del side[price]
        self.check(delta)

    def check(self, frame: dict[str, Any]) -> None:
        bids = sorted(self.bids.items(), key=lambda row: -float(row[0]))[:10]
        asks = sorted(self.asks.items(), key=lambda row: float(row[0]))[:10]
        text = ":".join(part for row in (*bids, *asks) for part in row)
        assert zlib.crc32(text.encode()) == frame["checksum"]


def ladder(best: int, step: int, count: int = 20) -> Pairs:
    return [(best + step * level, 5 + level) for level in range(count)]


async def test_book_comes_as_a_snapshot_then_deltas_a_client_can_follow(
    connect: Connect, price_log: BreakableLog
) -> None:
    """Every delta joins the last frame, and the client's top ten has the server's checksum."""
    put(price_log, symbol_prices(seq=1, bids=ladder(99, -1), asks=ladder(101, 1)))
    socket = await connect()
    book = ClientBook(await socket.subscribe())
    for seq, (bids, asks) in enumerate(
        [
            (ladder(98, -1), ladder(101, 1)),
            (ladder(99, -1, 3), ladder(102, 2)),
            ((), ladder(103, 1, 1)),
            (ladder(99, -1), ladder(101, 1)),
        ],
        start=2,
    ):
        put(price_log, symbol_prices(seq=seq, bids=bids, asks=asks))
        book.apply(await socket.next())
        assert book.seq == seq
    assert len(book.bids) == 20


async def test_a_slow_client_gets_one_frame_for_everything_it_missed(
    connect: Connect, price_log: BreakableLog
) -> None:
    """Twenty books between two sends are one delta, from the seq it was sent last."""
    put(price_log, symbol_prices(seq=1))
    socket = await connect()
    book = ClientBook(await socket.subscribe())
    for seq in range(2, 22):
        put(price_log, symbol_prices(seq=seq, bids=((90 + seq % 7, seq),)))
    book.apply(await socket.next())
    assert book.seq == 21
    assert list(book.bids.values()) == ["0.0021"]


async def test_a_client_too_far_behind_gets_a_snapshot(
    connect: Connect, price_log: BreakableLog
) -> None:
    put(price_log, symbol_prices(seq=1))
    socket = await connect()
    await socket.subscribe()
    for seq in range(2, 90):
        put(price_log, symbol_prices(seq=seq, bids=((90, seq),)))
    assert ClientBook(await socket.next()).seq == 89


async def test_a_feed_that_began_anew_is_a_snapshot(
    connect: Connect, price_log: BreakableLog
) -> None:
    put(price_log, symbol_prices(seq=7))
    socket = await connect()
    await socket.subscribe()
    put(price_log, symbol_prices(seq=1, bids=((90, 1),)))
    assert ClientBook(await socket.next()).seq == 1


async def test_subscribing_again_begins_again(connect: Connect, price_log: BreakableLog) -> None:
    """How a client heals whose checksum differs."""
    put(price_log, symbol_prices(seq=3))
    socket = await connect()
    assert await socket.subscribe() == await socket.subscribe()


async def test_the_snapshot_waits_for_the_first_price(
    connect: Connect, price_log: BreakableLog
) -> None:
    socket = await connect()
    answer = await socket.ask(op="subscribe", channel="ticker", symbol="BTC-USD", id=7)
    assert answer == {"op": "subscribed", "channel": "ticker", "symbol": "BTC-USD", "id": 7}
    put(price_log, symbol_prices())
    snapshot = await socket.next()
    assert (snapshot["op"], snapshot["bid"]) == ("snapshot", "0.99")


async def test_ticker_updates_are_whole(connect: Connect, price_log: BreakableLog) -> None:
    put(price_log, symbol_prices())
    socket = await connect()
    first = await socket.subscribe("ticker")
    put(price_log, symbol_prices(bids=((98, 1),)))
    update = await socket.next()
    assert update["op"] == "update"
    assert (first["bid"], update["bid"]) == ("0.99", "0.98")
    assert set(first) == set(update)


async def test_trades_come_once_oldest_first(connect: Connect, price_log: BreakableLog) -> None:
    put(price_log, symbol_prices(trades=(a_trade("1"),)))
    socket = await connect()
    snapshot = await socket.subscribe("trades")
    assert [trade["trade_id"] for trade in snapshot["trades"]] == ["A:1"]
    put(price_log, symbol_prices(trades=(a_trade("1"), a_trade("2"), a_trade("3"))))
    update = await socket.next()
    assert (update["op"], [trade["trade_id"] for trade in update["trades"]]) == (
        "update",
        ["A:2", "A:3"],
    )


async def test_staleness_is_told_without_any_news(
    connect: Connect, price_log: BreakableLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broken log, or a feed that died, must not look like a quiet market."""
    monkeypatch.setattr(market, "LOOK_S", 0.01)
    put(price_log, symbol_prices())
    socket = await connect()
    assert (await socket.subscribe("ticker"))["stale"] is False
    price_log.breaks = TransportError("log")
    assert (await socket.next())["stale"] is True
    price_log.breaks = None
    assert (await socket.next())["stale"] is False
    clock = wiring.clock()
    assert isinstance(clock, FakeClock)
    clock.advance_ns(6 * SECOND_NS)
    assert (await socket.next())["stale"] is True


async def test_a_halt_is_told_without_any_news(
    connect: Connect, price_log: BreakableLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of every ticker that is open, and once: what is read again unchanged is no news."""
    monkeypatch.setattr(market, "LOOK_S", 0.01)
    put(price_log, symbol_prices())
    socket = await connect()
    assert (await socket.subscribe("ticker"))["state"] == "TRADING"
    monkeypatch.setitem(KNOWN, "BTC-USD", units())
    halted = msgspec.structs.replace(units().instrument, state=InstrumentState.HALTED)
    monkeypatch.setitem(KNOWN, "BTC-USD", Units(halted))
    told = await socket.next()
    assert (told["op"], told["state"]) == ("update", "HALTED")
    monkeypatch.setitem(KNOWN, "BTC-USD", units())
    assert (await socket.next())["state"] == "TRADING"


async def test_prices_go_on_without_the_database(
    connect: Connect, price_log: BreakableLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise OperationalError("away")

    put(price_log, symbol_prices(seq=1))
    socket = await connect()
    await socket.subscribe("ticker")
    monkeypatch.setattr(wiring, "instruments_old", lambda: True)
    monkeypatch.setattr(wiring, "listings", broken)
    put(price_log, symbol_prices(seq=2))
    assert (await socket.next())["seq"] == 2


async def test_unsubscribed_is_silent(connect: Connect, price_log: BreakableLog) -> None:
    put(price_log, symbol_prices())
    socket = await connect()
    await socket.subscribe("ticker")
    answer = await socket.ask(op="unsubscribe", channel="ticker", symbol="BTC-USD")
    assert answer["op"] == "unsubscribed"
    put(price_log, symbol_prices(bids=((98, 1),)))
    assert await socket.communicator.receive_nothing(timeout=0.3)


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ("{", "malformed_json"),
        ("[]", "validation_error"),
        ('{"op": "dance"}', "validation_error"),
        ('{"op": "subscribe", "channel": "orders", "symbol": "BTC-USD"}', "validation_error"),
        ('{"op": "subscribe", "channel": "book", "symbol": "NO-USD"}', "unknown_symbol"),
        ('{"op": "subscribe", "channel": "book", "symbol": 5}', "validation_error"),
        ('{"op": "ping", "extra": 1}', "validation_error"),
    ],
)
async def test_what_is_not_understood_is_answered_and_the_socket_lives(
    connect: Connect, sent: str, code: str
) -> None:
    socket = await connect()
    await socket.communicator.send_to(text_data=sent)
    answer = await socket.next()
    assert (answer["op"], answer["code"]) == ("error", code)
    assert (await socket.ask(op="ping", id="x"))["id"] == "x"


async def test_fifty_subscriptions_and_no_more(connect: Connect) -> None:
    socket = await connect()
    for number in range(50):
        answer = await socket.ask(op="subscribe", channel="book", symbol=f"S{number}-USD")
        assert answer["op"] == "subscribed"
    answer = await socket.ask(op="subscribe", channel="book", symbol="S50-USD")
    assert answer["code"] == "rate_limited"
    again = await socket.ask(op="subscribe", channel="book", symbol="S0-USD")
    assert again["op"] == "subscribed", "one of the fifty may begin again"


async def test_one_frame_is_encoded_once_for_all_sockets(
    connect: Connect, price_log: BreakableLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[object] = []
    keep = Frames._keep

    def counted(frames: Frames, key: Any, frame: dict[str, Any]) -> None:
        built.append(key)
        keep(frames, key, frame)

    monkeypatch.setattr(Frames, "_keep", counted)
    put(price_log, symbol_prices(seq=1))
    sockets = [await connect() for _ in range(4)]
    for socket in sockets:
        await socket.subscribe()
    put(price_log, symbol_prices(seq=2, bids=((97, 4),)))
    for socket in sockets:
        assert (await socket.next())["seq"] == 2
    assert len(built) == 2

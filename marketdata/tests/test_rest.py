"""REST for instruments and prices: shapes, refusals, and what is said when nothing is known."""

from typing import Any

import pytest
from limits import parse
from rest_framework.test import APIClient

from marketdata import wiring
from marketdata.adapters import instruments
from marketdata.domain import demo
from marketdata.domain.feed_state import Counters, FeedState, FeedStatus, LeftOut
from marketdata.domain.past import Span
from marketdata.domain.prices import Candle, Prices
from marketdata.rest import public
from marketdata.tests.build import (
    NOW_NS,
    SECOND_NS,
    a_record,
    a_trade,
    symbol_prices,
)
from marketdata.tests.fakes import BreakableLog, MemoryCandles
from oms_project.access.principal import Principal
from oms_project.adapters.clock import FakeClock
from oms_project.kernel import wire
from oms_project.kernel.errors import TransportError
from oms_project.kernel.ports import Record
from oms_project.kernel.words import Topic
from oms_project.rest import times

pytestmark = pytest.mark.django_db
NOW = "2026-09-21T14:13:20.000000Z"


@pytest.fixture
def client(price_log: BreakableLog) -> APIClient:
    instruments.propose(demo.INSTRUMENTS, NOW_NS)
    made = APIClient()
    made.force_authenticate(Principal("u", "somebody", "TRADER", {}, "token"))
    return made


@pytest.fixture
def prices(price_log: BreakableLog, client: APIClient) -> BreakableLog:
    """A published price of BTC-USD."""
    trades = (a_trade("1"), a_trade("2", ticks=99, sign=-1))
    price_log.append(Topic.PRICES, [Record(0, "", a_record(symbol_prices(seq=4, trades=trades)))])
    return price_log


def get(client: APIClient, path: str) -> tuple[int, Any]:
    answer = client.get(f"/api/{path}")
    return answer.status_code, answer.json()


def test_instruments_show_their_filters_as_decimals(client: APIClient) -> None:
    status, body = get(client, "instruments")
    assert status == 200
    found = {one["symbol"]: one for one in body["instruments"]}
    assert set(found) == {one.symbol for one in demo.INSTRUMENTS}
    assert found["BTC-USD"] == {
        "symbol": "BTC-USD",
        "base": "BTC",
        "quote": "USD",
        "state": "TRADING",
        "in_force": False,
        "tick_size": "0.01",
        "lot_size": "0.0001",
        "quantity_min": "0.0001",
        "quantity_max": "100",
        "notional_min": "10.00",
        "notional_max": "1000000.00",
        "price_collar": "0.5",
        "market_cap": "0.05",
        "taker_fee": "0.001",
        "maker_fee": "0.0005",
        "mark_age_max_ms": 5000,
    }
    assert found["HALT-USD"]["state"] == "HALTED"


def test_ticker(client: APIClient, prices: BreakableLog) -> None:
    assert get(client, "marketdata/BTC-USD/ticker") == (
        200,
        {
            "symbol": "BTC-USD",
            "seq": 4,
            "last": "1.00",
            "bid": "0.99",
            "bid_quantity": "0.0005",
            "ask": "1.01",
            "ask_quantity": "0.0005",
            "mark": "1.00",
            "open_24h": "0.90",
            "high_24h": "1.10",
            "low_24h": "0.80",
            "volume_24h": "0.0012",
            "change_24h": "11.11",
            "since": None,
            "state": "TRADING",
            "venues": ["A"],
            "stale": False,
            "at": NOW,
        },
    )


def test_what_is_not_known_is_null(client: APIClient, price_log: BreakableLog) -> None:
    empty = symbol_prices(bids=(), asks=(), venues=())
    price_log.append(Topic.PRICES, [Record(0, "", a_record(empty))])
    status, body = get(client, "marketdata/BTC-USD/ticker")
    assert status == 200
    assert (body["bid"], body["ask_quantity"], body["mark"], body["stale"]) == (
        None,
        None,
        None,
        True,
    )


def test_book_and_its_depth(client: APIClient, prices: BreakableLog) -> None:
    status, body = get(client, "marketdata/BTC-USD/book")
    assert (status, body["seq"]) == (200, 4)
    assert body["bids"] == [["0.99", "0.0005"], ["0.98", "0.0007"]]
    _, shallow = get(client, "marketdata/BTC-USD/book?depth=1")
    assert shallow["asks"] == [["1.01", "0.0005"]]
    assert shallow["checksum"] == body["checksum"], "over the top ten, whatever is shown"


def test_trades_are_newest_first(client: APIClient, prices: BreakableLog) -> None:
    _, body = get(client, "marketdata/BTC-USD/trades")
    assert body["trades"] == [
        {
            "trade_id": "A:2",
            "venue": "A",
            "price": "0.99",
            "quantity": "0.0002",
            "side": "sell",
            "at": NOW,
        },
        {
            "trade_id": "A:1",
            "venue": "A",
            "price": "1.00",
            "quantity": "0.0002",
            "side": "buy",
            "at": NOW,
        },
    ]
    _, one = get(client, "marketdata/BTC-USD/trades?limit=1")
    assert [found["trade_id"] for found in one["trades"]] == ["A:2"]


@pytest.mark.parametrize(
    "query",
    [
        "depth=0",
        "depth=21",
        "depth=-1",
        "depth=x",
        "depth=",
        "depth=1&depth=2",
        "depth=٣",
        "deep=1",
    ],
)
def test_a_bad_query_is_named(client: APIClient, prices: BreakableLog, query: str) -> None:
    status, body = get(client, f"marketdata/BTC-USD/book?{query}")
    assert (status, body["code"]) == (400, "invalid_query_parameter")
    assert body["errors"][0]["pointer"] in ("?depth", "?deep")


@pytest.mark.parametrize("what", ["ticker", "book", "trades"])
def test_unknown_symbols_and_prices_not_yet_there(
    client: APIClient, prices: BreakableLog, what: str
) -> None:
    """404 for what does not exist; 503, to be asked again, for what has no price yet."""
    status, body = get(client, f"marketdata/NO-USD/{what}")
    assert (status, body["code"]) == (404, "not_found")
    answer = client.get(f"/api/marketdata/ETH-USD/{what}")
    assert (answer.status_code, answer.json()["code"]) == (503, "market_data_stale")
    assert answer.json()["retryable"] is True
    assert answer.headers["Retry-After"] == "1"
    assert get(client, f"marketdata/BTC-USD/{what}")[0] == 200


def test_a_broken_log_or_an_old_price_is_shown_as_stale(
    client: APIClient, prices: BreakableLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    from marketdata import wiring

    clock = wiring.clock()
    assert isinstance(clock, FakeClock)
    assert get(client, "marketdata/BTC-USD/ticker")[1]["stale"] is False
    prices.breaks = TransportError("log")
    clock.advance_ns(SECOND_NS)
    assert get(client, "marketdata/BTC-USD/ticker")[1]["stale"] is True
    prices.breaks = None
    clock.advance_ns(SECOND_NS)
    assert get(client, "marketdata/BTC-USD/ticker")[1]["stale"] is False
    clock.advance_ns(5 * SECOND_NS)
    assert get(client, "marketdata/BTC-USD/book")[1]["stale"] is True


@pytest.mark.parametrize("path", ["instruments", "marketdata/BTC-USD/ticker"])
def test_prices_are_public_but_not_without_end(
    prices: BreakableLog, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody need log in; one address is told to wait when it asks too often."""
    monkeypatch.setattr(public, "PER_ADDRESS", parse("2/minute"))
    public.forget_all()
    answers = [APIClient().get(f"/api/{path}") for _ in range(3)]
    assert [one.status_code for one in answers] == [200, 200, 429]
    assert answers[2].json()["code"] == "rate_limited"
    assert 1 <= int(answers[2]["Retry-After"]) <= 60
    public.forget_all()


def test_feeds_tell_their_states(price_log: BreakableLog, client: APIClient) -> None:
    """And when nothing is told any more, none of them is believed to live."""
    assert get(client, "marketdata/feeds") == (200, {"feeds": []})
    status = FeedStatus(
        "A", "BTC-USD", FeedState.LIVE, NOW_NS, NOW_NS, LeftOut.CROSSED, Counters(gaps=2)
    )
    value = wire.seal("prices", Prices("test", (symbol_prices(),), (status,)), id="x", at_ns=NOW_NS)
    price_log.append(Topic.PRICES, [Record(0, "", value)])
    clock = wiring.clock()
    assert isinstance(clock, FakeClock)
    clock.advance_ns(SECOND_NS)
    _, body = get(client, "marketdata/feeds")
    assert body["feeds"] == [
        {
            "venue": "A", "symbol": "BTC-USD", "state": "LIVE", "since": NOW, "heard_at": NOW,
            "left_out": "crossed", "gaps": 2, "resyncs": 0, "checked": 0, "checksum_failures": 0,
            "crossed": 0, "unreadable": 0,
        }
    ]  # fmt: skip
    clock.advance_ns(60 * SECOND_NS)
    assert get(client, "marketdata/feeds")[1]["feeds"][0]["state"] == "DOWN"


# ------------------------------------------------------------------ candles
BEGIN_S = NOW_NS // SECOND_NS // 3_600 * 3_600


@pytest.fixture
def candles(prices: BreakableLog) -> MemoryCandles:
    """Two minutes with trades and one without between them, whole up to the third minute's end."""
    store = wiring.candles_store()
    assert isinstance(store, MemoryCandles)
    rows = [
        (minute, Candle(BEGIN_S + minute * 60, 100, 120, 90, 110 + minute, 30, 3_000, 3, 1, 2))
        for minute in (0, 2)
    ]
    store.save([("BTC-USD", 60, one) for _, one in rows], {"BTC-USD": Span(BEGIN_S, BEGIN_S + 180)})
    return store


def at(minute: int) -> str:
    return times.second_text(BEGIN_S + minute * 60)


def test_candles_of_a_range_have_no_gaps(client: APIClient, candles: MemoryCandles) -> None:
    status, body = get(client, f"marketdata/BTC-USD/candles?from={at(0)}&to={at(3)}")
    assert status == 200
    assert (body["symbol"], body["interval"]) == ("BTC-USD", "1m")
    assert body["candles"][0] == {
        "at": at(0), "open": "1.00", "high": "1.20", "low": "0.90", "close": "1.10",
        "volume": "0.003", "turnover": "0.003", "trades": 3, "closed": True,
    }  # fmt: skip
    quiet = body["candles"][1]
    assert (quiet["at"], quiet["open"], quiet["close"]) == (at(1), "1.10", "1.10")
    assert (quiet["volume"], quiet["trades"], quiet["closed"]) == ("0", 0, True)
    assert body["candles"][2]["close"] == "1.12"


def test_a_range_begins_where_a_candle_does_and_knows_the_close_before(
    client: APIClient, candles: MemoryCandles
) -> None:
    _, body = get(client, f"marketdata/BTC-USD/candles?from={at(1)[:-3]}30Z&to={at(2)}")
    assert [(one["at"], one["close"]) for one in body["candles"]] == [(at(1), "1.10")]
    _, body = get(client, f"marketdata/BTC-USD/candles?interval=5m&from={at(1)}&to={at(2)}")
    assert [(one["at"], one["trades"], one["closed"]) for one in body["candles"]] == [
        (at(0), 6, False)
    ]


def test_without_a_range_the_newest_come(client: APIClient, candles: MemoryCandles) -> None:
    """Up to now: nothing has traded since, so the price stands still."""
    _, body = get(client, "marketdata/BTC-USD/candles?limit=5")
    assert len(body["candles"]) == 5
    assert {one["close"] for one in body["candles"]} == {"1.12"}
    assert body["candles"][-1]["closed"] is False


def test_what_is_closed_may_be_cached(client: APIClient, candles: MemoryCandles) -> None:
    closed = client.get(f"/api/marketdata/BTC-USD/candles?from={at(0)}&to={at(3)}")
    assert closed["Cache-Control"] == "public, max-age=3600"
    growing = client.get(f"/api/marketdata/BTC-USD/candles?from={at(0)}&to={at(4)}")
    assert growing["Cache-Control"] == "public, max-age=0"


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("interval=2m", "interval"),
        ("interval=", "interval"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("from=yesterday", "from"),
        (f"from={NOW}&to=2025-01-01T00:00:00Z", "to"),
        ("interval=1s&from=2026-09-01T00:00:00Z&to=2026-09-02T00:00:00Z", "from"),
        ("since=1", "since"),
    ],
)
def test_a_range_that_makes_no_sense_is_named(
    client: APIClient, candles: MemoryCandles, query: str, name: str
) -> None:
    status, body = get(client, f"marketdata/BTC-USD/candles?{query}")
    assert (status, body["code"]) == (400, "invalid_query_parameter")
    assert body["errors"][0]["pointer"] == f"?{name}"


def test_candles_of_nothing(client: APIClient, candles: MemoryCandles) -> None:
    assert get(client, "marketdata/NO-USD/candles")[0] == 404
    assert get(client, "marketdata/ETH-USD/candles")[1]["candles"] == []

"""REST for instruments and prices: shapes, refusals, and what is said when nothing is known."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from marketdata.adapters import instruments
from marketdata.domain import demo
from marketdata.tests.build import (
    NOW_NS,
    SECOND_NS,
    a_record,
    a_trade,
    symbol_prices,
)
from marketdata.tests.fakes import BreakableLog
from oms_project.access.principal import Principal
from oms_project.adapters.clock import FakeClock
from oms_project.kernel.errors import TransportError
from oms_project.kernel.ports import Record
from oms_project.kernel.words import Topic

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
def test_nobody_sees_prices_without_logging_in(prices: BreakableLog, path: str) -> None:
    answer = APIClient().get(f"/api/{path}")
    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")

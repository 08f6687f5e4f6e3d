"""GET of orders, events, fills, accounts, positions and balances."""

import json
from typing import Any

import msgspec
import pytest
from django.test import Client

from marketdata import wiring as market
from oms_project.kernel.terms import Extras, Terms
from oms_project.kernel.words import AccountState, OrderType, Role, Side, TimeInForce
from oms_project.rest import times
from orders import wiring
from orders.domain import events as e
from orders.queries import shapes, units_of
from orders.tests.world import (
    BEGIN_NS,
    World,
    accepted,
    asked_ns,
    canceled,
    fill,
    new_id,
    publish,
    routed,
)
from risk.domain.limits import Limits

pytestmark = pytest.mark.django_db(databases=["default", "store"])


class Reader:
    """A user with two accounts, their client, and somebody else's account."""

    def __init__(self) -> None:
        self.world = World()
        self.mine, self.second = self.world.account(), self.world.account()
        self.theirs = self.world.account()
        roles = {self.mine: Role.TRADER, self.second: Role.VIEWER}
        self.token = self.world.token(self.world.user("ann", roles))

    def answer(self, path: str, **query: Any) -> Any:
        headers = {"authorization": f"Bearer {self.token}"}
        return Client().get(f"/api/{path}", query, headers=headers)

    def get(self, path: str, **query: Any) -> Any:
        answer = self.answer(path, **query)
        assert answer.status_code == 200, answer.content
        return json.loads(answer.content)

    def refused(self, path: str, **query: Any) -> tuple[int, dict[str, Any]]:
        answer = self.answer(path, **query)
        assert answer.headers["Content-Type"] == "application/problem+json"
        return answer.status_code, json.loads(answer.content)


@pytest.fixture
def ann() -> Reader:
    return Reader()


def test_an_order(ann: Reader) -> None:
    """Decimals are strings, times are UTC; nothing is left in ticks."""
    order_id = ann.world.order(ann.mine, filled=4)
    found = ann.get(f"orders/{order_id}")
    assert found == {
        "order_id": order_id,
        "account_id": ann.mine,
        "client_order_id": f"client-{order_id[-12:]}",
        "symbol": "BTC-USD",
        "side": "buy",
        "type": "limit",
        "time_in_force": "gtc",
        "quantity": "0.001",
        "price": "20000.00",
        "reduce_only": False,
        "stop_price": None,
        "trail_amount": None,
        "trail_bps": None,
        "expires_at": None,
        "deadline": None,
        "status": "PARTIALLY_FILLED",
        "filled_quantity": "0.0004",
        "remaining_quantity": "0.0006",
        "average_price": "20000.00",
        "fee": "0.00008",
        "fee_asset": "USD",
        "rejected_by": None,
        "reason": None,
        "late_fill": False,
        "overfilled": False,
        "version": 2,
        "account_seq": 2,
        "created_at": times.text(BEGIN_NS + 10**9),
        "updated_at": times.text(BEGIN_NS + 2 * 10**9),
    }


def test_when_an_order_ends_and_must_leave(ann: Reader) -> None:
    order = routed(
        time_in_force=TimeInForce.GTD, extras=Extras(BEGIN_NS + 10**9, BEGIN_NS + 2 * 10**9)
    )
    ann.world.tell(ann.mine, order)
    found = ann.get(f"orders/{order.order_id}")
    assert found["expires_at"] == times.text(BEGIN_NS + 10**9)
    assert found["deadline"] == times.text(BEGIN_NS + 2 * 10**9)


def test_a_closed_order_has_nothing_left(ann: Reader) -> None:
    """remaining_quantity is what is open, whatever was not filled."""
    order = routed(type=OrderType.MARKET, ticks=0, cap_ticks=2_100_000)
    ann.world.tell(ann.mine, order)
    ann.world.tell(ann.mine, canceled(order))
    found = ann.get(f"orders/{order.order_id}")
    assert (found["status"], found["remaining_quantity"], found["reason"]) == (
        "CANCELED", "0", "client",
    )  # fmt: skip
    assert found["price"] is None
    assert found["average_price"] is None


def test_an_order_of_an_unknown_symbol_hides_no_other(ann: Reader) -> None:
    """Refused, and shown in lots and ticks as it was told: there are no units to show it in."""
    good = ann.world.order(ann.mine)
    terms = msgspec.structs.replace(routed().terms, symbol="DOGE-USD", lots=5, ticks=7)
    bad = e.OrderDenied(new_id(), "doge", terms, "unknown_symbol")
    ann.world.tell(ann.mine, bad)
    listed = ann.get("orders", account_id=ann.mine)["orders"]
    assert {order["order_id"] for order in listed} == {good, bad.order_id}
    found = ann.get(f"orders/{bad.order_id}")
    assert (found["symbol"], found["quantity"], found["price"]) == ("DOGE-USD", "5", "7")
    assert (found["status"], found["reason"]) == ("REJECTED", "unknown_symbol")
    (event,) = ann.get(f"orders/{bad.order_id}/events")["events"]
    assert (event["type"], event["quantity"]) == ("OrderDenied", "5")


def test_events_tell_the_whole_story(ann: Reader) -> None:
    """Own events only, oldest first, with ids that say where they stand in the log."""
    order = routed()
    ann.world.order(ann.mine)
    ann.world.tell(ann.mine, order)
    ann.world.tell(ann.mine, accepted(order))
    ann.world.tell(ann.mine, *fill(order, 10, version=3))
    found = ann.get(f"orders/{order.order_id}/events")
    assert found["order_id"] == order.order_id
    assert found["next_seq"] is None
    assert [event["type"] for event in found["events"]] == [
        "OrderRouted", "OrderAccepted", "OrderFilled",
    ]  # fmt: skip
    assert [event["account_seq"] for event in found["events"]] == [2, 3, 4]
    assert [event["order_version"] for event in found["events"]] == [1, 2, 3]
    last = found["events"][-1]
    assert (last["quantity"], last["price"], last["fee"]) == ("0.001", "20000.00", "0.0002")
    assert last["event_id"].split("-")[2] == "0"
    assert last["account_id"] == ann.mine


def test_events_in_pages(ann: Reader) -> None:
    """from_seq and limit walk through a long story."""
    order = routed(lots=100)
    ann.world.tell(ann.mine, order)
    for number in range(2, 8):
        ann.world.tell(ann.mine, *fill(order, 1, cum_lots=number - 1, version=number))
    seen, from_seq = [], 0
    while from_seq is not None:
        page = ann.get(f"orders/{order.order_id}/events", from_seq=from_seq, limit=2)
        assert len(page["events"]) <= 2
        seen += [event["order_version"] for event in page["events"]]
        from_seq = page["next_seq"]
    assert seen == list(range(1, 8))


def test_every_event_type_can_be_shown(ann: Reader) -> None:
    """What the engine can say, the API can show."""
    order = routed()
    ids = (order.order_id, "FILLED", 2, 10, 0, 0)
    told = [
        order,
        e.OrderDenied(*msgspec.structs.astuple(routed())[:3], "insufficient_balance"),
        accepted(order),
        e.OrderRejected(*ids, 1, "venue_closed", False),
        e.OrderExpired(*ids, 1, "day", False),
        e.OrderExternal(*msgspec.structs.astuple(routed())[:3], "SIM", 1),
        *fill(order, 1),
        e.OrderCancelRequested(*ids),
        e.OrderExpiryRequested(*ids),
        e.OrderHeld(*msgspec.structs.astuple(routed())),
        e.OrderTriggered(*ids, "BTC-USD", 100, 0, 5),
        e.TriggerRefused(*ids, "account_suspended"),
        canceled(order),
        e.CancelRejected(*ids, "too_late"),
        e.OrderQuarantined(order.order_id, "trade_mismatch", "trade", 2, 5, 100, ""),
        e.AdjustmentRefused("a-2", "USD", -5, "insufficient_balance", 5, 3),
        e.ChangeRefused("account", ann.mine, 3, 4, "version_conflict"),
        e.CommandSetAside(7, "not an envelope"),
        e.BalanceAdjusted("a-1", "USD", 5, "deposit"),
        e.AccountChanged("Desk", AccountState.ACTIVE, Limits(max_order_value=10**8)),
        e.InstrumentChanged(market.units("BTC-USD").instrument),  # type: ignore[union-attr]
    ]
    assert {type(one) for one in told} == set(e.Event.__args__)
    batch = e.EventBatch(0, 7, 6, 1, ann.mine, 1, BEGIN_NS, "ann", "c", told)
    for index, event in enumerate(told):
        found = json.loads(msgspec.json.encode(shapes.event(batch, index, units_of)))
        assert found["type"] == type(event).__name__
        assert found["event_id"] == f"0-7-{index}"
        assert {"account_id", "account_seq", "caused_by", "at"} < set(found)
        assert not any(isinstance(value, float) for value in found.values())


def test_a_list_and_its_filters(ann: Reader) -> None:
    """Newest first, over all own accounts or one; every filter narrows."""
    buy = ann.world.order(ann.mine)
    sell = ann.world.order(ann.mine, side=Side.SELL, symbol="ETH-USD")
    done = ann.world.order(ann.second, filled=10)
    ann.world.order(ann.theirs)

    def ids(**query: Any) -> list[str]:
        return [order["order_id"] for order in ann.get("orders", **query)["orders"]]

    assert ids() == [done, sell, buy]
    assert ids(account_id=ann.mine) == [sell, buy]
    assert ids(symbol="ETH-USD") == [sell]
    assert ids(symbol="NO-SUCH") == []
    assert ids(side="sell") == [sell]
    assert ids(side="buy,sell") == [done, sell, buy]
    assert ids(status="FILLED") == [done]
    assert ids(status="NEW,PARTIALLY_FILLED") == [sell, buy]
    assert ids(client_order_id=f"client-{buy[-12:]}") == [buy]
    assert ids(**{"from": times.text(asked_ns(sell))}) == [done, sell]
    assert ids(to=times.text(asked_ns(sell))) == [buy]
    assert ids(**{"from": times.text(asked_ns(buy)), "to": times.text(asked_ns(done))}) == [
        sell, buy,
    ]  # fmt: skip


def test_pages_are_stable_under_inserts(ann: Reader) -> None:
    """Walking with a cursor sees each order once, whatever is placed meanwhile."""
    placed = [ann.world.order(ann.mine) for _ in range(7)]
    seen: list[str] = []
    cursor = ""
    while cursor is not None:
        query = {"limit": 2, **({"cursor": cursor} if cursor else {})}
        page = ann.get("orders", **query)
        seen += [order["order_id"] for order in page["orders"]]
        cursor = page["next_cursor"]
        ann.world.order(ann.mine)
    assert seen == placed[::-1]


def test_fills_in_pages(ann: Reader) -> None:
    """Of an account, of a symbol, of an order; newest first."""
    order = routed()
    ann.world.tell(ann.mine, order)
    for number in range(1, 6):
        ann.world.tell(ann.mine, *fill(order, 1, cum_lots=number, version=number + 1))
    ann.world.order(ann.mine, filled=3, symbol="ETH-USD")
    seen: list[int] = []
    cursor = ""
    while cursor is not None:
        query = {"limit": 2, **({"cursor": cursor} if cursor else {})}
        page = ann.get(f"orders/{order.order_id}/fills", **query)
        seen += [one["account_seq"] for one in page["fills"]]
        cursor = page["next_cursor"]
    assert seen == sorted(seen, reverse=True)
    assert len(seen) == len(set(seen)) == 5
    every = ann.get(f"accounts/{ann.mine}/fills")["fills"]
    assert len(every) == 6
    eth = ann.get(f"accounts/{ann.mine}/fills", symbol="ETH-USD")["fills"]
    assert [one["symbol"] for one in eth] == ["ETH-USD"]
    assert set(every[0]) == {
        "trade_id", "order_id", "account_id", "symbol", "side", "quantity", "price", "fee",
        "fee_asset", "liquidity", "venue", "account_seq", "at",
    }  # fmt: skip


BAD_QUERIES = [
    ("orders", {"nonsense": "1"}, "nonsense"),
    ("orders", {"limit": "0"}, "limit"),
    ("orders", {"limit": "501"}, "limit"),
    ("orders", {"limit": "1e2"}, "limit"),
    ("orders", {"limit": "²"}, "limit"),
    ("orders", {"limit": ["1", "2"]}, "limit"),
    ("orders", {"status": "filled"}, "status"),
    ("orders", {"status": "FILLED,"}, "status"),
    ("orders", {"status": "FILLED,FILLED"}, "status"),
    ("orders", {"side": "BUY"}, "side"),
    ("orders", {"symbol": "btc-usd"}, "symbol"),
    ("orders", {"symbol": "BTC-USD\x00"}, "symbol"),
    ("orders", {"symbol": ""}, "symbol"),
    ("orders", {"from": "yesterday"}, "from"),
    ("orders", {"from": "2026-01-01T00:00:00+00:00"}, "from"),
    ("orders", {"from": "2026-02-30T00:00:00Z"}, "from"),
    ("orders", {"from": "9999-12-31T23:59:59Z"}, "from"),
    ("orders", {"to": "0001-01-01T00:00:00Z"}, "to"),
    ("orders", {"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, "to"),
    ("orders", {"client_order_id": "a b"}, "client_order_id"),
    ("orders", {"cursor": "nonsense"}, "cursor"),
    ("orders", {"cursor": "é"}, "cursor"),
    ("orders", {"cursor": "x" * 5000}, "cursor"),
    ("orders", {"cursor": "k6FvAKF4"}, "cursor"),
    ("accounts", {"limit": "1"}, "limit"),
]


@pytest.mark.parametrize(("path", "query", "name"), BAD_QUERIES)
def test_bad_queries(ann: Reader, path: str, query: Any, name: str) -> None:
    """A parameter that is not understood is named, never ignored."""
    status, body = ann.refused(path, **query)
    assert (status, body["code"]) == (400, "invalid_query_parameter")
    assert body["errors"][0]["pointer"] == f"?{name}"


def test_a_cursor_belongs_to_its_list(ann: Reader) -> None:
    """With other filters, or of another kind of list, it is refused."""
    for _ in range(3):
        ann.world.order(ann.mine, filled=1)
    cursor = ann.get("orders", limit=1)["next_cursor"]
    of_fills = ann.get(f"accounts/{ann.mine}/fills", limit=1)["next_cursor"]
    assert ann.refused("orders", cursor=cursor, symbol="BTC-USD")[0] == 400
    assert ann.refused("orders", cursor=of_fills)[0] == 400
    assert ann.refused(f"accounts/{ann.mine}/fills", cursor=cursor)[0] == 400
    assert ann.refused(f"accounts/{ann.second}/fills", cursor=of_fills)[0] == 400


def test_accounts(ann: Reader) -> None:
    """Only one's own, with the role; one of them with limits and the newest seq."""
    found = ann.get("accounts")["accounts"]
    assert {(one["account_id"], one["role"]) for one in found} == {
        (ann.mine, "trader"), (ann.second, "viewer"),
    }  # fmt: skip
    changed = e.AccountChanged(
        "Desk A", AccountState.REDUCE_ONLY, Limits(max_order_value=5 * 10**8)
    )
    ann.world.tell(ann.mine, changed)
    one = ann.get(f"accounts/{ann.mine}")
    assert one == {
        "account_id": ann.mine,
        "name": "Desk A",
        "state": "REDUCE_ONLY",
        "role": "trader",
        "limits": {
            "max_open_orders": None, "max_order_value": "5.00", "restricted_symbols": [],
        },
        "last_seq": 1,
    }  # fmt: skip


def test_balances(ann: Reader) -> None:
    """In units of the asset."""
    ann.world.tell(ann.mine, e.BalanceChanged("BTC", 150_000_000, 50_000_000, 0, 0, 0))
    assert ann.get(f"accounts/{ann.mine}/balances")["balances"] == [
        {"asset": "BTC", "free": "1.50", "locked": "0.50", "total": "2.00"}
    ]


def test_positions_are_marked_where_they_could_be_closed(ann: Reader) -> None:
    """A long at the bid, a short at the ask; without a fresh price nobody knows."""
    publish("SOL-USD", 2_100, 2_110)
    publish("XRP-USD", 2_100, 2_110)
    publish("ADA-USD", 2_100, 2_110, venues=())
    for symbol, lots in (("SOL-USD", 10), ("XRP-USD", -10), ("ADA-USD", 10)):
        ann.world.tell(ann.mine, e.PositionChanged(symbol, lots, lots * 2_000, 0))
    found = {one["symbol"]: one for one in ann.get(f"accounts/{ann.mine}/positions")["positions"]}
    units = {symbol: market.units(symbol) for symbol in found}
    sol, xrp, ada = found["SOL-USD"], found["XRP-USD"], found["ADA-USD"]
    assert sol["mark_price"] == units["SOL-USD"].price_text(2_100)
    assert sol["unrealized_pnl"] == units["SOL-USD"].amount_text(1_000)
    assert sol["average_price"] == units["SOL-USD"].price_text(2_000)
    assert xrp["mark_price"] == units["XRP-USD"].price_text(2_110)
    assert xrp["unrealized_pnl"] == units["XRP-USD"].amount_text(-1_100)
    assert xrp["quantity"].startswith("-")
    assert (ada["mark_price"], ada["unrealized_pnl"]) == (None, None)


def test_read_your_writes(ann: Reader) -> None:
    """An acknowledged order that nobody has decided yet is NEW, not missing; to its members only."""
    gateway = wiring.gateway()
    key = new_id()
    terms = Terms("BTC-USD", Side.BUY, OrderType.LIMIT, TimeInForce.GTC, 10, 2_000_000)
    submission = gateway.place(
        ann.mine, [(key, terms)], endpoint="orders", key=key, canonical=b"{}", actor="ann"
    )
    (state,) = wiring.intake().commit([submission])
    assert not isinstance(state, Exception)
    order_id = f"{state.claim.ids_base}0000"
    found = ann.get(f"orders/{order_id}")
    assert (found["status"], found["version"], found["quantity"]) == ("NEW", 0, "0.001")
    assert ann.get(f"orders/{order_id}/events")["events"] == []
    assert ann.get(f"orders/{order_id}/fills")["fills"] == []
    other = Reader.__new__(Reader)
    other.token = ann.world.token(ann.world.user("bob", {ann.theirs: Role.TRADER}))
    assert other.refused(f"orders/{order_id}")[0] == 404

"""Placing orders, by rows: what is routed, refused or repeated."""

import pytest

from oms_project.kernel.ports import Route
from oms_project.kernel.words import AccountState, Side, Status, TimeInForce
from orders.domain import commands as c
from orders.domain import events as e
from orders.domain.order import status_of
from orders.tests.domain import build
from orders.tests.domain.build import ACCOUNT, Desk, answers, new_order, order_id_of, place
from risk.domain.limits import Limits
from risk.domain.rules import Reason

R = Reason


# ------------------------------------------------------------------ one order


@pytest.mark.parametrize(
    ("order", "limit_ticks", "rests", "all_or_none", "hold"),
    [
        (new_order(), 10_000, True, False, 10_010_000),
        (new_order(side=Side.SELL), 10_000, True, False, 100_000),
        (new_order(time_in_force=TimeInForce.IOC), 10_000, False, False, 10_010_000),
        (new_order(time_in_force=TimeInForce.FOK), 10_000, False, True, 10_010_000),
        (build.a_market_order(), 10_500, False, False, 10_510_500),
        (build.a_market_order(side=Side.SELL), 9_500, False, False, 100_000),
        (build.a_market_order(time_in_force=TimeInForce.FOK), 10_500, False, True, 10_510_500),
    ],
)
def test_an_order_that_passes(
    order: c.NewOrder, limit_ticks: int, rests: bool, all_or_none: bool, hold: int
) -> None:
    """Told, locked, and on its way with what the venue needs to know."""
    desk = Desk()
    turn = desk.do(place(order))
    sign = 1 if order.terms.side is Side.BUY else -1
    assert turn.routes == [
        Route(order_id_of(1), ACCOUNT, "BTC-USD", sign, 10, limit_ticks, rests, all_or_none)
    ]
    balance = desk.account.balances["USD" if sign > 0 else "BTC"]
    assert (desk.order().hold, balance.locked) == (hold, hold)
    routed = turn.events[0]
    assert isinstance(routed, e.OrderRouted)
    assert routed.cap_ticks == (0 if order.terms.ticks else limit_ticks)


def test_an_order_that_is_refused_locks_nothing() -> None:
    desk = Desk(funds={"USD": 5})
    turn = desk.do(place(new_order()))
    assert answers(turn) == [R.INSUFFICIENT_BALANCE]
    assert turn.routes == []
    assert desk.account.balances["USD"].locked == 0
    order = desk.order()
    assert (status_of(order), order.rejected_by) == (Status.REJECTED, "oms")


def test_each_order_of_a_batch_sees_what_the_ones_before_it_locked() -> None:
    desk = Desk(funds={"USD": 25_000_000})
    turn = desk.do(place(new_order(1), new_order(2), new_order(3), new_order(4, lots=4)))
    assert answers(turn) == ["routed", "routed", R.INSUFFICIENT_BALANCE, "routed"]


def test_an_account_nobody_opened_is_refused_and_can_be_read() -> None:
    desk = Desk(accounts=())
    turn = desk.do(place(new_order(1), new_order(2, symbol="NO-USD")))
    assert answers(turn) == [R.ACCOUNT_SUSPENDED, R.UNKNOWN_SYMBOL]


def test_limits_count_orders_of_the_same_batch() -> None:
    desk = Desk()
    desk.do(build.account(limits=Limits(max_open_orders=2)))
    turn = desk.do(place(*(new_order(n) for n in range(1, 5))))
    assert answers(turn) == ["routed", "routed", R.MAX_OPEN_ORDERS, R.MAX_OPEN_ORDERS]
    desk.do(build.told(build.trade(1)))
    assert answers(desk.do(place(new_order(5)))) == ["routed"]


# ------------------------------------------------------------------ atomic batches


def a_short_desk() -> Desk:
    """Return a desk that reduces only: long 10 lots of BTC-USD, with nothing else open."""
    desk = Desk()
    desk.do(place(new_order(90)))
    desk.do(build.told(build.trade(90)))
    desk.do(build.account(state=AccountState.REDUCE_ONLY))
    return desk


def sell(number: int, lots: int) -> c.NewOrder:
    return new_order(number, side=Side.SELL, lots=lots)


ATOMIC = [
    # funds or state               orders                                                 told
    ("all pass",        {},                   [new_order(1), new_order(2)],                          None),
    ("one is unknown",  {},                   [new_order(1), new_order(2, symbol="NO-USD")],         (2, R.UNKNOWN_SYMBOL)),
    ("the first fails", {},                   [new_order(1, lots=10**7), new_order(2)],              (1, R.QUANTITY_MAX)),
    ("money for one",   {"USD": 15_000_000},  [new_order(1), new_order(2)],                          (2, R.INSUFFICIENT_BALANCE)),
    ("money for both",  {"USD": 20_020_000},  [new_order(1), new_order(2)],                          None),
    ("a unit short",    {"USD": 20_019_999},  [new_order(1), new_order(2)],                          (2, R.INSUFFICIENT_BALANCE)),
    ("other assets",    {"USD": 10_010_000, "BTC": 100_000}, [new_order(1), sell(2, 10)],            None),
    ("lots for one",    {"BTC": 100_000},     [sell(1, 6), sell(2, 6)],                              (2, R.INSUFFICIENT_BALANCE)),
    ("the same client id", {},                [new_order(1), new_order(2, client_order_id="client-1")], (2, R.DUPLICATE_CLIENT_ORDER_ID)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("funds", "orders", "fails"), [row[1:] for row in ATOMIC], ids=[row[0] for row in ATOMIC]
)
def test_an_atomic_batch(
    funds: dict[str, int], orders: list[c.NewOrder], fails: tuple[int, Reason] | None
) -> None:
    """All or none; the one that fails says why, the others that they hang on it."""
    desk = Desk(funds=funds or None)
    turn = desk.do(place(*orders, atomic=True))
    if fails is None:
        assert answers(turn) == ["routed"] * len(orders)
        return
    number, reason = fails
    expected: list[Reason | str] = [R.ATOMIC_BATCH] * len(orders)
    expected[number - 1] = reason
    assert answers(turn) == expected
    assert turn.routes == []
    assert all(balance.locked == 0 for balance in desk.account.balances.values())
    again = desk.do(place(*orders, atomic=True))
    assert (again.events, again.routes) == ([], [])


def test_an_atomic_batch_with_a_used_client_order_id() -> None:
    desk = Desk()
    desk.do(place(new_order(1)))
    orders = [new_order(2), new_order(3, client_order_id="client-1")]
    turn = desk.do(place(*orders, atomic=True))
    assert answers(turn) == [R.ATOMIC_BATCH, R.DUPLICATE_CLIENT_ORDER_ID]
    assert desk.do(place(*orders, atomic=True)).events == []


def test_an_atomic_batch_counts_its_own_orders_against_the_limit() -> None:
    desk = Desk()
    desk.do(build.account(limits=Limits(max_open_orders=2)))
    turn = desk.do(place(*(new_order(n) for n in (1, 2, 3)), atomic=True))
    assert answers(turn) == [R.ATOMIC_BATCH, R.ATOMIC_BATCH, R.MAX_OPEN_ORDERS]


def test_an_atomic_batch_that_would_turn_the_position() -> None:
    """Each order alone only reduces; both together would be short."""
    desk = a_short_desk()
    turn = desk.do(place(sell(1, 6), sell(2, 6), atomic=True))
    assert answers(turn) == [R.ATOMIC_BATCH, R.ACCOUNT_REDUCE_ONLY]
    turn = desk.do(place(sell(3, 6), sell(4, 4), atomic=True))
    assert answers(turn) == ["routed", "routed"]


# ------------------------------------------------------------------ reduce only


@pytest.mark.parametrize(
    ("orders", "told"),
    [
        ([sell(1, 10)], ["routed"]),
        ([sell(1, 11)], [R.ACCOUNT_REDUCE_ONLY]),
        ([new_order(1, lots=1)], [R.ACCOUNT_REDUCE_ONLY]),
        ([sell(1, 6), sell(2, 4), sell(3, 1)], ["routed", "routed", R.ACCOUNT_REDUCE_ONLY]),
        ([new_order(1, symbol="ETH-USD", side=Side.SELL, lots=1)], [R.ACCOUNT_REDUCE_ONLY]),
        ([build.a_market_order(1, side=Side.SELL)], ["routed"]),
    ],
)
def test_reduce_only(orders: list[c.NewOrder], told: list[Reason | str]) -> None:
    """A long of 10 lots may be sold, once."""
    assert answers(a_short_desk().do(place(*orders))) == told


@pytest.mark.parametrize("state", [AccountState.HALTED, AccountState.CANCEL_ONLY])
def test_every_state_lets_a_cancel_and_a_fill_through(state: AccountState) -> None:
    """What is at the venue has happened, or must be stopped."""
    desk = Desk()
    desk.do(place(new_order(1)))
    desk.do(build.account(state=state))
    desk.do(build.told(build.trade(lots=4)))
    desk.do(build.cancel(1))
    assert status_of(desk.order()) is Status.PENDING_CANCEL
    assert desk.account.positions["BTC-USD"].net_lots == 4

"""Placing, canceling and reference data, by rows: what is routed, refused, repeated or nothing."""

import pytest

from oms_project.kernel.errors import IllegalTransitionError
from oms_project.kernel.ports import CancelRoute, Route
from oms_project.kernel.words import AccountState, InstrumentState, Side, Status, TimeInForce
from orders.domain import commands as c
from orders.domain import events as e
from orders.domain.book import Account, breaches
from orders.domain.decide import step
from orders.domain.order import status_of
from orders.domain.turn import Turn
from orders.tests.domain import build
from orders.tests.domain.build import ACCOUNT, OTHER, Desk, new_order, order_id_of, place
from risk.domain.limits import Limits
from risk.domain.rules import Reason

R = Reason


def answers(turn: Turn) -> list[Reason | str]:
    """Return what each order was told: a reason, or "routed"."""
    told: list[Reason | str] = []
    for event in turn.events:
        if isinstance(event, e.OrderRouted):
            told.append("routed")
        elif isinstance(event, e.OrderDenied):
            told.append(Reason(event.reason))
    return told


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


# ------------------------------------------------------------------ twins


@pytest.mark.parametrize("first", ["open", "filled", "canceled", "denied"])
def test_a_client_order_id_is_used_once(first: str) -> None:
    """Whatever became of the first order, a refused one included."""
    desk = Desk()
    desk.do(place(new_order(1, lots=10**7 if first == "denied" else 10)))
    if first in ("filled", "canceled"):
        report = build.trade() if first == "filled" else build.canceled()
        desk.do(build.told(report))
    turn = desk.do(place(new_order(2, client_order_id="client-1")))
    assert answers(turn) == [R.DUPLICATE_CLIENT_ORDER_ID]
    again = desk.do(place(new_order(1)), None)
    assert (again.events, again.routes) == ([], [])


def test_another_account_may_use_it_too() -> None:
    desk = Desk(accounts=(ACCOUNT, OTHER))
    desk.do(place(new_order(1)))
    turn = desk.do(place(new_order(2, client_order_id="client-1"), account_id=OTHER))
    assert answers(turn) == ["routed"]


def test_twice_in_a_batch_the_first_is_taken() -> None:
    desk = Desk()
    turn = desk.do(place(new_order(1), new_order(2, client_order_id="client-1")))
    assert answers(turn) == ["routed", R.DUPLICATE_CLIENT_ORDER_ID]


def test_a_refused_twin_sent_again_is_not_refused_again() -> None:
    """Its first refusal stands; nothing is told twice."""
    desk = Desk()
    desk.do(place(new_order(1)))
    desk.do(place(new_order(2, client_order_id="client-1")))
    again = desk.do(place(new_order(2, client_order_id="client-1")))
    assert again.events == []


@pytest.mark.parametrize(
    ("first_seq", "told"),
    [(1, [R.DUPLICATE_CLIENT_ORDER_ID]), (10**6, ["routed"])],
    ids=["past", "future"],
)
def test_what_memory_let_go_of_is_looked_up(first_seq: int, told: list[Reason | str]) -> None:
    """The store may know more than this moment of a replay: what came later is no twin yet."""
    desk = Desk()
    turn = desk.do(place(new_order(2)), {"client-2": (order_id_of(99), first_seq)})
    assert answers(turn) == told


def test_the_same_order_looked_up_is_here_already() -> None:
    desk = Desk()
    turn = desk.do(place(new_order(2)), {"client-2": (order_id_of(2), 1)})
    assert (turn.events, turn.routes) == ([], [])


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


# ------------------------------------------------------------------ cancels


def a_full_desk() -> Desk:
    desk = Desk(accounts=(ACCOUNT, OTHER))
    desk.do(place(
        new_order(1), new_order(2, side=Side.SELL), new_order(3, symbol="ETH-USD"), new_order(4),
    ))  # fmt: skip
    desk.do(place(new_order(5), account_id=OTHER))
    desk.do(build.told(build.trade(4)))
    return desk


@pytest.mark.parametrize(
    ("which", "numbers"),
    [
        ({}, [1, 2, 3]),
        ({"symbol": "BTC-USD"}, [1, 2]),
        ({"symbol": "BTC-USD", "side": "buy"}, [1]),
        ({"side": "buy"}, [1, 3]),
        ({"symbol": "SOL-USD"}, []),
    ],
)
def test_cancel_all_that_fit(which: dict[str, str], numbers: list[int]) -> None:
    """Open ones only, oldest first, the account's own."""
    turn = a_full_desk().do(build.cancel(**which))
    assert turn.routes == [
        CancelRoute(order_id_of(n), ACCOUNT, "ETH-USD" if n == 3 else "BTC-USD") for n in numbers
    ]


def test_cancel_by_name_answers_each() -> None:
    """Open, closed, unknown, another's, and one named twice."""
    turn = a_full_desk().do(build.cancel(1, 4, 77, 5, 1))
    kinds = [(type(event).__name__, event.order_id) for event in turn.events]
    assert kinds == [
        ("OrderCancelRequested", order_id_of(1)),
        ("CancelRejected", order_id_of(4)),
        ("CancelRejected", order_id_of(77)),
        ("CancelRejected", order_id_of(5)),
    ]


# ------------------------------------------------------------------ reference data and money


def test_an_adjustment_is_booked_once() -> None:
    desk = Desk()
    free = desk.account.balances["USD"].free
    assert desk.do(build.credit("USD", 500, "a")).events
    assert desk.do(build.credit("USD", 500, "a")).events == []
    assert desk.do(build.credit("USD", -200, "b")).events
    balance = desk.account.balances["USD"]
    assert balance.free == free + 300
    assert balance.external == -(free + 300)


def test_what_changes_nothing_is_not_told() -> None:
    desk = Desk()
    assert desk.do(build.account()).events == []
    assert desk.do(c.SetInstrument(build.an_instrument())).events == []


@pytest.mark.parametrize(
    "changes",
    [
        {"tick_size": "0.1"}, {"lot_size": "1"}, {"base": "XBT"}, {"quote": "EUR"},
        {"symbol": "X-USD", "tick_size": "0"}, {"symbol": "X-USD", "lot_size": "-1"},
        {"symbol": "X-USD", "tick_size": "0.00001", "lot_size": "0.0001"},
        {"symbol": "X-USD", "tick_size": "abc"},
        {"maker_fee_ppm": 2_000},  # more than a hold is worked out with
        {"taker_fee_ppm": 1_000_001},
    ],
)  # fmt: skip
def test_an_instrument_that_cannot_be(changes: dict[str, str]) -> None:
    """Poison: nothing changes, and the next command is decided."""
    desk = Desk()
    before = desk.book.to_bytes()
    with pytest.raises(IllegalTransitionError):
        desk.do(c.SetInstrument(build.an_instrument(**{"symbol": "BTC-USD"} | changes)))
    assert desk.book.to_bytes() == before
    assert answers(desk.do(place(new_order(1)))) == ["routed"]


def test_a_halted_instrument_refuses_at_once() -> None:
    desk = Desk()
    desk.do(c.SetInstrument(build.an_instrument(state=InstrumentState.HALTED)))
    assert answers(desk.do(place(new_order(1)))) == [R.INSTRUMENT_NOT_TRADABLE]


@pytest.mark.parametrize("units", [10**18 + 1, -(10**18) - 1])
def test_money_has_a_bound(units: int) -> None:
    desk = Desk(accounts=())
    with pytest.raises(IllegalTransitionError):
        desk.do(build.credit("EUR", units, "typo"))
    assert "EUR" not in desk.account.balances


def test_a_command_we_do_not_know_is_poison() -> None:
    book = build.a_book()
    with pytest.raises(IllegalTransitionError, match="no decision for str"):
        step(book, 0, "hello", {})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        ("free", "sums to 1"),
        ("locked", "locks"),
        ("closed", "closed and still open"),
    ],
)
def test_a_breach_is_found(spoil: str, words: str) -> None:
    """The checks of every other test can fail."""
    desk = Desk()
    desk.do(place(new_order(1)))
    account: Account = desk.account
    balance = account.balances["USD"]
    if spoil == "free":
        balance.free += 1
    elif spoil == "locked":
        balance.locked += 1
        balance.free -= 1
    else:
        account.open[order_id_of(1)].terminal = "canceled"
    assert words in " ".join(breaches(desk.book.state))

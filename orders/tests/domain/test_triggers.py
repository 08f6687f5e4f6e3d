"""Orders that wait for a price: every type, both sides, what fires them, and how they end."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oms_project.adapters.ids import seeded
from oms_project.kernel.ports import Route
from oms_project.kernel.words import AccountState, OrderType, Side, Status, TimeInForce
from oms_project.tests.examples import examples
from orders.domain import commands as c
from orders.domain import events as e
from orders.domain.due import due
from orders.domain.order import Life, Order, status_of
from orders.domain.triggers import Triggers, trail_of
from orders.tests.domain import build
from orders.tests.domain.build import (
    ACCOUNT,
    BEGIN_NS,
    HOUR_NS,
    TICKS,
    Desk,
    a_stop,
    a_trailing_stop,
)
from risk.domain.rules import Reason

T, R = OrderType, Reason
BUY, SELL = {"side": Side.BUY}, {"side": Side.SELL}


def a_desk(*orders: c.NewOrder) -> Desk:
    """Return a desk with a long position that these orders were sent to."""
    desk = Desk()
    desk.do(build.place(*orders))
    return desk


def kinds(turn: build.Turn) -> list[str]:
    return [type(one).__name__ for one in turn.events if hasattr(one, "order_id")]


# ------------------------------------------------------------------ what fires

FIRES: list[tuple[dict[str, Any], int, int]] = [
    # the order                                               waits at  fires at
    ({"type": T.STOP, "stop_ticks": 9_900} | SELL,              9_901,    9_900),
    ({"type": T.STOP, "stop_ticks": 10_100} | BUY,             10_099,   10_100),
    ({"type": T.STOP_LIMIT, "stop_ticks": 9_900, "ticks": 9_890} | SELL, 9_901, 9_850),
    ({"type": T.TAKE_PROFIT, "stop_ticks": 10_100} | SELL,     10_099,   10_101),
    ({"type": T.TAKE_PROFIT, "stop_ticks": 9_900} | BUY,        9_901,    9_899),
    ({"type": T.TAKE_PROFIT_LIMIT, "stop_ticks": 9_900, "ticks": 9_900} | BUY, 9_901, 9_900),
    ({"type": T.TRAILING_STOP, "trail_ticks": 100, "stop_ticks": 0} | SELL, 9_901, 9_900),
    ({"type": T.TRAILING_STOP, "trail_ticks": 100, "stop_ticks": 0} | BUY, 10_099, 10_100),
    ({"type": T.TRAILING_STOP, "trail_bps": 50, "stop_ticks": 0} | SELL, 9_951, 9_950),
    ({"type": T.TRAILING_STOP, "trail_bps": 50, "stop_ticks": 0} | BUY, 10_049, 10_050),
]  # fmt: skip


@pytest.mark.parametrize(("terms", "waits_at", "fires_at"), FIRES)
def test_it_waits_for_its_price_and_then_goes(
    terms: dict[str, Any], waits_at: int, fires_at: int
) -> None:
    """Held here and unknown to the venue; sent as a limit or a market order when its price is there."""
    desk = Desk()
    turn = desk.do(build.place(a_stop(**terms)))
    assert kinds(turn) == ["OrderHeld"]
    assert turn.routes == []
    order = desk.order()
    assert status_of(order) is Status.TRIGGER_PENDING
    assert order.hold > 0
    assert desk.mark(waits_at).routes == []
    assert status_of(desk.order()) is Status.TRIGGER_PENDING
    turn = desk.mark(fires_at)
    assert kinds(turn) == ["OrderTriggered"]
    (route,) = turn.routes
    assert isinstance(route, Route)
    assert (route.lots, route.rests) == (10, "ticks" in terms and terms["ticks"] != 0)
    if terms.get("ticks"):
        assert route.limit_ticks == terms["ticks"]
    assert status_of(desk.order()) is Status.NEW
    assert desk.mark(waits_at).routes == desk.mark(fires_at).routes == []  # once


def test_a_trailing_stop_follows_the_best_mark_and_never_goes_back() -> None:
    desk = a_desk(a_trailing_stop())
    (held,) = [one for one in desk.events if isinstance(one[1], e.OrderHeld)]
    assert held[1].terms.stop_ticks == TICKS - 100  # type: ignore[union-attr]
    for mark in (10_500, 10_450, 10_401, 10_490, 10_410):
        assert desk.mark(mark).routes == []
    assert len(desk.mark(10_400).routes) == 1


def test_a_trail_in_parts_is_of_the_best_mark() -> None:
    """Half a percent of 20,000 is twice what it is of 10,000; what is not even is rounded up."""
    assert [trail_of(peak, 0, 50) for peak in (10_000, 20_000, 10_001, 1)] == [50, 100, 51, 1]
    desk = a_desk(a_trailing_stop(trail_bps=50))
    desk.mark(20_000)
    assert desk.mark(19_901).routes == []
    assert len(desk.mark(19_900).routes) == 1


@pytest.mark.parametrize(
    "order", [a_stop(stop_ticks=10_000), a_stop(stop_ticks=10_500, **BUY | {"type": T.TAKE_PROFIT})]
)
def test_what_would_fire_at_once_is_refused(order: c.NewOrder) -> None:
    """A stop on the wrong side of the market is a slip of the finger, not a market order."""
    assert build.answers(Desk().do(build.place(order))) == [R.WOULD_TRIGGER]


def test_another_symbol_s_mark_fires_nothing() -> None:
    desk = a_desk(a_stop())
    assert desk.mark(9_000, ("ETH-USD",)).routes == []


def test_what_was_fired_stays_fired_whatever_the_mark_does() -> None:
    """A mark between two others must not be missed: it fires when it is read, also behind a restart."""
    desk = a_desk(a_stop())
    desk.do(build.marks(desk.at_ns, 9_900))
    assert status_of(desk.order()) is Status.TRIGGER_PENDING
    desk.do(build.marks(desk.at_ns, 10_000))
    desk.book = build.again(desk.book)
    (one,) = due(desk.book, desk.at_ns)
    assert one.command == c.WakeOrders(ACCOUNT)
    (triggered,) = [x for x in desk.do(one.command).events if isinstance(x, e.OrderTriggered)]
    assert triggered.mark_ticks == 9_900
    assert due(desk.book, desk.at_ns) == []


def test_many_are_fired_oldest_first_and_so_many_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(c, "FIRED_MAX", 3)
    desk = a_desk(*[a_stop(n, lots=1, stop_ticks=9_900 + n) for n in range(1, 9)])
    desk.do(build.marks(desk.at_ns, 9_000))
    sent = []
    while dues := due(desk.book, desk.at_ns):
        sent += [route.order_id for route in desk.do(dues[0].command, dues[0].id).routes]
    assert sent == [build.order_id_of(n) for n in range(1, 9)]


# ------------------------------------------------------------------ how it ends here


def test_a_held_order_is_canceled_at_once() -> None:
    """Nobody else has to be asked, so nobody has to answer; its hold is free."""
    desk = a_desk(a_stop(), a_trailing_stop(2))
    turn = desk.do(build.cancel())
    assert kinds(turn) == ["OrderCanceled", "OrderCanceled"]
    assert turn.routes == []
    assert status_of(desk.order()) is Status.CANCELED
    assert desk.account.balances["BTC"].locked == 0
    assert desk.mark(9_000).routes == []
    (refused,) = desk.do(build.cancel(1)).events
    assert isinstance(refused, e.CancelRejected)


def test_a_held_order_expires_at_once() -> None:
    desk = a_desk(a_stop(time_in_force=TimeInForce.GTD, expires_ns=BEGIN_NS + HOUR_NS))
    turn = desk.wake(BEGIN_NS + HOUR_NS)
    assert kinds(turn) == ["OrderExpired"]
    assert (turn.routes, status_of(desk.order())) == ([], Status.EXPIRED)


def test_a_cancel_between_the_price_and_its_way_wins() -> None:
    desk = a_desk(a_stop())
    desk.do(build.marks(desk.at_ns, 9_900))
    desk.do(build.cancel(1))
    assert (due(desk.book, desk.at_ns), desk.wake().routes) == ([], [])
    assert status_of(desk.order()) is Status.CANCELED


def test_what_is_over_is_not_sent_because_its_price_is_there_too() -> None:
    desk = a_desk(a_stop(time_in_force=TimeInForce.GTD, expires_ns=BEGIN_NS + HOUR_NS))
    desk.do(build.marks(BEGIN_NS + HOUR_NS, 9_900))
    turn = desk.wake(BEGIN_NS + HOUR_NS)
    assert (kinds(turn), turn.routes) == (["OrderExpired"], [])
    assert due(desk.book, desk.at_ns) == []


@pytest.mark.parametrize(
    ("state", "reason"),
    [(AccountState.HALTED, R.ACCOUNT_SUSPENDED), (AccountState.CANCEL_ONLY, R.ACCOUNT_CANCEL_ONLY)],
)
def test_the_rules_are_asked_again_when_its_price_is_there(
    state: AccountState, reason: Reason
) -> None:
    """What was allowed when it was placed may not be now: the kill switch reaches what waits."""
    desk = a_desk(a_stop())
    desk.do(build.account(state=state))
    turn = desk.mark(9_900)
    assert kinds(turn) == ["OrderTriggered", "TriggerRefused"]
    order = desk.order()
    assert (status_of(order), order.reason, order.rejected_by) == (Status.REJECTED, reason, "oms")
    assert (order.hold, desk.account.balances["BTC"].locked, turn.routes) == (0, 0, [])


def test_its_own_hold_pays_for_it() -> None:
    """All that is free is held by it: it is judged as if it came now, with that back."""
    desk = Desk(funds={"BTC": 100_000, "USD": 0})
    desk.do(build.place(a_stop()))
    assert desk.account.balances["BTC"].free == 0
    assert len(desk.mark(9_900).routes) == 1


def test_a_gap_that_it_cannot_pay_refuses_a_buyer() -> None:
    desk = Desk(funds={"USD": 12_000_000})
    desk.do(build.place(a_stop(stop_ticks=10_100, **BUY)))
    turn = desk.mark(15_000)
    assert kinds(turn) == ["OrderTriggered", "TriggerRefused"]
    assert desk.order().reason == R.INSUFFICIENT_BALANCE


def test_a_trade_of_an_order_that_was_never_sent_is_booked() -> None:
    """A fill is never dropped; the account may only reduce until somebody has looked."""
    desk = a_desk(a_stop())
    desk.do(build.told(build.trade(1, 2, lots=4)))
    order = desk.order()
    assert (status_of(order), order.cum_lots) == (Status.PARTIALLY_FILLED, 4)
    assert desk.account.state is AccountState.REDUCE_ONLY
    build.moved_by_fills(desk)


def test_a_whole_trade_of_an_order_that_was_never_sent_ends_it() -> None:
    desk = a_desk(a_stop())
    desk.do(build.told(build.trade(1, 2)))
    assert status_of(desk.order()) is Status.FILLED
    assert desk.mark(9_000).routes == []


# ------------------------------------------------------------------ the index


def plain(order: Order, peak: int, mark: int) -> bool:
    """Tell by the definition whether an order fires."""
    terms = order.terms
    if terms.trails:
        assert terms.extras is not None
        trail = trail_of(peak, terms.extras.trail_ticks, terms.extras.trail_bps)
        return mark <= peak - trail if terms.sign < 0 else mark >= peak + trail
    return terms.fires_at(mark)


def an_order(dice: Any, number: int, mark: int) -> Order:
    side = dice.choice(tuple(Side))
    kind = dice.choice((T.STOP, T.TAKE_PROFIT, T.TRAILING_STOP, T.TRAILING_STOP, T.TRAILING_STOP))
    if kind is T.TRAILING_STOP:
        extras = dice.choice(
            ({"trail_ticks": dice.randint(1, 30)}, {"trail_bps": dice.randint(1, 400)})
        )
        new = a_stop(number, type=kind, side=side, stop_ticks=0, **extras)
    else:
        rises = (side is Side.BUY) is (kind is T.STOP)
        away = dice.randint(1, 30) * (1 if rises else -1)
        new = a_stop(number, type=kind, side=side, stop_ticks=mark + away)
    made = build.an_order(
        order_id=new.order_id, terms=new.terms, sign=new.terms.sign, life=Life.HELD
    )
    made.peak_ticks = mark if kind is T.TRAILING_STOP else 0
    return made


@given(st.integers(0, 2**32), st.integers(1, 80))
@examples(200)
def test_the_index_fires_what_the_definition_fires(seed: int, length: int) -> None:
    """Any orders, drops, marks and restarts: the same ids, in the same order, as asking each of them."""
    dice, triggers = seeded(seed), Triggers()
    mark, waits, peaks = 1_000, {}, {}
    for number in range(1, length):
        match dice.choice(("add", "add", "mark", "mark", "mark", "drop", "restart")):
            case "add":
                order = an_order(dice, number, mark)
                waits[order.order_id], peaks[order.order_id] = order, mark
                triggers.add(order)
            case "drop" if waits:
                gone = dice.choice(list(waits))
                del waits[gone]
                triggers.drop(gone)
            case "restart":
                triggers.settle()
                triggers = Triggers()
                for order in waits.values():
                    triggers.add(order)
            case _:
                mark = max(100, mark + dice.randint(-25, 25))
                fired = []
                for order_id, order in waits.items():
                    better = max if order.terms.sign < 0 else min
                    peaks[order_id] = better(peaks[order_id], mark)
                    if plain(order, peaks[order_id], mark):
                        fired.append(order_id)
                assert [one.order_id for one in triggers.fired(mark)] == sorted(fired)
                for order_id in fired:
                    del waits[order_id]
        triggers.settle()
        assert set(triggers.live) == set(waits)
        assert all(o.peak_ticks == peaks[o.order_id] for o in waits.values() if o.terms.trails)


def test_a_mark_that_fires_none_of_a_hundred_thousand_looks_at_few() -> None:
    """Counted, not timed: no order is asked unless it fires, also of those that trail."""
    triggers = Triggers()
    for number in range(20_000):
        new = a_trailing_stop(number, trail_ticks=500 + number % 100)
        order = build.an_order(order_id=new.order_id, terms=new.terms, life=Life.HELD, sign=-1)
        order.peak_ticks = TICKS + number % 50
        triggers.add(order)
        stop = a_stop(30_000 + number, stop_ticks=9_000 - number % 500)
        triggers.add(build.an_order(order_id=stop.order_id, terms=stop.terms, life=Life.HELD))
    triggers.fired(TICKS + 60)
    assert len(triggers.sellers.groups) == 1  # they trail one price from here on
    calls = 0
    first = triggers.sellers.groups[0].by_ticks.first

    def counted() -> tuple[int, str] | None:
        nonlocal calls
        calls += 1
        return first()

    for mark in range(TICKS, TICKS + 60):
        assert triggers.fired(mark) == []
    assert calls == 0
    assert counted() is not None

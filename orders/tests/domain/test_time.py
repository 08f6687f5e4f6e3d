"""What time does to orders: GTD, DAY, deadlines; commands in the log, and no clock."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oms_project.adapters.ids import seeded
from oms_project.kernel.ports import CancelRoute, Route
from oms_project.kernel.words import Side, Status, TimeInForce
from oms_project.tests.examples import examples
from orders.adapters import departure
from orders.domain import commands as c
from orders.domain import events as e
from orders.domain.apply_requests import AGAIN_NS
from orders.domain.due import due
from orders.domain.order import status_of
from orders.domain.route import route_of
from orders.domain.timers import Timers
from orders.domain.wake import DAY_NS
from orders.tests.domain import build
from orders.tests.domain.build import ACCOUNT, BEGIN_NS, HOUR_NS, OTHER, Desk, a_timed_order
from risk.domain.rules import Reason

END_NS = BEGIN_NS + HOUR_NS
R = Reason


def a_resting_desk(**changes: object) -> Desk:
    """Return a desk whose order 1 is GTD, at the venue and open."""
    desk = Desk()
    desk.do(build.place(a_timed_order(**changes)))
    desk.do(build.told(build.ack()))
    return desk


def kinds(turn: build.Turn) -> list[str]:
    return [type(one).__name__ for one in turn.events if isinstance(one, e._OrderEvent)]


# ------------------------------------------------------------------ GTD and DAY


def test_a_gtd_order_ends_expired_by_the_venue_s_word() -> None:
    """Its time asks; only evidence ends it, and what it held is free then."""
    desk = a_resting_desk()
    locked = desk.account.balances["USD"].locked
    assert due(desk.book, END_NS - 1) == []
    (one,) = due(desk.book, END_NS)
    assert (one.account_id, one.command) == (ACCOUNT, c.WakeOrders(ACCOUNT))
    turn = desk.wake(END_NS)
    assert kinds(turn) == ["OrderExpiryRequested"]
    assert turn.routes == [CancelRoute(build.order_id_of(1), ACCOUNT, "BTC-USD", expires=True)]
    assert status_of(desk.order()) is Status.PENDING_CANCEL
    assert desk.account.balances["USD"].locked == locked
    assert due(desk.book, END_NS) == []
    desk.do(build.told(build.expired(1, 2, "expired")))
    assert status_of(desk.order()) is Status.EXPIRED
    assert desk.account.balances["USD"].locked == 0


def test_a_day_order_ends_at_midnight_utc() -> None:
    """Of the day on which a door took it; the time is told with the order."""
    desk = Desk()
    turn = desk.do(build.place(build.new_order(time_in_force=TimeInForce.DAY)))
    (routed,) = [one for one in turn.events if isinstance(one, e.OrderRouted)]
    midnight_ns = (BEGIN_NS // DAY_NS + 1) * DAY_NS
    assert routed.terms.expires_ns == midnight_ns
    assert due(desk.book, midnight_ns - 1) == []
    assert kinds(desk.wake(midnight_ns)) == ["OrderExpiryRequested"]


def test_day_and_gtd_orders_rest_at_the_venue() -> None:
    for tif in (TimeInForce.DAY, TimeInForce.GTD):
        desk = Desk()
        turn = desk.do(build.place(a_timed_order(time_in_force=tif)))
        (route,) = turn.routes
        assert isinstance(route, Route)
        assert route.rests


def test_an_order_whose_time_is_over_is_never_sent() -> None:
    desk = Desk()
    turn = desk.do(build.place(a_timed_order(expires_ns=BEGIN_NS)))
    assert build.answers(turn) == [R.ALREADY_EXPIRED]
    assert due(desk.book, END_NS) == []


# ------------------------------------------------------------------ races


def test_a_fill_while_its_time_is_over_is_a_fill() -> None:
    """B.1.b and B.1.c: it stays pending, then FILLED; the request resolves as too late."""
    desk = a_resting_desk()
    desk.wake(END_NS)
    desk.do(build.told(build.trade(1, 2, lots=4)))
    assert status_of(desk.order()) is Status.PENDING_CANCEL
    turn = desk.do(build.told(build.trade(1, 3, lots=6)))
    assert kinds(turn) == ["OrderFilled", "CancelRejected"]
    assert status_of(desk.order()) is Status.FILLED


def test_a_cancel_that_is_open_ends_it_when_its_time_comes() -> None:
    """One request at most is open; the order ends as the first of them asked."""
    desk = a_resting_desk()
    desk.do(build.cancel(1))
    assert due(desk.book, END_NS) == []
    assert (desk.wake(END_NS).events, desk.wake(END_NS).routes) == ([], [])
    desk.do(build.told(build.canceled()))
    assert status_of(desk.order()) is Status.CANCELED


def test_a_cancel_after_its_time_is_answered_by_the_open_request() -> None:
    desk = a_resting_desk()
    desk.wake(END_NS)
    (refused,) = desk.do(build.cancel(1)).events
    assert isinstance(refused, e.CancelRejected)
    assert refused.cancel_reason == "cancel_pending"


@pytest.mark.parametrize("asked_by", ["client", "time"])
def test_a_venue_s_no_is_asked_again(asked_by: str) -> None:
    """A moment later, also after a restart: an order does not outlive its time because of one no."""
    desk = a_resting_desk()
    if asked_by == "client":
        desk.do(build.cancel(1))
        desk.at_ns = END_NS
    else:
        desk.wake(END_NS)
    desk.do(build.told(build.cancel_rejected(1, 2, "busy")))
    desk.book = build.again(desk.book)
    assert status_of(desk.order()) is Status.ACCEPTED
    again_ns = desk.at_ns + AGAIN_NS
    assert due(desk.book, again_ns - 1) == []
    assert kinds(desk.wake(again_ns)) == ["OrderExpiryRequested"]
    desk.do(build.told(build.expired(1, 3, "expired")))
    assert desk.account.again == {}


def test_a_late_fill_of_an_expired_order_is_booked() -> None:
    desk = a_resting_desk()
    desk.wake(END_NS)
    desk.do(build.told(build.expired(1, 2, "expired"), build.trade(1, 3, lots=4)))
    order = desk.order()
    assert (status_of(order), order.cum_lots, order.late_fill) == (Status.EXPIRED, 4, True)
    build.moved_by_fills(desk)


# ------------------------------------------------------------------ many, and again


def test_a_wake_said_twice_or_late_does_nothing_more() -> None:
    """Crashes and fenced owners say it twice; it names no order, so that is harmless."""
    desk = a_resting_desk()
    desk.do(build.place(a_timed_order(2, expires_ns=END_NS + HOUR_NS)))
    assert len(desk.wake(END_NS).routes) == 1
    assert desk.wake(END_NS).routes == []
    assert len(desk.wake(END_NS + HOUR_NS).routes) == 1


def test_more_than_one_command_may_end_at_one_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Earliest first, so many a command; each has an id of its own, and a restart forgets none."""
    monkeypatch.setattr(c, "CANCELS_MAX", 3)
    desk = Desk(accounts=(ACCOUNT, OTHER))
    desk.do(build.place(*[a_timed_order(n, expires_ns=END_NS - n % 2) for n in range(1, 9)]))
    desk.do(build.place(a_timed_order(20), account_id=OTHER))
    ended, ids = [], set()
    desk.at_ns = END_NS
    while dues := due(desk.book, END_NS):
        desk.book = build.again(desk.book)
        assert due(desk.book, END_NS) == dues
        for one in dues:
            ended += [route.order_id for route in desk.do(one.command, one.id).routes]
            ids.add(one.id)
    assert len(ids) == 4
    first = [build.order_id_of(n) for n in (1, 3, 5)]
    assert ended[:3] == first
    assert sorted(ended) == [build.order_id_of(n) for n in (*range(1, 9), 20)]


@given(st.integers(0, 2**32), st.integers(1, 60))
@examples(150)
def test_timers_are_a_sorted_list_however_they_were_set(seed: int, length: int) -> None:
    """Whatever was set, moved, dropped and taken: `take` and `ripe` say what the plainest list says."""
    dice, timers = seeded(seed), Timers()
    plain: dict[tuple[str, str], int] = {}
    for _ in range(length):
        account, name, at_ns = dice.choice("ab"), dice.choice("vwxyz"), dice.randint(0, 20)
        match dice.choice(("set", "set", "set", "drop", "take")):
            case "set":
                timers.set(account, name, at_ns)
                plain[account, name] = at_ns
            case "drop":
                timers.drop(account, name)
                plain.pop((account, name), None)
            case "take":
                most = dice.randint(1, 3)
                due_now = sorted(
                    (t, n) for (a, n), t in plain.items() if a == account and t <= at_ns
                )
                assert timers.take(account, at_ns, most) == [n for _, n in due_now[:most]]
                for _, taken in due_now[:most]:
                    del plain[account, taken]
        firsts = {a: min((t, n) for (one, n), t in plain.items() if one == a) for a, _ in plain}
        expected = {(a, n, t) for a, (t, n) in firsts.items() if t <= at_ns}
        assert set(timers.ripe(at_ns)) == expected
        assert timers.at == {
            a: {n: t for (one, n), t in plain.items() if one == a} for a, _ in plain
        }


def test_timers_that_are_dropped_leave_nothing_behind() -> None:
    """A million orders a day that end before their time must not fill the memory until then."""
    timers = Timers()
    for number in range(5_000):
        timers.set(ACCOUNT, f"order-{number}", 10**6 - number)
        timers.drop(ACCOUNT, f"order-{number}")
    timers.set(ACCOUNT, "stays", 1)
    assert (timers.at, len(timers._heaps[ACCOUNT])) == ({ACCOUNT: {"stays": 1}}, 1)
    assert len(timers._next) < 40


# ------------------------------------------------------------------ deadlines


def test_an_order_after_its_deadline_is_refused() -> None:
    turn = Desk().do(build.place(build.new_order(deadline_ns=BEGIN_NS)))
    assert build.answers(turn) == [R.DEADLINE_PASSED]


def test_an_order_with_a_deadline_says_so_on_its_way() -> None:
    turn = Desk().do(build.place(build.new_order(deadline_ns=END_NS), build.new_order(2)))
    assert [route.deadline_ns for route in turn.routes if isinstance(route, Route)] == [END_NS, 0]
    assert turn.deadlines
    assert not Desk().do(build.place(build.new_order())).deadlines


def test_nothing_leaves_after_its_deadline() -> None:
    """New orders; what the venue knows of already went in time, and a cancel always goes."""
    desk = Desk()
    desk.do(build.place(*[build.new_order(n, deadline_ns=END_NS) for n in (1, 2)]))
    desk.do(build.told(build.ack(2)))
    routes = [route_of(desk.order(1)), route_of(desk.order(2))]
    cancel = CancelRoute(build.order_id_of(1), ACCOUNT, "BTC-USD")
    assert departure.in_time([*routes, cancel], END_NS - 1) == ([*routes, cancel], [])
    leaving, late = departure.in_time([*routes, cancel], END_NS)
    assert leaving == [routes[1], cancel]
    ((account_id, reports),) = late
    desk.do(build.told(*reports, account_id=account_id))
    order = desk.order(1)
    assert (status_of(order), order.reason) == (Status.EXPIRED, "deadline_passed")
    assert order.hold == 0


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_time_and_reports_end_the_same_in_any_order(order: tuple[int, ...]) -> None:
    """Facts, status, position and cash, whether the fill, the end or its time comes first."""
    straight, mixed = a_resting_desk(side=Side.SELL), a_resting_desk(side=Side.SELL)
    said = [
        c.WakeOrders(ACCOUNT),
        build.told(build.trade(1, 2, lots=4)),
        build.told(build.expired()),
    ]
    for desk, turns in ((straight, range(3)), (mixed, order)):
        desk.at_ns = END_NS
        for index in (*turns, *turns):
            desk.do(said[index])
    assert status_of(mixed.order()) is status_of(straight.order()) is Status.EXPIRED
    assert mixed.account.balances == straight.account.balances
    assert mixed.account.positions == straight.account.positions
    facts = [build.msgspec.structs.asdict(one.order()) for one in (straight, mixed)]
    for one in facts:
        del one["version"]
    assert facts[0] == facts[1]

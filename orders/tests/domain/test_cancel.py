"""Cancels, by rows: which orders, answered how, how often, and how many at once."""

import pytest

from oms_project.kernel.ports import CancelRoute
from oms_project.kernel.words import Side, Status
from orders.domain import commands as c
from orders.domain.due import due
from orders.domain.order import status_of
from orders.tests.domain import build
from orders.tests.domain.build import ACCOUNT, OTHER, Desk, new_order, order_id_of, place
from risk.domain.rules import Reason

R = Reason


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
    """Open, closed, unknown and another's (of which nothing is written), and one named twice."""
    turn = a_full_desk().do(build.cancel(1, 4, 77, 5, 1))
    kinds = [(type(event).__name__, event.order_id) for event in turn.events]
    assert kinds == [
        ("OrderCancelRequested", order_id_of(1)),
        ("CancelRejected", order_id_of(4)),
        ("CancelRejected", order_id_of(1)),
    ]


@pytest.mark.usefixtures("short_memory")
@pytest.mark.parametrize("restarted", [False, True])
def test_a_cancel_sent_again_cancels_nothing_placed_since(restarted: bool) -> None:
    """A command is decided once an id, whatever its kind: a retry of cancel-all finds it done."""
    desk = Desk()
    desk.do(place(new_order(1)))
    assert len(desk.do(build.cancel(), "retry-me").routes) == 1
    desk.do(place(new_order(2)))
    for number in range(10, 30):  # whatever memory keeps in between
        desk.do(build.cancel(), f"other-{number}") if number == 10 else None
        desk.do(place(new_order(number, symbol="NO-USD")))
    desk.do(place(new_order(3)))
    if restarted:
        desk.book = build.again(desk.book)
    again = desk.do(build.cancel(), "retry-me")
    assert (again.events, again.routes) == ([], [])
    assert status_of(desk.order(3)) is Status.NEW


def test_a_cancel_of_more_than_one_command_may_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """In commands of their own that are due; of the orders there were, not of later ones."""
    monkeypatch.setattr(c, "CANCELS_MAX", 3)
    desk = Desk()
    desk.do(place(*[new_order(number) for number in range(1, 9)]))
    asked = [route.order_id for route in desk.do(build.cancel(), "all").routes]
    desk.do(place(new_order(50)))
    rounds = 0
    while dues := due(desk.book, desk.at_ns):
        desk.book = build.again(desk.book)  # a restart forgets nothing of it
        assert due(desk.book, desk.at_ns) == dues
        (one,) = dues
        assert (one.account_id, one.command) == (
            ACCOUNT,
            c.CancelOrders(ACCOUNT, (), request="all"),
        )
        asked += [route.order_id for route in desk.do(one.command, one.id).routes]
        assert desk.do(one.command, one.id).routes == []  # said twice, done once
        rounds += 1
    assert rounds == 2
    assert asked == [order_id_of(number) for number in range(1, 9)]
    assert status_of(desk.order(50)) is Status.NEW

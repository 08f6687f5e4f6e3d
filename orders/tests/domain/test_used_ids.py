"""An id is used once, for ever: client_order_ids, commands, adjustments; whatever memory lets go of."""

from typing import Any

import msgspec
import pytest

from oms_project.kernel import ids
from oms_project.kernel.errors import BadRecordError
from oms_project.kernel.numbers import NS_PER_MS
from orders.domain import commands as c
from orders.domain import used
from orders.domain.book import Book
from orders.tests.domain import build
from orders.tests.domain.build import ACCOUNT, BEGIN_NS, OTHER, Desk, answers, new_order, place
from risk.domain.rules import Reason

R = Reason
BEGIN_MS = BEGIN_NS // NS_PER_MS


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
    again = desk.do(place(new_order(1)))
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


@pytest.mark.usefixtures("short_memory")
@pytest.mark.parametrize("restarted", [False, True])
def test_a_client_order_id_is_used_once_for_ever(restarted: bool) -> None:
    """Also when memory let go of its order long ago: no store is asked, a snapshot has it all."""
    desk = Desk()
    for number in range(1, 30):
        desk.do(place(new_order(number)))
        desk.do(build.told(build.trade(number)))
    if restarted:
        desk.book = build.again(desk.book)
    for number in range(1, 30):
        turn = desk.do(place(new_order(100 + number, client_order_id=f"client-{number}")))
        assert answers(turn) == [R.DUPLICATE_CLIENT_ORDER_ID]
        assert desk.do(place(new_order(number))).events == []  # the very order, sent again


@pytest.mark.usefixtures("short_memory")
def test_a_batch_cannot_re_use_an_id_that_its_own_orders_push_out() -> None:
    """Each denial of the batch lets memory go of something; none of it becomes free again."""
    desk = Desk()
    desk.do(place(new_order(1)))
    desk.do(build.told(build.trade(1)))
    bad = [new_order(number, symbol="NO-USD") for number in range(2, 12)]
    turn = desk.do(place(*bad, new_order(50, client_order_id="client-1")))
    assert answers(turn)[-1] == R.DUPLICATE_CLIENT_ORDER_ID


@pytest.mark.usefixtures("short_memory")
def test_segments_are_written_once_and_named_by_the_state() -> None:
    """A segment that is missing, or another one, makes no book."""
    desk = Desk()
    for number in range(1, 30):
        desk.do(place(new_order(number, symbol="NO-USD")))
    bodies = desk.book.used.bodies()
    assert bodies == desk.book.used.unsaved
    assert [one.number for one in desk.book.state.used.segments] == list(bodies)
    data = desk.book.to_bytes()
    assert Book.from_bytes(data, bodies).to_bytes() == data
    for wrong in ({}, {**bodies, 0: bodies[1]}):
        with pytest.raises(BadRecordError, match="snapshot"):
            Book.from_bytes(data, wrong)


# ------------------------------------------------------------------ keys


def keyed(at_ms: int, key: str = "k", index: int = 0, **changes: Any) -> c.NewOrder:
    """Return an order as a door makes it: under a key, at a time, without a client_order_id."""
    order_id = ids.order_id(ids.order_id_base(ACCOUNT, "orders", key, at_ms), index)
    return new_order(order_id=order_id, client_order_id=order_id, **changes)


WEEK_MS = 7 * 86_400_000


@pytest.mark.usefixtures("short_memory")
@pytest.mark.parametrize("forgotten", [False, True])
@pytest.mark.parametrize("atomic", [False, True])
def test_a_key_is_one_order_for_ever(*, atomic: bool, forgotten: bool) -> None:
    """Its claim is forgotten after a week and the same key makes another id; no second order."""
    desk = Desk()
    first = keyed(BEGIN_MS)
    desk.do(place(first))
    if forgotten:
        over = msgspec.structs.replace(build.canceled(), order_id=first.order_id)
        desk.do(build.told(over))
        for number in range(2, 12):
            desk.do(place(new_order(number, symbol="NO-USD")))
        desk.book = build.again(desk.book)
    later = keyed(BEGIN_MS + WEEK_MS)
    assert later.order_id != first.order_id
    assert answers(desk.do(place(later, atomic=atomic))) == [R.DUPLICATE_CLIENT_ORDER_ID]
    others = place(keyed(BEGIN_MS + WEEK_MS, index=1), keyed(BEGIN_MS, "other"), atomic=atomic)
    assert answers(desk.do(others)) == ["routed", "routed"]
    assert desk.do(place(first)).events == []  # the very order, sent again


@pytest.mark.usefixtures("short_memory")
@pytest.mark.parametrize("told", [used.EXECUTION_MAX - 1, used.EXECUTION_MAX, 70_000])
def test_what_was_told_of_an_order_is_known_beyond_16_bits(told: int) -> None:
    """A report sent again is not booked twice, a late one is: of orders with any number of fills."""
    desk = Desk()
    desk.do(place(new_order(1, lots=10)))
    desk.do(build.told(build.trade(1, told, lots=4), build.canceled(1, told + 1)))
    for number in range(2, 12):
        desk.do(place(new_order(number, symbol="NO-USD")))
    desk.book = build.again(desk.book)
    again, late = (build.trade(1, told + n, lots=6, symbol="BTC-USD", sign=1) for n in (1, 2))
    desk.do(build.told(again))
    assert desk.account.positions["BTC-USD"].net_lots == 4
    desk.do(build.told(late))
    assert desk.account.positions["BTC-USD"].net_lots == 10

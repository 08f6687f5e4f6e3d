"""What the book lets go of, and what it can be made from again."""

import pytest

from oms_project.kernel.errors import BadRecordError
from orders.domain import apply
from orders.domain.book import Book
from orders.tests.domain.build import ACCOUNT, OTHER, Desk, new_order, order_id_of, place


def test_memory_keeps_the_newest_closed_orders(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two at once go, oldest first, with their client_order_ids; open orders stay."""
    monkeypatch.setattr(apply, "CLOSED_KEPT", 3)
    monkeypatch.setattr(apply, "EVICTED_AT_ONCE", 2)
    desk = Desk(accounts=(ACCOUNT, OTHER))
    desk.do(place(new_order(99)))
    for number in range(1, 8):
        desk.do(
            place(new_order(number, symbol="NO-USD"), account_id=OTHER if number % 2 else ACCOUNT)
        )
        assert len(desk.book.state.closed) < 5
    state = desk.book.state
    assert list(state.closed) == [order_id_of(n) for n in (5, 6, 7)]
    assert state.evicted == 4
    assert list(state.accounts[ACCOUNT].names) == ["client-99", "client-6"]
    assert list(state.accounts[OTHER].names) == ["client-5", "client-7"]
    # Its client_order_id was another order's first: that one keeps it.
    desk.do(place(new_order(10, client_order_id="client-99", symbol="NO-USD")))
    for number in range(11, 15):
        desk.do(place(new_order(number, symbol="NO-USD")))
    assert state.accounts[ACCOUNT].names["client-99"] == order_id_of(99)


def test_bytes_that_are_no_state() -> None:
    with pytest.raises(BadRecordError):
        Book.from_bytes(b"\xc1 not a state")

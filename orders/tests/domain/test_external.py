"""Trades of orders that are not known here, or not any more: booked, told, once."""

import pytest

from oms_project.kernel import ids
from oms_project.kernel.ports import Report
from oms_project.kernel.terms import Terms
from oms_project.kernel.words import AccountState, OrderType, Side, Status, TimeInForce
from orders.domain import apply, used
from orders.domain import events as e
from orders.domain.order import End, Fill, Life, Order, status_of
from orders.tests.domain import build
from orders.tests.domain.build import ACCOUNT, TICKS, VENUE, Desk, moved_by_fills, order_id_of
from orders.tests.domain.test_races import a_desk, quarantined


def an_unknown_trade(execution: int = 1, lots: int = 4, sign: int = 1) -> Report:
    return build.trade(77, execution, lots=lots, symbol="BTC-USD", sign=sign)


def external_id(number: int = 77) -> str:
    return ids.external_order_id(VENUE, order_id_of(number))


@pytest.mark.parametrize(("sign", "side"), [(1, Side.BUY), (-1, Side.SELL)])
def test_a_trade_of_an_unknown_order_is_booked_and_told(sign: int, side: Side) -> None:
    """Cash, fee and position move, under an order of its own that a person has to explain; once."""
    desk = Desk()
    for report in (an_unknown_trade(sign=sign), an_unknown_trade(sign=sign)):
        desk.do(build.told(report))
    desk.do(build.told(an_unknown_trade(2, 3, sign=sign)))
    told = [event for _, event in desk.events if isinstance(event, e.OrderExternal)]

    def terms(lots: int) -> Terms:
        return Terms("BTC-USD", side, OrderType.MARKET, TimeInForce.IOC, lots)

    assert told == [
        e.OrderExternal(external_id(), order_id_of(77), terms(4), VENUE, 1),
        e.OrderExternal(external_id(), order_id_of(77), terms(7), VENUE, 3),
    ]
    order = desk.book.state.closed[external_id()]
    assert order == Order(
        external_id(), ACCOUNT, order_id_of(77), terms(7), sign, 0, 0, 1_000, 500,
        life=Life.OVER, end=End.EXTERNAL, cum_lots=7, cost=7 * TICKS, fee=7_000, executions=2,
        last_fill=2, version=4, fills={1: Fill(4, TICKS, 1_000), 2: Fill(3, TICKS, 1_000)},
    )  # fmt: skip
    assert (status_of(order), order.late_fill, order.overfilled) == (Status.FILLED, False, False)
    assert desk.account.positions["BTC-USD"].net_lots == 7 * sign
    assert desk.account.state is AccountState.ACTIVE
    moved_by_fills(desk)
    assert quarantined(desk) == []


@pytest.mark.parametrize("sign", [0, 2])
def test_a_trade_without_a_side_cannot_be_booked(sign: int) -> None:
    desk = Desk()
    desk.do(build.told(an_unknown_trade(sign=sign)))
    assert quarantined(desk) == ["unknown_order"]


def test_an_impossible_trade_of_an_unknown_order_is_set_aside() -> None:
    """Nothing of it is told as an order."""
    desk = Desk()
    desk.do(build.told(an_unknown_trade(lots=4 * 10**17)))
    assert quarantined(desk) == ["impossible_trade"]
    assert not any(isinstance(event, e.OrderExternal) for _, event in desk.events)
    assert external_id() not in desk.book.state.closed


def test_an_unknown_order_that_changes_its_side_is_set_aside() -> None:
    desk = Desk()
    desk.do(build.told(an_unknown_trade()))
    desk.do(build.told(an_unknown_trade(2, sign=-1)))
    assert quarantined(desk) == ["unknown_order"]
    assert desk.account.positions["BTC-USD"].net_lots == 4


def evict_all(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let memory go of every closed order there is."""
    monkeypatch.setattr(apply, "CLOSED_KEPT", 1)
    monkeypatch.setattr(apply, "EVICTED_AT_ONCE", len(desk.book.state.closed) + 1)
    for _ in range(2):
        number = 900 + len(desk.commands)
        desk.do(build.place(build.new_order(number, symbol="NO-USD")))


@pytest.mark.parametrize("restarted", [False, True])
def test_a_late_fill_of_an_order_that_memory_let_go_of_is_booked(
    restarted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And one that was told before is not booked a second time, however long ago."""
    monkeypatch.setattr(used, "SEGMENT_PAIRS", 2)
    desk = a_desk("ack#1 fill:4#2 canceled#3")
    evict_all(desk, monkeypatch)
    assert order_id_of(1) not in desk.book.state.closed
    if restarted:
        desk.book = build.again(desk.book)
    sent_again = build.trade(1, 2, lots=4, symbol="BTC-USD", sign=1)
    desk.do(build.told(sent_again, build.ack(1), build.canceled(1, 3)))
    assert desk.account.positions["BTC-USD"].net_lots == 4
    desk.do(build.told(build.trade(1, 4, lots=6, symbol="BTC-USD", sign=1)))
    desk.do(build.told(build.trade(1, 4, lots=6, symbol="BTC-USD", sign=1)))
    assert desk.account.positions["BTC-USD"].net_lots == 10
    assert quarantined(desk) == []


@pytest.mark.parametrize("restarted", [False, True])
def test_an_external_order_that_memory_let_go_of_is_not_booked_again(
    restarted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes later is booked, each time under an order of its own; nothing twice."""
    desk = Desk()
    for execution in (1, 2, 3):
        for _ in range(2):
            desk.do(build.told(an_unknown_trade(execution)))
        evict_all(desk, monkeypatch)
        if restarted:
            desk.book = build.again(desk.book)
        for told in range(1, execution + 1):
            desk.do(build.told(an_unknown_trade(told)))
        assert desk.account.positions["BTC-USD"].net_lots == 4 * execution
    booked = [event for _, event in desk.events if isinstance(event, e.OrderExternal)]
    assert [event.version for event in booked] == [1, 1, 1]
    assert len({event.order_id for event in booked}) == 3
    assert quarantined(desk) == []

"""Events change the book: the only file that writes to its state.

Folding these over a partition's events gives the state the commands gave (marks, epoch and the
counters of what changed nothing aside): a property test holds them together.
"""

from collections.abc import Callable
from itertools import islice

from marketdata.domain.instrument import Units
from oms_project.kernel.numbers import PPM, ceil_div
from orders.domain import events as e
from orders.domain.book import CLOSED_KEPT, EVICTED_AT_ONCE, Account, Book
from orders.domain.order import CANCELED, REJECTED, Order, status_of


def apply(book: Book, account: Account, event: e.Event) -> None:
    """Change the book by one event of *account*."""
    _APPLIERS[type(event)](book, account, event)


def routed(book: Book, account: Account, event: e.OrderRouted) -> Order:
    """Open the order and lock its hold."""
    terms = event.terms
    sign = terms.sign
    order = Order(
        event.order_id, account.account_id, event.client_order_id, terms.symbol, terms.side,
        terms.type, terms.time_in_force, sign, terms.lots, terms.ticks,
        event.cap_ticks or terms.ticks, event.hold, version=1,
    )  # fmt: skip
    instrument = book.units[terms.symbol].instrument
    balance = account.balance(instrument.quote if sign > 0 else instrument.base)
    balance.free -= event.hold
    balance.locked += event.hold
    account.open[event.order_id] = order
    account.client_ids[event.client_order_id] = event.order_id
    return order


def denied(book: Book, account: Account, event: e.OrderDenied) -> None:
    """Remember the refused order: its ids are used up."""
    terms = event.terms
    order = Order(
        event.order_id, account.account_id, event.client_order_id, terms.symbol, terms.side,
        terms.type, terms.time_in_force, terms.sign, terms.lots, terms.ticks, 0, 0, terminal=REJECTED, rejected_by="oms", reason=event.reason, version=1,
    )  # fmt: skip
    account.client_ids.setdefault(event.client_order_id, event.order_id)
    _keep_closed(book, order)


def accepted(book: Book, account: Account, event: e.OrderAccepted) -> None:
    order = find(book, account, event.order_id)
    order.accepted = True
    _seen(order, event.execution, event.version)
    assert status_of(order) is event.status


def filled(book: Book, account: Account, event: e.OrderFilled) -> None:
    """Move cash, asset, fee and position; shrink the hold to what is still open."""
    order = find(book, account, event.order_id)
    order.fills[event.trade_id] = (event.lots, event.ticks)
    order.cum_lots = event.cum_lots
    order.cost = event.cost
    order.fee = event.fee
    order.fee_rest = event.fee_rest
    order.last_fill = max(order.last_fill, event.execution)
    _seen(order, event.execution, event.version)
    assert status_of(order) is event.status

    units = book.units[order.symbol]
    instrument = units.instrument
    base = account.balance(instrument.base)
    quote = account.balance(instrument.quote)
    base_units = event.lots * units.lot_units * order.sign
    quote_units = event.lots * event.ticks * units.tick_lot_units * order.sign
    base.free += base_units
    base.venue -= base_units
    quote.free -= quote_units + event.fill_fee
    quote.venue += quote_units
    quote.fees += event.fill_fee
    hold = required_hold(order, units)
    _change_hold(quote if order.sign > 0 else base, order, hold)
    account.position(order.symbol).fill(event.lots * order.sign, event.ticks)
    if order.closed:
        order.pending_cancel = False
        _close(book, account, order)


def required_hold(order: Order, units: Units) -> int:
    """Return what the open rest needs locked: buy = notional + fee still to come, sell = lots."""
    leaves = order.leaves
    if not leaves:
        return 0
    if order.sign < 0:
        return leaves * units.lot_units
    notional = units.notional(order.worst_ticks, leaves)
    fee = notional * units.instrument.taker_fee_ppm - order.fee_rest
    return notional + ceil_div(fee, PPM)


def cancel_requested(book: Book, account: Account, event: e.OrderCancelRequested) -> None:
    order = find(book, account, event.order_id)
    order.pending_cancel = True
    order.version = event.version
    assert status_of(order) is event.status


def canceled(book: Book, account: Account, event: e.OrderCanceled) -> None:
    """End the order; what it still held is free again."""
    order = find(book, account, event.order_id)
    order.terminal = CANCELED
    order.reason = event.reason
    _end(book, account, order, event.execution, event.version)
    assert status_of(order) is event.status


def rejected(book: Book, account: Account, event: e.OrderRejected) -> None:
    order = find(book, account, event.order_id)
    order.terminal = REJECTED
    order.rejected_by = "venue"
    order.reason = event.reason
    _end(book, account, order, event.execution, event.version)
    assert status_of(order) is event.status


def cancel_rejected(book: Book, account: Account, event: e.CancelRejected) -> None:
    if not event.version:
        return
    order = find(book, account, event.order_id)
    order.pending_cancel = False
    order.cancel_reject = max(order.cancel_reject, event.execution)
    _seen(order, event.execution, event.version)
    assert status_of(order) is event.status


def adjusted(book: Book, account: Account, event: e.BalanceAdjusted) -> None:
    balance = account.balance(event.asset)
    balance.free += event.units
    balance.external -= event.units
    account.adjustments[event.adjustment_id] = None


def account_changed(book: Book, account: Account, event: e.AccountChanged) -> None:
    account.name = event.name
    account.state = event.state
    account.limits = event.limits


def instrument_changed(book: Book, account: Account, event: e.InstrumentChanged) -> None:
    instrument = event.instrument
    book.state.instruments[instrument.symbol] = instrument
    book.units[instrument.symbol] = Units(instrument)


def quarantined(book: Book, account: Account, event: e.OrderQuarantined) -> None:
    book.state.quarantined += 1


def position_changed(book: Book, account: Account, event: e.PositionChanged) -> None:
    """Assert what the fills before it already did: a pair to the projector's row."""
    position = account.positions[event.symbol]
    assert (event.net_lots, event.cost) == (position.net_lots, position.cost)


def balance_changed(book: Book, account: Account, event: e.BalanceChanged) -> None:
    """Assert what the events before it already did, and that the books sum to zero."""
    balance = account.balance(event.asset)
    assert (event.free, event.locked) == (balance.free, balance.locked)
    assert balance.total() == 0, f"{account.account_id} {event.asset}: {balance}"


def find(book: Book, account: Account, order_id: str) -> Order:
    """Return the order, open or closed. KeyError is a bug: events only name what is known."""
    return account.open.get(order_id) or book.state.closed[order_id]


def _seen(order: Order, execution: int, version: int) -> None:
    order.version = version
    if execution > order.executions:
        order.executions = execution


def _change_hold(balance: object, order: Order, hold: int) -> None:
    change = hold - order.hold
    balance.locked += change  # type: ignore[attr-defined]
    balance.free -= change  # type: ignore[attr-defined]
    order.hold = hold


def _end(book: Book, account: Account, order: Order, execution: int, version: int) -> None:
    order.end_execution = execution
    order.pending_cancel = False
    _seen(order, execution, version)
    instrument = book.units[order.symbol].instrument
    asset = instrument.quote if order.sign > 0 else instrument.base
    _change_hold(account.balance(asset), order, 0)
    _close(book, account, order)


def _close(book: Book, account: Account, order: Order) -> None:
    if account.open.pop(order.order_id, None) is not None:
        _keep_closed(book, order)


def _keep_closed(book: Book, order: Order) -> None:
    state = book.state
    state.closed[order.order_id] = order
    if len(state.closed) < CLOSED_KEPT + EVICTED_AT_ONCE:
        return
    for gone in list(islice(state.closed.values(), EVICTED_AT_ONCE)):
        del state.closed[gone.order_id]
        client_ids = state.accounts[gone.account_id].client_ids
        if client_ids.get(gone.client_order_id) == gone.order_id:
            del client_ids[gone.client_order_id]
    state.evicted += EVICTED_AT_ONCE


_APPLIERS: dict[type, Callable[[Book, Account, object], object]] = {
    e.OrderRouted: routed,  # type: ignore[dict-item]
    e.OrderDenied: denied,  # type: ignore[dict-item]
    e.OrderAccepted: accepted,  # type: ignore[dict-item]
    e.OrderRejected: rejected,  # type: ignore[dict-item]
    e.OrderFilled: filled,  # type: ignore[dict-item]
    e.OrderCancelRequested: cancel_requested,  # type: ignore[dict-item]
    e.OrderCanceled: canceled,  # type: ignore[dict-item]
    e.CancelRejected: cancel_rejected,  # type: ignore[dict-item]
    e.OrderQuarantined: quarantined,  # type: ignore[dict-item]
    e.PositionChanged: position_changed,  # type: ignore[dict-item]
    e.BalanceChanged: balance_changed,  # type: ignore[dict-item]
    e.BalanceAdjusted: adjusted,  # type: ignore[dict-item]
    e.AccountChanged: account_changed,  # type: ignore[dict-item]
    e.InstrumentChanged: instrument_changed,  # type: ignore[dict-item]
}

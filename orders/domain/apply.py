"""Facts change the book. Each returns the event that tells it.

Only this file writes to the state, with apply_requests.py (what is asked of orders), apply_held.py
(what waits for a price) and apply_reference.py (what is not about orders).

An event is a view of what is there *after* the fact, read off, never worked out a second time. What
may happen at all was decided before (orders/domain/decide.py by orders/domain/law.py).
"""

from itertools import islice
from typing import Final

from marketdata.domain.instrument import SUM_MAX
from oms_project.kernel.numbers import PPM, ceil_div
from oms_project.kernel.ports import Report, ReportKind
from oms_project.kernel.terms import Terms
from oms_project.kernel.words import Side, Status
from orders.domain import events as e
from orders.domain.book import CLOSED_KEPT, EVICTED_AT_ONCE, Account, Book
from orders.domain.lanes import Lane
from orders.domain.order import HELD, LIVE, OVER, SENT, Asked, End, Fill, Life, Order, status_of
from orders.domain.used import lasting_name, other_key
from risk.domain.rules import Reason

_BUY: Final = Side.BUY
FILLED: Final = Status.FILLED

# ------------------------------------------------------------------ orders begin


def route(
    lane: Lane, order_id: str, client_order_id: str, terms: Terms, worst_ticks: int,
    hold: int,
) -> tuple[Order, e.OrderRouted]:  # fmt: skip
    """Open the order and lock its hold."""
    account = lane.account
    if terms.side is _BUY:
        sign, balance = 1, lane.quote
        lane.buy_lots += terms.lots
    else:
        sign, balance = -1, lane.base
        lane.sell_lots += terms.lots
    order = Order(
        order_id, account.account_id, client_order_id, terms, sign, worst_ticks, hold,
        lane.taker_ppm, lane.maker_ppm,
    )  # fmt: skip
    balance.free -= hold
    balance.locked += hold
    account.open[order_id] = order
    account.names[lasting_name(order_id, client_order_id)] = order_id
    cap_ticks = 0 if terms.ticks else worst_ticks
    return order, e.OrderRouted(order_id, client_order_id, terms, cap_ticks, hold)


def deny(
    book: Book, account: Account, order_id: str, client_order_id: str, terms: Terms, reason: str,
    used: int, limit: int,
) -> e.OrderDenied:  # fmt: skip
    """Remember the refused order: its ids are used up."""
    units = book.units.get(terms.symbol)
    order = Order(
        order_id, account.account_id, client_order_id, terms, terms.sign, 0, 0,
        units.instrument.taker_fee_ppm if units is not None else 0,
        units.instrument.maker_fee_ppm if units is not None else 0,
        life=Life.DENIED, reason=reason,
    )  # fmt: skip
    if reason != Reason.DUPLICATE_CLIENT_ORDER_ID:  # else it is another order's, for ever
        account.names[lasting_name(order_id, client_order_id)] = order_id
    keep_closed(book, order)
    return e.OrderDenied(order_id, client_order_id, terms, reason, used, limit)


def open_external(
    book: Book, lane: Lane, order_id: str, venue: str, report: Report, traded: Order | None
) -> tuple[Order, e.OrderExternal]:
    """Make, or make larger, the order that an unknown one's trades are booked under."""
    account = lane.account
    instrument = lane.units.instrument
    lots = report.lots + (traded.cum_lots if traded is not None else 0)
    terms = e.external_terms(lane.symbol, report.sign, lots)
    if traded is None:
        traded = Order(
            order_id, account.account_id, report.order_id, terms, report.sign, 0, 0,
            instrument.taker_fee_ppm, instrument.maker_fee_ppm, life=Life.OVER, end=End.EXTERNAL,
            version=0,
        )  # fmt: skip
        keep_closed(book, traded)
    traded.terms = terms
    traded.version += 1
    return traded, e.OrderExternal(order_id, report.order_id, terms, venue, traded.version)


# ------------------------------------------------------------------ the venue speaks


def acknowledge(order: Order, report: Report) -> e.OrderAccepted:
    order.life = LIVE
    saw(order, report.execution)
    order.version += 1
    return e.OrderAccepted(
        order.order_id, status_of(order), order.version, order.cum_lots, order.cost, order.fee,
        report.execution,
    )  # fmt: skip


def fits(lane: Lane | None, cost: int, report: Report) -> bool:
    """Tell whether a trade can be: of a listed symbol, with sums that can all be kept (SUM_MAX).

    cost: of the order's fills so far.
    """
    lots, ticks = report.lots, report.ticks
    if lane is None or lots <= 0 or ticks <= 0 or report.execution <= 0:
        return False
    base_units = lots * lane.lot_units
    quote_units = lots * ticks * lane.tick_lot_units
    base, quote, position = lane.base, lane.quote, lane.position
    base_room, room = SUM_MAX - base_units, SUM_MAX - quote_units
    # A fee is at most the notional; a rebate at most as much the other way.
    return (
        -base_room <= base.venue <= base_room
        and -room <= quote.venue <= room
        and -room <= quote.fees <= room
        and cost * lane.tick_lot_units <= room
        and (
            position is None
            or (abs(position.cost) + abs(position.realized)) * lane.tick_lot_units <= room
        )
    )


def fill(book: Book, lane: Lane, order: Order, report: Report, venue: str) -> e.OrderFilled:
    """Move cash, asset, fee and position; shrink the hold to what is still open."""
    lots, ticks, execution = report.lots, report.ticks, report.execution
    sign, terms = order.sign, order.terms
    wanted, before = terms.lots, order.cum_lots
    life = order.life
    was_open = before < wanted and (life is LIVE or life is SENT or life is HELD)
    rate_ppm = order.maker_ppm if report.maker else order.taker_ppm
    order.fills[execution] = Fill(lots, ticks, rate_ppm)
    cum_lots = order.cum_lots = before + lots
    cost = order.cost = order.cost + lots * ticks
    quote_units = lots * ticks * lane.tick_lot_units
    # The fee is rounded up once an order, not once a fill, so that it never outgrows the hold.
    exact = order.fee * PPM - order.fee_rest + quote_units * rate_ppm
    fee = -(-exact // PPM)
    fill_fee = fee - order.fee
    order.fee = fee
    order.fee_rest = fee * PPM - exact
    if execution > order.last_fill:
        order.last_fill = execution
    if execution > order.executions:
        order.executions = execution
    version = order.version = order.version + 1

    base, quote = lane.base, lane.quote
    base_units = lots * lane.lot_units
    if sign < 0:
        base_units, quote_units = -base_units, -quote_units
    base.free += base_units
    base.venue -= base_units
    quote.free -= quote_units + fill_fee
    quote.venue += quote_units
    quote.fees += fill_fee
    position = lane.position
    if position is None:
        position = lane.position = lane.account.position(lane.symbol)
    position.fill(lots * sign, ticks)
    if was_open:
        leaves = wanted - cum_lots if cum_lots < wanted else 0
        lane.pend(sign, leaves - wanted + before)
        if leaves:
            set_hold(lane, order, _required(lane, order, leaves))
        else:
            paying = quote if sign > 0 else base
            paying.locked -= order.hold
            paying.free += order.hold
            order.hold = 0
            del lane.account.open[order.order_id]
            keep_closed(book, order)
            if terms.extras is not None:
                unwatch(book, lane.account, order)
    # Only an order that is not open any more can have a late fill.
    late = not was_open and order.late_fill
    return e.OrderFilled(
        order.order_id, FILLED if cum_lots >= wanted else status_of(order), version, cum_lots, cost,
        fee, lane.symbol, terms.side, venue, execution, lots, ticks, report.maker, fill_fee, late,
        cum_lots > wanted,
    )  # fmt: skip


Ended = e.OrderCanceled | e.OrderExpired | e.OrderRejected
_ENDS: Final[dict[ReportKind, tuple[End, type[Ended]]]] = {
    ReportKind.CANCELED: (End.CANCELED, e.OrderCanceled),
    ReportKind.EXPIRED: (End.EXPIRED, e.OrderExpired),
    ReportKind.REJECTED: (End.REJECTED, e.OrderRejected),
}


def end(book: Book, lane: Lane | None, order: Order, report: Report) -> Ended:
    """End the order; what it still held is free again."""
    how, event = _ENDS[report.kind]
    open_before = order.leaves
    order.life = OVER
    order.asked = Asked.NOTHING
    order.end = how
    order.reason = report.reason
    order.end_execution = report.execution
    saw(order, report.execution)
    order.version += 1
    if open_before and lane is not None:
        lane.pend(order.sign, -open_before)
        set_hold(lane, order, 0)
        close(book, lane.account, order)
    return event(
        order.order_id, status_of(order), order.version, order.cum_lots, order.cost, order.fee,
        report.execution, report.reason, order.late_fill,
    )  # fmt: skip


def saw(order: Order, execution: int) -> None:
    """Remember the highest number the venue has used for the order."""
    if execution > order.executions:
        order.executions = execution


# ------------------------------------------------------------------ ids, reports, commands


def use(book: Book, kind: str, an_id: str) -> None:
    """A command's or adjustment's id is used up, for ever."""
    book.used.add(other_key(kind, an_id), 0)


def absorb(book: Book, count: int = 1) -> None:
    book.state.absorbed += count


def quarantine(book: Book, report: Report, reason: str) -> e.OrderQuarantined:
    book.state.quarantined += 1
    return e.OrderQuarantined(
        report.order_id, reason, report.kind, report.execution, report.lots, report.ticks,
        report.reason,
    )  # fmt: skip


def set_aside(book: Book, offset: int, reason: str) -> e.CommandSetAside:
    book.state.set_aside += 1
    return e.CommandSetAside(offset, reason)


def advance(book: Book, offset: int) -> None:
    """The command at *offset* is being decided: the next one is behind it."""
    book.state.offset = offset + 1


def emit(book: Book, account: Account, offset: int, events: int) -> None:
    """Number the events of a command."""
    account.seq += events
    book.state.event_command = offset
    book.state.accounts.setdefault(account.account_id, account)


# ------------------------------------------------------------------ inside


def _required(lane: Lane, order: Order, leaves: int) -> int:
    """Return what the open rest needs locked: buy = notional + fee still to come, sell = lots."""
    if order.sign < 0:
        return leaves * lane.lot_units
    notional = order.worst_ticks * leaves * lane.tick_lot_units
    return notional + ceil_div(notional * order.taker_ppm - order.fee_rest, PPM)


def set_hold(lane: Lane, order: Order, hold: int) -> None:
    balance = lane.quote if order.sign > 0 else lane.base
    change = hold - order.hold
    balance.locked += change
    balance.free -= change
    order.hold = hold


def close(book: Book, account: Account, order: Order) -> None:
    if account.open.pop(order.order_id, None) is not None:
        keep_closed(book, order)
        if order.terms.extras is not None:
            unwatch(book, account, order)


def unwatch(book: Book, account: Account, order: Order) -> None:
    """A closed order waits for nothing any more."""
    account.again.pop(order.order_id, None)
    book.unfire(account, order.order_id)
    book.follow(account, order)


def keep_closed(book: Book, order: Order) -> None:
    """Keep a closed order for late reports."""
    closed = book.state.closed
    closed[order.order_id] = order
    if len(closed) >= CLOSED_KEPT + EVICTED_AT_ONCE:
        let_go(book)


def let_go(book: Book) -> None:
    """Let go of the oldest closed orders; their ids, and how much of them was told, stay for ever."""
    state = book.state
    closed = state.closed
    accounts = state.accounts
    used, hash_of = book.used, book.hash_of
    for gone in list(islice(closed.values(), EVICTED_AT_ONCE)):
        del closed[gone.order_id]
        order_id, account_id = gone.order_id, gone.account_id
        name = lasting_name(order_id, gone.client_order_id)
        names = accounts[account_id].names
        if gone.end is End.EXTERNAL:
            used.add(other_key("external", order_id), gone.executions)
        elif names.get(name) == order_id:  # a refused twin has no name of its own
            del names[name]
            used.let_go(hash_of(account_id), name, order_id, gone.executions)
    state.evicted += EVICTED_AT_ONCE

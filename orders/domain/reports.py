"""What a venue says, decided by the order table: applied, absorbed, or set aside for a person."""

from collections.abc import Callable

from marketdata.domain.instrument import UNITS_MAX
from oms_project.kernel import ids
from oms_project.kernel.numbers import PPM, ceil_div
from oms_project.kernel.ports import Report, ReportKind
from oms_project.kernel.words import AccountState, Status
from orders.domain import apply
from orders.domain import commands as c
from orders.domain import events as e
from orders.domain.order import MOVES, Move, Order, Outcome, status_of, status_with
from orders.domain.turn import Turn, after

MOVE_OF = {
    ReportKind.NEW: Move.ACK,
    ReportKind.TRADE: Move.FILL,
    ReportKind.CANCELED: Move.CANCELED,
    ReportKind.REJECTED: Move.REJECTED,
    ReportKind.CANCEL_REJECTED: Move.CANCEL_REJECTED,
}


def report(turn: Turn, command: c.VenueReports) -> None:
    """Apply each report by the order table."""
    state = turn.book.state
    if command.epoch < state.epoch:
        state.absorbed += len(command.reports)  # a fenced owner's venue: its word is void
        return
    account = turn.account
    for one in command.reports:
        order = account.open.get(one.order_id) or state.closed.get(one.order_id)
        if order is None or order.account_id != account.account_id:
            _set_aside(turn, one, "unknown_order")
            continue
        outcome = MOVES[status_of(order)][MOVE_OF[one.kind]][0]
        if outcome is Outcome.APPLY:
            _REPORTERS[one.kind](turn, command.venue, order, one)
        elif outcome is Outcome.ABSORB:
            state.absorbed += 1
        else:
            _set_aside(turn, one, "illegal_transition")


def _set_aside(turn: Turn, one: Report, reason: str) -> None:
    turn.happen(e.OrderQuarantined(one.order_id, reason, repr(one)))


def _ack(turn: Turn, venue: str, order: Order, one: Report) -> None:
    if order.accepted:
        turn.book.state.absorbed += 1
        return
    status = status_of(order)
    if status is Status.NEW:
        status = Status.ACCEPTED
    event = e.OrderAccepted(*after(order, status), one.execution)
    apply.accepted(turn.book, turn.account, event)
    turn.events.append(event)


def _fill(turn: Turn, venue: str, order: Order, one: Report) -> None:
    trade_id = ids.trade_id(venue, order.order_id, one.execution)
    known = order.fills.get(trade_id)
    if known is not None:
        if known == (one.lots, one.ticks):
            turn.book.state.absorbed += 1
        else:
            _set_aside(turn, one, "trade_mismatch")
            _reduce_only(turn)
        return
    units = turn.book.units[order.symbol]
    instrument = units.instrument
    notional = units.notional(one.ticks, one.lots)
    if one.lots <= 0 or one.ticks <= 0 or notional > UNITS_MAX:
        _set_aside(turn, one, "impossible_trade")
        return
    rate_ppm = instrument.maker_fee_ppm if one.maker else instrument.taker_fee_ppm
    # The fee is rounded up once an order, not once a fill, so that it never outgrows the hold.
    exact = order.fee * PPM - order.fee_rest + notional * rate_ppm
    fee = ceil_div(exact, PPM)
    cum_lots = order.cum_lots + one.lots
    late = 0 < order.end_execution < max(one.execution, order.last_fill)
    event = e.OrderFilled(
        order.order_id, status_with(order, cum_lots), order.version + 1, cum_lots,
        order.cost + one.lots * one.ticks, fee, order.symbol, order.side, venue, trade_id,
        one.execution, one.lots, one.ticks, one.maker, fee - order.fee, fee * PPM - exact, late,
        cum_lots > order.lots,
    )  # fmt: skip
    apply.filled(turn.book, turn.account, event)
    turn.events.append(event)
    turn.symbols[order.symbol] = None
    turn.touch(order.symbol)
    if event.overfilled:
        _reduce_only(turn)


def _canceled(turn: Turn, venue: str, order: Order, one: Report) -> None:
    if order.terminal:  # of an order that is FILLED, told a second time
        turn.book.state.absorbed += 1
        return
    filled = order.cum_lots >= order.lots
    status = Status.FILLED if filled else Status.CANCELED
    late = 0 < one.execution < order.last_fill
    turn.happen(e.OrderCanceled(*after(order, status), one.execution, one.reason, late))
    turn.touch(order.symbol)


def _rejected(turn: Turn, venue: str, order: Order, one: Report) -> None:
    if order.cum_lots:  # PENDING_CANCEL hides that it is PARTIALLY_FILLED
        _set_aside(turn, one, "illegal_transition")
        return
    turn.happen(e.OrderRejected(*after(order, Status.REJECTED), one.execution, one.reason))
    turn.touch(order.symbol)


def _cancel_rejected(turn: Turn, venue: str, order: Order, one: Report) -> None:
    if 0 < one.execution <= order.cancel_reject:  # the answer to an earlier cancel, sent again
        turn.book.state.absorbed += 1
        return
    if order.cum_lots:
        status = Status.PARTIALLY_FILLED
    else:
        status = Status.ACCEPTED if order.accepted else Status.NEW
    turn.happen(e.CancelRejected(*after(order, status), one.reason, one.execution))


def _reduce_only(turn: Turn) -> None:
    account = turn.account
    if account.state is AccountState.ACTIVE:
        turn.happen(e.AccountChanged(account.name, AccountState.REDUCE_ONLY, account.limits))


_REPORTERS: dict[ReportKind, Callable[[Turn, str, Order, Report], None]] = {
    ReportKind.NEW: _ack,
    ReportKind.TRADE: _fill,
    ReportKind.CANCELED: _canceled,
    ReportKind.REJECTED: _rejected,
    ReportKind.CANCEL_REJECTED: _cancel_rejected,
}

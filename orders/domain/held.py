"""Orders that wait here for a price: how they begin, what a mark does, how they end before they are sent.

A mark only notes which orders it fires (`fire`): it is one command of a whole partition. What follows is
decided account by account when the engine says that it is due (`trigger`, orders/domain/wake.py): a
fired order stays fired, whatever the mark does in between.
"""

from oms_project.kernel.terms import Terms
from orders.domain import apply_held, law
from orders.domain.book import Book
from orders.domain.events import Event
from orders.domain.examine import Taken, case_of
from orders.domain.law import Kind, Outcome
from orders.domain.order import Order
from orders.domain.route import route_of
from orders.domain.triggers import trail_of
from orders.domain.turn import Turn
from risk.domain.rules import Measure, refusal


def waiting(book: Book, terms: Terms) -> Terms:
    """Return the terms with the first stop of a trailing order: so far behind the mark there is now."""
    mark = book.state.marks.get(terms.symbol)
    if not terms.trails or mark is None or terms.extras is None:
        return terms
    trail = trail_of(mark.ticks, terms.extras.trail_ticks, terms.extras.trail_bps)
    return terms.having(stop_ticks=max(1, mark.ticks + terms.sign * trail))


def trigger(turn: Turn, order: Order, mark_ticks: int) -> None:
    """Send an order whose price is there, if every rule lets it pass now as what it becomes."""
    book, account = turn.book, turn.account
    if law.row(order, Kind.TRIGGERED).outcome is not Outcome.APPLY:
        book.unfire(account, order.order_id)
        return
    lane = book.lane(account, order.terms.symbol)
    assert lane is not None, "a held order's instrument is listed"
    sent = order.terms.as_sent(order.leaves)
    case = case_of(book, account, sent, turn.at_ns, _own(order, lane.lot_units))
    why = refusal(case)
    turn.paid(lane, order.sign)
    if why is not None:
        turn.tell(apply_held.trigger(book, lane, order, mark_ticks, order.worst_ticks, order.hold))
        measured = why.measure is not Measure.NOTHING
        used, limit = (why.used, why.limit or 0) if measured else (0, 0)
        turn.tell(apply_held.refuse(book, lane, order, why.code, used, limit))
        return
    turn.tell(apply_held.trigger(book, lane, order, mark_ticks, case.worst_ticks, case.hold))
    turn.routes.append(route_of(order))
    turn.deadlines = turn.deadlines or order.terms.deadline_ns > 0


def _own(order: Order, lot_units: int) -> Taken:
    """Return what the order has taken already, taken back: it is judged as if it came now."""
    own = Taken()
    base, _, quote = order.terms.symbol.partition("-")
    pays, gets = (quote, base) if order.sign > 0 else (base, quote)
    own.paid[pays] = -order.hold
    own.got[gets] = -order.leaves * lot_units if order.sign > 0 else 0
    own.lots[order.terms.symbol, order.sign] = -order.leaves
    own.orders = -1
    return own


def end(turn: Turn, order: Order, *, expired: bool) -> Event:
    """End an order that waits here, at once: nobody else has to be asked."""
    lane = turn.book.lane(turn.account, order.terms.symbol)
    assert lane is not None, "a held order's instrument is listed"
    turn.paid(lane, order.sign)
    return apply_held.end(turn.book, lane, order, expired=expired)

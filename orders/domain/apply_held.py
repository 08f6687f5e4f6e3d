"""What waits here for a price changes the book: held, fired, sent or ended. See apply.py."""

from oms_project.kernel.terms import Terms
from orders.domain import events as e
from orders.domain.apply import close, route, set_hold
from orders.domain.book import Book
from orders.domain.lanes import Lane
from orders.domain.order import OVER, SENT, End, Life, Order, status_of


def hold(
    book: Book, lane: Lane, order_id: str, client_order_id: str, terms: Terms, worst_ticks: int,
    locked: int,
) -> tuple[Order, e.OrderHeld]:  # fmt: skip
    """Open the order and lock its hold; it waits here."""
    order, routed = route(lane, order_id, client_order_id, terms, worst_ticks, locked)
    order.life = Life.HELD
    if terms.trails:
        order.peak_ticks = book.state.marks[terms.symbol].ticks
    return order, e.OrderHeld(order_id, client_order_id, terms, routed.cap_ticks, locked)


def fire(book: Book, symbol: str, mark_ticks: int) -> None:
    """Note which orders' price is there."""
    triggers = book.triggers.get(symbol)
    if triggers is None or not mark_ticks:
        return
    for order in triggers.fired(mark_ticks):
        book.state.accounts[order.account_id].fired[order.order_id] = mark_ticks
        book.fired[order.account_id] = None


def trigger(
    book: Book, lane: Lane, order: Order, mark_ticks: int, worst_ticks: int, locked: int
) -> e.OrderTriggered:
    """It leaves for the venue, with what it needs locked by the prices of now."""
    order.life = SENT
    order.worst_ticks = worst_ticks
    set_hold(lane, order, locked)
    book.unfire(lane.account, order.order_id)
    book.follow(lane.account, order)
    order.version += 1
    cap_ticks = 0 if order.terms.ticks else worst_ticks
    return e.OrderTriggered(
        order.order_id, status_of(order), order.version, order.cum_lots, order.cost, order.fee,
        lane.symbol, mark_ticks, cap_ticks, locked,
    )  # fmt: skip


def refuse(
    book: Book, lane: Lane, order: Order, reason: str, used: int, limit: int
) -> e.TriggerRefused:
    """It never leaves: refused by us, as if it had come now."""
    _release(book, lane, order)
    order.life = Life.DENIED
    order.reason = reason
    close(book, lane.account, order)
    return e.TriggerRefused(
        order.order_id, status_of(order), order.version, order.cum_lots, order.cost, order.fee,
        reason, used, limit,
    )  # fmt: skip


def end(book: Book, lane: Lane, order: Order, *, expired: bool) -> e.OrderCanceled | e.OrderExpired:
    """It ends here, without the venue, which has never heard of it (its end has no number)."""
    _release(book, lane, order)
    order.life = OVER
    order.end = End.EXPIRED if expired else End.CANCELED
    order.reason = "expired" if expired else "requested"
    close(book, lane.account, order)
    event = e.OrderExpired if expired else e.OrderCanceled
    return event(
        order.order_id, status_of(order), order.version, order.cum_lots, order.cost, order.fee, 0,
        order.reason, False,
    )  # fmt: skip


def _release(book: Book, lane: Lane, order: Order) -> None:
    lane.pend(order.sign, -order.leaves)
    set_hold(lane, order, 0)
    book.unfire(lane.account, order.order_id)
    order.version += 1

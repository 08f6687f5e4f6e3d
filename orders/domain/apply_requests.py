"""What is asked of an order changes the book: cancels, and what its time asks for. See apply.py."""

from typing import Final

from oms_project.kernel.numbers import NS_PER_S
from orders.domain import events as e
from orders.domain.apply import saw
from orders.domain.book import Account, Book
from orders.domain.order import Asked, Order, status_of

AGAIN_NS: Final = NS_PER_S
"""So long after a venue's no it is asked again to end an order whose time is over."""


def ask_cancel(book: Book, account: Account, order: Order) -> e.OrderCancelRequested:
    order.asked = Asked.CANCEL
    order.version += 1
    if order.terms.extras is not None:
        book.follow(account, order)
    return e.OrderCancelRequested(
        order.order_id, status_of(order), order.version, order.cum_lots, order.cost, order.fee
    )


def answer_cancel(
    book: Book, account: Account, order: Order, reason: str, at_ns: int, execution: int = 0
) -> e.CancelRejected:
    """The open cancel did nothing: by the venue's word, or because the last fill was first."""
    order.asked = Asked.NOTHING
    order.cancel_reject = max(order.cancel_reject, execution)
    saw(order, execution)
    expires_ns = order.terms.expires_ns
    if expires_ns and not order.closed:
        if expires_ns <= at_ns:
            account.again[order.order_id] = at_ns + AGAIN_NS
        book.follow(account, order)
    return refuse_cancel(order, reason, execution)


def refuse_cancel(order: Order, reason: str, execution: int = 0) -> e.CancelRejected:
    """Answer a cancel that changes nothing, not even what is open."""
    order.version += 1
    return e.CancelRejected(
        order.order_id, status_of(order), order.version, order.cum_lots, order.cost, order.fee,
        reason, execution,
    )  # fmt: skip


def keep_canceling(book: Book, account: Account, request: str, order_ids: list[str]) -> None:
    """Remember what a request to cancel has still to reach; [] ends it."""
    if order_ids:
        account.canceling[request] = order_ids
        book.canceling[account.account_id] = None
        return
    account.canceling.pop(request, None)
    if not account.canceling:
        book.canceling.pop(account.account_id, None)


def ask_expiry(book: Book, account: Account, order: Order) -> e.OrderExpiryRequested:
    """Its time is over: the venue is asked to end it."""
    order.asked = Asked.EXPIRE
    order.version += 1
    book.follow(account, order)
    return e.OrderExpiryRequested(
        order.order_id, status_of(order), order.version, order.cum_lots, order.cost, order.fee
    )

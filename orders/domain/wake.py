"""What time does to orders: how long they last, and what happens when their time is over.

The time is that of the command in whose turn it is decided: the door's, or the one at which the engine
said that something is due. Nobody looks at a clock here.
"""

from typing import Final

from oms_project.kernel.numbers import NS_PER_S
from oms_project.kernel.ports import CancelRoute
from oms_project.kernel.terms import Terms
from oms_project.kernel.words import TimeInForce
from orders.domain import apply, apply_requests, commands, held, law
from orders.domain.commands import WakeOrders
from orders.domain.law import Kind, Outcome
from orders.domain.order import HELD, Order
from orders.domain.turn import Turn

DAY_NS: Final = 86_400 * NS_PER_S
"""A trading day, from midnight to midnight UTC."""


def lasting(terms: Terms, at_ns: int) -> Terms:
    """Return the terms with the end of the day on which an order was taken, if that is its end."""
    if terms.time_in_force is not TimeInForce.DAY:
        return terms
    return terms.having(expires_ns=(at_ns // DAY_NS + 1) * DAY_NS)


def wake(turn: Turn, command: WakeOrders) -> None:
    """Do what is due in the account by now; what one command cannot reach is due next.

    Time comes first: what is over is not sent any more because its price is there as well.
    """
    book, account = turn.book, turn.account
    for name in book.timers.take(account.account_id, turn.at_ns, commands.CANCELS_MAX):
        _expire(turn, account.open[name])
    for order_id, mark_ticks in list(account.fired.items())[: commands.FIRED_MAX]:
        held.trigger(turn, account.open[order_id], mark_ticks)


def _expire(turn: Turn, order: Order) -> None:
    """Ask the venue to end an order whose time is over: only its word is the end, if it has the order."""
    if law.row(order, Kind.EXPIRY_DUE).outcome is not Outcome.APPLY:
        apply.absorb(turn.book)
        return
    if order.life is HELD:
        turn.tell(held.end(turn, order, expired=True))
        return
    turn.tell(apply_requests.ask_expiry(turn.book, turn.account, order))
    turn.routes.append(
        CancelRoute(order.order_id, order.account_id, order.terms.symbol, expires=True)
    )

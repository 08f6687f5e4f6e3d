"""What the venue is told of an order."""

from typing import Final

from oms_project.kernel.ports import Route
from oms_project.kernel.words import TimeInForce
from orders.domain.order import Order

_IOC: Final = TimeInForce.IOC
_FOK: Final = TimeInForce.FOK


def route_of(order: Order) -> Route:
    """Return what the venue is told of an order, new or still open after a restart."""
    terms = order.terms
    tif = terms.time_in_force
    return Route(
        order.order_id, order.account_id, terms.symbol, order.sign, terms.lots - order.cum_lots,
        order.worst_ticks, terms.ticks != 0 and tif is not _IOC and tif is not _FOK, tif is _FOK,
        order.executions, 0 if terms.extras is None else terms.extras.deadline_ns,
    )  # fmt: skip

"""Orders as the bytes that every door answers with."""

import msgspec

from oms_project.kernel.ports import OrderRow
from orders.queries import shapes, units_of

_encode = msgspec.json.Encoder().encode


def order_bytes(row: OrderRow) -> bytes:
    """Return an order's JSON: that of GET /api/orders/{id}."""
    return _encode(shapes.order(row, units_of(row.terms.symbol)))

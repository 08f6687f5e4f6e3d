"""Orders as the bytes that every door answers with."""

import msgspec

from oms_project.kernel.ports import OrderRow
from orders.queries import shown_order

_encode = msgspec.json.Encoder().encode


def order_bytes(row: OrderRow) -> bytes:
    """Return an order's JSON: that of GET /api/orders/{id}."""
    return _encode(shown_order(row))

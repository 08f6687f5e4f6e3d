"""An order's row as the bytes the API shows: what `Prefer: wait` answers and stores."""

import msgspec

from oms_project.kernel.ports import OrderRow
from orders import queries

_encode = msgspec.json.Encoder().encode


def order_bytes(row: OrderRow) -> bytes:
    """Return the order as GET /api/orders/{id} would show it."""
    return _encode(queries.order(row))

"""The read side of orders (reader.py), how rows look (shapes.py), and where a list goes on (cursors.py)."""

from orders.queries.reader import (
    Queries,
    Story,
    open_chunk,
    shown_event,
    shown_order,
    units_of,
)

__all__ = ["Queries", "Story", "open_chunk", "shown_event", "shown_order", "units_of"]

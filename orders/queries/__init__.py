"""The read side of orders (reader.py), how rows look (shapes.py), and where a list goes on (cursors.py)."""

from orders.queries.reader import Queries, Story, units_of

__all__ = ["Queries", "Story", "units_of"]

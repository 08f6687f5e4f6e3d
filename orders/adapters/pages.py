"""Lists of orders in pages, as every store gives them: where they begin and end, and the whole of one."""

from collections.abc import Callable

import msgspec

from oms_project.kernel import ids
from oms_project.kernel.numbers import NS_PER_MS
from oms_project.kernel.ports import OrderPage, OrderQuery, OrderRow


def since(query: OrderQuery) -> str:
    """Return the smallest order id of the list; "" if there is no end to it."""
    return "" if query.from_ns is None else ids.first_id(query.from_ns)


def before(query: OrderQuery) -> str | None:
    """Return the id that every order of the list is below, None if there is none."""
    if query.to_ns is None:
        return query.before_id
    # The millisecond of to_ns counts, unless it is the first moment of it.
    to_id = ids.first_id(query.to_ns + NS_PER_MS - 1)
    return to_id if query.before_id is None else min(to_id, query.before_id)


def whole(page: Callable[[OrderQuery], OrderPage], query: OrderQuery) -> list[OrderRow]:
    """Return query.limit orders, or all if there are fewer, however many pages that takes."""
    found = page(query)
    rows = list(found.rows)
    while found.before_id is not None and len(rows) < query.limit:
        rest = msgspec.structs.replace(
            query, before_id=found.before_id, limit=query.limit - len(rows)
        )
        found = page(rest)
        rows += found.rows
    return rows

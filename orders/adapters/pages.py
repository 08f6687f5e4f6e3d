"""Lists of orders in pages, as every store gives them: where they begin and end, and the whole of one.

An account at a time, merged by id: no index gives several accounts in one order. A page looks at
SCAN_MAX rows at most: filters that no index answers say where they stopped, and the list goes on there.
"""

from collections.abc import Callable, Sequence
from heapq import merge
from typing import Final, TypeVar

import msgspec

from oms_project.kernel import ids
from oms_project.kernel.numbers import NS_PER_MS
from oms_project.kernel.ports import OrderPage, OrderQuery, OrderRow

SCAN_MAX: Final = 10_000
"""Rows looked at for one page, of all accounts together."""
SCAN_MIN: Final = 200

Account = TypeVar("Account")
Ids = tuple[list[str], str]
"""Of one account, newest first: one id more than a page, and how far it looked ("": to the end)."""


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


def merged(
    limit: int,
    accounts: Sequence[Account],
    ids_of: Callable[[Account, int], Ids],
    rows_of: Callable[[Sequence[tuple[str, Account]]], list[OrderRow]],
) -> OrderPage:
    """Return the newest orders of all *accounts*: ids first, then the rows of those that are shown.

    ids_of: of one account, looking at so many rows; rows_of: of (order id, account), in any order.
    """
    lists: list[list[tuple[str, Account]]] = []
    seen_to = ""
    for account in accounts:
        found, stopped_at = ids_of(account, max(SCAN_MIN, SCAN_MAX // len(accounts)))
        lists.append([(order_id, account) for order_id in found])
        seen_to = max(seen_to, stopped_at)
    # An account that was not looked at to its end may have more below where it stopped.
    every = [
        one for one in merge(*lists, key=lambda one: one[0], reverse=True) if one[0] >= seen_to
    ]
    shown = every[:limit]
    rows = sorted(rows_of(shown), key=lambda row: row.order_id, reverse=True)
    before_id = shown[-1][0] if len(every) > len(shown) else seen_to
    return OrderPage(rows, before_id or None)


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

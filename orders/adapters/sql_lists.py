"""Lists of orders in the SQL store: bounded in time and memory, whatever is asked for.

Rules of this file:
- Filters without an index of their own (a symbol, a side, a status that is over) look at so many rows
  as pages.py says. Every index is paid for by every order; one by symbol costs a fifth of storing it.
- At most READERS at once: what they read stays in memory until it is sent.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from oms_project.kernel import ports as p
from oms_project.kernel.errors import TransportError
from oms_project.kernel.words import OPEN, Status
from orders.adapters import pages, sql_rows
from orders.adapters.sql_wire import SqlWire, marks

READERS: Final = 8
READER_WAIT_S: Final = 2.0


class SqlLists:
    """`page` of the OrderStore port."""

    def __init__(self, wire: SqlWire) -> None:
        self._wire = wire
        self._room = threading.BoundedSemaphore(READERS)

    # -------------------------------------------------------------- orders

    def page(self, query: p.OrderQuery) -> p.OrderPage:
        """As OrderStore.page."""
        if not query.account_ids:
            return p.OrderPage([])
        with self._reading():
            texts = [*query.account_ids, *([query.symbol] if query.symbol is not None else [])]
            names = self._wire.numbers(texts)
            if query.symbol is not None and query.symbol not in names:
                return p.OrderPage([])
            accounts = [names[one] for one in query.account_ids if one in names]

            def ids_of(account: int, scan: int) -> pages.Ids:
                return self._ids(_Filter(query, account, names), scan)

            return pages.merged(query.limit, accounts, ids_of, self._orders)

    def _ids(self, where: "_Filter", scan: int) -> pages.Ids:
        stop = ""
        if where.scans:
            last = self._wire.rows(
                f"SELECT order_id FROM orders_order WHERE {where.indexed} "
                "ORDER BY order_id DESC LIMIT 1 OFFSET %s",
                *where.indexed_values, scan - 1,
            )  # fmt: skip
            stop = last[0][0] if last else ""
        condition, values = where.indexed, list(where.indexed_values)
        if stop:
            condition, values = f"{condition} AND order_id >= %s", [*values, stop]
        if where.rest:
            condition, values = f"{condition} AND {where.rest}", [*values, *where.rest_values]
        table, inner = where.table()
        rows = self._wire.rows(
            f"SELECT order_id FROM {table} WHERE {condition} ORDER BY order_id DESC LIMIT %s",
            *inner, *values, where.limit + 1,
        )  # fmt: skip
        return [row[0] for row in rows], "" if len(rows) > where.limit else stop

    def _orders(self, shown: Sequence[tuple[str, int]]) -> list[p.OrderRow]:
        by_account: dict[int, list[str]] = {}
        for order_id, account in shown:
            by_account.setdefault(account, []).append(order_id)
        found = []
        for account, ids in by_account.items():
            rows = self._wire.rows(
                f"SELECT {sql_rows.ORDER_COLUMNS} FROM orders_order o WHERE o.account = %s "
                f"AND o.order_id IN ({marks(ids)})",
                account, *ids,
            )  # fmt: skip
            found += [sql_rows.order_row(row) for row in rows]
        return found

    @contextmanager
    def _reading(self) -> Iterator[None]:
        if not self._room.acquire(timeout=READER_WAIT_S):
            raise TransportError("store", "too many lists are being read")
        try:
            yield
        finally:
            self._room.release()


class _Filter:
    """One account's part of a query: what an index answers, and what each row must be looked at for."""

    def __init__(self, query: p.OrderQuery, account: int, names: dict[str, int]) -> None:
        self.limit = query.limit
        self._account = account
        self._client_order_id = query.client_order_id
        self.indexed, self.indexed_values = self._by_index(query, account)
        self.rest, self.rest_values = self._by_row(query, names)
        self.scans = bool(self.rest) and query.client_order_id is None

    def table(self) -> tuple[str, list[Any]]:
        """Return what to select from: all orders, or the few of a client_order_id.

        Those first, whatever the order: else a planner walks the account in the order that is asked
        for, through all its orders, to find the one.
        """
        if self._client_order_id is None:
            return "orders_order", []
        few = (
            "(SELECT * FROM orders_order WHERE account = %s AND client_order_id = %s "
            f"LIMIT {pages.SCAN_MAX}) AS few"
        )
        return few, [self._account, self._client_order_id]

    @staticmethod
    def _by_index(query: p.OrderQuery, account: int) -> tuple[str, list[Any]]:
        before, since = pages.before(query), pages.since(query)
        conditions: list[tuple[str, Any]] = [("account = %s", account)]
        if before is not None:
            conditions.append(("order_id < %s", before))
        if since:
            conditions.append(("order_id >= %s", since))
        text = " AND ".join(condition for condition, _ in conditions)
        if query.statuses and OPEN.issuperset(query.statuses):
            text += (
                " AND live = 1"  # a literal, so that the planner may use the index of open orders
            )
        return text, [value for _, value in conditions]

    @staticmethod
    def _by_row(query: p.OrderQuery, names: dict[str, int]) -> tuple[str, list[Any]]:
        conditions: list[str] = []
        values: list[Any] = []
        if query.symbol is not None:
            conditions.append("symbol = %s")
            values.append(names[query.symbol])
        if query.side is not None:
            conditions.append("side = %s")
            values.append(query.side)
        statuses = {Status(status) for status in query.statuses}
        if statuses and statuses != OPEN:
            conditions.append(f"status IN ({marks(tuple(statuses))})")
            values += [status.value for status in statuses]
        return " AND ".join(conditions), values

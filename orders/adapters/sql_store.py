"""The OrderStore port on Django's SQL databases (SQLite, PostgreSQL): what is written, and by id.

Rules of this file: writes are executemany of statements that mean the same when run twice; rows
come and go as tuples, never as model instances. Lists are in sql_lists.py.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from django.conf import settings

from oms_project.adapters.crash import crash
from oms_project.kernel import ports as p
from orders.adapters import pages, sql_rows
from orders.adapters import sql_statements as sql
from orders.adapters.sql_lists import SqlLists
from orders.adapters.sql_snapshots import SqlSnapshots
from orders.adapters.sql_wire import SqlWire, columns, marks

_astuple = msgspec.structs.astuple


class SqlStore:
    """Orders in SQL tables of the database *alias*."""

    def __init__(self, alias: str | None = None) -> None:
        self._wire = SqlWire(alias or settings.STORE_ALIAS)
        self._rows = self._wire.rows
        self.page = SqlLists(self._wire).page
        snapshots = SqlSnapshots(self._wire)
        self.take_epoch = snapshots.take_epoch
        self.save_snapshot = snapshots.save
        self.load_snapshot = snapshots.load
        self.snapshots = snapshots.all
        self.save_segments = snapshots.save_segments
        self.segments = snapshots.segments

    # -------------------------------------------------------------- writing

    def apply(self, changes: p.Changes) -> None:
        with self._wire.writing() as write:
            names = self._numbers(write, sql_rows.names_in(changes))
            write(sql.INSERT_ORDER, sql_rows.orders(changes.orders, names))
            plain, facts = sql_rows.updates(changes.updates, names)
            write(sql.UPDATE_ORDER, plain)
            write(sql.UPDATE_ORDER_FACTS, facts)
            write(sql.INSERT_STEP, sql_rows.steps(changes.steps, names))
            write(sql.UPSERT_POSITION, [_astuple(row) for row in changes.positions])
            write(sql.UPSERT_BALANCE, [_astuple(row) for row in changes.balances])
            write(sql.INSERT_CHUNK, [_astuple(row) for row in changes.chunks])
            progress = (changes.partition, changes.next_offset, changes.last_command)
            write(sql.UPSERT_PROGRESS, [progress])
            crash("store.before_commit")
        crash("store.after_commit")

    def _numbers(self, write: Any, texts: Iterable[str]) -> dict[str, int]:
        """Return the number of each text, made now if it has none: in this transaction.

        Never remembered: a store that was rebuilt has other numbers.
        """
        wanted = sorted(texts)  # two writers that add the same texts must not wait crosswise
        known = self._wire.numbers(wanted)
        new = [(text,) for text in wanted if text not in known]
        if new:
            write(sql.INSERT_NAME, new)
            known = self._wire.numbers(wanted)
        return known

    # -------------------------------------------------------------- reading

    def progress(self, partition: int) -> p.Progress:
        rows = self._rows(
            'SELECT next_offset, last_command FROM orders_progress WHERE "partition" = %s',
            partition,
        )
        return p.Progress(partition, *rows[0]) if rows else p.Progress(partition, 0, -1)

    def get(self, order_id: str, account_ids: Sequence[str]) -> p.OrderRow | None:
        if not account_ids:
            return None
        rows = self._rows(
            f"SELECT {sql_rows.ORDER_COLUMNS} FROM orders_order o WHERE o.account IN "
            f"(SELECT id FROM orders_name WHERE text IN ({marks(account_ids)})) "
            "AND o.order_id = %s",
            *account_ids, order_id,
        )  # fmt: skip
        return sql_rows.order_row(rows[0]) if rows else None

    def find(self, query: p.OrderQuery) -> list[p.OrderRow]:
        return pages.whole(self.page, query)

    def steps(self, account_id: str, order_id: str, from_seq: int, limit: int) -> list[int]:
        rows = self._rows(
            "SELECT seq FROM orders_step WHERE account = (SELECT id FROM orders_name "
            "WHERE text = %s) AND order_id = %s AND seq >= %s ORDER BY seq LIMIT %s",
            account_id, order_id, from_seq, limit,
        )  # fmt: skip
        return [row[0] for row in rows]

    def chunks(self, stream: str, from_seq: int, limit: int) -> list[p.Chunk]:
        # The chunk that holds from_seq starts at or before it; chunks do not overlap.
        rows = self._rows(
            f"SELECT {columns(sql.CHUNK)} FROM orders_chunk WHERE stream = %s AND first_seq >= "
            "COALESCE((SELECT max(first_seq) FROM orders_chunk WHERE stream = %s "
            "AND first_seq <= %s), 0) AND last_seq >= %s ORDER BY first_seq LIMIT %s",
            stream, stream, from_seq, from_seq, limit,
        )  # fmt: skip
        return [sql_rows.chunk_row(row) for row in rows]

    def chunks_before(self, stream: str, before_seq: int, limit: int) -> list[p.Chunk]:
        rows = self._rows(
            f"SELECT {columns(sql.CHUNK)} FROM orders_chunk WHERE stream = %s AND first_seq < %s "
            "ORDER BY first_seq DESC LIMIT %s",
            stream, before_seq, limit,
        )  # fmt: skip
        return [sql_rows.chunk_row(row) for row in rows]

    def chunks_holding(self, stream: str, seqs: Sequence[int]) -> list[p.Chunk]:
        found: list[p.Chunk] = []
        for seq in sorted(seqs):
            if found and seq <= found[-1].last_seq:
                continue
            rows = self._rows(
                f"SELECT {columns(sql.CHUNK)} FROM orders_chunk WHERE stream = %s "
                "AND first_seq <= %s ORDER BY first_seq DESC LIMIT 1",
                stream, seq,
            )  # fmt: skip
            if rows and rows[0][2] >= seq:
                found.append(sql_rows.chunk_row(rows[0]))
        return found

    def last_seq(self, stream: str) -> int:
        rows = self._rows(
            "SELECT last_seq FROM orders_chunk WHERE stream = %s ORDER BY first_seq DESC LIMIT 1",
            stream,
        )
        return int(rows[0][0]) if rows else 0

    def heads(self, partition: int, after_offset: int, limit: int) -> list[tuple[int, str, int]]:
        return self._rows(
            'SELECT "offset", stream, last_seq FROM orders_chunk WHERE "partition" = %s '
            'AND "offset" > %s ORDER BY "offset" LIMIT %s',
            partition, after_offset, limit,
        )  # fmt: skip

    def positions(self, account_ids: Sequence[str]) -> list[p.PositionRow]:
        return self._of_accounts("orders_position", p.PositionRow, account_ids, "symbol")

    def balances(self, account_ids: Sequence[str]) -> list[p.BalanceRow]:
        return self._of_accounts("orders_balance", p.BalanceRow, account_ids, "asset")

    def ping(self) -> None:
        self._rows("SELECT 1")

    def _of_accounts(
        self, table: str, kind: Any, account_ids: Sequence[str], order: str
    ) -> list[Any]:
        if not account_ids:
            return []
        rows = self._rows(
            f"SELECT {columns(kind.__struct_fields__)} FROM {table} "
            f"WHERE account_id IN ({marks(account_ids)}) ORDER BY account_id, {order}",
            *account_ids,
        )
        return [kind(*row) for row in rows]

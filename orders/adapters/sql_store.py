"""The OrderStore port on Django's SQL databases (SQLite, PostgreSQL).

Rules of this file: writes are executemany of statements that mean the same when run twice; rows
come and go as tuples, never as model instances.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import msgspec
from django.conf import settings
from django.db import (
    DatabaseError,
    DataError,
    IntegrityError,
    InterfaceError,
    connections,
    transaction,
)

from oms_project.adapters.crash import crash
from oms_project.kernel import ports as p
from oms_project.kernel.errors import FencedError, TransportError, UnstorableError
from oms_project.kernel.terms import Terms
from oms_project.kernel.words import OPEN, Status
from orders.adapters import sql_statements as sql

SNAPSHOTS_KEPT: Final = 2
ROWS_MAX: Final = 500
NUL: Final = "\0"
SHOWN_NUL: Final = "\ufffd"
"""What stands in a text where it had a NUL that the database cannot hold."""

_astuple = msgspec.structs.astuple


def _marks(values: Sequence[object]) -> str:
    return ", ".join(["%s"] * len(values))


def _columns(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


class SqlStore:
    """Orders in SQL tables of the database *alias*."""

    def __init__(self, alias: str | None = None) -> None:
        self.alias = alias or settings.STORE_ALIAS

    # -------------------------------------------------------------- writing

    def apply(self, changes: p.Changes) -> None:
        with self._wire(), transaction.atomic(using=self.alias):
            cursor = connections[self.alias].cursor()
            for statement, values, rows in (
                (sql.INSERT_ORDER, _order_values, changes.orders),
                (sql.UPDATE_ORDER, _update_values, changes.updates),
                (sql.INSERT_FILL, _astuple, changes.fills),
                (sql.UPSERT_POSITION, _astuple, changes.positions),
                (sql.UPSERT_BALANCE, _astuple, changes.balances),
                (sql.INSERT_CHUNK, _astuple, changes.chunks),
            ):
                if rows:
                    cursor.executemany(statement, self._held([values(row) for row in rows]))
            cursor.execute(
                sql.UPSERT_PROGRESS, (changes.partition, changes.next_offset, changes.last_command)
            )
            crash("store.before_commit")
        crash("store.after_commit")

    def take_epoch(self, partition: int) -> int:
        with self._wire(), transaction.atomic(using=self.alias):
            cursor = connections[self.alias].cursor()
            cursor.execute(
                'INSERT INTO orders_owner ("partition", epoch) VALUES (%s, 1) '
                'ON CONFLICT ("partition") DO UPDATE SET epoch = orders_owner.epoch + 1',
                (partition,),
            )
            cursor.execute('SELECT epoch FROM orders_owner WHERE "partition" = %s', (partition,))
            return int(cursor.fetchone()[0])

    def save_snapshot(self, snapshot: p.Snapshot) -> None:
        with self._wire(), transaction.atomic(using=self.alias):
            cursor = connections[self.alias].cursor()
            # The update takes the row's lock, so that an owner change waits or is seen.
            cursor.execute(
                'UPDATE orders_owner SET epoch = epoch WHERE "partition" = %s AND epoch = %s',
                (snapshot.partition, snapshot.epoch),
            )
            if cursor.rowcount != 1:
                raise FencedError(f"partition {snapshot.partition}: epoch {snapshot.epoch} is old")
            cursor.execute(
                'INSERT INTO orders_snapshot ("partition", "offset", state, state_hash, epoch) '
                "VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
                _astuple(snapshot),
            )
            cursor.execute(
                'DELETE FROM orders_snapshot WHERE "partition" = %s AND "offset" NOT IN '
                '(SELECT "offset" FROM orders_snapshot WHERE "partition" = %s '
                'ORDER BY "offset" DESC LIMIT %s)',
                (snapshot.partition, snapshot.partition, SNAPSHOTS_KEPT),
            )

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
            f"SELECT {_columns(sql.ORDER)} FROM orders_order "
            f"WHERE account_id IN ({_marks(account_ids)}) AND order_id = %s",
            *account_ids, order_id,
        )  # fmt: skip
        return _order_row(rows[0]) if rows else None

    def find(self, query: p.OrderQuery) -> list[p.OrderRow]:
        if not query.account_ids:
            return []
        where = [f"account_id IN ({_marks(query.account_ids)})"]
        values: list[object] = list(query.account_ids)
        for condition, value in (
            ("symbol = %s", query.symbol),
            ("side = %s", query.side),
            ("created_ns >= %s", query.from_ns),
            ("created_ns < %s", query.to_ns),
            ("client_order_id = %s", query.client_order_id),
            ("order_id < %s", query.before_id),
        ):
            if value is not None:
                where.append(condition)
                values.append(value)
        if query.statuses:
            # Literals, not parameters, so that the planner may use the index of open orders.
            known = ", ".join(f"'{Status(status).value}'" for status in query.statuses)
            where.append(f"status IN ({known})")
            if OPEN.issuperset(query.statuses):
                every = ", ".join(f"'{status}'" for status in _OPEN_IN_INDEX)
                where.append(f"status IN ({every})")
        rows = self._rows(
            f"SELECT {_columns(sql.ORDER)} FROM orders_order WHERE {' AND '.join(where)} "
            "ORDER BY order_id DESC LIMIT %s",
            *values, query.limit,
        )  # fmt: skip
        return [_order_row(row) for row in rows]

    def orders_by_client_id(
        self, account_id: str, ids: Sequence[str]
    ) -> dict[str, tuple[str, int]]:
        found: dict[str, tuple[str, int]] = {}
        for start in range(0, len(ids), ROWS_MAX):
            part = ids[start : start + ROWS_MAX]
            rows = self._rows(
                "SELECT client_order_id, order_id, event_seqs FROM orders_order WHERE account_id = "
                f"%s AND client_order_id IN ({_marks(part)})",
                account_id, *part,
            )  # fmt: skip
            for client_order_id, order_id, seqs in rows:
                # First by its place in the log: ids say when an order was asked for, not decided.
                order = (order_id, int(seqs.partition(",")[0]))
                first = found.setdefault(client_order_id, order)
                if order[1] < first[1]:
                    found[client_order_id] = order
        return found

    def client_order_ids(self, account_id: str, after: str, limit: int) -> list[str]:
        rows = self._rows(
            "SELECT client_order_id FROM orders_order WHERE account_id = %s "
            "AND client_order_id > %s ORDER BY client_order_id LIMIT %s",
            account_id, after, limit,
        )  # fmt: skip
        return [row[0] for row in rows]

    def chunks(self, stream: str, from_seq: int, limit: int) -> list[p.Chunk]:
        # The chunk that holds from_seq starts at or before it; chunks do not overlap.
        rows = self._rows(
            f"SELECT {_columns(sql.CHUNK)} FROM orders_chunk WHERE stream = %s AND first_seq >= "
            "COALESCE((SELECT max(first_seq) FROM orders_chunk WHERE stream = %s "
            "AND first_seq <= %s), 0) AND last_seq >= %s ORDER BY first_seq LIMIT %s",
            stream, stream, from_seq, from_seq, limit,
        )  # fmt: skip
        return [_chunk_row(row) for row in rows]

    def chunks_holding(self, stream: str, seqs: Sequence[int]) -> list[p.Chunk]:
        found: list[p.Chunk] = []
        for seq in sorted(seqs):
            if found and seq <= found[-1].last_seq:
                continue
            rows = self._rows(
                f"SELECT {_columns(sql.CHUNK)} FROM orders_chunk WHERE stream = %s "
                "AND first_seq <= %s ORDER BY first_seq DESC LIMIT 1",
                stream, seq,
            )  # fmt: skip
            if rows and rows[0][2] >= seq:
                found.append(_chunk_row(rows[0]))
        return found

    def last_seq(self, stream: str) -> int:
        rows = self._rows(
            "SELECT last_seq FROM orders_chunk WHERE stream = %s ORDER BY first_seq DESC LIMIT 1",
            stream,
        )
        return rows[0][0] if rows else 0

    def heads(self, partition: int, after_offset: int, limit: int) -> list[tuple[int, str, int]]:
        return self._rows(
            'SELECT "offset", stream, last_seq FROM orders_chunk WHERE "partition" = %s '
            'AND "offset" > %s ORDER BY "offset" LIMIT %s',
            partition, after_offset, limit,
        )  # fmt: skip

    def fills(
        self,
        account_ids: Sequence[str],
        *,
        symbol: str | None = None,
        order_id: str | None = None,
        before: tuple[int, str, int] | None = None,
        limit: int = 100,
    ) -> list[p.FillRow]:
        found: list[p.FillRow] = []
        for account_id in account_ids:
            where = ["account_id = %s"]
            values: list[object] = [account_id]
            if order_id is not None:
                order = self.get(order_id, [account_id])
                seqs = order.event_seqs if order is not None else ()
                where.append(f"seq IN ({_marks(seqs) or 'NULL'})")
                values += seqs
            if symbol is not None:
                where.append("symbol = %s")
                values.append(symbol)
            if before is not None:
                where.append("(at_ns, account_id, seq) < (%s, %s, %s)")
                values += before
            rows = self._rows(
                f"SELECT {_columns(sql.FILL)} FROM orders_fill WHERE {' AND '.join(where)} "
                "ORDER BY at_ns DESC, seq DESC LIMIT %s",
                *values, limit,
            )  # fmt: skip
            found += [p.FillRow(*row) for row in rows]
        found.sort(key=lambda fill: (fill.at_ns, fill.account_id, fill.seq), reverse=True)
        return found[:limit]

    def positions(self, account_ids: Sequence[str]) -> list[p.PositionRow]:
        return self._of_accounts("orders_position", p.PositionRow, account_ids, "symbol")

    def balances(self, account_ids: Sequence[str]) -> list[p.BalanceRow]:
        return self._of_accounts("orders_balance", p.BalanceRow, account_ids, "asset")

    def load_snapshot(self, partition: int) -> p.Snapshot | None:
        return next(self._right_snapshots(partition), None)

    def snapshots(self, partition: int) -> list[p.Snapshot]:
        return list(self._right_snapshots(partition))

    def _right_snapshots(self, partition: int) -> Iterator[p.Snapshot]:
        rows = self._rows(
            'SELECT "partition", "offset", state, state_hash, epoch FROM orders_snapshot '
            'WHERE "partition" = %s ORDER BY "offset" DESC',
            partition,
        )
        for row in rows:
            state = bytes(row[2])
            if hashlib.sha256(state).hexdigest() == row[3]:
                yield p.Snapshot(row[0], row[1], state, row[3], row[4])

    def ping(self) -> None:
        self._rows("SELECT 1")

    # -------------------------------------------------------------- inside

    def _of_accounts(
        self, table: str, kind: Any, account_ids: Sequence[str], order: str
    ) -> list[Any]:
        if not account_ids:
            return []
        rows = self._rows(
            f"SELECT {_columns(kind.__struct_fields__)} FROM {table} "
            f"WHERE account_id IN ({_marks(account_ids)}) ORDER BY account_id, {order}",
            *account_ids,
        )
        return [kind(*row) for row in rows]

    def _rows(self, statement: str, *values: object) -> list[tuple]:
        with self._wire():
            cursor = connections[self.alias].cursor()
            cursor.execute(statement, self._held([values])[0])
            return cursor.fetchall()

    def _held(self, rows: list[tuple]) -> list[tuple]:
        """Return *rows* as this database can hold them: PostgreSQL has no NUL in a text."""
        if connections[self.alias].vendor != "postgresql":
            return rows
        return [
            tuple(one.replace(NUL, SHOWN_NUL) if type(one) is str else one for one in row)
            for row in rows
        ]

    @contextmanager
    def _wire(self) -> Iterator[None]:
        """Tell a database that does not answer from one that cannot hold what it was given.

        Either way the connection is not used again: who knows what it is in the middle of.
        """
        try:
            yield
        except (DataError, IntegrityError, OverflowError, UnicodeError) as error:
            self._leave()
            raise UnstorableError(f"store: {error}") from error
        except (DatabaseError, InterfaceError) as error:
            self._leave()
            raise TransportError("store", str(error)) from error

    def _leave(self) -> None:
        if not connections[self.alias].in_atomic_block:
            connections[self.alias].close()


_OPEN_IN_INDEX: Final = ("NEW", "ACCEPTED", "PARTIALLY_FILLED", "PENDING_CANCEL")


# SQLite binds exactly str and int straight; words and flags would go through Python, one by one.


def _order_values(row: p.OrderRow) -> tuple:
    terms = row.terms
    return (
        row.order_id,
        row.account_id,
        row.client_order_id,
        terms.symbol,
        terms.side.value,
        terms.type.value,
        terms.time_in_force.value,
        terms.lots,
        terms.ticks,
        terms.flags,
        row.cap_ticks,
        row.status.value,
        row.cum_lots,
        row.cost,
        row.fee,
        row.rejected_by,
        str(row.reason),
        +row.late_fill,
        +row.overfilled,
        row.version,
        row.last_seq,
        row.created_ns,
        row.updated_ns,
        row.actor,
        ",".join([str(seq) for seq in row.event_seqs]),
    )


def _update_values(row: p.OrderUpdate) -> tuple:
    return (
        row.status.value,
        row.cum_lots,
        row.cost,
        row.fee,
        row.rejected_by,
        str(row.reason),
        +row.late_fill,
        +row.overfilled,
        row.version,
        row.last_seq,
        row.updated_ns,
        "".join([f",{seq}" for seq in row.event_seqs]),
        row.account_id,
        row.order_id,
        row.version,
    )


def _order_row(row: tuple) -> p.OrderRow:
    values: dict[str, Any] = dict(zip(sql.ORDER, row, strict=True))
    terms = msgspec.convert([values.pop(name) for name in sql.TERMS], Terms)
    values["terms"] = terms
    values["status"] = Status(values["status"])
    values["late_fill"] = bool(values["late_fill"])
    values["overfilled"] = bool(values["overfilled"])
    # Two projectors may both have told a seq when one replaced the other.
    seqs = dict.fromkeys(values["event_seqs"].split(","))
    values["event_seqs"] = tuple(int(seq) for seq in seqs if seq)
    return p.OrderRow(**values)


def _chunk_row(row: tuple) -> p.Chunk:
    return p.Chunk(*row[:5], bytes(row[5]))

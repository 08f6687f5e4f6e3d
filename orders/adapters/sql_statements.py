"""The statements the SQL store writes with. Each means the same when it is run twice."""

from collections.abc import Sequence
from typing import Final

from oms_project.kernel import ports as p
from oms_project.kernel.terms import Terms

TERMS: Final = Terms.__struct_fields__
ORDER: Final = tuple(
    column
    for name in p.OrderRow.__struct_fields__
    for column in (TERMS if name == "terms" else (name,))
)
"""The columns of an order: its row's fields, the terms spelled out."""
FILL: Final = p.FillRow.__struct_fields__
CHUNK: Final = p.Chunk.__struct_fields__


def _insert(
    table: str, columns: Sequence[str], key: str = "", update: Sequence[str] = (), by: str = "seq"
) -> str:
    """Return an insert that keeps what is there, or replaces it where *by* of ours is higher."""
    names = ", ".join(f'"{column}"' for column in columns)
    marks = ", ".join(["%s"] * len(columns))
    sql = f'INSERT INTO "{table}" ({names}) VALUES ({marks}) ON CONFLICT '
    if not update:
        return f"{sql}DO NOTHING"
    changes = ", ".join(f'"{column}" = excluded."{column}"' for column in update)
    return f'{sql}({key}) DO UPDATE SET {changes} WHERE "{table}".{by} < excluded.{by}'


# An order told as new twice: by a projector that was replaced, and by its successor with more.
INSERT_ORDER: Final = _insert(
    "orders_order",
    ORDER,
    "account_id, order_id",
    [name for name in ORDER if name not in ("account_id", "order_id")],
    by="version",
)
UPDATE_ORDER: Final = (
    "UPDATE orders_order SET status = %s, cum_lots = %s, cost = %s, fee = %s, "
    "rejected_by = COALESCE(NULLIF(%s, ''), rejected_by), reason = COALESCE(NULLIF(%s, ''), reason), "
    "late_fill = CASE WHEN %s = 1 THEN 1 ELSE late_fill END, "
    "overfilled = CASE WHEN %s = 1 THEN 1 ELSE overfilled END, version = %s, last_seq = %s, "
    "updated_ns = %s, "
    "event_seqs = event_seqs || %s WHERE account_id = %s AND order_id = %s AND version < %s"
)
INSERT_FILL: Final = _insert("orders_fill", FILL)
INSERT_CHUNK: Final = _insert("orders_chunk", CHUNK)
UPSERT_POSITION: Final = _insert(
    "orders_position",
    p.PositionRow.__struct_fields__,
    "account_id, symbol",
    ("net_lots", "cost", "realized", "seq"),
)
UPSERT_BALANCE: Final = _insert(
    "orders_balance",
    p.BalanceRow.__struct_fields__,
    "account_id, asset",
    ("free", "locked", "fees", "venue", "external", "seq"),
)
UPSERT_PROGRESS: Final = (
    'INSERT INTO orders_progress ("partition", next_offset, last_command) VALUES (%s, %s, %s) '
    'ON CONFLICT ("partition") DO UPDATE SET next_offset = excluded.next_offset, '
    "last_command = excluded.last_command "
    "WHERE orders_progress.next_offset < excluded.next_offset"
)

"""The statements the SQL store writes with. Each means the same when it is run twice."""

from collections.abc import Sequence
from typing import Final

from oms_project.kernel import ports as p

ORDER: Final = (
    "account", "order_id", "client_order_id", "symbol", "side", "live", "status", "terms",
    "cap_ticks", "cum_lots", "cost", "fee", "rejected_by", "reason", "marks", "version",
    "first_seq", "end_seq", "last_seq", "created_ns", "updated_ns", "actor",
)  # fmt: skip
CHUNK: Final = p.Chunk.__struct_fields__
LATE: Final = 1
OVERFILLED: Final = 2
"""Bits of orders_order.marks."""


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


INSERT_NAME: Final = _insert("orders_name", ("text",))
# An order told as new twice: by a projector that was replaced, and by its successor with more.
_AGAIN: Final = [one for one in ORDER[2:] if one not in {"first_seq", "created_ns"}]
INSERT_ORDER: Final = _insert("orders_order", ORDER, "account, order_id", _AGAIN, by="version")
_MOVES: Final = (
    "UPDATE orders_order SET live = %s, status = %s, cum_lots = %s, cost = %s, fee = %s, "
    "version = %s, end_seq = CASE WHEN end_seq = 0 THEN %s ELSE end_seq END, last_seq = %s, "
    "updated_ns = %s"
)
_THIS: Final = " WHERE account = %s AND order_id = %s AND version < %s"
UPDATE_ORDER: Final = _MOVES + _THIS
UPDATE_ORDER_FACTS: Final = (
    f"{_MOVES}, rejected_by = COALESCE(NULLIF(%s, ''), rejected_by), "
    f"reason = COALESCE(NULLIF(%s, ''), reason), marks = marks | %s{_THIS}"
)
INSERT_STEP: Final = _insert("orders_step", ("account", "order_id", "seq"))
INSERT_SEGMENT: Final = _insert("orders_segment", ("partition", "number", "body"))
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

"""Rows as the tuples the SQL store binds, and back. Nothing here talks to a database.

Texts that stand in many rows (accounts, symbols, who did it) are numbers there, given out
by orders_name: an index entry of an order is a third of what it would be.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from oms_project.kernel import ports as p
from oms_project.kernel.terms import Terms
from oms_project.kernel.words import OPEN, Status
from orders.adapters.sql_statements import LATE, OVERFILLED

Names = Mapping[str, int]

_terms_text = msgspec.json.Encoder().encode
_read_terms = msgspec.json.Decoder(Terms).decode
_OPEN: Final = frozenset(status.value for status in OPEN)


def names_in(changes: p.Changes) -> set[str]:
    """Return the texts that *changes* has a number for each."""
    found = {row.account_id for row in changes.orders}
    found.update([row.terms.symbol for row in changes.orders])
    found.update([row.actor for row in changes.orders])
    found.update([row.account_id for row in changes.updates])
    found.update([row.account_id for row in changes.steps])
    return found


def orders(rows: Iterable[p.OrderRow], names: Names) -> list[tuple]:
    """Return the values of INSERT_ORDER. SQLite binds exactly str and int straight: no enum, no bool."""
    values = []
    for row in rows:
        terms, status = row.terms, row.status._value_
        values.append((
            names[row.account_id], row.order_id, row.client_order_id, names[terms.symbol],
            terms.side._value_, 1 if status in _OPEN else 0, status, _terms_text(terms).decode(),
            row.cap_ticks, row.cum_lots, row.cost, row.fee, row.rejected_by, str(row.reason),
            LATE * row.late_fill + OVERFILLED * row.overfilled, row.version, row.first_seq,
            row.end_seq, row.last_seq, row.created_ns, row.updated_ns, names[row.actor],
        ))  # fmt: skip
    return values


def updates(rows: Iterable[p.OrderUpdate], names: Names) -> tuple[list[tuple], list[tuple]]:
    """Return the values of UPDATE_ORDER and, for those with facts to keep, UPDATE_ORDER_FACTS."""
    plain, facts = [], []
    for row in rows:
        status, version = row.status._value_, row.version
        moved = (
            1 if status in _OPEN else 0, status, row.cum_lots, row.cost, row.fee, version,
            row.end_seq, row.last_seq, row.updated_ns,
        )  # fmt: skip
        this = (names[row.account_id], row.order_id, version)
        if row.reason or row.rejected_by or row.late_fill or row.overfilled:
            marks = LATE * row.late_fill + OVERFILLED * row.overfilled
            facts.append((*moved, row.rejected_by, str(row.reason), marks, *this))
        else:
            plain.append(moved + this)
    return plain, facts


def steps(rows: Iterable[p.StepRow], names: Names) -> list[tuple]:
    """Return the values of INSERT_STEP."""
    return [(names[row.account_id], row.order_id, row.seq) for row in rows]


ORDER_COLUMNS: Final = (
    "o.order_id, o.client_order_id, o.terms, o.cap_ticks, o.status, o.cum_lots, o.cost, o.fee, "
    "o.rejected_by, o.reason, o.marks, o.version, o.first_seq, o.end_seq, o.last_seq, "
    "o.created_ns, o.updated_ns, "
    "(SELECT text FROM orders_name WHERE id = o.account), "
    "(SELECT text FROM orders_name WHERE id = o.actor)"
)
"""What `order_row` reads, of orders_order as o."""


def order_row(row: tuple) -> p.OrderRow:
    (
        order_id, client_order_id, terms, cap_ticks, status, cum_lots, cost, fee, rejected_by,
        reason, marks, version, first_seq, end_seq, last_seq, created_ns, updated_ns, account_id,
        actor,
    ) = row  # fmt: skip
    return p.OrderRow(
        order_id=order_id, account_id=account_id, client_order_id=client_order_id,
        terms=_read_terms(terms), cap_ticks=cap_ticks, status=Status(status), cum_lots=cum_lots,
        cost=cost, fee=fee, rejected_by=rejected_by, reason=reason, late_fill=bool(marks & LATE),
        overfilled=bool(marks & OVERFILLED), version=version, first_seq=first_seq,
        end_seq=end_seq, last_seq=last_seq, created_ns=created_ns, updated_ns=updated_ns,
        actor=actor,
    )  # fmt: skip


def chunk_row(row: tuple) -> p.Chunk:
    return p.Chunk(*row[:5], bytes(row[5]))

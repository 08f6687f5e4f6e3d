"""Durable claims in Django's default database (SQLite or PostgreSQL): the truth of idempotency.

Rules of this file:
- One statement a batch. Each means the same when it is run twice.
- ON CONFLICT has no target on insert: the row may already conflict in either of its two unique
  indexes (same key and same millisecond), and both mean "there is a claim".
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from django.db import (
    DatabaseError,
    DataError,
    IntegrityError,
    InterfaceError,
    connection,
    transaction,
)

from oms_project.kernel import ids
from oms_project.kernel.errors import TransportError, UnknownOutcomeError, UnstorableError
from oms_project.kernel.ports import Claim, ClaimState

ROWS_MAX: Final = 500

_COLUMNS: Final = (
    'account_id, endpoint, key, fingerprint, ids_base, at_ms, done, "partition", "offset", '
    "answer_status, answer_body"
)
_ROW: Final = "(%s, %s, %s, %s, %s, %s, %s, %s, %s, NULL, NULL)"
_INSERT: Final = f"INSERT INTO orders_claim ({_COLUMNS}) VALUES "
_SELECT: Final = f"SELECT {_COLUMNS} FROM orders_claim "
_KEPT: Final = " ON CONFLICT DO NOTHING RETURNING ids_base"
_DONE: Final = (
    " ON CONFLICT (account_id, endpoint, key) DO UPDATE SET done = excluded.done, "
    '"partition" = excluded."partition", "offset" = excluded."offset"'
)
_NOWHERE: Final = (False, -1, -1)


class SqlIdempotencyStore:
    """The IdempotencyStore port on the table orders_claim. Not to be called inside a transaction."""

    def claim(self, claims: Sequence[Claim]) -> list[ClaimState]:
        states: list[ClaimState] = []
        for start in range(0, len(claims), ROWS_MAX):
            states += self._claim(claims[start : start + ROWS_MAX])
        return states

    def _claim(self, claims: Sequence[Claim]) -> list[ClaimState]:
        # Two claims of one key in one batch: the first in order is the fresh one.
        first = {_key(claims[index]): index for index in range(len(claims) - 1, -1, -1)}
        rows = [_values(claims[index], _NOWHERE) for index in first.values()]
        with _writing() as cursor:
            cursor.execute(_INSERT + _marks(len(rows)) + _KEPT, _flat(rows))
            made = {row[0] for row in cursor.fetchall()}
            known = [key for key, index in first.items() if claims[index].ids_base not in made]
            stored = _find(cursor, known) if known else {}
        missing = [key for key in known if key not in stored]
        if missing:
            raise RuntimeError(f"two keys made the same ids: {missing[0]}")
        states = []
        for index, claim in enumerate(claims):
            key = _key(claim)
            if key in stored:
                states.append(stored[key])
            else:
                fresh = first[key] == index
                states.append(ClaimState(claims[first[key]], fresh, False, -1, -1))
        return states

    def done(self, claims: Sequence[tuple[Claim, int, int]]) -> None:
        # A statement must not meet the same row twice.
        rows = {_key(claim): _values(claim, (True, p, o)) for claim, p, o in claims}
        values = list(rows.values())
        for start in range(0, len(values), ROWS_MAX):
            part = values[start : start + ROWS_MAX]
            with _writing() as cursor:
                cursor.execute(_INSERT + _marks(len(part)) + _DONE, _flat(part))

    def settle(self, claim: Claim, status: int, body: bytes) -> None:
        with _writing() as cursor:
            cursor.execute(
                "UPDATE orders_claim SET answer_status = %s, answer_body = %s "
                "WHERE account_id = %s AND endpoint = %s AND key = %s AND answer_status IS NULL",
                (status, body, *_key(claim)),
            )

    def find(self, account_id: str, endpoint: str, key: str) -> ClaimState | None:
        with _reading() as cursor:
            return _find(cursor, [(account_id, endpoint, key)]).get((account_id, endpoint, key))

    def find_by_ids_base(self, ids_base: str) -> ClaimState | None:
        with _reading() as cursor:
            cursor.execute(f"{_SELECT} WHERE ids_base = %s", (ids_base,))
            row = cursor.fetchone()
        return None if row is None else _state(row)

    def forget(self, before_ms: int, limit: int) -> int:
        with _writing() as cursor:
            cursor.execute(
                "DELETE FROM orders_claim WHERE ids_base IN (SELECT ids_base FROM orders_claim "
                # ids_base starts with the time, in hex: the unique index serves as the one by age.
                "WHERE ids_base < %s AND at_ms < %s ORDER BY ids_base LIMIT %s)",
                (ids.base_since(before_ms), before_ms, limit),
            )
            return int(cursor.rowcount)

    def ping(self) -> None:
        with _reading() as cursor:
            cursor.execute("SELECT 1")


def _key(claim: Claim) -> tuple[str, str, str]:
    return claim.account_id, claim.endpoint, claim.key


def _values(claim: Claim, outcome: tuple[bool, int, int]) -> tuple[Any, ...]:
    return (*_key(claim), claim.fingerprint, claim.ids_base, claim.at_ms, *outcome)


def _marks(rows: int) -> str:
    return ", ".join([_ROW] * rows)


def _flat(rows: Sequence[tuple[Any, ...]]) -> list[Any]:
    return [value for row in rows for value in row]


def _find(cursor: Any, keys: Sequence[tuple[str, str, str]]) -> dict[Any, ClaimState]:
    rows = ", ".join(["(%s, %s, %s)"] * len(keys))
    cursor.execute(f"{_SELECT} WHERE (account_id, endpoint, key) IN (VALUES {rows})", _flat(keys))
    return {tuple(row[:3]): _state(row) for row in cursor.fetchall()}


def _state(row: Sequence[Any]) -> ClaimState:
    claim = Claim(row[0], row[1], row[2], bytes(row[3]), row[4], row[5])
    answer = None if row[9] is None else (int(row[9]), bytes(row[10]))
    return ClaimState(claim, False, bool(row[6]), row[7], row[8], answer)


@contextmanager
def _writing() -> Iterator[Any]:
    """A cursor whose work is durable when the block is left.

    Raises:
        TransportError: the database cannot be reached; nothing was written.
        UnknownOutcomeError: it broke off after that.
        UnstorableError: it cannot hold one of the values, and never will; nothing was written.
    """
    _connect()
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            yield cursor
    except (DataError, IntegrityError, OverflowError, UnicodeError) as error:
        _hang_up()
        raise UnstorableError(f"claims: {error}") from error
    except (DatabaseError, InterfaceError) as error:
        _hang_up()
        raise UnknownOutcomeError("claims", str(error)) from error


@contextmanager
def _reading() -> Iterator[Any]:
    _connect()
    try:
        with connection.cursor() as cursor:
            yield cursor
    except (DatabaseError, InterfaceError) as error:
        _hang_up()
        raise TransportError("claims", str(error)) from error


def _connect() -> None:
    try:
        connection.ensure_connection()
    except (DatabaseError, InterfaceError) as error:
        raise TransportError("claims", str(error)) from error


def _hang_up() -> None:
    """A connection that failed is not used again; this thread opens a new one next time."""
    if not connection.in_atomic_block:
        connection.close()

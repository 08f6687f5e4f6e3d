"""The connection under the SQL store: how it is tuned, and what its errors mean."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from django.db import (
    DatabaseError,
    DataError,
    IntegrityError,
    InterfaceError,
    connections,
    transaction,
)
from django.db.backends.base.base import BaseDatabaseWrapper

from oms_project.kernel.errors import TransportError, UnstorableError

WRITE_S_MAX: Final = 60
"""After so long PostgreSQL gives up a statement that writes; one that reads: after the settings' time."""
WRITER_CACHE_KIB: Final = 65_536
"""SQLite's cache of the one process that writes; every reader has the settings' few MB."""
NAMES_MAX: Final = 500
NUL: Final = "\0"
SHOWN_NUL: Final = "\ufffd"
"""What stands in a text where it had a NUL that the database cannot hold."""

Write = Callable[[str, list[tuple]], None]


def marks(values: Sequence[object]) -> str:
    return ", ".join(["%s"] * len(values))


def columns(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


class SqlWire:
    """The database *alias*, of which every thread has a connection of its own."""

    def __init__(self, alias: str, what: str = "store") -> None:
        self.alias = alias
        self._what = what
        self._writer: object = None  # the connection that was tuned for writing

    @property
    def connection(self) -> BaseDatabaseWrapper:
        return connections[self.alias]

    def rows(self, statement: str, *values: object) -> list[tuple]:
        """Return the rows of a read.

        Raises:
            TransportError: the database does not answer.
        """
        with self.errors():
            cursor = self.connection.cursor()
            cursor.execute(statement, self._held([values])[0])
            return cursor.fetchall()

    @contextmanager
    def writing(self) -> Iterator[Write]:
        """One transaction, and how to write many rows in it.

        Raises:
            TransportError: the database does not answer; nothing was written.
            UnstorableError: it cannot hold one of the values; nothing was written.
        """
        with self.errors():
            self.connection.ensure_connection()
            if not self._postgres and self._writer is not self.connection.connection:
                self.connection.cursor().execute(f"PRAGMA cache_size = -{WRITER_CACHE_KIB}")
                self._writer = self.connection.connection
            with transaction.atomic(using=self.alias):
                cursor = self.connection.cursor()
                if self._postgres:
                    cursor.execute(f"SET LOCAL statement_timeout = '{WRITE_S_MAX}s'")

                def write(statement: str, rows: list[tuple]) -> None:
                    if rows:
                        cursor.executemany(statement, self._held(rows))

                yield write

    def numbers(self, texts: Sequence[str]) -> dict[str, int]:
        """Return the number of each of *texts* that has one."""
        found: dict[str, int] = {}
        for start in range(0, len(texts), NAMES_MAX):
            part = texts[start : start + NAMES_MAX]
            rows = self.rows(
                f"SELECT text, id FROM orders_name WHERE text IN ({marks(part)})", *part
            )
            known = dict(rows)
            for text in part:
                number = known.get(self._held([(text,)])[0][0])
                if number is not None:
                    found[text] = number
        return found

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Tell a database that does not answer from one that cannot hold what it was given.

        Either way the connection is not used again: who knows what it is in the middle of.
        """
        try:
            yield
        except (DataError, IntegrityError, OverflowError, UnicodeError) as error:
            self._leave()
            raise UnstorableError(f"{self._what}: {error}") from error
        except (DatabaseError, InterfaceError) as error:
            self._leave()
            raise TransportError(self._what, str(error)) from error
        except TransportError:  # met further inside, in the middle of a transaction
            self._leave()
            raise

    def _leave(self) -> None:
        if not self.connection.in_atomic_block:
            self.connection.close()

    @property
    def _postgres(self) -> bool:
        return self.connection.vendor == "postgresql"

    def _held(self, rows: list[tuple]) -> list[tuple]:
        """Return *rows* as this database can hold them: PostgreSQL has no NUL in a text."""
        if not self._postgres:
            return rows
        return [
            tuple(one.replace(NUL, SHOWN_NUL) if type(one) is str else one for one in row)
            for row in rows
        ]

"""One SQLite file a topic: its tables, who writes to it when, and what a broken one raises."""

import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from oms_project.kernel.errors import TransportError, UnknownOutcomeError
from oms_project.kernel.words import Topic

SYNCED: Final = frozenset({Topic.COMMANDS, Topic.DEADLETTER})

_TABLES = """
CREATE TABLE IF NOT EXISTS records (id INTEGER PRIMARY KEY, key TEXT NOT NULL, value BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS claims (
    account_id TEXT NOT NULL, endpoint TEXT NOT NULL, key TEXT NOT NULL, fingerprint BLOB NOT NULL,
    ids_base TEXT NOT NULL UNIQUE, at_ms INTEGER NOT NULL, partition INTEGER NOT NULL,
    offset INTEGER NOT NULL, answer_status INTEGER, answer_body BLOB,
    PRIMARY KEY (account_id, endpoint, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS groups (
    name TEXT NOT NULL, partition INTEGER NOT NULL, next INTEGER NOT NULL,
    PRIMARY KEY (name, partition)
) WITHOUT ROWID;
"""


class TopicFile:
    """One topic's file: one writing connection a process, one reading connection a thread."""

    def __init__(self, folder: Path, topic: str) -> None:
        self.path = folder / f"{topic}.sqlite3"
        self.topic = topic
        self._synced = topic in SYNCED
        self._lock = threading.Lock()
        self._lock_fd = os.open(folder / f"{topic}.lock", os.O_CREAT | os.O_RDWR, 0o600)
        self._local = threading.local()
        self._readers: list[sqlite3.Connection] = []
        with self._alone():
            self._writer = self._connect()
            self._writer.executescript(_TABLES)

    def _connect(self) -> sqlite3.Connection:
        try:
            connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute(f"PRAGMA synchronous={'FULL' if self._synced else 'NORMAL'}")
            connection.execute("PRAGMA busy_timeout=5000")
            connection.execute("PRAGMA wal_autocheckpoint=4000")
        except sqlite3.Error as error:
            raise TransportError("log", str(error)) from error
        return connection

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with self._lock:
            fcntl.flock(self._lock_fd, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(self._lock_fd, fcntl.LOCK_UN)

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """One transaction, durable when the block is left.

        Raises:
            TransportError: nothing was written.
            UnknownOutcomeError: the commit itself failed.
        """
        with self._alone():
            connection = self._writer
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.Error as error:
                raise TransportError("log", str(error)) from error
            try:
                yield connection
            except BaseException as error:
                if connection.in_transaction:  # a full disk has rolled back already
                    connection.execute("ROLLBACK")
                if isinstance(error, sqlite3.Error):
                    raise TransportError("log", str(error)) from error
                raise
            try:
                connection.execute("COMMIT")
            except sqlite3.Error as error:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise UnknownOutcomeError("log", str(error)) from error

    def reader(self) -> sqlite3.Connection:
        found: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if found is None:
            found = self._local.connection = self._connect()
            with self._lock:
                self._readers.append(found)
        return found

    def fetch(self, sql: str, *values: object) -> list[tuple]:
        """Return the rows of a read outside any transaction."""
        try:
            return self.reader().execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise TransportError("log", str(error)) from error

    def close(self) -> None:
        with self._lock:
            for connection in (*self._readers, self._writer):
                connection.close()
            self._readers.clear()
            os.close(self._lock_fd)


def noted(folder: Path, partitions: int) -> int:
    """Return how many partitions the log was made with: noted once, by whoever is first."""
    note = folder / "partitions"
    if not note.exists():
        draft = folder / f"partitions.{os.getpid()}.{threading.get_ident()}"
        with draft.open("w") as file:
            file.write(str(partitions))
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            note.hardlink_to(draft)  # whole or not at all, and never over another's
        draft.unlink()
    return int(note.read_text())

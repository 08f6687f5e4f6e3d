"""One SQLite file a topic: its tables, who writes to it when, and what a broken one raises."""

import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Final

import structlog

from oms_project.kernel.errors import TransportError, UnknownOutcomeError
from oms_project.kernel.words import Topic

_logger = structlog.get_logger(__name__)

SYNCED: Final = frozenset({Topic.COMMANDS, Topic.DEADLETTER})
ROWS_MAX: Final = 64
"""Of one statement. Powers of two up to it, so that few statements are ever compiled."""
READERS_MAX: Final = 8
"""Reading connections of one file in one process, however many threads ask."""
READER_S_MAX: Final = 5.0

CHECKPOINT_EVERY_S: Final = 0.25
WAL_PAGES_MAX: Final = 16_384
"""A writer that finds more (64 MiB) moves what is left of them itself, before it answers."""
BUSY_MS_MAX: Final = 2_000
"""A writer that is no process of ours (sqlite3, a backup) is waited for so long: 503 within 3 s."""

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
    """One topic's file: one writing connection a process, and a pool of reading ones.

    Never a connection a thread: a web process has a new thread for every request.
    """

    def __init__(self, folder: Path, topic: str) -> None:
        self.path = folder / f"{topic}.sqlite3"
        self.topic = topic
        self._synced = topic in SYNCED
        self._lock = threading.Lock()
        self._lock_fd = os.open(folder / f"{topic}.lock", os.O_CREAT | os.O_RDWR, 0o600)
        self._room = threading.BoundedSemaphore(READERS_MAX)
        self._idle: list[sqlite3.Connection] = []
        self._idle_lock = threading.Lock()  # not the writer's: that one is held while a disk syncs
        self._closed = False
        self._written = threading.Event()
        self._ended = threading.Event()
        self._checkpointer: threading.Thread | None = None
        with self._alone():
            self._writer = self._connect()
            self._writer.executescript(_TABLES)

    def _connect(self) -> sqlite3.Connection:
        try:
            connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute(f"PRAGMA synchronous={'FULL' if self._synced else 'NORMAL'}")
            connection.execute(f"PRAGMA busy_timeout={BUSY_MS_MAX}")
            connection.execute(f"PRAGMA wal_autocheckpoint={WAL_PAGES_MAX}")
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
            if self._checkpointer is None:
                self._checkpointer = threading.Thread(
                    target=self._checkpoint_while_open, name=f"checkpoint-{self.topic}", daemon=True
                )
                self._checkpointer.start()
        self._written.set()

    def _checkpoint_while_open(self) -> None:
        """Move what was committed from the WAL into the file, so that no commit has to.

        A commit that meets a full WAL takes tens of milliseconds, and who waits behind it as long.
        """
        connection = self._connect()
        while not self._ended.wait(CHECKPOINT_EVERY_S):
            self._written.wait()
            self._written.clear()
            try:
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
            except sqlite3.Error as error:  # a full disk: the writers say so to whom it matters
                _logger.warning("not_checkpointed", topic=self.topic, error=str(error))
        connection.close()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection for a read outside any transaction.

        Raises:
            TransportError: the file cannot be read, or all connections are busy for READER_S_MAX.
        """
        if self._closed:
            raise TransportError("log", f"{self.topic} is closed")
        if not self._room.acquire(timeout=READER_S_MAX):
            raise TransportError("log", f"{READERS_MAX} readers are busy for {READER_S_MAX:g} s")
        connection: sqlite3.Connection | None = None
        try:
            try:
                connection = self._idle.pop()  # the one used last: its pages are warm
            except IndexError:
                connection = self._connect()
            yield connection
        except sqlite3.Error as error:
            raise TransportError("log", str(error)) from error
        finally:
            if connection is not None:
                self._give_back(connection)
            self._room.release()

    def _give_back(self, connection: sqlite3.Connection) -> None:
        with self._idle_lock:
            if not self._closed:
                self._idle.append(connection)
                return
        connection.close()

    def fetch(self, sql: str, *values: object) -> list[tuple]:
        """Return the rows of a read outside any transaction."""
        with self.reading() as connection:
            return connection.execute(sql, values).fetchall()

    def close(self) -> None:
        self._ended.set()
        self._written.set()
        if self._checkpointer is not None:
            self._checkpointer.join()
        with self._lock, self._idle_lock:
            self._closed = True
            for connection in (*self._idle, self._writer):
                connection.close()
            self._idle.clear()
            os.close(self._lock_fd)


def insert_many(
    connection: sqlite3.Connection, into: str, rows: Sequence[tuple[object, ...]]
) -> int:
    """Insert *rows* with few statements and return how many were; *into*: "INTO records", ….

    Every statement gives the interpreter away and gets it back from a busy event loop late: a commit
    takes as long as its statements are many, not its rows.
    """
    count = at = 0
    while at < len(rows):
        size = min(ROWS_MAX, 1 << ((len(rows) - at).bit_length() - 1))
        sql = _insert(into, len(rows[at]), size)
        values = tuple(chain.from_iterable(rows[at : at + size]))
        count += connection.execute(sql, values).rowcount
        at += size
    return count


@cache
def _insert(into: str, columns: int, rows: int) -> str:
    row = f"({', '.join('?' * columns)})"
    return f"INSERT {into} VALUES {', '.join([row] * rows)}"


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

"""The embedded log: one SQLite file a topic, WAL, group-committed; claims beside the commands.

Rules of this file:
- Commands and dead letters are synced before an append returns (FULL). Events and prices are made
  again from the commands, so their files only survive a killed process (NORMAL), not a power cut.
- Many processes append to one file. They queue at a lock file, where the kernel wakes them at once;
  SQLite's own busy handler would let them sleep.
- Offsets are never reused: the newest record of a partition is never trimmed.
"""

import fcntl
import os
import sqlite3
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from oms_project.adapters.clock import SystemClock
from oms_project.adapters.crash import crash
from oms_project.adapters.sqlite_file import SYNCED, TopicFile, insert_many, noted
from oms_project.kernel import ids, wire
from oms_project.kernel.errors import GapError, TransportError
from oms_project.kernel.ids import PARTITION_BITS
from oms_project.kernel.ports import Claim, ClaimState, Record, StoredRecord, Submission
from oms_project.kernel.words import Topic

POLL_MS_MIN, POLL_MS_MAX = 1, 5

_CLAIM_COLUMNS = (
    "account_id, endpoint, key, fingerprint, ids_base, at_ms, partition, offset, "
    "answer_status, answer_body"
)
_BY_KEY = f"SELECT {_CLAIM_COLUMNS} FROM claims WHERE account_id = ? AND endpoint = ? AND key = ?"


def _next_offset(connection: sqlite3.Connection, partition: int) -> int:
    low = partition << PARTITION_BITS
    sql = "SELECT max(id) FROM records WHERE id >= ? AND id < ?"
    newest = connection.execute(sql, (low, low + (1 << PARTITION_BITS))).fetchone()[0]
    return 0 if newest is None else newest - low + 1


class SqliteLog:
    """The Log port on a folder."""

    def __init__(self, folder: Path, partitions: int) -> None:
        """Open the log in *folder*, making it if needed.

        Raises:
            ValueError: the log was made with another number of partitions.
            TransportError: the folder cannot be used.
        """
        self.partitions = partitions
        self.folder = folder
        self._topics: dict[str, TopicFile] = {}
        self._lock = threading.Lock()
        try:
            (folder / "groups").mkdir(parents=True, exist_ok=True)
            made_with = noted(folder, partitions)
        except OSError as error:
            raise TransportError("log", str(error)) from error
        if made_with != partitions:
            raise ValueError(
                f"the log has {made_with} partitions and OMS_PARTITIONS says {partitions}: accounts "
                f"would move to other partitions. Set it back to {made_with}."
            )

    def file(self, topic: str) -> TopicFile:
        found = self._topics.get(topic)
        if found is None:
            with self._lock:
                found = self._topics.get(topic)
                if found is None:  # nobody was quicker
                    found = self._topics[topic] = TopicFile(self.folder, topic)
        return found

    def append(self, topic: str, records: Sequence[Record]) -> list[int]:
        for record in records:
            if not 0 <= record.partition < self.partitions:
                raise ValueError(f"partition {record.partition} of {self.partitions}")
            wire.check_size(record.value)
        with self.file(topic).write() as connection:
            offsets = insert_records(connection, records)
            crash("log.before_commit")
        crash("log.after_commit")
        return offsets

    def read(
        self,
        topic: str,
        partition: int,
        offset: int,
        records_max: int,
        bytes_max: int = wire.READ_BYTES_MAX,
    ) -> list[StoredRecord]:
        low = partition << PARTITION_BITS
        sql = "SELECT id, key, value FROM records WHERE id >= ? AND id < ? ORDER BY id LIMIT ?"
        rows, size = [], 0
        with self.file(topic).reading() as connection:
            bounds = (low + offset, low + (1 << PARTITION_BITS), records_max)
            for row in connection.execute(sql, bounds):
                rows.append(row)
                size += len(row[2])
                if size >= bytes_max:
                    break
        if rows and rows[0][0] != low + offset:
            raise GapError(f"{topic}/{partition}: {offset} was trimmed, {rows[0][0] - low} is left")
        if not rows and topic in SYNCED and self.end_offset(topic, partition) < offset:
            raise GapError(f"{topic}/{partition}: ends before {offset}; records were lost")
        return [StoredRecord(partition, row[0] - low, row[1], row[2]) for row in rows]

    def end_offset(self, topic: str, partition: int) -> int:
        with self.file(topic).reading() as connection:
            return _next_offset(connection, partition)

    def end_offsets(self, topic: str) -> list[int]:
        with self.file(topic).reading() as connection:
            return [_next_offset(connection, partition) for partition in range(self.partitions)]

    def first_offset(self, topic: str, partition: int) -> int:
        low = partition << PARTITION_BITS
        sql = "SELECT min(id) FROM records WHERE id >= ? AND id < ?"
        oldest = self.file(topic).fetch(sql, low, low + (1 << PARTITION_BITS))[0][0]
        return 0 if oldest is None else oldest - low

    def committed(self, topic: str, group: str) -> dict[int, int]:
        sql = "SELECT partition, next FROM groups WHERE name = ?"
        return dict(self.file("groups").fetch(sql, f"{group}/{topic}"))

    def subscribe(self, topic: str, group: str) -> "SqliteSubscription":
        return SqliteSubscription(self, topic, group)

    def trim(self, topic: str, partition: int, before: int) -> int:
        low = partition << PARTITION_BITS
        before = min(before, self.end_offset(topic, partition) - 1)
        with self.file(topic).write() as connection:
            sql = "DELETE FROM records WHERE id >= ? AND id < ?"
            return connection.execute(sql, (low, low + before)).rowcount if before > 0 else 0

    def close(self) -> None:
        for topic in self._topics.values():
            topic.close()
        self._topics.clear()


def insert_records(connection: sqlite3.Connection, records: Sequence[Record]) -> list[int]:
    """Insert *records* inside the caller's transaction and return their offsets."""
    ends: dict[int, int] = {}
    offsets, rows = [], []
    for record in records:
        partition = record.partition
        offset = ends.get(partition)
        if offset is None:
            offset = _next_offset(connection, partition)
        ends[partition] = offset + 1
        offsets.append(offset)
        rows.append(((partition << PARTITION_BITS) + offset, record.key, record.value))
    insert_many(connection, "INTO records", rows)
    return offsets


class SqliteSubscription:
    """A group member: it owns the partitions whose lock files it holds; the kernel frees them."""

    def __init__(self, log: SqliteLog, topic: str, group: str) -> None:
        self._log = log
        self._topic = topic
        self._group = group
        self._clock = SystemClock()
        self._held: dict[int, int] = {}
        self._next: dict[int, int] = {}
        self._pause = threading.Event()

    def poll(
        self, records_max: int, wait_ms: int, bytes_max: int = wire.READ_BYTES_MAX
    ) -> list[StoredRecord]:
        self._take_free_partitions()
        deadline_ns = self._clock.monotonic_ns() + wait_ms * 1_000_000
        pause_ms = POLL_MS_MIN
        while True:
            found: list[StoredRecord] = []
            for partition, offset in self._next.items():
                records = self._log.read(self._topic, partition, offset, records_max, bytes_max)
                if records:
                    self._next[partition] = records[-1].offset + 1
                    found += records
            if found or self._clock.monotonic_ns() >= deadline_ns:
                return found
            self._pause.wait(pause_ms / 1000)
            pause_ms = min(pause_ms + 1, POLL_MS_MAX)

    def assigned(self) -> frozenset[int]:
        return frozenset(self._held)

    def seek(self, partition: int, offset: int) -> None:
        if partition not in self._held:
            raise ValueError(f"partition {partition} is not assigned")
        self._next[partition] = offset

    def pause(self, partition: int) -> None:
        self._next.pop(partition, None)

    def commit(self, next_offsets: Mapping[int, int]) -> None:
        with self._log.file("groups").write() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO groups VALUES (?, ?, ?)",
                [(self._name(), partition, offset) for partition, offset in next_offsets.items()],
            )

    def committed(self, partition: int) -> int | None:
        sql = "SELECT next FROM groups WHERE name = ? AND partition = ?"
        rows = self._log.file("groups").fetch(sql, self._name(), partition)
        return rows[0][0] if rows else None

    def close(self) -> None:
        for descriptor in self._held.values():
            os.close(descriptor)
        self._held.clear()
        self._next.clear()

    def _name(self) -> str:
        return f"{self._group}/{self._topic}"

    def _take_free_partitions(self) -> None:
        for partition in range(self._log.partitions):
            if partition in self._held:
                continue
            name = f"{self._group}.{self._topic}.{partition}"
            descriptor = os.open(self._log.folder / "groups" / name, os.O_CREAT | os.O_RDWR, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)  # another member's
            else:
                self._held[partition] = descriptor


class SqliteIntake:
    """The Intake port: claim and record are one transaction, so neither is there without the other."""

    def __init__(self, log: SqliteLog) -> None:
        self._file = log.file(Topic.COMMANDS)

    def commit(self, submissions: Sequence[Submission]) -> list[ClaimState | Exception]:
        crash("intake.before_claim")
        try:
            with self._file.write() as connection:
                states = self._claim(connection, submissions)
                crash("log.before_commit")
        except TransportError as error:
            return [error] * len(submissions)
        crash("intake.after_append")
        return list(states)

    def close(self) -> None:
        return None  # an answer is given when all of it is durable

    def _claim(
        self, connection: sqlite3.Connection, submissions: Sequence[Submission]
    ) -> list[ClaimState]:
        """Claim and append as if all were fresh; where one is not, begin again, one by one."""
        states = _all_fresh(connection, submissions)
        claims = [_claim_row(state) for state in states]
        if insert_many(connection, "OR IGNORE INTO claims", claims) < len(claims):
            connection.execute("ROLLBACK")
            connection.execute("BEGIN IMMEDIATE")
            states = _one_by_one(connection, submissions)
        insert_many(
            connection,
            "INTO records",
            [
                (
                    (state.partition << PARTITION_BITS) + state.offset,
                    one.record.key,
                    one.record.value,
                )
                for one, state in zip(submissions, states, strict=True)
                if state.fresh
            ],
        )
        return states

    def find(self, account_id: str, endpoint: str, key: str) -> ClaimState | None:
        rows = self._file.fetch(_BY_KEY, account_id, endpoint, key)
        return _state(rows[0]) if rows else None

    def find_by_ids_base(self, ids_base: str) -> ClaimState | None:
        rows = self._file.fetch(f"SELECT {_CLAIM_COLUMNS} FROM claims WHERE ids_base = ?", ids_base)
        return _state(rows[0]) if rows else None

    def settle(self, claim: Claim, status: int, body: bytes) -> None:
        with self._file.write() as connection:
            connection.execute(
                "UPDATE claims SET answer_status = ?, answer_body = ? WHERE account_id = ? "
                "AND endpoint = ? AND key = ? AND answer_status IS NULL",
                (status, body, claim.account_id, claim.endpoint, claim.key),
            )

    def forget(self, before_ms: int, limit: int) -> int:
        with self._file.write() as connection:
            return connection.execute(
                "DELETE FROM claims WHERE ids_base IN "
                "(SELECT ids_base FROM claims WHERE ids_base < ? ORDER BY ids_base LIMIT ?)",
                (ids.base_since(before_ms), limit),
            ).rowcount


def _all_fresh(
    connection: sqlite3.Connection, submissions: Sequence[Submission]
) -> list[ClaimState]:
    ends: dict[int, int] = {}
    states = []
    for submission in submissions:
        partition = submission.record.partition
        offset = ends.get(partition)
        if offset is None:
            offset = _next_offset(connection, partition)
        ends[partition] = offset + 1
        states.append(ClaimState(submission.claim, True, True, partition, offset))
    return states


def _one_by_one(
    connection: sqlite3.Connection, submissions: Sequence[Submission]
) -> list[ClaimState]:
    ends: dict[int, int] = {}
    states = []
    for submission in submissions:
        partition = submission.record.partition
        if partition not in ends:
            ends[partition] = _next_offset(connection, partition)
        state = ClaimState(submission.claim, True, True, partition, ends[partition])
        if insert_many(connection, "OR IGNORE INTO claims", [_claim_row(state)]):
            ends[partition] += 1
            states.append(state)
        else:
            states.append(_stored_claim(connection, submission.claim))
    return states


def _claim_row(state: ClaimState) -> tuple[object, ...]:
    claim = state.claim
    return (
        claim.account_id, claim.endpoint, claim.key, claim.fingerprint, claim.ids_base,
        claim.at_ms, state.partition, state.offset, None, None,
    )  # fmt: skip


def _stored_claim(connection: sqlite3.Connection, claim: Claim) -> ClaimState:
    row = connection.execute(_BY_KEY, (claim.account_id, claim.endpoint, claim.key)).fetchone()
    if row is None:  # INSERT OR IGNORE also ignores a second ids_base: a hash collision
        raise TransportError("log", "two keys made the same ids; use another key")
    return _state(row)


def _state(row: tuple) -> ClaimState:
    claim = Claim(*row[:6])
    answer = None if row[8] is None else (row[8], row[9])
    return ClaimState(claim, False, True, row[6], row[7], answer)

"""A process of its own at a SQLite log, for tests that kill it or race it.

python -m orders.tests.sqlite_child FOLDER JOB ARMED ARGUMENTS…: prints what it was promised, a line
each, so that a test can hold the log to it.
"""

import sys
import threading
from collections.abc import Callable
from pathlib import Path

from oms_project.adapters import crash
from oms_project.adapters.sqlite_log import SqliteIntake, SqliteLog
from oms_project.kernel.ports import ClaimState, Record
from oms_project.kernel.words import Topic
from oms_project.tests.contracts.claiming import a_submission

PARTITIONS = 2
BATCH = 3


def say(*words: object) -> None:
    print(*words, flush=True)  # noqa: T201 -- the test reads it


def append(log: SqliteLog, name: str, count: str) -> None:
    """Append *count* batches, telling where each record is once that is promised."""
    for number in range(int(count)):
        records = [
            Record(part % PARTITIONS, name, f"{name} {number} {part}".encode())
            for part in range(BATCH)
        ]
        offsets = log.append(Topic.COMMANDS, records)
        for record, offset in zip(records, offsets, strict=True):
            say(record.partition, offset, record.value.decode())


def claim(log: SqliteLog, key: str, at_ms: str) -> None:
    """Commit one submission, telling whose ids it got."""
    (state,) = SqliteIntake(log).commit([a_submission(key, at_ms=int(at_ms))])
    assert isinstance(state, ClaimState)
    say(state.fresh, state.done, state.claim.ids_base, state.partition, state.offset)


def opened(log: SqliteLog) -> None:
    say(log.partitions)


def hold(log: SqliteLog, group: str) -> None:
    """Join a group, own what is free, and never leave."""
    member = log.subscribe(Topic.COMMANDS, group)
    member.poll(1, 0)
    say(*sorted(member.assigned()))
    threading.Event().wait()


JOBS: dict[str, Callable[..., None]] = {
    "append": append, "claim": claim, "opened": opened, "hold": hold,
}  # fmt: skip


def main(folder: str, job: str, armed: str, *arguments: str) -> None:
    crash.arm(armed)
    partitions = int(arguments[0]) if job == "opened" else PARTITIONS
    log = SqliteLog(Path(folder), partitions)
    JOBS[job](log, *(() if job == "opened" else arguments))
    log.close()


if __name__ == "__main__":
    main(*sys.argv[1:])

"""The embedded log while somebody else holds its write lock."""

import sqlite3
from pathlib import Path

import pytest

from oms_project.adapters.clock import NS_PER_S, SystemClock
from oms_project.adapters.sqlite_log import SqliteLog
from oms_project.kernel.errors import TransportError
from oms_project.kernel.ports import Record
from oms_project.kernel.words import Topic


def test_a_locked_log_is_told_in_time_and_heals(tmp_path: Path) -> None:
    """Somebody's shell holds the write lock: nothing is written, within three seconds."""
    log = SqliteLog(tmp_path / "log", 1)
    log.append(Topic.COMMANDS, [Record(0, "a", b"before")])
    shell = sqlite3.connect(tmp_path / "log" / f"{Topic.COMMANDS}.sqlite3", isolation_level=None)
    shell.execute("BEGIN IMMEDIATE")
    clock = SystemClock()
    begun_ns = clock.monotonic_ns()
    with pytest.raises(TransportError, match="locked"):
        log.append(Topic.COMMANDS, [Record(0, "a", b"during")])
    assert clock.monotonic_ns() - begun_ns < 3 * NS_PER_S
    shell.execute("ROLLBACK")
    shell.close()
    log.append(Topic.COMMANDS, [Record(0, "a", b"after")])
    assert [one.value for one in log.read(Topic.COMMANDS, 0, 0, 9)] == [b"before", b"after"]
    log.close()

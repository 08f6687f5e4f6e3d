"""The embedded log where contracts do not reach: killed processes, races, full disks, trims."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from oms_project.adapters.sqlite_file import READERS_MAX
from oms_project.adapters.sqlite_log import SqliteIntake, SqliteLog
from oms_project.kernel.errors import GapError, TransportError
from oms_project.kernel.ports import Claim, ClaimState, Record, Submission
from oms_project.kernel.words import Topic
from oms_project.tests.contracts.claiming import ACCOUNT, AT_MS, a_submission
from oms_project.tests.eventually import eventually
from orders.tests.sqlite_child import BATCH, PARTITIONS

ROOT = Path(__file__).parents[2]
DEADLINE_S = 60
THREADS = 50
NEVER = 10**6


@pytest.fixture
def log(tmp_path: Path) -> Iterator[SqliteLog]:
    log = SqliteLog(tmp_path / "log", PARTITIONS)
    yield log
    log.close()


def child(folder: Path, job: str, *arguments: object, armed: str = "") -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "orders.tests.sqlite_child", str(folder), job, armed]
    return subprocess.Popen(
        [*command, *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: "subprocess.Popen[str]", code: int = 0) -> list[str]:
    """Wait for the end of a process and return the lines it said."""
    said, errors = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == code, errors
    return said.splitlines()


def stored(log: SqliteLog, topic: str = Topic.COMMANDS) -> dict[tuple[int, int], str]:
    return {
        (partition, record.offset): record.value.decode()
        for partition in range(PARTITIONS)
        for record in log.read(topic, partition, log.first_offset(topic, partition), NEVER)
    }


def promised(lines: list[str]) -> dict[tuple[int, int], str]:
    found = {}
    for line in lines:
        partition, offset, value = line.split(" ", 2)
        found[int(partition), int(offset)] = value
    assert len(found) == len(lines)
    return found


# ------------------------------------------------------------------ killed


def test_killed_before_the_commit_nothing_is_there(log: SqliteLog) -> None:
    """The third append is inserted and not committed: two are there, and the next goes on there."""
    said = ended(child(log.folder, "append", "a", 9, armed="log.before_commit:3"), -signal.SIGKILL)
    assert stored(log) == promised(said)
    assert len(said) == 2 * BATCH
    end = log.end_offset(Topic.COMMANDS, 0)
    assert log.append(Topic.COMMANDS, [Record(0, "", b"next")]) == [end]


def test_killed_behind_the_commit_all_is_there(log: SqliteLog) -> None:
    """Nobody was told, and it is durable all the same: an unknown outcome."""
    said = ended(child(log.folder, "append", "a", 9, armed="log.after_commit:3"), -signal.SIGKILL)
    found = stored(log)
    assert len(said) == 2 * BATCH
    assert len(found) == 3 * BATCH
    assert promised(said).items() <= found.items()


def test_a_claim_killed_before_the_commit_never_was(log: SqliteLog) -> None:
    """Neither claim nor record; the client's retry is the first."""
    for armed in ("intake.before_claim", "log.before_commit"):
        ended(child(log.folder, "claim", "key", AT_MS, armed=armed), -signal.SIGKILL)
        assert stored(log) == {}
        assert SqliteIntake(log).find_by_ids_base(a_submission().claim.ids_base) is None
    (state,) = SqliteIntake(log).commit([a_submission(at_ms=AT_MS + 7)])
    assert isinstance(state, ClaimState)
    assert (state.fresh, state.done, state.offset) == (True, True, 0)


def test_a_claim_killed_behind_the_commit_is_replayed(log: SqliteLog) -> None:
    """The client's retry, later, gets the ids and the place of the first."""
    ended(child(log.folder, "claim", "key", AT_MS, armed="intake.after_append"), -signal.SIGKILL)
    (state,) = SqliteIntake(log).commit([a_submission(at_ms=AT_MS + 60_000)])
    assert isinstance(state, ClaimState)
    assert (state.fresh, state.done) == (False, True)
    assert state.claim == a_submission().claim
    assert len(stored(log)) == 1


def test_killed_at_random_what_was_promised_is_there(log: SqliteLog) -> None:
    """While others go on writing; offsets have no hole and none is used twice."""
    processes = [child(log.folder, "append", f"p{n}", 400) for n in range(3)]
    eventually(lambda: log.end_offset(Topic.COMMANDS, 0) > 60, DEADLINE_S)
    processes[0].kill()
    eventually(lambda: log.end_offset(Topic.COMMANDS, 0) > 120, DEADLINE_S)
    processes[1].kill()
    said = [line for process in processes for line in _last_words(process)]
    found = stored(log)
    assert promised(said).items() <= found.items()
    for partition in range(PARTITIONS):
        offsets = [offset for part, offset in found if part == partition]
        assert offsets == list(range(len(offsets)))
    whole = {value.rpartition(" ")[0] for value in found.values()}
    assert len(found) == BATCH * len(whole)  # a batch is there as a whole


def _last_words(process: "subprocess.Popen[str]") -> list[str]:
    said, _ = process.communicate(timeout=DEADLINE_S)
    lines = said.split("\n")
    return lines[:-1]  # what stands behind the last newline was cut off


def test_a_killed_member_leaves_its_partitions(log: SqliteLog) -> None:
    """The kernel frees the locks, so the next poll of another member takes them over."""
    holder = child(log.folder, "hold", "group")
    assert holder.stdout is not None
    assert holder.stdout.readline().split() == ["0", "1"]
    member = log.subscribe(Topic.COMMANDS, "group")
    member.poll(1, 0)
    assert member.assigned() == frozenset()
    holder.kill()
    holder.communicate(timeout=DEADLINE_S)
    assert eventually(lambda: member.poll(1, 0) or member.assigned()) == {0, 1}
    member.close()


# ------------------------------------------------------------------ races


def test_processes_never_use_an_offset_twice(log: SqliteLog) -> None:
    """Each is told its own places, keeps its own order, and nothing is lost between them."""
    processes = [child(log.folder, "append", f"p{n}", 60) for n in range(3)]
    said = [ended(process) for process in processes]
    told = promised([line for lines in said for line in lines])
    assert told == stored(log)
    assert len(told) == 3 * 60 * BATCH
    for lines in said:
        own = list(promised(lines))
        for partition in range(PARTITIONS):
            offsets = [offset for part, offset in own if part == partition]
            assert offsets == sorted(offsets)


def test_processes_with_one_key_write_once(log: SqliteLog) -> None:
    """One is the first, the others are told its ids."""
    processes = [child(log.folder, "claim", "key", AT_MS + n) for n in range(4)]
    said = [ended(process)[0].split() for process in processes]
    assert sorted(words[0] for words in said) == ["False"] * 3 + ["True"]
    assert len({tuple(words[1:]) for words in said}) == 1
    assert len(stored(log)) == 1


def test_threads_with_one_key_write_once(log: SqliteLog) -> None:
    intake = SqliteIntake(log)
    barrier = threading.Barrier(THREADS)
    outcomes: list[ClaimState | Exception] = []

    def race(number: int) -> None:
        submission = a_submission(at_ms=AT_MS + number)
        barrier.wait()
        outcomes.extend(intake.commit([submission]))

    _all(race)
    states = [outcome for outcome in outcomes if isinstance(outcome, ClaimState)]
    assert len(states) == THREADS
    assert sum(state.fresh for state in states) == 1
    assert len({state.claim.ids_base for state in states}) == 1
    assert len(stored(log)) == 1


def test_threads_open_a_topic_once(log: SqliteLog) -> None:
    """Else one of two writers, and its descriptors, would be nobody's."""
    barrier = threading.Barrier(THREADS)
    found: list[object] = []

    def race(number: int) -> None:
        barrier.wait()
        found.append(log.file(Topic.PRICES))

    _all(race)
    assert len(set(map(id, found))) == 1


def _all(work: object) -> None:
    threads = [threading.Thread(target=work, args=(n,)) for n in range(THREADS)]  # type: ignore[arg-type]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE_S)
    assert not any(thread.is_alive() for thread in threads)


def descriptors(log: SqliteLog) -> int:
    """Return how many open files of this process lie in the log's folder."""
    folder, found = str(log.folder), 0
    for name in os.listdir("/proc/self/fd"):
        try:
            found += os.readlink(f"/proc/self/fd/{name}").startswith(folder)
        except FileNotFoundError:  # the listing's own
            continue
    return found


def test_threads_leave_no_descriptor_behind(log: SqliteLog) -> None:
    """A web process reads in a new thread for every request: it opens what it had, not more."""
    log.append(Topic.COMMANDS, [Record(0, "a", b"x")])

    def after(threads: int) -> int:
        for _ in range(threads):
            reading = threading.Thread(target=log.end_offset, args=(Topic.COMMANDS, 0))
            reading.start()
            reading.join()
        return descriptors(log)

    assert after(3 * READERS_MAX) == after(1)


def test_threads_at_once_share_few_readers(log: SqliteLog) -> None:
    """All get their answer; the pool stays as small as it is meant to be."""
    log.append(Topic.COMMANDS, [Record(0, "a", b"x")])
    before = descriptors(log)
    found: list[int] = []
    all_at_once = threading.Barrier(THREADS)

    def read() -> None:
        all_at_once.wait()
        found.append(log.end_offset(Topic.COMMANDS, 0))

    threads = [threading.Thread(target=read) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [1] * THREADS
    assert descriptors(log) <= before + 3 * READERS_MAX  # a file, its log and its index each


def test_a_closed_log_is_a_broken_wire(tmp_path: Path) -> None:
    """Nobody opens it again by asking."""
    log = SqliteLog(tmp_path / "log", PARTITIONS)
    file = log.file(Topic.COMMANDS)
    log.close()
    with pytest.raises(TransportError):
        file.fetch("SELECT 1")


def test_processes_that_make_the_log_agree(tmp_path: Path) -> None:
    """All start at once on an empty folder."""
    processes = [child(tmp_path / "new", "opened", 4) for _ in range(5)]
    assert [ended(process) for process in processes] == [["4"]] * 5
    assert not list((tmp_path / "new").glob("partitions.*"))


# ------------------------------------------------------------------ what is refused


@pytest.mark.parametrize("other", [1, PARTITIONS + 1, 64])
def test_another_number_of_partitions_is_refused(log: SqliteLog, other: int) -> None:
    """Accounts would move; the words say what to set it back to, and the log stays usable."""
    with pytest.raises(ValueError, match=f"Set it back to {PARTITIONS}"):
        SqliteLog(log.folder, other)
    SqliteLog(log.folder, PARTITIONS).close()


@pytest.mark.parametrize("partition", [-1, PARTITIONS])
def test_a_partition_that_is_not_is_refused(log: SqliteLog, partition: int) -> None:
    with pytest.raises(ValueError, match=f"partition {partition} of {PARTITIONS}"):
        log.append(Topic.COMMANDS, [Record(0, "", b"x"), Record(partition, "", b"x")])
    assert stored(log) == {}


def test_a_folder_that_cannot_be_is_a_broken_wire(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("here")
    with pytest.raises(TransportError):
        SqliteLog(tmp_path / "file", PARTITIONS)


def test_two_keys_with_the_same_ids_write_nothing(log: SqliteLog) -> None:
    """A collision of hashes: neither may have the other's order."""
    first = a_submission("first")
    SqliteIntake(log).commit([first])
    twin = a_submission("twin")
    claim = Claim(ACCOUNT, "orders", "twin", twin.claim.fingerprint, first.claim.ids_base, AT_MS)
    (outcome,) = SqliteIntake(log).commit([Submission(claim, twin.record)])
    assert isinstance(outcome, TransportError)
    assert len(stored(log)) == 1


# ------------------------------------------------------------------ a full disk


def test_a_full_disk_writes_nothing_and_heals(log: SqliteLog) -> None:
    """All of the batch or none; when there is room again, the same batch goes in."""
    log.append(Topic.COMMANDS, [Record(0, "", b"first")])
    writer = log.file(Topic.COMMANDS)._writer
    (pages,) = writer.execute("PRAGMA page_count").fetchone()
    writer.execute(f"PRAGMA max_page_count={pages + 2}")
    batch = [Record(n % 2, "", bytes(3_000)) for n in range(20)]
    submissions = [a_submission(f"key-{n}", body="x" * 100) for n in range(300)]
    with pytest.raises(TransportError):
        log.append(Topic.COMMANDS, batch)
    outcomes = SqliteIntake(log).commit(submissions)
    assert {type(outcome) for outcome in outcomes} == {TransportError}
    assert len(stored(log)) == 1
    writer.execute(f"PRAGMA max_page_count={10**6}")
    assert log.append(Topic.COMMANDS, batch)[:2] == [1, 0]
    states = SqliteIntake(log).commit(submissions)
    assert all(isinstance(state, ClaimState) and state.fresh for state in states)


# ------------------------------------------------------------------ trims and ends


def test_a_trim_keeps_the_offsets(log: SqliteLog) -> None:
    """What is behind stays where it was, the next is one more, also after everything went."""
    log.append(Topic.COMMANDS, [Record(n % 2, "", str(n).encode()) for n in range(10)])
    assert log.trim(Topic.COMMANDS, 0, 3) == 3
    assert log.trim(Topic.COMMANDS, 0, 3) == 0
    assert stored(log) == {(0, 3): "6", (0, 4): "8"} | {(1, n): str(2 * n + 1) for n in range(5)}
    assert log.trim(Topic.COMMANDS, 0, 10**9) == 1  # the newest stays: it says what is next
    assert (log.first_offset(Topic.COMMANDS, 0), log.end_offset(Topic.COMMANDS, 0)) == (4, 5)
    again = SqliteLog(log.folder, PARTITIONS)
    assert again.append(Topic.COMMANDS, [Record(0, "", b"next")]) == [5]
    again.close()
    with pytest.raises(GapError, match="0 was trimmed, 4 is left"):
        log.read(Topic.COMMANDS, 0, 0, 10)


@pytest.mark.parametrize("before", [0, -5])
def test_a_trim_of_nothing(log: SqliteLog, before: int) -> None:
    log.append(Topic.COMMANDS, [Record(0, "", b"x")])
    assert log.trim(Topic.COMMANDS, 0, before) == 0
    assert log.trim(Topic.COMMANDS, 1, 10) == 0


def test_the_end_of_a_log_that_lost_records(log: SqliteLog) -> None:
    """Commands are synced: an end in front of what was read is a loss, and said. Events are not:
    they are told again, and a reader waits for them.
    """
    for topic in (Topic.COMMANDS, Topic.EVENTS):
        log.append(topic, [Record(0, "", b"x")])
        assert log.read(topic, 0, 1, 10) == []
    with pytest.raises(GapError, match="records were lost"):
        log.read(Topic.COMMANDS, 0, 2, 10)
    assert log.read(Topic.EVENTS, 0, 2, 10) == []


def test_partitions_are_apart_to_the_last_offset(log: SqliteLog) -> None:
    """Neighbours in one table: the end of one is not the beginning of the other."""
    assert log.append(Topic.COMMANDS, [Record(1, "", b"b")]) == [0]
    assert log.end_offset(Topic.COMMANDS, 0) == 0
    assert log.read(Topic.COMMANDS, 0, 0, 10) == []
    assert log.append(Topic.COMMANDS, [Record(0, "", b"a")]) == [0]
    assert stored(log) == {(0, 0): "a", (1, 0): "b"}


def test_forgetting_is_bounded(log: SqliteLog) -> None:
    """Oldest first, so many at once; the records stay."""
    intake = SqliteIntake(log)
    intake.commit([a_submission(f"key-{n}", at_ms=AT_MS + n) for n in range(9)])
    assert intake.forget(AT_MS + 8, 5) == 5
    assert intake.find_by_ids_base(a_submission("key-5", at_ms=AT_MS + 5).claim.ids_base)
    assert intake.forget(AT_MS + 8, 5) == 3
    assert intake.forget(AT_MS + 8, 5) == 0
    assert len(stored(log)) == 9


def test_what_was_committed_moves_into_the_file_by_itself(tmp_path: Path) -> None:
    """No commit pays for it: there are far fewer pages than a writer would move itself."""
    log = SqliteLog(tmp_path / "log", PARTITIONS)
    file = tmp_path / "log" / f"{Topic.COMMANDS}.sqlite3"
    log.append(Topic.COMMANDS, [Record(0, "", b"x" * 100_000)])
    eventually(lambda: file.stat().st_size > 100_000)
    log.close()

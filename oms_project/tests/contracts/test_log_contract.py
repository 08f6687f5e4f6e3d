"""What every Log promises, and every Subscription of it."""

import threading
from collections.abc import Iterator

import pytest

from oms_project.kernel import wire
from oms_project.kernel.errors import GapError, RecordTooLargeError
from oms_project.kernel.ports import Log, Record, StoredRecord, Subscription
from oms_project.tests.contracts.adapters import LOGS, PARTITIONS, LogCase, each
from oms_project.tests.eventually import eventually

GROUP = "readers"


@pytest.fixture(params=each(LOGS))
def case(request: pytest.FixtureRequest) -> Iterator[LogCase]:
    with request.param(request) as case:
        yield case


@pytest.fixture
def log(case: LogCase) -> Log:
    return case.open()


def record(value: str, partition: int = 0, key: str = "account") -> Record:
    return Record(partition, key, value.encode())


def values(records: list[StoredRecord]) -> list[str]:
    return [record.value.decode() for record in records]


def read_all(log: Log, topic: str, partition: int = 0) -> list[StoredRecord]:
    found: list[StoredRecord] = []
    while more := log.read(topic, partition, len(found), 7):
        found += more
    return found


class Members:
    """Members of a group, polled in turn as their threads would."""

    def __init__(self) -> None:
        self.open: list[Subscription] = []

    def join(self, log: Log, topic: str) -> Subscription:
        self.open.append(log.subscribe(topic, GROUP))
        return self.open[-1]

    def leave(self, member: Subscription) -> None:
        self.open.remove(member)
        member.close()

    def settle(self, deadline_s: float = 30.0) -> None:
        """Poll until every partition has exactly one owner and nothing moves any more."""

        def settled() -> bool:
            for member in self.open:
                member.poll(1, 20)
            owned = [partition for member in self.open for partition in member.assigned()]
            return sorted(owned) == list(range(PARTITIONS))

        eventually(settled, deadline_s)


@pytest.fixture
def members() -> Iterator[Members]:
    members = Members()
    yield members
    for member in members.open:
        member.close()


@pytest.fixture
def alone(case: LogCase, log: Log, members: Members) -> Subscription:
    """The only member, owner of all partitions; nothing was sought yet."""
    member = members.join(log, case.topic)
    members.settle()
    return member


def poll_some(member: Subscription, count: int) -> list[StoredRecord]:
    found: list[StoredRecord] = []

    def enough() -> bool:
        found.extend(member.poll(100, 100))
        return len(found) >= count

    eventually(enough)
    return found


def test_offsets_grow_by_partition(case: LogCase, log: Log) -> None:
    """Each partition counts for itself, from where it ends."""
    ends = [log.end_offset(case.topic, partition) for partition in range(PARTITIONS)]
    assert log.append(case.topic, [record("a"), record("b", 1), record("c")]) == [
        ends[0],
        ends[1],
        ends[0] + 1,
    ]
    assert log.append(case.topic, [record("d")]) == [ends[0] + 2]


def test_all_ends_at_once(case: LogCase, log: Log) -> None:
    """The same as one by one, by partition, whoever appended."""
    log.append(case.topic, [record("a"), record("b", 1), record("c")])
    one_by_one = [log.end_offset(case.topic, partition) for partition in range(PARTITIONS)]
    assert log.end_offsets(case.topic) == one_by_one
    assert sum(one_by_one) == 3


def test_how_far_a_group_is_seen_from_outside(
    case: LogCase, log: Log, members: Members, alone: Subscription
) -> None:
    """Nothing before the first commit; then that, and looking takes no partition from its owner."""
    assert log.committed(case.topic, GROUP) == {}
    log.append(case.topic, [record("a"), record("b")])
    alone.commit({0: 1})
    assert log.committed(case.topic, GROUP) == {0: 1}
    alone.commit({0: 2, 1: 0})
    assert log.committed(case.topic, GROUP) == {0: 2, 1: 0}
    assert log.committed(case.topic, "nobody") == {}
    alone.poll(1, 0)
    assert alone.assigned() == frozenset(range(PARTITIONS))


def test_a_record_comes_back_as_it_went_in(case: LogCase, log: Log) -> None:
    """Every byte, an empty key, and a value of a megabyte."""
    large = bytes(range(256)) * 4096
    log.append(case.topic, [Record(0, "", b"\x00\xff"), Record(0, "é", large)])
    assert read_all(log, case.topic) == [
        StoredRecord(0, 0, "", b"\x00\xff"),
        StoredRecord(0, 1, "é", large),
    ]


def test_nothing_to_append(case: LogCase, log: Log) -> None:
    """An empty append is no append."""
    assert log.append(case.topic, []) == []


def test_another_client_sees_it_at_once(case: LogCase, log: Log) -> None:
    """What append returned from is durable and visible."""
    other = case.open()
    log.append(case.topic, [record("a")])
    assert values(other.read(case.topic, 0, 0, 10)) == ["a"]
    other.append(case.topic, [record("b")])
    assert values(eventually(lambda: log.read(case.topic, 0, 1, 10))) == ["b"]


def test_reads_go_on_in_steps(case: LogCase, log: Log) -> None:
    """records_max at a time, in order, and nothing at the end."""
    log.append(case.topic, [record(str(n)) for n in range(20)])
    assert values(log.read(case.topic, 0, 0, 3)) == ["0", "1", "2"]
    assert values(log.read(case.topic, 0, 3, 3)) == ["3", "4", "5"]
    assert values(log.read(case.topic, 0, 18, 3)) == ["18", "19"]
    assert log.read(case.topic, 0, 20, 3) == []
    assert values(log.read(case.topic, 0, 1, 2)) == ["1", "2"]


def test_ends(case: LogCase, log: Log) -> None:
    """first and end frame what can be read."""
    if not case.exact:
        pytest.skip("Tansu lists the end without its last batch")
    assert (log.first_offset(case.topic, 0), log.end_offset(case.topic, 0)) == (0, 0)
    log.append(case.topic, [record("a"), record("b")])
    assert (log.first_offset(case.topic, 0), log.end_offset(case.topic, 0)) == (0, 2)
    assert log.end_offset(case.topic, 1) == 0


def test_a_record_no_log_takes_is_refused_whole(case: LogCase, log: Log) -> None:
    """By every log, so that what works with one works with the other."""
    with pytest.raises(RecordTooLargeError):
        log.append(case.topic, [record("a"), Record(0, "", bytes(wire.RECORD_BYTES_MAX + 1))])
    assert log.read(case.topic, 0, 0, 1) == []


def test_a_read_is_bounded_in_bytes(case: LogCase, log: Log) -> None:
    """However many records are asked for: memory has an end. One record always comes."""
    if not case.exact:
        pytest.skip("Tansu is made for small records")
    half = wire.READ_BYTES_MAX // 2
    log.append(case.topic, [record(letter * half) for letter in "abcde"])
    found = log.read(case.topic, 0, 0, 500)
    assert 0 < sum(len(one.value) for one in found) < wire.READ_BYTES_MAX + half
    assert [one.value[:1] for one in read_all(log, case.topic)] == [b"a", b"b", b"c", b"d", b"e"]


def test_reading_behind_the_end_is_a_gap(case: LogCase, log: Log) -> None:
    """Somebody saw a record there: the log lost it."""
    log.append(case.topic, [record("a")])
    with pytest.raises(GapError):
        log.read(case.topic, 0, 5, 1)


def test_a_partition_that_is_not_there_is_refused_whole(case: LogCase, log: Log) -> None:
    """Nothing of the append is written."""
    with pytest.raises(ValueError, match="partition"):
        log.append(case.topic, [record("a"), record("b", PARTITIONS)])
    assert log.read(case.topic, 0, 0, 1) == []


def test_trim_forgets_the_oldest(case: LogCase, log: Log) -> None:
    """What is left keeps its offset; what went is a gap, not silence."""
    if not case.trims:
        pytest.skip("its retention trims")
    log.append(case.topic, [record(str(n)) for n in range(10)])
    assert log.trim(case.topic, 0, 4) == 4
    assert log.first_offset(case.topic, 0) == 4
    assert values(log.read(case.topic, 0, 4, 2)) == ["4", "5"]
    with pytest.raises(GapError):
        log.read(case.topic, 0, 3, 1)


def test_appends_of_many_threads_are_all_there_once(case: LogCase, log: Log) -> None:
    """Offsets are unique and each thread's records keep their order."""
    offsets: list[list[int]] = [[] for _ in range(4)]

    def work(number: int) -> None:
        for step in range(10):
            batch = [record(f"{number}:{step}:{n}") for n in range(5)]
            offsets[number] += log.append(case.topic, batch)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(offset for own in offsets for offset in own) == list(range(200))
    stored = values(read_all(log, case.topic))
    for number in range(4):
        own = [value for value in stored if value.startswith(f"{number}:")]
        assert own == [f"{number}:{step}:{n}" for step in range(10) for n in range(5)]
        assert [stored[offset] for offset in offsets[number]] == own


def test_nothing_is_delivered_before_seek(case: LogCase, log: Log, alone: Subscription) -> None:
    """The owner says where to start; no default may jump over a record."""
    log.append(case.topic, [record("a"), record("b"), record("c", 1)])
    assert alone.poll(10, 200) == []
    alone.seek(0, 1)
    assert values(poll_some(alone, 1)) == ["b"]
    alone.seek(1, 0)
    assert values(poll_some(alone, 1)) == ["c"]


def test_poll_waits_for_what_comes(case: LogCase, log: Log, alone: Subscription) -> None:
    """[] when nothing comes; a record is delivered once, in order."""
    alone.seek(0, 0)
    alone.seek(1, 0)
    assert alone.poll(10, 50) == []
    log.append(case.topic, [record(str(n)) for n in range(5)])
    assert values(poll_some(alone, 5)) == ["0", "1", "2", "3", "4"]
    assert alone.poll(10, 50) == []


def test_seek_back_delivers_again(case: LogCase, log: Log, alone: Subscription) -> None:
    """A handler that failed gets the same records again."""
    log.append(case.topic, [record("a"), record("b")])
    alone.seek(0, 0)
    assert values(poll_some(alone, 2)) == ["a", "b"]
    alone.seek(0, 0)
    assert values(poll_some(alone, 2)) == ["a", "b"]


def test_a_paused_partition_delivers_nothing_and_stays_ours(
    case: LogCase, log: Log, alone: Subscription
) -> None:
    """Until it is sought again; the other one goes on."""
    log.append(case.topic, [record("a"), record("b"), record("c", 1)])
    alone.seek(0, 0)
    assert values(poll_some(alone, 2)) == ["a", "b"]
    alone.pause(0)
    log.append(case.topic, [record("d")])
    alone.seek(1, 0)
    assert values(poll_some(alone, 1)) == ["c"]
    assert alone.poll(10, 200) == []
    assert alone.assigned() == frozenset(range(PARTITIONS))
    alone.seek(0, 1)
    assert values(poll_some(alone, 2)) == ["b", "d"]


def test_seek_of_what_is_not_ours_is_refused(alone: Subscription) -> None:
    with pytest.raises(ValueError, match="not assigned"):
        alone.seek(PARTITIONS, 0)


def test_seek_behind_the_end_is_a_gap(case: LogCase, log: Log, alone: Subscription) -> None:
    """The offset comes from a snapshot: a log that ends before it lost records."""
    log.append(case.topic, [record("a")])
    alone.seek(0, 100)
    with pytest.raises(GapError):
        eventually(lambda: alone.poll(1, 100))


def test_seek_before_the_trimmed_is_a_gap(case: LogCase, log: Log, alone: Subscription) -> None:
    if not case.trims:
        pytest.skip("its retention trims")
    log.append(case.topic, [record(str(n)) for n in range(10)])
    log.trim(case.topic, 0, 4)
    alone.seek(0, 3)
    with pytest.raises(GapError):
        eventually(lambda: alone.poll(1, 100))


def test_the_committed_offset_is_the_groups(
    case: LogCase, log: Log, alone: Subscription, members: Members
) -> None:
    """The next member is told; a partition nobody committed has none."""
    log.append(case.topic, [record("a"), record("b")])
    assert alone.committed(0) is None
    alone.seek(0, 0)
    poll_some(alone, 2)

    def committed() -> bool:
        """A commit that meets a rebalance is dropped (it is a hint): poll, and say it again."""
        alone.poll(1, 50)
        alone.commit({0: 2})
        return alone.committed(0) == 2

    eventually(committed)
    members.leave(alone)
    follower = members.join(case.open(), case.topic)
    members.settle()
    assert follower.committed(0) == 2
    assert follower.committed(1) is None


def test_each_partition_has_one_owner(
    case: LogCase, log: Log, alone: Subscription, members: Members
) -> None:
    """A second member never reads what the first owns, and takes over what it leaves."""
    log.append(case.topic, [record("a"), record("b", 1)])
    follower = members.join(case.open(), case.topic)
    members.settle()
    assert not alone.assigned() & follower.assigned()
    members.leave(alone)
    members.settle()
    assert follower.assigned() == frozenset(range(PARTITIONS))
    follower.seek(0, 0)
    follower.seek(1, 0)
    assert sorted(values(poll_some(follower, 2))) == ["a", "b"]

"""The consumer loop: what is handled again, what is set aside, what ends it."""

import threading
from collections.abc import Sequence

import msgspec
import pytest

from oms_project.adapters.clock import FakeClock
from oms_project.adapters.loop import (
    COMMIT_EVERY_NS,
    DeadLetter,
    DeadLetterLimitError,
    Each,
    Loop,
    Poison,
)
from oms_project.adapters.memory import MemoryLog
from oms_project.kernel import wire
from oms_project.kernel.errors import BadRecordError, FencedError, GapError, TransportError
from oms_project.kernel.ports import Record, StoredRecord
from oms_project.kernel.words import Topic

TOPIC = "numbers"
GROUP = "counters"
LETTER = msgspec.msgpack.Decoder(DeadLetter)


class Counter:
    """A handler with a durable effect of its own (`kept`) and memory in front of it (`held`)."""

    def __init__(self) -> None:
        self.kept: dict[int, list[str]] = {0: [], 1: []}
        self.held: dict[int, list[str]] = {}
        self.taken: list[int] = []
        self.lost: list[int] = []
        self.ticks = 0
        self.fail: list[Exception] = []

    def take(self, partition: int) -> int:
        self.taken.append(partition)
        self.held[partition] = list(self.kept[partition])
        return len(self.kept[partition])

    def lose(self, partition: int) -> None:
        self.lost.append(partition)
        del self.held[partition]

    def handle(self, records: Sequence[StoredRecord]) -> list[Poison]:
        poison = []
        for record in records:
            value = record.value.decode()
            if value.startswith("poison"):
                poison.append(Poison(record, BadRecordError(f"cannot read {value}")))
            self.held[record.partition].append(value)
        if self.fail:
            raise self.fail.pop(0)
        self.kept = {p: list(values) for p, values in self.held.items()} | {
            p: values for p, values in self.kept.items() if p not in self.held
        }
        return poison

    def tick(self) -> None:
        self.ticks += 1


class BrokenDeadLetters(MemoryLog):
    """A log that cannot take dead letters for a while."""

    failures = 0

    def append(self, topic: str, records: Sequence[Record]) -> list[int]:
        if topic == Topic.DEADLETTER and self.failures:
            self.failures -= 1
            raise TransportError("log", "away")
        return super().append(topic, records)


@pytest.fixture
def log() -> BrokenDeadLetters:
    return BrokenDeadLetters(2)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def a_loop(log: MemoryLog, handler: object, clock: FakeClock, **options: int) -> Loop:
    return Loop(log, TOPIC, GROUP, handler, clock, wait_ms=0, **options)


def put(log: MemoryLog, *values: str, partition: int = 0) -> None:
    log.append(TOPIC, [Record(partition, "account", value.encode()) for value in values])


def letters(log: MemoryLog, partition: int = 0) -> list[DeadLetter]:
    found = []
    for record in log.read(Topic.DEADLETTER, partition, 0, 1_000):
        envelope = wire.open_envelope(record.value, "deadletter")
        letter = wire.read_body(LETTER, envelope)
        assert envelope.id == f"{TOPIC}/{partition}/{letter.offset}"
        found.append(letter)
    return found


def committed(log: MemoryLog) -> int | None:
    """Return what the group was told of partition 0."""
    member = log.subscribe(TOPIC, GROUP)
    member.close()
    return member.committed(0)


def test_records_are_handled_in_order_from_where_the_handler_is(
    log: MemoryLog, clock: FakeClock
) -> None:
    """The handler's own store says where to go on, not the group's offset."""
    put(log, "a", "b", "c")
    put(log, "x", partition=1)
    handler = Counter()
    handler.kept[0] = ["a"]
    loop = a_loop(log, handler, clock)
    for _ in range(3):
        loop.run_once()
    assert handler.kept == {0: ["a", "b", "c"], 1: ["x"]}
    assert handler.taken == [0, 1]
    assert handler.ticks == 3


def test_a_broken_wire_takes_the_partitions_again(log: MemoryLog, clock: FakeClock) -> None:
    """What the handler held was ahead of what is durable: it starts from there, nothing is lost."""
    put(log, "a", "b")
    handler = Counter()
    handler.fail = [TransportError("store"), TransportError("store")]
    loop = a_loop(log, handler, clock)
    loop.run_once()
    for _ in range(2):
        with pytest.raises(TransportError):
            loop.run_once()
    put(log, "c")
    loop.run_once()
    assert handler.kept[0] == ["a", "b", "c"]
    assert handler.taken == [0, 1, 0, 1, 0, 1]
    assert handler.lost == []


def test_run_waits_a_broken_wire_out(log: MemoryLog, clock: FakeClock) -> None:
    put(log, "a")
    handler = Counter()
    handler.fail = [TransportError("store")]
    a_loop(log, handler, clock).run(threading.Event(), rounds_max=4)
    assert handler.kept[0] == ["a"]
    assert handler.lost == [0, 1]


class Stop(threading.Event):
    """Notes how long it was waited for; nobody really waits."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout)
        return False


def test_what_trickles_in_is_gathered(log: MemoryLog, clock: FakeClock) -> None:
    """A pause behind a round with few records; none behind a full or an empty one."""
    put(log, "a", "b", "c")
    stop = Stop()
    a_loop(log, Counter(), clock, records_max=2, gather_ms=5).run(stop, rounds_max=4)
    assert stop.waits == [0.005]


@pytest.mark.parametrize("error", [FencedError("old"), GapError("hole"), RuntimeError("bug")])
def test_any_other_error_ends_the_run_before_the_commit(
    log: MemoryLog, clock: FakeClock, error: Exception
) -> None:
    put(log, "a")
    handler = Counter()
    handler.fail = [error]
    with pytest.raises(type(error)):
        a_loop(log, handler, clock).run(threading.Event(), rounds_max=4)
    assert committed(log) is None
    assert handler.lost == [0, 1]


def test_poison_is_set_aside_and_the_rest_goes_on(log: MemoryLog, clock: FakeClock) -> None:
    """With its bytes, its place and what was wrong with it."""
    put(log, "a", "poison", "b")
    handler = Counter()
    loop = a_loop(log, handler, clock)
    loop.run_once()
    loop.run_once()
    (letter,) = letters(log)
    assert letter == DeadLetter(
        TOPIC, 0, 1, "account", b"poison", "BadRecordError", "cannot read poison"
    )
    assert handler.kept[0][-1] == "b"
    assert loop.dead_letters.total == 1


def test_the_offset_waits_for_the_dead_letter(log: BrokenDeadLetters, clock: FakeClock) -> None:
    """Dead letters that cannot be written are a broken wire: the record comes again."""
    put(log, "poison")
    log.failures = 1
    handler = Each(refuse)
    loop = a_loop(log, handler, clock)
    loop.run_once()
    with pytest.raises(TransportError):
        loop.run_once()
    assert letters(log) == []
    loop.run_once()
    loop.close()
    assert [letter.offset for letter in letters(log)] == [0]
    assert committed(log) == 1


def refuse(record: StoredRecord) -> None:
    if record.value.startswith(b"poison"):
        raise BadRecordError("poison")


def test_too_much_poison_stops_the_loop(log: MemoryLog, clock: FakeClock) -> None:
    """A bad deploy must not drain the topic into the dead letters; a minute later it may go on."""
    put(log, *["poison"] * 3)
    loop = a_loop(log, Each(refuse), clock, records_max=1, dead_letters_per_minute_max=2)
    for _ in range(3):
        loop.run_once()
    with pytest.raises(DeadLetterLimitError):
        loop.run_once()
    loop.close()
    assert [letter.offset for letter in letters(log)] == [0, 1]
    clock.advance_s(61)
    again = a_loop(log, Each(refuse), clock, dead_letters_per_minute_max=2)
    again.run_once()
    again.run_once()
    assert [letter.offset for letter in letters(log)][-1] == 2


def test_the_group_is_told_once_a_second_and_at_the_end(log: MemoryLog, clock: FakeClock) -> None:
    put(log, "a")
    loop = a_loop(log, Counter(), clock)
    loop.run_once()
    loop.run_once()
    assert committed(log) == 1
    put(log, "b")
    loop.run_once()
    assert committed(log) == 1
    clock.advance_ns(COMMIT_EVERY_NS)
    loop.run_once()
    assert committed(log) == 2
    put(log, "c")
    loop.run_once()
    loop.close()
    assert committed(log) == 3


def test_a_handler_without_a_store_goes_on_from_the_group(log: MemoryLog, clock: FakeClock) -> None:
    """Committed if there is one, else the oldest record that is left."""
    put(log, *"abcde")
    log.trim(TOPIC, 0, 2)
    seen: list[str] = []
    handler = Each(lambda record: seen.append(record.value.decode()))
    first = a_loop(log, handler, clock)
    first.run_once()
    first.run_once()
    assert seen == ["c", "d", "e"]
    first.close()
    put(log, "f")
    second = a_loop(log, handler, clock)
    second.run_once()
    second.run_once()
    assert seen[3:] == ["f"]


def test_a_second_member_takes_over(log: MemoryLog, clock: FakeClock) -> None:
    """The first is told to let go before the second begins."""
    one, two = Counter(), Counter()
    first, second = a_loop(log, one, clock), a_loop(log, two, clock)
    first.run_once()
    second.run_once()
    assert (one.taken, two.taken) == ([0, 1], [])
    first.run_once()
    assert one.lost == [1]
    second.run_once()
    assert two.taken == [1]
    first.close()
    second.run_once()
    assert two.taken == [1, 0]

"""The consumer loop: what is handled again, what is set aside, what ends it."""

import threading
from collections.abc import Sequence

import msgspec
import pytest

from oms_project.adapters.clock import FakeClock
from oms_project.adapters.dead_letters import (
    PAUSED,
    RESUMED,
    DeadLetter,
    Pauses,
    Poison,
    mark,
    set_aside,
)
from oms_project.adapters.loop import COMMIT_EVERY_NS, PAUSE_LOOK_NS, Each, Handled, Loop
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
        self.behind: list[int] = []
        self.ticks = 0
        self.fail: list[Exception] = []

    def take(self, partition: int) -> int:
        self.taken.append(partition)
        self.held[partition] = list(self.kept[partition])
        return len(self.kept[partition])

    def lose(self, partition: int) -> None:
        self.lost.append(partition)
        del self.held[partition]

    def handle(self, records: Sequence[StoredRecord]) -> Handled:
        poison = []
        for record in records:
            value = record.value.decode()
            if value.startswith("poison"):
                poison.append(Poison(record, BadRecordError(f"cannot read {value}")))
            self.held[record.partition].append(value)
        if records and self.fail:
            raise self.fail.pop(0)
        self.kept = {p: list(values) for p, values in self.held.items()} | {
            p: values for p, values in self.kept.items() if p not in self.held
        }
        return Handled.whole(records, poison)

    def buried(self, partition: int) -> None:
        self.behind.append(partition)

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
        if letter.topic == Topic.DEADLETTER:
            continue  # a mark
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


# ------------------------------------------------------------------ too much of it


def resume(log: MemoryLog, before: int) -> None:
    mark(log, RESUMED, TOPIC, 0, before, reason="", now_ns=1, actor="olga")


def pauses(log: MemoryLog) -> list[tuple[str, int, int]]:
    found = Pauses(log)
    found.refresh()
    return [(pause.topic, pause.partition, pause.offset) for pause in found.all()]


def test_too_much_poison_pauses_its_partition(log: MemoryLog, clock: FakeClock) -> None:
    """A bad deploy must not drain the topic into the dead letters. The other partition goes on."""
    put(log, "a", *["poison"] * 3, "b")
    handler = Counter()
    loop = a_loop(log, handler, clock, records_max=2, dead_letters_per_minute_max=2)
    for _ in range(4):
        loop.run_once()
    put(log, "x", partition=1)
    for _ in range(2):
        loop.run_once()
    assert set_aside(log, TOPIC, 0) == {1, 2}
    assert pauses(log) == [(TOPIC, 0, 3)]
    assert handler.kept == {0: ["a", "poison", "poison", "poison"], 1: ["x"]}
    clock.advance_s(3_600)
    loop.run_once()
    assert set_aside(log, TOPIC, 0) == {1, 2}  # time does not end it
    loop.close()
    assert committed(log) == 3  # in front of what is not set aside


def test_an_operator_ends_the_pause(log: MemoryLog, clock: FakeClock) -> None:
    """What stood in the log at that moment is set aside, however much it is; then all goes on."""
    put(log, *["poison"] * 9, "b")
    handler = Counter()
    loop = a_loop(log, handler, clock, records_max=4, dead_letters_per_minute_max=2)
    for _ in range(3):
        loop.run_once()
    assert handler.behind == []
    resume(log, before=10)
    loop.run_once()
    assert set_aside(log, TOPIC, 0) == {0, 1}  # it has not looked yet
    clock.advance_ns(PAUSE_LOOK_NS)
    for _ in range(4):
        loop.run_once()
    assert set_aside(log, TOPIC, 0) == set(range(9))
    assert handler.kept[0] == [*["poison"] * 9, "b"]
    assert pauses(log) == []
    clock.advance_s(61)
    put(log, *["poison"] * 3)  # of these the operator knew nothing
    for _ in range(2):
        loop.run_once()
    assert pauses(log) == [(TOPIC, 0, 12)]
    loop.close()
    assert committed(log) == 12


def test_a_restart_does_not_end_the_pause(log: MemoryLog, clock: FakeClock) -> None:
    """Nor does it set more aside, or say again that it waits. Nothing is missing in the end."""
    put(log, *["poison"] * 5)
    for _ in range(4):
        loop = a_loop(log, Each(refuse), clock, dead_letters_per_minute_max=2)
        for _ in range(3):
            loop.run_once()
        loop.close()
        clock.advance_s(61)
    assert [letter.offset for letter in letters(log)] == [0, 1]
    assert log.end_offset(Topic.DEADLETTER, 0) == 3
    resume(log, before=5)
    loop = a_loop(log, Each(refuse), clock, dead_letters_per_minute_max=2)
    for _ in range(3):
        loop.run_once()
    loop.close()
    assert set_aside(log, TOPIC, 0) == set(range(5))
    assert committed(log) == 5


def test_a_pause_that_cannot_be_told_is_told_later(
    log: BrokenDeadLetters, clock: FakeClock
) -> None:
    put(log, *["poison"] * 3)
    loop = a_loop(log, Each(refuse), clock, dead_letters_per_minute_max=0)
    loop.run_once()
    log.failures = 1
    with pytest.raises(TransportError):
        loop.run_once()
    assert pauses(log) == []
    loop.run_once()
    loop.run_once()
    assert pauses(log) == [(TOPIC, 0, 0)]


def test_garbage_among_the_letters_stops_nobody(log: MemoryLog, clock: FakeClock) -> None:
    log.append(Topic.DEADLETTER, [Record(0, "", b"\xc1")])
    mark(log, PAUSED, TOPIC, 0, 7, reason="why", now_ns=1, actor="a")
    assert pauses(log) == [(TOPIC, 0, 7)]


# ------------------------------------------------------------------ handlers that stop early


class Careful(Counter):
    """Handles one record of those it is given."""

    def handle(self, records: Sequence[StoredRecord]) -> Handled:
        return super().handle(records[:1])


def test_only_what_was_handled_is_committed(log: MemoryLog, clock: FakeClock) -> None:
    """The rest is delivered again: nothing is left out, nothing is told to the group too early."""
    put(log, "a", "b", "c")
    put(log, "x", partition=1)
    handler = Careful()
    loop = a_loop(log, handler, clock)
    loop.run_once()
    loop.run_once()
    assert committed(log) == 1
    for _ in range(3):
        loop.run_once()
    loop.close()
    assert handler.kept == {0: ["a", "b", "c"], 1: ["x"]}
    assert committed(log) == 3


# ------------------------------------------------------------------ the group


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

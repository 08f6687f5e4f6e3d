"""Too much poison: its partition waits for an operator, and nothing is missing in the end."""

import pytest

from oms_project.adapters.clock import FakeClock
from oms_project.adapters.dead_letters import PAUSED, RESUMED, Pauses, mark, set_aside
from oms_project.adapters.loop import PAUSE_LOOK_NS, Each
from oms_project.adapters.memory import MemoryLog
from oms_project.kernel import wire
from oms_project.kernel.errors import TransportError
from oms_project.kernel.ports import Record
from oms_project.kernel.words import Topic
from oms_project.tests.adapters.loops import (
    TOPIC,
    BrokenDeadLetters,
    Counter,
    a_loop,
    committed,
    letters,
    put,
    refuse,
)


@pytest.fixture
def log() -> BrokenDeadLetters:
    return BrokenDeadLetters(2)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


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


def test_the_largest_record_has_a_letter(log: MemoryLog, clock: FakeClock) -> None:
    """Cut, so that the letter is a record itself; a key without end is cut too."""
    value = b"poison" + bytes(wire.RECORD_BYTES_MAX - 6)
    log.append(TOPIC, [Record(0, "k" * 10_000, value), Record(0, "a", b"poison")])
    loop = a_loop(log, Each(refuse), clock)
    for _ in range(3):
        loop.run_once()
    large, small = letters(log)
    assert large.value == value[: len(large.value)]
    assert large.reason == f"(cut, {len(value)} bytes) poison"
    assert small.value == b"poison"


def test_garbage_among_the_letters_stops_nobody(log: MemoryLog, clock: FakeClock) -> None:
    log.append(Topic.DEADLETTER, [Record(0, "", b"\xc1")])
    mark(log, PAUSED, TOPIC, 0, 7, reason="why", now_ns=1, actor="a")
    assert pauses(log) == [(TOPIC, 0, 7)]

"""The consumer loop: what is handled again, what is set aside, what ends it."""

import threading
from collections.abc import Sequence

import pytest

from oms_project.adapters.clock import FakeClock
from oms_project.adapters.dead_letters import DeadLetter
from oms_project.adapters.loop import COMMIT_EVERY_NS, Each, Handled
from oms_project.adapters.memory import MemoryLog
from oms_project.kernel.errors import FencedError, GapError, TransportError
from oms_project.kernel.ports import StoredRecord
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

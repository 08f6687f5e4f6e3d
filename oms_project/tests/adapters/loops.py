"""A loop, its handlers and its log, for tests."""

from collections.abc import Sequence

import msgspec

from oms_project.adapters.clock import FakeClock
from oms_project.adapters.dead_letters import DeadLetter, Poison
from oms_project.adapters.loop import Handled, Loop
from oms_project.adapters.memory import MemoryLog
from oms_project.kernel import wire
from oms_project.kernel.errors import BadRecordError, TransportError
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


def refuse(record: StoredRecord) -> None:
    if record.value.startswith(b"poison"):
        raise BadRecordError("poison")

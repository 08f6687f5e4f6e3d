"""Fakes that break on command."""

from collections.abc import Sequence

from oms_project.adapters.memory import MemoryLog
from oms_project.kernel.errors import TransportError
from oms_project.kernel.ports import Record, StoredRecord


class BreakableLog(MemoryLog):
    """A log in memory whose wire breaks while `breaks` is set. lost_answers: written, then broken."""

    def __init__(self, partitions: int = 2) -> None:
        super().__init__(partitions)
        self.breaks: TransportError | None = None
        self.lost_answers = False

    def append(self, topic: str, records: Sequence[Record]) -> list[int]:
        if self.lost_answers:
            super().append(topic, records)
        self._check_wire()
        return super().append(topic, records)

    def read(self, topic: str, partition: int, offset: int, records_max: int) -> list[StoredRecord]:
        self._check_wire()
        return super().read(topic, partition, offset, records_max)

    def end_offset(self, topic: str, partition: int) -> int:
        self._check_wire()
        return super().end_offset(topic, partition)

    def end_offsets(self, topic: str) -> list[int]:
        self._check_wire()
        return super().end_offsets(topic)

    def _check_wire(self) -> None:
        if self.breaks is not None:
            raise self.breaks


class CountingStop:
    """A stop event that never waits for real: it moves the clock and remembers the waits."""

    def __init__(self, on_wait: "object | None" = None) -> None:
        self.waits: list[float] = []
        self._on_wait = on_wait

    def is_set(self) -> bool:
        return False

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout or 0)
        if callable(self._on_wait):
            self._on_wait(timeout or 0)
        return False

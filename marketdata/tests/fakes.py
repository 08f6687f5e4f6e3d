"""Fakes that break on command."""

from collections.abc import Mapping, Sequence

from marketdata.domain.candle import MINUTE, roll
from marketdata.domain.live_candles import Row
from marketdata.domain.past import Span
from marketdata.domain.prices import Candle
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


class MemoryCandles:
    """Candles in memory. breaks: what a store that is away raises."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, int, int], Candle] = {}
        self.kept: dict[str, Span] = {}
        self.breaks: Exception | None = None

    def save(self, rows: Sequence[Row], spans: Mapping[str, Span]) -> None:
        self._check()
        self.rows.update({(symbol, interval, one.begin_s): one for symbol, interval, one in rows})
        self.kept.update(spans)

    def spans(self) -> dict[str, Span]:
        self._check()
        return dict(self.kept)

    def read(self, symbol: str, interval_s: int, from_s: int, until_s: int) -> list[Candle]:
        self._check()
        source_s = min(interval_s, MINUTE)
        found = [
            one
            for (of, seconds, begin_s), one in sorted(self.rows.items())
            if of == symbol and seconds == source_s and from_s <= begin_s < until_s
        ]
        return roll(found, interval_s)

    def before(self, symbol: str, interval_s: int, begin_s: int) -> Candle | None:
        found = self.read(symbol, interval_s, 0, begin_s)
        return found[-1] if found else None

    def _check(self) -> None:
        if self.breaks is not None:
            raise self.breaks

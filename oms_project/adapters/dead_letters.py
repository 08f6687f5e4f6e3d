"""Where records go that nobody can handle, and when there are too many of them: a pause.

Rules of this file:
- A dead letter is the record as it was, and what was wrong with it. Its id is "topic/partition/offset":
  setting the same record aside twice gives the same id.
- So much poison in one minute that it must be a bad deploy, not bad records, pauses its partition:
  nothing behind it is handled until an operator says `manage.py deadletter resume`. A restart does
  not end the pause, and it loses nothing: what is not set aside is met again.
- The topic holds three things: letters; decisions about letters; and marks (paused, resumed). The last
  two are letters about the topic itself. Nothing in it is ever changed.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
import structlog

from oms_project.adapters.clock import NS_PER_S
from oms_project.adapters.crash import crash
from oms_project.kernel import wire
from oms_project.kernel.errors import BadRecordError, PoisonError
from oms_project.kernel.ports import Clock, Log, Record, StoredRecord
from oms_project.kernel.words import Topic
from oms_project.metrics import DEAD_LETTERS

PER_MINUTE_MAX: Final = 1_000
REASON_CHARS_MAX: Final = 500
APPEND_MAX: Final = 100
KEY_CHARS_MAX: Final = 200
VALUE_BYTES_MAX: Final = wire.RECORD_BYTES_MAX - 4_096
"""A letter holds its record and must be one itself: a larger one is cut (it stays in its topic)."""
PAGE: Final = 500
SCHEMA: Final = "deadletter"
BY_HAND: Final = "SetAsideByHand"
"""The error of a letter that an operator wrote: no consumer has met the record yet, none shall."""
PAUSED: Final = "paused"
RESUMED: Final = "resumed"

_logger = structlog.get_logger(__name__)


class Poison(msgspec.Struct, frozen=True, gc=False):
    """A record that can never be handled, and why."""

    record: StoredRecord
    error: PoisonError


class DeadLetter(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Payload of the schema "deadletter".

    error: name of the exception's class; reason: its text, cut. In a mark: key is "topic/partition",
    error PAUSED (offset: the first record that is not set aside) or RESUMED (offset: what stands in
    front of it may be set aside, however much it is).
    """

    topic: str
    partition: int
    offset: int
    key: str
    value: bytes
    error: str
    reason: str


_letters = msgspec.msgpack.Decoder(DeadLetter)


def read(log: Log, partition: int, offset: int) -> Iterator[tuple[int, wire.Envelope, DeadLetter]]:
    """Yield (its offset, envelope, letter) of what can be read from *offset* up to the end."""
    end = log.end_offset(Topic.DEADLETTER, partition)
    while offset < end:
        for record in log.read(Topic.DEADLETTER, partition, offset, PAGE):
            offset = record.offset + 1
            try:
                envelope = wire.open_envelope(record.value, SCHEMA)
                letter = wire.read_body(_letters, envelope)
            except BadRecordError as error:
                _logger.warning("unreadable_letter", offset=record.offset, error=str(error))
                continue
            yield record.offset, envelope, letter


def letter(
    topic: str, record: StoredRecord, error: str, reason: str, *, now_ns: int, actor: str
) -> Record:
    """Return the letter about *record*, as a record of the dead letters."""
    key = record.key[:KEY_CHARS_MAX]
    if len(record.value) > VALUE_BYTES_MAX:
        reason = f"(cut, {len(record.value)} bytes) {reason}"
    body = DeadLetter(
        topic, record.partition, record.offset, key, record.value[:VALUE_BYTES_MAX], error,
        reason[:REASON_CHARS_MAX],
    )  # fmt: skip
    letter_id = f"{topic}/{record.partition}/{record.offset}"
    value = wire.seal(SCHEMA, body, id=letter_id, at_ns=now_ns, actor=actor)
    return Record(record.partition, key, value)


def set_aside(log: Log, topic: str, partition: int) -> set[int]:
    """Return the offsets of *topic*/*partition* that lie in the dead letters."""
    first = log.first_offset(Topic.DEADLETTER, partition)
    return {
        letter.offset
        for _, _, letter in read(log, partition, first)
        if (letter.topic, letter.partition) == (topic, partition)
    }


def by_hand(log: Log, topic: str, partition: int) -> set[int]:
    """Return the offsets that an operator told the consumers of *topic* to leave alone."""
    first = log.first_offset(Topic.DEADLETTER, partition)
    return {
        letter.offset
        for _, _, letter in read(log, partition, first)
        if letter.error == BY_HAND and (letter.topic, letter.partition) == (topic, partition)
    }


class Pause(msgspec.Struct, frozen=True):
    """A partition that waits for an operator. offset: of the first record that is not set aside."""

    topic: str
    partition: int
    offset: int
    since_ns: int
    reason: str


class Pauses:
    """What the marks in the dead letters say by now. Reads what is new only; for one thread."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._next: dict[int, int] = {}
        self._paused: dict[tuple[str, int], Pause] = {}
        self._allowed: dict[tuple[str, int], int] = {}

    def refresh(self) -> None:
        """Read on."""
        for partition, end in enumerate(self._log.end_offsets(Topic.DEADLETTER)):
            start = self._next.get(partition)
            if end == (start or 0):
                continue  # most have none, and asking each would cost a client each
            if start is None:
                start = self._log.first_offset(Topic.DEADLETTER, partition)
            for offset, envelope, letter in read(self._log, partition, start):
                self._next[partition] = offset + 1
                if letter.topic == Topic.DEADLETTER:
                    self._take(envelope, letter)

    def _take(self, envelope: wire.Envelope, mark: DeadLetter) -> None:
        topic, _, _ = mark.key.partition("/")
        where = topic, mark.partition
        if mark.error == PAUSED:
            self._paused[where] = Pause(*where, mark.offset, envelope.at_ns, mark.reason)
        elif mark.error == RESUMED:
            self._paused.pop(where, None)
            self._allowed[where] = mark.offset

    def all(self) -> list[Pause]:
        """Return who waits, in order of topic and partition."""
        return [pause for _, pause in sorted(self._paused.items())]

    def of(self, topic: str, partition: int) -> Pause | None:
        return self._paused.get((topic, partition))

    def allowed(self, topic: str, partition: int) -> int:
        """Return the offset in front of which an operator lets any number be set aside."""
        return self._allowed.get((topic, partition), 0)


def mark(
    log: Log, how: str, topic: str, partition: int, offset: int, *, reason: str, now_ns: int, actor: str
) -> None:  # fmt: skip
    """Append a mark, PAUSED or RESUMED; return once it is durable."""
    where = f"{topic}/{partition}"
    letter = DeadLetter(Topic.DEADLETTER, partition, offset, where, b"", how, reason)
    value = wire.seal(SCHEMA, letter, id=f"{how}:{where}/{offset}", at_ns=now_ns, actor=actor)
    log.append(Topic.DEADLETTER, [Record(partition, where, value)])


class DeadLetters:
    """One consumer's way to the dead letters: at most so many a minute, but for what is allowed."""

    def __init__(
        self,
        log: Log,
        topic: str,
        clock: Clock,
        *,
        actor: str,
        per_minute_max: int = PER_MINUTE_MAX,
    ) -> None:
        self.total = 0
        self._log = log
        self._topic = topic
        self._clock = clock
        self._actor = actor
        self._per_minute_max = per_minute_max
        self._pauses = Pauses(log)
        self._recent: deque[tuple[int, int]] = deque()

    def put(self, partition: int, poison: Sequence[Poison]) -> Sequence[Poison]:
        """Set *poison* of *partition* aside, in order; return what has to wait for an operator.

        What is not returned is durable.
        """
        self._pauses.refresh()
        if self._pauses.of(self._topic, partition) is not None:
            return poison
        allowed = self._pauses.allowed(self._topic, partition)
        free = sum(item.record.offset < allowed for item in poison)
        most = free + max(0, self._per_minute_max - self._in_minute())
        now, later = poison[:most], poison[most:]
        for start in range(0, len(now), APPEND_MAX):
            part = now[start : start + APPEND_MAX]
            self._log.append(Topic.DEADLETTER, [self._letter(item) for item in part])
            self.total += len(part)
            self._report(part)
        if len(now) > free:
            self._recent.append((self._clock.monotonic_ns(), len(now) - free))
        if later:
            self._pause(partition, later)
        elif now:
            crash("loop.after_dead_letter")
        return later

    def _in_minute(self) -> int:
        begin_ns = self._clock.monotonic_ns() - 60 * NS_PER_S
        while self._recent and self._recent[0][0] <= begin_ns:
            self._recent.popleft()
        return sum(count for _, count in self._recent)

    def _pause(self, partition: int, poison: Sequence[Poison]) -> None:
        first = poison[0]
        reason = f"more than {self._per_minute_max} unreadable records in a minute: {first.error}"
        mark(
            self._log, PAUSED, self._topic, partition, first.record.offset,
            reason=reason[:REASON_CHARS_MAX], now_ns=self._clock.now_ns(), actor=self._actor,
        )  # fmt: skip
        _logger.error(
            "partition_paused", topic=self._topic, partition=partition,
            offset=first.record.offset, reason=reason,
        )  # fmt: skip

    def _report(self, poison: Sequence[Poison]) -> None:
        DEAD_LETTERS.labels(self._topic).inc(len(poison))
        for item in poison:
            _logger.error(
                "dead_letter", topic=self._topic, partition=item.record.partition,
                offset=item.record.offset, reason=str(item.error)[:REASON_CHARS_MAX],
            )  # fmt: skip

    def _letter(self, item: Poison) -> Record:
        return letter(
            self._topic, item.record, type(item.error).__name__, str(item.error),
            now_ns=self._clock.now_ns(), actor=self._actor,
        )  # fmt: skip

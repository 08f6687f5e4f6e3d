"""The one consumer loop: poll, take over new partitions, handle, set poison aside, commit.

Every role that reads a topic (engine, projector, …) is a Handler driven by a Loop.

Rules of this file:
- The offset moves only after the effect is durable and what could not be handled lies in the dead
  letters. The group's offset is a hint; a handler with a store of its own says where to go on.
- A record is poison only if the handler says so. Any other exception is a bug and ends the process
  before the commit; FencedError and GapError end it too: it must not write, or show, one thing more.
- After a broken wire the partitions are taken again, the same way as at the start: whatever the
  handler held in memory for them may be ahead of what is durable.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import msgspec
import structlog

from oms_project.adapters.clock import NS_PER_S
from oms_project.adapters.crash import crash
from oms_project.kernel import wire
from oms_project.kernel.errors import OmsError, PoisonError, TransportError
from oms_project.kernel.ports import Clock, Log, Record, StoredRecord, Subscription
from oms_project.kernel.words import Topic

RECORDS_MAX: Final = 512
WAIT_MS: Final = 50
BACK_OFF_S: Final = (0.1, 0.2, 0.4, 0.8, 1.6, 3.0)
"""How long to wait after the 1st, 2nd, … broken round in a row; the last one stays."""
COMMIT_EVERY_NS: Final = NS_PER_S
DEAD_LETTERS_PER_MINUTE_MAX: Final = 1_000
REASON_CHARS_MAX: Final = 500
LETTERS_REMEMBERED: Final = 2_000
DEADLETTER_SCHEMA: Final = "deadletter"

_logger = structlog.get_logger(__name__)


class DeadLetterLimitError(OmsError):
    """So much poison in one minute is a bad deploy, not bad records: stop, do not drain the topic."""


class Poison(msgspec.Struct, frozen=True, gc=False):
    """A record that can never be handled, and why."""

    record: StoredRecord
    error: PoisonError


class DeadLetter(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Payload of the schema "deadletter": the record as it was, and what was wrong with it.

    error: name of the exception's class; reason: its text, cut. The envelope's id is
    "topic/partition/offset": setting the same record aside twice gives the same id.
    """

    topic: str
    partition: int
    offset: int
    key: str
    value: bytes
    error: str
    reason: str


_letters = msgspec.msgpack.Decoder(DeadLetter)


class Handler(Protocol):
    """What a role does with the records of its partitions. Called by the loop's thread only."""

    def take(self, partition: int) -> int | None:
        """Make ready for *partition* and return the offset to go on from.

        None: from the group's committed offset, or the oldest record. Called when the partition
        was assigned and again after a broken wire: forget what was held of it in memory.
        """

    def lose(self, partition: int) -> None:
        """The partition is not ours any more: write nothing of it that a newer owner could miss."""

    def handle(self, records: Sequence[StoredRecord]) -> Sequence[Poison]:
        """Make the effect of all *records* durable but of those returned as poison.

        They are in the dead letters before `tick` and the next `handle` are called. A handler that
        keeps its own offset must not move it behind poison before that.
        """

    def tick(self) -> None:
        """Do what is due by time. Called once a round, with or without records."""


class Each:
    """A handler from a function of one record that raises PoisonError; offsets are the group's."""

    def __init__(self, handle_one: Callable[[StoredRecord], None]) -> None:
        self._handle_one = handle_one

    def take(self, partition: int) -> int | None:
        return None

    def lose(self, partition: int) -> None:
        return None

    def handle(self, records: Sequence[StoredRecord]) -> Sequence[Poison]:
        poison = []
        for record in records:
            try:
                self._handle_one(record)
            except PoisonError as error:
                poison.append(Poison(record, error))
        return poison

    def tick(self) -> None:
        return None


class DeadLetters:
    """Where poison goes, at most so many a minute."""

    def __init__(
        self,
        log: Log,
        topic: str,
        clock: Clock,
        *,
        actor: str,
        per_minute_max: int = DEAD_LETTERS_PER_MINUTE_MAX,
    ) -> None:
        self.total = 0
        self._log = log
        self._topic = topic
        self._clock = clock
        self._actor = actor
        self._per_minute_max = per_minute_max
        self._recent: deque[tuple[int, int]] = deque()

    def put(self, poison: Sequence[Poison]) -> None:
        """Append *poison* to the dead letters; return once it is durable.

        Raises:
            DeadLetterLimitError: nothing was written, the limit of this minute is reached.
        """
        now_ns = self._clock.monotonic_ns()
        while self._recent and self._recent[0][0] <= now_ns - 60 * NS_PER_S:
            self._recent.popleft()
        in_minute = sum(count for _, count in self._recent) + len(poison)
        if in_minute > self._per_minute_max:
            raise DeadLetterLimitError(
                f"{in_minute} of {self._topic} in a minute, {self._per_minute_max} allowed; "
                f"first: {poison[0].error}"
            )
        self._log.append(Topic.DEADLETTER, [self._letter(item) for item in poison])
        self._recent.append((now_ns, len(poison)))
        self.total += len(poison)
        for item in poison:
            _logger.error(
                "dead_letter",
                topic=self._topic,
                partition=item.record.partition,
                offset=item.record.offset,
                reason=str(item.error)[:REASON_CHARS_MAX],
            )

    def _letter(self, item: Poison) -> Record:
        record = item.record
        letter = DeadLetter(
            topic=self._topic,
            partition=record.partition,
            offset=record.offset,
            key=record.key,
            value=record.value,
            error=type(item.error).__name__,
            reason=str(item.error)[:REASON_CHARS_MAX],
        )
        value = wire.seal(
            DEADLETTER_SCHEMA,
            letter,
            id=f"{self._topic}/{record.partition}/{record.offset}",
            at_ns=self._clock.now_ns(),
            actor=self._actor,
        )
        return Record(record.partition, record.key, value)


def set_aside(log: Log, topic: str, partition: int) -> set[int]:
    """Return the offsets of *topic*/*partition* that are among the newest dead letters."""
    end = log.end_offset(Topic.DEADLETTER, partition)
    offset = max(log.first_offset(Topic.DEADLETTER, partition), end - LETTERS_REMEMBERED)
    found: set[int] = set()
    while offset < end:
        for record in log.read(Topic.DEADLETTER, partition, offset, RECORDS_MAX):
            offset = record.offset + 1
            letter = wire.read_body(_letters, wire.open_envelope(record.value, DEADLETTER_SCHEMA))
            if (letter.topic, letter.partition) == (topic, partition):
                found.add(letter.offset)
    return found


class Loop:
    """One member of a consumer group at work. `run_once` is a round, `run` is the life."""

    def __init__(
        self,
        log: Log,
        topic: str,
        group: str,
        handler: Handler,
        clock: Clock,
        *,
        records_max: int = RECORDS_MAX,
        wait_ms: int = WAIT_MS,
        gather_ms: int = 0,
        dead_letters_per_minute_max: int = DEAD_LETTERS_PER_MINUTE_MAX,
    ) -> None:
        self.dead_letters = DeadLetters(
            log, topic, clock, actor=group, per_minute_max=dead_letters_per_minute_max
        )
        self._log = log
        self._topic = topic
        self._group = group
        self._handler = handler
        self._clock = clock
        self._records_max = records_max
        self._wait_ms = wait_ms
        self._gather_s = gather_ms / 1000
        self._subscription: Subscription | None = None
        self._held: set[int] = set()  # the handler holds something of them
        self._stale: set[int] = set()  # of those: to be taken again before anything else
        self._next: dict[int, int] = {}
        self._commit_at_ns = 0

    def run(self, stop: threading.Event, *, rounds_max: int | None = None) -> None:
        """Work until *stop* is set (or for *rounds_max* rounds), then leave the group.

        With gather_ms a round that was not full is followed by that pause: what trickles in is
        handled by the handful, which costs a fraction of one by one.

        A broken wire is waited out; every other exception ends the run (see the rules above).
        """
        failures = rounds = 0
        try:
            while not stop.is_set() and rounds != rounds_max:
                rounds += 1
                try:
                    handled = self.run_once()
                    failures = 0
                    if self._gather_s and 0 < handled < self._records_max:
                        stop.wait(self._gather_s)
                except TransportError as error:
                    wait_s = BACK_OFF_S[min(failures, len(BACK_OFF_S) - 1)]
                    failures += 1
                    _logger.warning("loop_waits", error=str(error), wait_s=wait_s, times=failures)
                    stop.wait(wait_s)
        finally:
            self.close()

    def run_once(self) -> int:
        """Do one round and return how many records were handled.

        Raises:
            TransportError: a wire broke; the next round goes on from what is durable.
        """
        if self._subscription is None:
            self._subscription = self._log.subscribe(self._topic, self._group)
        self._take_over(self._subscription)
        records = self._subscription.poll(self._records_max, self._wait_ms)
        self._take_over(self._subscription)
        try:
            if records:
                self._handle(records)
            self._handler.tick()
        except TransportError:
            self._stale |= self._held
            self._next.clear()
            raise
        if self._next and self._clock.monotonic_ns() >= self._commit_at_ns:
            self._commit(self._subscription)
        return len(records)

    def close(self) -> None:
        """Leave the group; a second call does nothing."""
        subscription, self._subscription = self._subscription, None
        if subscription is None:
            return
        try:
            if self._next:
                self._commit(subscription)
            subscription.close()
        except TransportError as error:
            _logger.warning("loop_left_in_silence", error=str(error))
        for partition in self._held:
            self._handler.lose(partition)
        self._held.clear()
        self._stale.clear()
        self._next.clear()

    def _handle(self, records: Sequence[StoredRecord]) -> None:
        crash("loop.after_poll")
        poison = self._handler.handle(records)
        crash("loop.after_handle")
        if poison:
            self.dead_letters.put(poison)
            crash("loop.after_dead_letter")
        for record in records:
            self._next[record.partition] = record.offset + 1

    def _take_over(self, subscription: Subscription) -> None:
        assigned = subscription.assigned()
        for partition in self._held - assigned:
            self._held.discard(partition)
            self._stale.discard(partition)
            self._next.pop(partition, None)
            self._handler.lose(partition)
        for partition in sorted((assigned - self._held) | self._stale):
            self._held.add(partition)
            self._stale.add(partition)
            offset = self._handler.take(partition)
            if offset is None:
                offset = subscription.committed(partition)
            if offset is None:
                offset = self._log.first_offset(self._topic, partition)
            subscription.seek(partition, offset)
            self._stale.discard(partition)

    def _commit(self, subscription: Subscription) -> None:
        subscription.commit(self._next)
        self._next.clear()
        self._commit_at_ns = self._clock.monotonic_ns() + COMMIT_EVERY_NS
        crash("loop.after_commit")

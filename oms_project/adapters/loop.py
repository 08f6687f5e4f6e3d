"""The one consumer loop: poll, take over new partitions, handle, set poison aside, commit.

Every role that reads a topic (engine, projector, …) is a Handler driven by a Loop.

Rules of this file:
- The offset moves only after the effect is durable and what could not be handled lies in the dead
  letters. The group's offset is a hint; a handler with a store of its own says where to go on.
- A record is poison only if the handler says so. Any other exception is a bug and ends the process
  before the commit; FencedError and GapError end it too: it must not write, or show, one thing more.
- After a broken wire the partitions are taken again, the same way as at the start: whatever the
  handler held in memory for them may be ahead of what is durable.
- A partition with more poison than the dead letters take waits, the others go on. It delivers
  nothing until an operator has decided, and nothing of it is committed beyond what is set aside.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

import msgspec
import structlog

from oms_project.adapters.clock import NS_PER_S, SystemClock
from oms_project.adapters.crash import crash
from oms_project.adapters.dead_letters import PER_MINUTE_MAX, DeadLetters, Poison
from oms_project.kernel import wire
from oms_project.kernel.errors import PoisonError, TransportError
from oms_project.kernel.ports import Clock, Log, StoredRecord, Subscription
from oms_project.metrics import Meter

RECORDS_MAX: Final = 512
WAIT_MS: Final = 50
BACK_OFF_S: Final = (0.1, 0.2, 0.4, 0.8, 1.6, 3.0)
"""How long to wait after the 1st, 2nd, … broken round in a row; the last one stays."""
COMMIT_EVERY_NS: Final = NS_PER_S
PAUSE_LOOK_NS: Final = NS_PER_S
"""How often a partition that waits for an operator looks whether there is an answer."""

_logger = structlog.get_logger(__name__)


class Handled(msgspec.Struct, frozen=True):
    """How far a handler came with the records it was given.

    next_offsets: partition -> where to go on. A handler may stop before the end (its process is
    ending, it has to wait for somebody): what it did not come to is delivered again.
    poison: what it came past and could not handle. In the order of the log a partition.
    """

    next_offsets: Mapping[int, int]
    poison: Sequence[Poison] = ()

    @classmethod
    def whole(cls, records: Sequence[StoredRecord], poison: Sequence[Poison] = ()) -> "Handled":
        """Say that all *records* were handled but for the poison."""
        return cls({record.partition: record.offset + 1 for record in records}, poison)


class Handler(Protocol):
    """What a role does with the records of its partitions. Called by the loop's thread only."""

    def take(self, partition: int) -> int | None:
        """Make ready for *partition* and return the offset to go on from.

        None: from the group's committed offset, or the oldest record. Called when the partition
        was assigned and again after a broken wire: forget what was held of it in memory.
        """

    def lose(self, partition: int) -> None:
        """The partition is not ours any more: write nothing of it that a newer owner could miss."""

    def handle(self, records: Sequence[StoredRecord]) -> Handled:
        """Make the effect of *records* durable, as far as the answer says, but for the poison.

        Called with [] once after partitions were taken: for poison that was met while taking.
        A handler that keeps an offset or a snapshot of its own must not move it behind poison, nor
        `lose` behind it, before `buried` was called.
        """

    def buried(self, partition: int) -> None:
        """All poison of *partition* that was returned so far is in the dead letters now."""

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

    def handle(self, records: Sequence[StoredRecord]) -> Handled:
        poison = []
        for record in records:
            try:
                self._handle_one(record)
            except PoisonError as error:
                poison.append(Poison(record, error))
        return Handled.whole(records, poison)

    def buried(self, partition: int) -> None:
        return None

    def tick(self) -> None:
        return None


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
        bytes_max: int = wire.READ_BYTES_MAX,
        wait_ms: int = WAIT_MS,
        gather_ms: int = 0,
        dead_letters_per_minute_max: int = PER_MINUTE_MAX,
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
        self._bytes_max = bytes_max
        self._wait_ms = wait_ms
        self._gather_s = gather_ms / 1000
        self._subscription: Subscription | None = None
        self._held: set[int] = set()  # the handler holds something of them
        self._stale: set[int] = set()  # of those: to be taken again before anything else
        self._fresh: set[int] = set()  # taken, and nothing handled of it yet
        self._at: dict[int, int] = {}  # where each partition goes on
        self._told: dict[int, int] = {}  # what the group knows of that
        self._unburied: dict[int, list[Poison]] = {}
        self._paused: dict[int, int] = {}  # of those: when to look for an operator's answer
        self._commit_at_ns = 0
        self._full = False  # the last round had as much as it may: more waits
        self.meter = Meter(group)

    def positions(self) -> dict[int, int]:
        """Return where each partition we own goes on: it is behind by the log's end less that."""
        return dict(self._at)

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
                    if self._gather_s and handled and not self._full:
                        stop.wait(self._gather_s)
                except TransportError as error:
                    wait_s = BACK_OFF_S[min(failures, len(BACK_OFF_S) - 1)]
                    failures += 1
                    self.meter.broke(error)
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
        subscription = self._subscription
        self._take_over(subscription)
        records = subscription.poll(self._records_max, self._wait_ms, self._bytes_max)
        begun_ns = SystemClock.monotonic_ns()
        self._take_over(subscription)
        try:
            if records or self._fresh:
                self._handle(subscription, records)
            if self._unburied:
                self._bury(subscription)
            self._handler.tick()
        except TransportError:
            self._stale |= self._held
            raise
        if self._clock.monotonic_ns() >= self._commit_at_ns:
            self._commit(subscription)
        self.meter.round(len(records), begun_ns)
        size = sum(len(record.value) for record in records)
        self._full = len(records) >= self._records_max or size >= self._bytes_max
        return len(records)

    def close(self) -> None:
        """Leave the group; a second call does nothing."""
        subscription, self._subscription = self._subscription, None
        if subscription is None:
            return
        try:
            self._commit(subscription)
            subscription.close()
        except TransportError as error:
            _logger.warning("loop_left_in_silence", error=str(error))
        for partition in tuple(self._held):
            self._let_go(partition)
            self._handler.lose(partition)

    def _handle(self, subscription: Subscription, records: Sequence[StoredRecord]) -> None:
        crash("loop.after_poll")
        handled = self._handler.handle(records)
        crash("loop.after_handle")
        self._fresh.clear()
        behind: dict[int, int] = {}
        for record in records:
            behind[record.partition] = record.offset + 1
        for partition, offset in handled.next_offsets.items():
            self._at[partition] = offset
        for partition, offset in behind.items():
            if self._at[partition] != offset:
                subscription.seek(partition, self._at[partition])
        for poison in handled.poison:
            self._unburied.setdefault(poison.record.partition, []).append(poison)

    def _bury(self, subscription: Subscription) -> None:
        """Set aside what could not be handled; hold up the partitions with too much of it."""
        now_ns = self._clock.monotonic_ns()
        for partition, poison in tuple(self._unburied.items()):
            if now_ns < self._paused.get(partition, 0):
                continue
            rest = self.dead_letters.put(partition, poison)
            if rest:
                self._unburied[partition] = list(rest)
                self._paused[partition] = now_ns + PAUSE_LOOK_NS
                subscription.pause(partition)
                continue
            del self._unburied[partition]
            self._handler.buried(partition)
            if self._paused.pop(partition, None) is not None:
                subscription.seek(partition, self._at[partition])

    def _take_over(self, subscription: Subscription) -> None:
        assigned = subscription.assigned()
        for partition in self._held - assigned:
            self._let_go(partition)
            self._handler.lose(partition)
        for partition in sorted((assigned - self._held) | self._stale):
            self._let_go(partition)
            self._held.add(partition)
            self._stale.add(partition)
            offset = self._handler.take(partition)
            if offset is None:
                offset = subscription.committed(partition)
            if offset is None:
                offset = self._log.first_offset(self._topic, partition)
            subscription.seek(partition, offset)
            self._at[partition] = self._told[partition] = offset
            self._fresh.add(partition)
            self._stale.discard(partition)

    def _let_go(self, partition: int) -> None:
        """Forget what we knew of it."""
        for known in (self._held, self._stale, self._fresh):
            known.discard(partition)
        self._at.pop(partition, None)
        self._told.pop(partition, None)
        self._unburied.pop(partition, None)
        self._paused.pop(partition, None)

    def _commit(self, subscription: Subscription) -> None:
        """Tell the group what it does not know: how far each partition is, up to the unburied."""
        news = {}
        for partition, offset in self._at.items():
            if partition in self._unburied:
                offset = self._unburied[partition][0].record.offset
            if partition not in self._stale and offset != self._told[partition]:
                news[partition] = offset
        if not news:
            return
        subscription.commit(news)
        self._told |= news
        self._commit_at_ns = self._clock.monotonic_ns() + COMMIT_EVERY_NS
        crash("loop.after_commit")

"""A member of a Kafka consumer group that starts where it is told, and only when it is told.

A partition that the group hands us is paused until `seek`. There is no automatic offset: not at the
start, not after a gap, not on commit.
"""

import threading
import time
from collections.abc import Iterable, Mapping
from typing import Any, Final

import structlog
from kafka import ConsumerRebalanceListener, KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.errors import (
    CommitFailedError,
    IllegalGenerationError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)

from oms_project.adapters.kafka_wire import (
    KafkaOptions,
    connect,
    translated,
)
from oms_project.kernel import wire
from oms_project.kernel.errors import GapError, TransportError
from oms_project.kernel.ports import StoredRecord

HANDLER_MS_MAX: Final = 300_000
"""A member that does not poll for this long loses its partitions."""
COORDINATOR_MS_MAX: Final = 5_000
LEAVE_MS_MAX: Final = 2_000
CHECK_EVERY_S: Final = 1.0

READING: Final[Mapping[str, Any]] = {
    "enable_auto_commit": False,
    "auto_offset_reset": "none",  # stop at a gap; never jump over it
    "isolation_level": "read_committed",
    "check_crcs": True,
    "allow_auto_create_topics": False,
    "metrics_enabled": False,
    "request_timeout_ms": 10_000,
    "fetch_max_wait_ms": 100,
    "max_partition_fetch_bytes": wire.READ_BYTES_MAX,
}

_GROUP_MOVED_ON = (
    CommitFailedError,
    IllegalGenerationError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)

_logger = structlog.get_logger(__name__)


def stored(record: Any) -> StoredRecord:
    """Return kafka-python's *record* as ours. Whatever a foreign producer wrote, it is one."""
    key = record.key.decode(errors="backslashreplace") if record.key else ""
    return StoredRecord(record.partition, record.offset, key, record.value or b"")


class _Listener(ConsumerRebalanceListener):
    """Notes what the group does with our partitions. Called by kafka-python's own thread."""

    def __init__(self, consumer: KafkaConsumer) -> None:
        self._consumer = consumer
        self._lock = threading.Lock()
        self._gone: set[int] = set()

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        for where in assigned:
            # A position, so that kafka-python does not look for one; paused, so that it is not used.
            self._consumer.seek(where, 0)
            self._consumer.pause(where)

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        with self._lock:
            self._gone |= {where.partition for where in revoked}

    def gone(self) -> set[int]:
        """Return what was taken from us since the last call."""
        with self._lock:
            gone, self._gone = self._gone, set()
        return gone


class KafkaSubscription:
    """The Subscription port over a consumer group (cooperative rebalance, static on request)."""

    def __init__(
        self,
        brokers: tuple[str, ...],
        options: KafkaOptions,
        topic: str,
        group: str,
        role: str,
    ) -> None:
        static = {"group_instance_id": f"{role}-{options.instance}"} if options.instance else {}
        self._consumer = connect(
            KafkaConsumer,
            brokers,
            options,
            client_id=f"{role}-member",
            group_id=group,
            session_timeout_ms=options.session_timeout_ms,
            heartbeat_interval_ms=min(2_000, options.session_timeout_ms // 3),
            max_poll_interval_ms=HANDLER_MS_MAX,
            partition_assignment_strategy=[CooperativeStickyAssignor],
            **static,
            **READING,
        )
        try:
            with translated():
                # Known before we join: kafka-python may otherwise deal out a topic it has not heard
                # of yet, which is no partition for anybody, and leave it at that.
                known = self._consumer.partitions_for_topic(topic)
            if not known:
                raise TransportError("kafka", f"no topic {topic}: manage.py topics_create")
        except TransportError:
            self._consumer.close(autocommit=False, timeout_ms=LEAVE_MS_MAX)
            raise
        self._topic = topic
        self._listener = _Listener(self._consumer)
        self._assigned: frozenset[int] = frozenset()
        self._next: dict[int, int] = {}  # of what was sought
        self._kept: dict[int, list[StoredRecord]] = {}  # polled, beyond the bytes asked for
        self._checked_at_s = 0.0
        self._consumer.subscribe([topic], listener=self._listener)

    def poll(
        self, records_max: int, wait_ms: int, bytes_max: int = wire.READ_BYTES_MAX
    ) -> list[StoredRecord]:
        # What is kept from the last poll comes first; the group is told all the same that we live.
        kept = any(self._kept.values())
        with translated():
            found = self._consumer.poll(
                0 if kept else wait_ms, max_records=1 if kept else records_max
            )
        gone = self._listener.gone()
        for partition in gone:
            self._next.pop(partition, None)
            self._kept.pop(partition, None)
        # What went and came back within one poll may have had another owner in between: it shows
        # as missing once, so that the caller lets go of what it holds of it.
        hidden = gone & self._assigned
        self._assigned = frozenset(
            where.partition
            for where in self._consumer.assignment()
            if where.partition not in hidden
        )
        result: list[StoredRecord] = []
        for where, records in found.items():
            if where.partition in self._next:
                self._kept.setdefault(where.partition, []).extend(map(stored, records))
        for partition, records in self._kept.items():
            count = wire.count_within((record.value for record in records), bytes_max)
            if count:
                result += records[:count]
                del records[:count]
                self._next[partition] = result[-1].offset + 1
        if not result:
            self._check_that_log_did_not_shrink()
        return result

    def _check_that_log_did_not_shrink(self) -> None:
        """Raise GapError if the log ends before where we stand: it lost what was durable.

        Apache Kafka refuses such a fetch by itself (OffsetOutOfRange); a broker in memory that was
        restarted only answers with nothing, for ever.
        """
        now_s = time.monotonic()
        if now_s < self._checked_at_s + CHECK_EVERY_S:
            return
        self._checked_at_s = now_s
        for partition, offset in self._next.items():
            where = self._at(partition)
            if (fetched := self._consumer.highwater(where)) is None or fetched >= offset:
                continue
            with translated():
                end = self._consumer.end_offsets([where], timeout_ms=COORDINATOR_MS_MAX)[where]
            if end < offset:
                raise GapError(f"{where}: we stand at {offset}, the log ends at {end}")

    def assigned(self) -> frozenset[int]:
        return self._assigned

    def seek(self, partition: int, offset: int) -> None:
        if partition not in self._assigned:
            raise ValueError(f"partition {partition} is not assigned")
        where = self._at(partition)
        self._consumer.seek(where, offset)
        self._consumer.resume(where)
        self._kept.pop(partition, None)
        self._next[partition] = offset

    def pause(self, partition: int) -> None:
        self._kept.pop(partition, None)
        if self._next.pop(partition, None) is not None:
            self._consumer.pause(self._at(partition))

    def commit(self, next_offsets: Mapping[int, int]) -> None:
        ours = {
            self._at(partition): OffsetAndMetadata(offset, "", -1)
            for partition, offset in next_offsets.items()
            if partition in self._assigned
        }
        if not ours:
            return
        with translated():
            try:
                self._consumer.commit(ours, timeout_ms=COORDINATOR_MS_MAX)
            except _GROUP_MOVED_ON as error:
                # The offset is a hint; the next poll tells what we own.
                _logger.info("commit_came_too_late", error=repr(error))

    def committed(self, partition: int) -> int | None:
        with translated():
            found = self._consumer.committed(self._at(partition), timeout_ms=COORDINATOR_MS_MAX)
        return None if found is None else int(found)

    def close(self) -> None:
        with translated():
            self._consumer.close(autocommit=False, timeout_ms=LEAVE_MS_MAX)

    def _at(self, partition: int) -> TopicPartition:
        return TopicPartition(self._topic, partition)

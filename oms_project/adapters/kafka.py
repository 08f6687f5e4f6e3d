"""The log on Apache Kafka (Amazon MSK): acks=all, idempotent producer, no transactions.

Rules of this file:
- One producer a process, made by the first append: it owns a thread and must be born after a fork.
- An append that was sent and not acknowledged is UNKNOWN, never refused. The producer is thrown
  away then (it may be in a fatal state); the next append makes a new one, or is told at once that
  nobody answers.
- A record's offset comes from the broker's acknowledgement and from nowhere else.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import structlog
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError

from oms_project.adapters.kafka_group import READING, KafkaSubscription, stored
from oms_project.adapters.kafka_wire import (
    KafkaOptions,
    connect,
    translated,
)
from oms_project.kernel import wire
from oms_project.kernel.errors import GapError, TransportError, UnknownOutcomeError
from oms_project.kernel.ports import Record, StoredRecord

DELIVERY_MS_MAX: Final = 5_000
REQUEST_MS_MAX: Final = 2_000
BLOCK_MS_MAX: Final = 1_000
LINGER_MS: Final = 5
"""Never waited for: every append flushes. It lets the records of one append travel together."""
BATCH_BYTES_MAX: Final = 1024 * 1024
UNDERWAY_BYTES_MAX: Final = 8 * 1024 * 1024
"""An append of more than this goes in parts: the producer's buffer is not without end."""
READ_MS_MAX: Final = 5_000
READ_WAIT_MS: Final = 5
REFUSAL_MS_MAX: Final = 500
READERS_MAX: Final = 8
RECORD_OVERHEAD_BYTES: Final = 1024

_logger = structlog.get_logger(__name__)


class KafkaLog:
    """The Log port. *role* names this process to the brokers and in its group's membership."""

    def __init__(
        self,
        brokers: tuple[str, ...],
        partitions: int,
        *,
        role: str,
        options: KafkaOptions | None = None,
    ) -> None:
        self.partitions = partitions
        self._brokers = brokers
        self._role = role
        self._options = options or KafkaOptions()
        self._lock = threading.Lock()
        self._producer: KafkaProducer | None = None
        self._readers = _Readers(brokers, self._options, role)
        self._ends = _Ends(brokers, self._options, role)
        self._groups = _Groups(brokers, self._options, role)

    def append(self, topic: str, records: Sequence[Record]) -> list[int]:
        for record in records:
            self._check(record.partition)
            wire.check_size(record.value)
        if not records:
            return []
        producer = self._connected()
        futures = []
        try:
            waiting = 0
            for record in records:
                waiting += len(record.value)
                if waiting > UNDERWAY_BYTES_MAX:
                    producer.flush((DELIVERY_MS_MAX + BLOCK_MS_MAX) / 1000)
                    waiting = len(record.value)
                futures.append(
                    producer.send(
                        topic,
                        record.value,
                        key=record.key.encode() or None,
                        partition=record.partition,
                    )
                )
            producer.flush((DELIVERY_MS_MAX + BLOCK_MS_MAX) / 1000)
            offsets = [future.get(BLOCK_MS_MAX / 1000).offset for future in futures]
        except (KafkaError, ValueError) as error:
            self._discard(producer)
            if not futures:
                # send() itself failed for want of the topic's metadata: nothing went out.
                raise TransportError("kafka", f"{topic}: {error!r}") from error
            raise UnknownOutcomeError("kafka", f"{topic}: {error!r}") from error
        if min(offsets) < 0:
            # A retry met its own first try, too old for the broker to tell where it lies.
            raise UnknownOutcomeError("kafka", f"{topic}: written, but the offset is not known")
        return offsets

    def read(self, topic: str, partition: int, offset: int, records_max: int) -> list[StoredRecord]:
        return self._reader(topic, partition).read(offset, records_max)

    def end_offset(self, topic: str, partition: int) -> int:
        return self._reader(topic, partition).end_offset()

    def end_offsets(self, topic: str) -> list[int]:
        return self._ends.of(topic, self.partitions)

    def first_offset(self, topic: str, partition: int) -> int:
        return self._reader(topic, partition).first_offset()

    def committed(self, topic: str, group: str) -> dict[int, int]:
        return self._groups.of(topic, self.partitions, group)

    def subscribe(self, topic: str, group: str) -> KafkaSubscription:
        return KafkaSubscription(self._brokers, self._options, topic, group, self._role)

    def trim(self, topic: str, partition: int, before: int) -> int:
        return 0  # the topic's retention does it

    def close(self) -> None:
        with self._lock:
            producer, self._producer = self._producer, None
        if producer is not None:
            _close(producer)
        self._readers.close()
        self._ends.close()
        self._groups.close()

    def _reader(self, topic: str, partition: int) -> "_Reader":
        self._check(partition)
        return self._readers.of(topic, partition)

    def _check(self, partition: int) -> None:
        if not 0 <= partition < self.partitions:
            raise ValueError(f"partition {partition} of {self.partitions}")

    def _connected(self) -> KafkaProducer:
        with self._lock:
            if self._producer is None:
                self._producer = connect(
                    KafkaProducer,
                    self._brokers,
                    self._options,
                    client_id=f"{self._role}-producer",
                    acks="all",
                    enable_idempotence=True,  # explicit: a conflicting setting raises
                    max_in_flight_requests_per_connection=5,
                    delivery_timeout_ms=DELIVERY_MS_MAX,
                    request_timeout_ms=REQUEST_MS_MAX,
                    max_block_ms=BLOCK_MS_MAX,
                    linger_ms=LINGER_MS,
                    batch_size=BATCH_BYTES_MAX,
                    max_request_size=wire.RECORD_BYTES_MAX + RECORD_OVERHEAD_BYTES,
                    allow_auto_create_topics=False,
                    metrics_enabled=False,
                )
                config = self._producer.config
                if config["enable_idempotence"] is not True or config["acks"] != -1:
                    raise RuntimeError("the producer is not idempotent with acks=all")
            return self._producer

    def _discard(self, producer: KafkaProducer) -> None:
        with self._lock:
            if self._producer is producer:
                self._producer = None
        # Other threads' records may still be under way in it, so closing waits for their end.
        threading.Thread(target=_close, args=(producer,), name="kafka-close", daemon=True).start()


def _close(producer: KafkaProducer) -> None:
    """Close it once every record in it is acknowledged or failed, which has an end in time."""
    try:
        producer.close(timeout=(DELIVERY_MS_MAX + BLOCK_MS_MAX) / 1000)
    except KafkaError as error:
        _logger.warning("producer_closed_badly", error=repr(error))


class _Turn:
    """One asks at a time. Who waited while another got no answer gets none either.

    Else each of many would wait out a time-out of its own, one behind the other.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._failures = 0

    @contextmanager
    def take(self) -> Iterator[None]:
        failures = self._failures
        with self.lock:
            if self._failures != failures:
                raise TransportError("kafka", "somebody else got no answer a moment ago")
            try:
                with translated():
                    yield
            except TransportError:
                self._failures += 1
                raise


class _Reader:
    """A consumer of one partition without a group. Remembers where it stands: reading on is cheap."""

    def __init__(self, consumer: KafkaConsumer, topic: str, partition: int) -> None:
        self._consumer = consumer
        self._where = TopicPartition(topic, partition)
        self._turn = _Turn()
        self._next: int | None = None
        consumer.assign([self._where])

    def read(self, offset: int, records_max: int) -> list[StoredRecord]:
        with self._turn.take():
            if self._next != offset:
                self._consumer.seek(self._where, offset)
                self._next = None
            found = self._consumer.poll(0, max_records=records_max)
            if not found:
                end = self._listed_end()
                if offset == end:
                    return []
                # Records that are there come at once; an offset behind the end is refused here.
                wait_ms = READ_MS_MAX if offset < end else REFUSAL_MS_MAX
                found = self._consumer.poll(wait_ms, max_records=records_max)
            if not found:
                return self._nothing(offset, end)
            records = [stored(record) for record in found[self._where]]
            self._next = records[-1].offset + 1
            return records

    def _nothing(self, offset: int, end: int) -> list[StoredRecord]:
        """Judge why there is nothing at *offset* although *end* was told: [] or an error."""
        if offset < end:
            raise TransportError("kafka", f"{self._where}: no answer at {offset}")
        # Tansu lists the end without its last batch; what the fetch told is right there too.
        end = max(end, self._consumer.highwater(self._where) or 0)
        if offset > end:
            raise GapError(f"{self._where}: {offset} is behind the end, {end}")
        return []

    def end_offset(self) -> int:
        with self._turn.take():
            return self._listed_end()

    def first_offset(self) -> int:
        with self._turn.take():
            found = self._consumer.beginning_offsets([self._where], timeout_ms=READ_MS_MAX)
            return int(found[self._where])

    def close(self) -> None:
        with self._turn.lock, translated():
            self._consumer.close(autocommit=False, timeout_ms=BLOCK_MS_MAX)

    def _listed_end(self) -> int:
        found = self._consumer.end_offsets([self._where], timeout_ms=READ_MS_MAX)
        return int(found[self._where])


class _Readers:
    """The readers in use, the least recently used one closed when there are too many."""

    def __init__(self, brokers: tuple[str, ...], options: KafkaOptions, role: str) -> None:
        self._brokers = brokers
        self._options = options
        self._role = role
        self._turn = _Turn()
        self._open: OrderedDict[tuple[str, int], _Reader] = OrderedDict()

    def of(self, topic: str, partition: int) -> _Reader:
        with self._turn.take():
            reader = self._open.get((topic, partition))
            if reader is None:
                reader = _Reader(self._consumer(), topic, partition)
                self._open[topic, partition] = reader
            self._open.move_to_end((topic, partition))
            if len(self._open) > READERS_MAX:
                _, oldest = self._open.popitem(last=False)
                oldest.close()
            return reader

    def close(self) -> None:
        with self._turn.lock:
            while self._open:
                _, reader = self._open.popitem()
                reader.close()

    def _consumer(self) -> KafkaConsumer:
        return connect(
            KafkaConsumer,
            self._brokers,
            self._options,
            client_id=f"{self._role}-reader",
            group_id=None,
            # A broker serves a connection's requests in turn: the question for the end of the log
            # would wait behind a fetch that waits for records.
            **{**READING, "fetch_max_wait_ms": READ_WAIT_MS},
        )


class _Ends:
    """Where all partitions of a topic end: one client for all of them, one request a broker."""

    def __init__(self, brokers: tuple[str, ...], options: KafkaOptions, role: str) -> None:
        self._brokers = brokers
        self._options = options
        self._role = role
        self._turn = _Turn()
        self._consumer: KafkaConsumer | None = None

    def of(self, topic: str, partitions: int) -> list[int]:
        with self._turn.take():
            if self._consumer is None:
                self._consumer = connect(
                    KafkaConsumer, self._brokers, self._options, client_id=f"{self._role}-ends",
                    group_id=None, **READING,
                )  # fmt: skip
            every = [TopicPartition(topic, number) for number in range(partitions)]
            found = self._consumer.end_offsets(every, timeout_ms=READ_MS_MAX)
            return [int(found[one]) for one in every]

    def close(self) -> None:
        with self._turn.lock, translated():
            if self._consumer is not None:
                self._consumer.close(autocommit=False, timeout_ms=BLOCK_MS_MAX)
                self._consumer = None


class _Groups:
    """How far groups are, seen from outside: looking must not take a partition from a member."""

    def __init__(self, brokers: tuple[str, ...], options: KafkaOptions, role: str) -> None:
        self._brokers = brokers
        self._options = options
        self._role = role
        self._turn = _Turn()
        self._admin: KafkaAdminClient | None = None

    def of(self, topic: str, partitions: int, group: str) -> dict[int, int]:
        with self._turn.take():
            if self._admin is None:
                self._admin = connect(
                    KafkaAdminClient, self._brokers, self._options,
                    client_id=f"{self._role}-groups", request_timeout_ms=READ_MS_MAX,
                )  # fmt: skip
            every = [TopicPartition(topic, number) for number in range(partitions)]
            found = self._admin.list_group_offsets({group: every})[group]
            return {
                where.partition: int(at.offset) for where, at in found.items() if at.offset >= 0
            }

    def close(self) -> None:
        with self._turn.lock, translated():
            if self._admin is not None:
                self._admin.close()
                self._admin = None

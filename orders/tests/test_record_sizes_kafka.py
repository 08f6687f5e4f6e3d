"""The same on Apache Kafka, whose brokers refuse what is larger than they are told to take."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from oms_project.adapters.ids import SystemIds
from oms_project.adapters.kafka import KafkaLog
from oms_project.adapters.kafka_topics import ensure_topics
from oms_project.adapters.kafka_wire import KafkaOptions
from oms_project.kernel.ports import Record, StoredRecord
from oms_project.kernel.words import Topic
from oms_project.tests.servers import Server, unavailable
from orders.domain import commands as c
from orders.tests import test_record_sizes as sizes
from orders.tests.domain import build
from orders.tests.domain.build import ACCOUNT
from orders.tests.rig import Rig
from orders.tests.test_record_sizes import AtOnce, venue

__all__ = ("venue",)
pytestmark = pytest.mark.services


class OwnTopics:
    """A Kafka log whose topics are this test's alone."""

    partitions = 1

    def __init__(self, log: KafkaLog, prefix: str) -> None:
        self._log = log
        self._prefix = prefix

    def append(self, topic: str, records: Sequence[Record]) -> list[int]:
        return self._log.append(self._prefix + topic, records)

    def read(self, topic: str, partition: int, offset: int, records_max: int) -> list[StoredRecord]:
        return self._log.read(self._prefix + topic, partition, offset, min(records_max, 500))

    def end_offset(self, topic: str, partition: int) -> int:
        return self._log.end_offset(self._prefix + topic, partition)

    def first_offset(self, topic: str, partition: int) -> int:
        return self._log.first_offset(self._prefix + topic, partition)


@pytest.fixture
def kafka_log(kafka_server: Server) -> Iterator[OwnTopics]:
    if not kafka_server.durable:
        unavailable("Tansu is made for small records")
    prefix = f"{SystemIds().new()}."
    ensure_topics(
        (kafka_server.address,), 1, options=KafkaOptions(), replication=1, min_insync=1,
        topics=tuple(prefix + topic for topic in Topic),
    )  # fmt: skip
    log = KafkaLog((kafka_server.address,), 1, role="test", options=KafkaOptions())
    yield OwnTopics(log, prefix)
    log.close()


def test_an_account_cancels_sixty_thousand_orders_on_kafka(
    venue: type[AtOnce], kafka_log: OwnTopics, monkeypatch: Any
) -> None:
    """Every order is asked for and every report is in the log: nothing was refused on the way."""
    monkeypatch.setattr(venue, "full", (("ack", 0),))
    monkeypatch.setattr("orders.tests.rig.MemoryLog", lambda _: kafka_log)
    rig, engine = sizes.with_open_orders(sizes.CANCELED)
    assert rig.log is kafka_log
    rig.send(c.CancelOrders(ACCOUNT, ()))
    sizes.work(rig, engine)
    assert engine.owned[0].book.open_orders() == []
    assert rig.store.get(build.order_id_of(sizes.CANCELED), (ACCOUNT,)) is not None
    again = Rig()
    again.store, again.clock = rig.store, rig.clock
    assert again.start().owned[0].book.open_orders() == []

"""The Kafka log when brokers die, sleep, forget or refuse. The contract is in contracts/."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType

from oms_project import env
from oms_project.adapters.ids import SystemIds
from oms_project.adapters.kafka import KafkaLog
from oms_project.adapters.kafka_topics import TopicMismatchError, ensure_topics
from oms_project.adapters.kafka_wire import KafkaOptions
from oms_project.adapters.servers import HOST, LocalServer, Tansu, free_port
from oms_project.kernel.errors import (
    GapError,
    RecordTooLargeError,
    TransportError,
    UnknownOutcomeError,
)
from oms_project.kernel.ports import Record, Subscription
from oms_project.kernel.wire import RECORD_BYTES_MAX
from oms_project.tests.eventually import eventually
from oms_project.tests.servers import Server, unavailable

pytestmark = pytest.mark.services

ROOT = Path(__file__).parents[3]
TOPIC = "oms.commands"
OPTIONS = KafkaOptions(session_timeout_ms=6_000)

TANSU_PARTITIONS = 4

Topics = Callable[..., str]


@pytest.fixture
def topic(kafka_server: Server) -> Topics:
    """Make a fresh topic and return its name."""

    def make(partitions: int = 2, **options: int) -> str:
        name = f"oms.test.{SystemIds().new()}"
        prepare(kafka_server.address, partitions, name, **options)
        return name

    return make


def prepare(address: str, partitions: int, *topics: str, min_insync: int = 1) -> list[str]:
    return ensure_topics(
        (address,), partitions, options=OPTIONS, replication=1, min_insync=min_insync, topics=topics
    )


@pytest.fixture
def opened() -> Iterator[Callable[..., KafkaLog]]:
    logs: list[KafkaLog] = []

    def make(address: str, partitions: int = 2) -> KafkaLog:
        logs.append(KafkaLog((address,), partitions, role="test", options=OPTIONS))
        return logs[-1]

    yield make
    for log in logs:
        log.close()


@pytest.fixture
def broker(kafka_server: Server) -> LocalServer:
    """The session's broker, to be killed and started again; its data and port stay."""
    if kafka_server.local is None or not kafka_server.durable:
        unavailable("this broker is not ours to kill")
    return kafka_server.local


def record(value: str) -> Record:
    return Record(0, "account", value.encode())


def take(member: Subscription, *partitions: int) -> None:
    def owned() -> bool:
        member.poll(1, 50)
        return set(partitions) <= member.assigned()

    eventually(owned, 30)


# ------------------------------------------------------------------ topics


def test_topics_are_made_as_the_log_needs_them(kafka_server: Server, topic: Topics) -> None:
    """Kept for ever, no leader that was out of sync, times by the broker."""
    name = topic(3, min_insync=1)
    admin = KafkaAdminClient(bootstrap_servers=kafka_server.address)
    found = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])
    admin.close()
    values = {key: entry["value"] for key, entry in found["topic"][name].items()}
    wanted = {
        "min.insync.replicas": "1",
        "unclean.leader.election.enable": "false",
        "retention.ms": "-1",
        "cleanup.policy": "delete",
        "message.timestamp.type": "LogAppendTime",
    }
    assert {key: values[key] for key in wanted} == wanted


def test_making_topics_again_is_a_check(kafka_server: Server, topic: Topics) -> None:
    """Another number of partitions is refused, and nothing else is made either."""
    name, new = topic(2), f"oms.test.{SystemIds().new()}"
    assert prepare(kafka_server.address, 2, name) == []
    with pytest.raises(TopicMismatchError, match=f"OMS_PARTITIONS is 3, but {name} has 2"):
        prepare(kafka_server.address, 3, name, new)
    assert prepare(kafka_server.address, 3, new) == [new]


def test_a_topic_that_is_not_there_is_told(
    kafka_server: Server, opened: Callable[..., KafkaLog]
) -> None:
    """Nothing is created by accident."""
    log = opened(kafka_server.address)
    with pytest.raises(TransportError):
        log.append("oms.nowhere", [record("a")])
    with pytest.raises(TransportError, match="topics_create"):
        log.subscribe("oms.nowhere", "group")


# ------------------------------------------------------------------ writing


def test_a_record_too_large_is_refused_before_it_is_sent(
    kafka_server: Server, topic: Topics, opened: Callable[..., KafkaLog]
) -> None:
    name, log = topic(), opened(kafka_server.address)
    with pytest.raises(RecordTooLargeError, match="bytes"):
        log.append(name, [record("small"), Record(0, "", bytes(RECORD_BYTES_MAX + 1))])
    assert log.append(name, [Record(0, "", bytes(RECORD_BYTES_MAX))]) == [0]


def test_an_append_larger_than_the_buffer_goes_whole(
    kafka_server: Server, topic: Topics, opened: Callable[..., KafkaLog]
) -> None:
    """48 MiB at once, as a hundred large dead letters are."""
    name, log = topic(), opened(kafka_server.address)
    many = [Record(0, "", bytes([n]) * RECORD_BYTES_MAX) for n in range(12)]
    assert log.append(name, many) == list(range(12))
    assert log.read(name, 0, 11, 1)[0].value == many[11].value


def test_what_a_foreign_producer_writes_is_a_record(
    kafka_server: Server, topic: Topics, opened: Callable[..., KafkaLog]
) -> None:
    """A key that is no text, no value: readers judge them, none of them dies of it."""
    name, log = topic(), opened(kafka_server.address)
    foreign = KafkaProducer(bootstrap_servers=kafka_server.address)
    foreign.send(name, b"x", key=b"\xff\xfe", partition=0)
    foreign.send(name, None, key=b"account", partition=0)
    foreign.flush()
    foreign.close()
    found = log.read(name, 0, 0, 2)
    found += log.read(name, 0, len(found), 2)
    assert [(one.key, one.value) for one in found] == [("\\xff\\xfe", b"x"), ("account", b"")]


def test_nobody_there_is_told_at_once(opened: Callable[..., KafkaLog]) -> None:
    """Nothing was written, no thread is left behind, and no time is lost."""
    threads = threading.active_count()
    log = opened(f"{HOST}:{free_port()}")
    begun = time.monotonic()
    for attempt in (
        lambda: log.append(TOPIC, [record("a")]),
        lambda: log.read(TOPIC, 0, 0, 1),
        lambda: log.subscribe(TOPIC, "group"),
    ):
        with pytest.raises(TransportError) as told:
            attempt()
        assert not isinstance(told.value, UnknownOutcomeError)
    assert time.monotonic() - begun < 3
    assert threading.active_count() == threads


def test_a_broker_that_dies_loses_nothing_acknowledged(
    broker: LocalServer, topic: Topics, opened: Callable[..., KafkaLog]
) -> None:
    """Killed twice under writers: every acknowledged record is where the acknowledgement said.

    Writers and the reader go on by themselves when the broker is back.
    """
    name = topic()
    log = opened(broker.address)
    member = log.subscribe(name, name)
    take(member, 0)
    member.seek(0, 0)
    acknowledged: dict[int, str] = {}
    outcomes: list[type[Exception]] = []
    seen: list[str] = []
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            values = [f"{number}:{n}" for n in range(3)]
            try:
                offsets = log.append(name, [record(value) for value in values])
                acknowledged.update(zip(offsets, values, strict=True))
            except TransportError as error:
                outcomes.append(type(error))
                stop.wait(0.1)

    def read_on(target: int) -> bool:
        seen.extend(one.value.decode() for one in member.poll(500, 100))
        return len(acknowledged) >= target

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(2):
            eventually(lambda: read_on(len(acknowledged) + 1), 30)
            broker.kill()
            broker.start()
        eventually(lambda: read_on(len(acknowledged) + 10), 30)
    finally:
        stop.set()
        writer.join()
    end = log.end_offset(name, 0)
    stored: list[str] = []
    while more := log.read(name, 0, len(stored), 500):
        stored += [one.value.decode() for one in more]
    assert len(stored) == end
    assert {offset: stored[offset] for offset in acknowledged} == acknowledged
    eventually(lambda: read_on(0) and len(seen) >= end)
    assert seen == stored
    assert set(outcomes) <= {TransportError, UnknownOutcomeError}
    member.close()


# ------------------------------------------------------------------ reading


def test_what_retention_took_is_a_gap(
    kafka_server: Server, topic: Topics, opened: Callable[..., KafkaLog]
) -> None:
    """Never jumped over, neither by a reader nor by a member."""
    if not kafka_server.durable:
        pytest.skip("Tansu does not delete records")
    name, log = topic(), opened(kafka_server.address)
    log.append(name, [record(str(n)) for n in range(10)])
    admin = KafkaAdminClient(bootstrap_servers=kafka_server.address)
    admin.delete_records({TopicPartition(name, 0): 4})
    admin.close()
    assert eventually(lambda: log.first_offset(name, 0)) == 4
    assert [one.value for one in log.read(name, 0, 4, 1)] == [b"4"]
    with pytest.raises(GapError):
        log.read(name, 0, 2, 1)
    member = log.subscribe(name, name)
    take(member, 0)
    member.seek(0, 2)
    with pytest.raises(GapError):
        eventually(lambda: member.poll(1, 100))
    member.close()


def test_a_broker_that_forgot_is_noticed(tmp_path: Path, opened: Callable[..., KafkaLog]) -> None:
    """A broker in memory comes back empty: a member that stands behind its end must not wait on."""
    with Tansu(tmp_path / "tansu") as server:
        # As many as Tansu makes by itself: when it is back, any question for a topic creates it.
        prepare(server.address, TANSU_PARTITIONS, TOPIC)
        log = opened(server.address, TANSU_PARTITIONS)
        log.append(TOPIC, [record(str(n)) for n in range(10)])
        member = log.subscribe(TOPIC, "group")
        take(member, 0)
        member.seek(0, 0)
        eventually(lambda: member.poll(100, 100))
        server.kill()
        server.start()
        eventually(lambda: appended(log, "new"), 30)
        with pytest.raises(GapError):
            eventually(lambda: member.poll(1, 100), 60)
        with pytest.raises(GapError):
            log.read(TOPIC, 0, 10, 1)
        member.close()


def appended(log: KafkaLog, value: str) -> list[int]:
    try:
        return log.append(TOPIC, [record(value)])
    except TransportError:
        return []


SLEEPER = """
import sys
from oms_project.adapters.kafka import KafkaLog
from oms_project.adapters.kafka_wire import KafkaOptions
log = KafkaLog((sys.argv[1],), 2, role="sleeper", options=KafkaOptions(session_timeout_ms=6_000))
member = log.subscribe(sys.argv[2], sys.argv[2])
while True:
    member.poll(1, 50)
    print(",".join(map(str, sorted(member.assigned()))), flush=True)
"""


def test_a_member_that_slept_finds_its_partitions_gone(
    kafka_server: Server, topic: Topics, opened: Callable[..., KafkaLog], tmp_path: Path
) -> None:
    """SIGSTOP past the session: another member owns them; on waking they are missing."""
    name = topic()
    told = tmp_path / "told"
    with told.open("wb") as out:
        sleeper = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", SLEEPER, kafka_server.address, name],
            cwd=ROOT,
            env=env.child(),
            stdout=out,
        )
    try:
        eventually(lambda: told.read_text().endswith("0,1\n"), 30)
        os.kill(sleeper.pid, signal.SIGSTOP)
        member = opened(kafka_server.address).subscribe(name, name)
        take(member, 0, 1)
        length = len(told.read_text())
        os.kill(sleeper.pid, signal.SIGCONT)

        def woken() -> list[str]:
            member.poll(1, 50)  # the owner goes on meanwhile
            return told.read_text()[length:].split("\n")[:-1]

        first = eventually(lambda: [line for line in woken() if line != "0,1"], 30)
        assert first[0] in ("", "0", "1")
        member.close()
    finally:
        sleeper.kill()
        sleeper.wait()


def test_the_ends_of_many_partitions_are_one_question(
    kafka_server: Server, topic: Topics, opened: Callable[..., KafkaLog]
) -> None:
    """A probe a second on 96 partitions: one client, and no reader of a partition is made."""
    many = 96
    log = opened(kafka_server.address, many)
    name = topic(many)
    assert log.end_offsets(name) == [0] * many
    begun = time.perf_counter()
    log.append(name, [Record(95, "a", b"x")])
    appended = time.perf_counter()
    assert log.end_offsets(name) == [0] * 95 + [1]
    assert not log._readers._open
    # Beside the one append; it took a second and more when each partition was asked by itself.
    assert time.perf_counter() - appended < 10 * max(appended - begun, 0.05)

"""Who was killed is back at once: a static member does not wait for the session of its dead self."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from oms_project import env
from oms_project.adapters.clock import NS_PER_MS, SystemClock
from oms_project.adapters.ids import SystemIds
from oms_project.adapters.kafka import KafkaLog
from oms_project.adapters.kafka_topics import ensure_topics
from oms_project.adapters.kafka_wire import KafkaOptions
from oms_project.adapters.servers import ApacheKafka, Services
from oms_project.kernel.ports import Record
from oms_project.tests.eventually import eventually
from oms_project.tests.servers import Server, unavailable

pytestmark = pytest.mark.services

ROOT = Path(__file__).parents[3]
SESSION_MS = 60_000
OPTIONS = KafkaOptions(session_timeout_ms=SESSION_MS, instance="one")

MEMBER = f"""
import sys
from oms_project.adapters.kafka import KafkaLog
from oms_project.adapters.kafka_wire import KafkaOptions
options = KafkaOptions(session_timeout_ms={SESSION_MS}, instance="one")
log = KafkaLog((sys.argv[1],), 2, role="role", options=options)
member = log.subscribe(sys.argv[2], sys.argv[2])
while True:
    member.poll(1, 50)
    print(",".join(map(str, sorted(member.assigned()))), flush=True)
"""


@pytest.fixture
def topic(kafka_server: Server) -> str:
    if not kafka_server.durable:
        unavailable("Tansu knows no static members")
    name = f"oms.test.{SystemIds().new()}"
    ensure_topics(
        (kafka_server.address,), 2, options=OPTIONS, replication=1, min_insync=1, topics=(name,)
    )
    return name


@pytest.fixture
def log(kafka_server: Server) -> Iterator[KafkaLog]:
    log = KafkaLog((kafka_server.address,), 2, role="role", options=OPTIONS)
    yield log
    log.close()


def test_a_killed_member_that_comes_back_owns_its_partitions(
    kafka_server: Server, topic: str, log: KafkaLog, tmp_path: Path
) -> None:
    told = tmp_path / "told"
    with told.open("wb") as out:
        first = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", MEMBER, kafka_server.address, topic],
            cwd=ROOT,
            env=env.child(),
            stdout=out,
        )
    try:
        eventually(lambda: told.read_text().endswith("0,1\n"), 30)
    finally:
        first.kill()
        first.wait()
    clock = SystemClock()
    begun_ns = clock.monotonic_ns()
    again = log.subscribe(topic, topic)

    def owned() -> bool:
        again.poll(1, 50)
        return again.assigned() == {0, 1}

    eventually(owned, 30)
    assert clock.monotonic_ns() - begun_ns < SESSION_MS // 2 * NS_PER_MS
    log.append(topic, [Record(0, "a", b"x")])
    again.seek(0, 0)
    eventually(lambda: again.poll(1, 50), 30)
    again.close()


def test_the_products_own_servers_have_static_members(tmp_path: Path) -> None:
    """`up --services` and `faults --services` run one process a role."""
    services = Services(tmp_path)
    if not isinstance(services.kafka, ApacheKafka):
        unavailable("Apache Kafka")
    assert services.urls.as_env()["LOG_URL"].endswith("?instance=local")

"""The small adapters: clock, ids, and which log a URL means."""

import uuid
from pathlib import Path

import pytest
from kafka.net.sasl import SASL_MECHANISMS

from oms_project.adapters.clock import NS_PER_S, FakeClock, SystemClock
from oms_project.adapters.ids import SeededIds, SystemIds, seeded
from oms_project.adapters.kafka_wire import KafkaOptions
from oms_project.adapters.logs import kafka_address, open_log
from oms_project.adapters.memory import MemoryLog
from oms_project.adapters.sqlite_log import SqliteLog


def test_the_system_clock_goes_on() -> None:
    clock = SystemClock()
    first = clock.monotonic_ns()
    assert clock.now_ns() > 1_700_000_000 * NS_PER_S
    assert clock.monotonic_ns() >= first


def test_the_fake_clock_goes_when_it_is_told() -> None:
    """A jump is an administrator's: only the wall clock sees it."""
    clock = FakeClock(now_ns=10, monotonic_ns=20)
    clock.advance_ns(5)
    assert (clock.now_ns(), clock.monotonic_ns()) == (15, 25)
    clock.jump_ns(-12)
    assert (clock.now_ns(), clock.monotonic_ns()) == (3, 25)
    with pytest.raises(ValueError, match="back"):
        clock.advance_ns(-1)


def test_ids_are_uuids_and_differ() -> None:
    made = [SystemIds().new() for _ in range(100)]
    assert len(set(made)) == 100
    assert all(str(uuid.UUID(one)) == one for one in made)


def test_a_seed_gives_the_same_again() -> None:
    first, second = SeededIds(7), SeededIds(7)
    assert [first.new() for _ in range(3)] == [second.new() for _ in range(3)]
    assert SeededIds(8).new() != SeededIds(7).new()
    assert seeded(1).random() == seeded(1).random()


def test_a_url_chooses_the_log(tmp_path: Path) -> None:
    assert isinstance(open_log("memory://", 2, "test"), MemoryLog)
    log = open_log(f"sqlite://{tmp_path / 'log'}", 3, "test")
    assert isinstance(log, SqliteLog)
    assert (log.folder, log.partitions) == (tmp_path / "log", 3)
    log.close()
    with pytest.raises(ValueError, match="postgres"):
        open_log("postgres://x", 2, "test")


def test_a_kafka_url_says_it_all() -> None:
    """Several brokers, credentials with odd characters, options."""
    url = "kafka://me:p%40ss@one:9096,two:9096?security_protocol=SASL_SSL&session_timeout_ms=6000"
    brokers, options = kafka_address(f"{url}&sasl_mechanism=SCRAM-SHA-512")
    assert brokers == ("one:9096", "two:9096")
    assert options == KafkaOptions(
        security_protocol="SASL_SSL",
        sasl_mechanism="SCRAM-SHA-512",
        sasl_plain_username="me",
        sasl_plain_password="p@ss",
        session_timeout_ms=6_000,
    )
    assert options.client() == {
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "me",
        "sasl_plain_password": "p@ss",
    }


@pytest.mark.parametrize("query", ["acks=1", "session_timeout_ms=soon"])
def test_an_option_that_cannot_be_is_told(query: str) -> None:
    """Durability is not for the URL to weaken."""
    with pytest.raises(ValueError, match=r"acks|soon"):
        kafka_address(f"kafka://one:9092?{query}")


def test_amazon_msk_is_signed_in_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the client says first is signed with the role's key: everything for it is installed."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret-of-nobody")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    _, options = kafka_address(
        "kafka://b-1.example:9098?security_protocol=SASL_SSL&sasl_mechanism=AWS_MSK_IAM"
    )
    kind = SASL_MECHANISMS[options.sasl_mechanism]
    said = kind(host="b-1.example", **options.client()).auth_bytes()
    assert b"kafka-cluster:Connect" in said
    assert b"AKIDEXAMPLE" in said
    assert b"a-secret-of-nobody" not in said


def test_a_mechanism_without_its_protocol_is_refused() -> None:
    """It would be ignored, and the broker would be blamed."""
    with pytest.raises(ValueError, match="SASL_SSL"):
        kafka_address("kafka://b-1.example:9098?sasl_mechanism=SCRAM-SHA-512")

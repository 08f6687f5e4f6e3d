"""The adapters that the contract tests run against: one dict a port. A new adapter is one entry.

An entry takes pytest's request and is a context: what it yields is closed behind it.
"""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import msgspec
import pytest

from oms_project.adapters.claims import SqlIdempotencyStore
from oms_project.adapters.clock import FakeClock
from oms_project.adapters.ids import SystemIds
from oms_project.adapters.intake import ClaimedIntake
from oms_project.adapters.memory import MemoryIdempotencyStore, MemoryLog, MemoryPush
from oms_project.adapters.push import ChannelPush, channel_group
from oms_project.adapters.sqlite_log import SqliteIntake, SqliteLog
from oms_project.kernel.ports import IdempotencyStore, Intake, Log, Push
from oms_project.kernel.words import Topic

PARTITIONS = 2
SERVER = pytest.mark.services

Request = pytest.FixtureRequest


class LogCase(msgspec.Struct):
    """A log under test. open: another client of the same log; topic: fresh, for this test only.

    trims: trim() forgets; exact: end_offset is right to the record (Tansu's is not).
    """

    open: Callable[[], Log]
    topic: str = Topic.COMMANDS
    trims: bool = True
    exact: bool = True


@contextmanager
def memory_log(request: Request) -> Iterator[LogCase]:
    log = MemoryLog(PARTITIONS)
    yield LogCase(lambda: log)
    log.close()


@contextmanager
def sqlite_log(request: Request) -> Iterator[LogCase]:
    folder: Path = request.getfixturevalue("tmp_path") / "log"
    with ExitStack() as opened:

        def make() -> Log:
            log = SqliteLog(folder, PARTITIONS)
            opened.callback(log.close)
            return log

        yield LogCase(make)


@contextmanager
def kafka_log(request: Request) -> Iterator[LogCase]:
    server = request.getfixturevalue("kafka_server")
    # Imported here: kafka-python is slow to load and not needed by the other adapters' tests.
    from oms_project.adapters.kafka import KafkaLog
    from oms_project.adapters.kafka_topics import ensure_topics
    from oms_project.adapters.kafka_wire import KafkaOptions

    options = KafkaOptions(session_timeout_ms=6_000)
    brokers = (server.address,)
    topic = f"oms.test.{SystemIds().new()}"
    ensure_topics(
        brokers, PARTITIONS, options=options, replication=1, min_insync=1, topics=(topic,)
    )
    with ExitStack() as opened:

        def make() -> Log:
            log = KafkaLog(brokers, PARTITIONS, role="test", options=options)
            opened.callback(log.close)
            return log

        yield LogCase(make, topic, trims=False, exact=server.durable)


LOGS: dict[str, Callable[[Request], AbstractContextManager[LogCase]]] = {
    "memory": memory_log,
    "sqlite": sqlite_log,
    "kafka": kafka_log,
}


class ClaimsCase(msgspec.Struct):
    """Claims under test, and the clock by which their age is judged."""

    store: IdempotencyStore
    clock: FakeClock


@contextmanager
def memory_claims(request: Request) -> Iterator[ClaimsCase]:
    yield ClaimsCase(MemoryIdempotencyStore(), FakeClock())


@contextmanager
def sql_claims(request: Request) -> Iterator[ClaimsCase]:
    yield ClaimsCase(SqlIdempotencyStore(), FakeClock())


@contextmanager
def redis_claims(request: Request) -> Iterator[ClaimsCase]:
    server = request.getfixturevalue("valkey_server")
    from oms_project.adapters.redis import RedisIdempotencyCopy

    clock = FakeClock()
    prefix = f"oms:test:{SystemIds().new()}:"
    store = RedisIdempotencyCopy(MemoryIdempotencyStore(), server.url, clock=clock, prefix=prefix)
    yield ClaimsCase(store, clock)
    store.close()


CLAIMS: dict[str, Callable[[Request], AbstractContextManager[ClaimsCase]]] = {
    "memory": memory_claims,
    "sql": sql_claims,
    "redis": redis_claims,
}


class IntakeCase(msgspec.Struct):
    """A door under test, the log behind it and the topic it writes to."""

    intake: Intake
    log: Log
    topic: str = Topic.COMMANDS


@contextmanager
def memory_intake(request: Request) -> Iterator[IntakeCase]:
    log = MemoryLog(PARTITIONS)
    yield IntakeCase(ClaimedIntake(MemoryIdempotencyStore(), log, FakeClock()), log)


@contextmanager
def sqlite_intake(request: Request) -> Iterator[IntakeCase]:
    with sqlite_log(request) as case:
        log = case.open()
        assert isinstance(log, SqliteLog)
        yield IntakeCase(SqliteIntake(log), log)


@contextmanager
def kafka_intake(request: Request) -> Iterator[IntakeCase]:
    with kafka_log(request) as logs, sql_claims(request) as claims:
        log = logs.open()
        yield IntakeCase(
            ClaimedIntake(claims.store, log, claims.clock, logs.topic), log, logs.topic
        )


INTAKES: dict[str, Callable[[Request], AbstractContextManager[IntakeCase]]] = {
    "memory": memory_intake,
    "sqlite": sqlite_intake,
    "kafka": kafka_intake,
}


class PushCase(msgspec.Struct):
    """A push under test. watch: join a group; the answer awaits the next hint it gets."""

    push: Push
    watch: Callable[[str], Awaitable[Callable[[], Awaitable[dict]]]]


def _watched_layer(layer: object) -> Callable[[str], Awaitable[Callable[[], Awaitable[dict]]]]:
    async def watch(group: str) -> Callable[[], Awaitable[dict]]:
        channel = await layer.new_channel()  # type: ignore[attr-defined]
        await layer.group_add(channel_group(group), channel)  # type: ignore[attr-defined]
        return lambda: layer.receive(channel)  # type: ignore[attr-defined]

    return watch


@contextmanager
def memory_push(request: Request) -> Iterator[PushCase]:
    push = MemoryPush()

    async def watch(group: str) -> Callable[[], Awaitable[dict]]:
        async def receive() -> dict:
            return next(dict(message) for name, message in push.published if name == group)

        return receive

    yield PushCase(push, watch)


@contextmanager
def channel_push(request: Request) -> Iterator[PushCase]:
    from channels.layers import InMemoryChannelLayer

    layer = InMemoryChannelLayer()
    yield PushCase(ChannelPush(layer), _watched_layer(layer))


@contextmanager
def redis_push(request: Request) -> Iterator[PushCase]:
    server = request.getfixturevalue("valkey_server")
    from channels_redis.pubsub import RedisPubSubChannelLayer

    layer = RedisPubSubChannelLayer(hosts=[server.url], prefix=f"oms:test:{SystemIds().new()}")
    yield PushCase(ChannelPush(layer), _watched_layer(layer))


PUSHES: dict[str, Callable[[Request], AbstractContextManager[PushCase]]] = {
    "memory": memory_push,
    "channels": channel_push,
    "redis": redis_push,
}

_NEED_A_SERVER = {"kafka", "redis", "mongo"}
_NEED_A_DATABASE = {sql_claims, kafka_intake}


def each(adapters: dict[str, object]) -> list[object]:
    """Return pytest params for a dict of adapters, marked with what they need."""
    params = []
    for name, make in adapters.items():
        marks = [SERVER] if name in _NEED_A_SERVER else []
        if make in _NEED_A_DATABASE:
            # Real transactions: other threads must see them.
            marks.append(pytest.mark.django_db(transaction=True))
        params.append(pytest.param(make, id=name, marks=marks))
    return params

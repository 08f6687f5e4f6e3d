"""Fixtures with real servers, one of each a test session; skipped where they cannot be had.

OMS_TEST_KAFKA=host:port, OMS_TEST_MONGO=mongodb://…, OMS_TEST_REDIS=redis://… and
OMS_TEST_POSTGRES=postgres://… (an empty database) point the same tests at somebody's own servers.
OMS_REQUIRE_SERVICES=1 (CI) turns a skip into a failure, and accepts Apache Kafka only.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import msgspec
import pytest

from oms_project import env
from oms_project.adapters import servers
from oms_project.adapters.postgres import Postgres
from oms_project.adapters.servers import LocalServer


class Server(msgspec.Struct, frozen=True):
    """Where a server is. local: its process, or None if it is somebody's own."""

    address: str
    url: str
    durable: bool = True
    local: LocalServer | None = None


def unavailable(reason: str) -> NoReturn:
    """End the test: it cannot run here, which CI does not accept."""
    if env.services_required():
        pytest.fail(f"OMS_REQUIRE_SERVICES: {reason}")
    pytest.skip(reason)


def _started(make: Callable[[], LocalServer]) -> LocalServer:
    try:
        return make().start()
    except (servers.ServerError, LookupError) as error:
        unavailable(str(error))


@pytest.fixture(scope="session")
def kafka_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Kafka: OMS_TEST_KAFKA, else Apache Kafka, else (not in CI) Tansu."""
    own = env.service_for_tests("KAFKA")
    if own:
        yield Server(own, f"kafka://{own}")
        return
    folder = tmp_path_factory.mktemp("kafka")
    kind = servers.ApacheKafka if env.services_required() else servers.local_kafka
    with _started(lambda: kind(folder)) as server:
        yield Server(server.address, server.url, isinstance(server, servers.ApacheKafka), server)


@pytest.fixture(scope="session")
def valkey_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Redis protocol: OMS_TEST_REDIS, else Valkey."""
    own = env.service_for_tests("REDIS")
    if own:
        yield Server(own, own)
        return
    folder = tmp_path_factory.mktemp("valkey")
    with _started(lambda: servers.Valkey(folder)) as server:
        yield Server(server.address, server.url, local=server)


@pytest.fixture(scope="session")
def mongo_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """MongoDB protocol: OMS_TEST_MONGO, else SecantusDB."""
    own = env.service_for_tests("MONGO")
    if own:
        yield Server(own, own)
        return
    folder = tmp_path_factory.mktemp("secantusdb")
    with _started(lambda: servers.SecantusDb(folder)) as server:
        yield Server(server.address, server.url, local=server)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """PostgreSQL: OMS_TEST_POSTGRES, else the one that is installed here."""
    own = env.service_for_tests("POSTGRES")
    if own:
        yield Server(own, own)
        return
    # Not below pytest's own folder: its user may not go there.
    folder = Path(tempfile.mkdtemp(prefix="oms-postgres-"))
    try:
        with _started(lambda: Postgres(folder)) as server:
            yield Server(server.address, server.url, durable=False, local=server)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def own_valkey(tmp_path: Path) -> Iterator[LocalServer]:
    """A Valkey for one test, to be killed and restarted at will."""
    with _started(lambda: servers.Valkey(tmp_path / "valkey")) as server:
        yield server


@pytest.fixture
def own_mongo(tmp_path: Path) -> Iterator[LocalServer]:
    """A SecantusDB for one test, to be killed and restarted at will."""
    with _started(lambda: servers.SecantusDb(tmp_path / "mongo")) as server:
        yield server

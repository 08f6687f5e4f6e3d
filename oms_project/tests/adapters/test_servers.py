"""The local servers: what they say when they cannot start, and that they leave nothing behind."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from oms_project.adapters import apache_kafka
from oms_project.adapters.apache_kafka import find_kafka
from oms_project.adapters.servers import (
    LocalServer,
    ServerError,
    Services,
    ServiceUrls,
    Valkey,
)
from oms_project.tests.eventually import eventually

ROOT = Path(__file__).parents[3]


class Talker(LocalServer):
    """Says something and ends."""

    name = "talker"

    def _command(self) -> Sequence[str]:
        return [sys.executable, "-c", "print('no licence'); raise SystemExit(3)"]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_server_that_ends_tells_its_last_words(tmp_path: Path) -> None:
    server = Talker(tmp_path)
    with pytest.raises(ServerError, match="talker ended at start: no licence"):
        server.start()
    with pytest.raises(ServerError, match="not running"):
        _ = server.pid


@pytest.mark.services
def test_a_server_keeps_its_port_and_leaves_no_process(tmp_path: Path) -> None:
    """Over stop, kill and start; and once it is stopped it is gone."""
    with Valkey(tmp_path) as server:
        address, first = server.address, server.pid
        assert server.restart().address == address
        second = server.pid
        server.kill()
        server.start()
        third = server.pid
        assert server.address == address
        assert alive(third)
    assert len({first, second, third}) == 3
    assert not any(map(alive, (first, second, third)))
    server.stop()


STARTER = """
import pathlib, sys, time
from oms_project.adapters.servers import Valkey
server = Valkey(pathlib.Path(sys.argv[1])).start()
print(server.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.services
def test_a_server_ends_with_whoever_started_it(tmp_path: Path) -> None:
    """Even if that one was killed and could not say goodbye."""
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE
    )
    with starter:
        assert starter.stdout is not None
        pid = int(starter.stdout.readline())
        assert alive(pid)
        starter.kill()
    eventually(lambda: not alive(pid))


def test_services_are_found_where_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second start has the same URLs: the product's settings stay true."""
    monkeypatch.setattr(apache_kafka.shutil, "which", lambda _: None)  # Tansu will do here
    first, second = Services(tmp_path).urls, Services(tmp_path).urls
    assert first == second
    assert first.as_env() == {
        "LOG_URL": first.log_url,
        "REDIS_URL": first.redis_url,
        "ORDER_STORE_URL": first.order_store_url,
    }
    assert isinstance(first, ServiceUrls)


def test_kafka_without_java_or_mvn_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apache_kafka.shutil, "which", lambda _: None)
    with pytest.raises(LookupError, match="needs java"):
        find_kafka(tmp_path)
    monkeypatch.setattr(apache_kafka.shutil, "which", lambda name: name if name == "java" else None)
    monkeypatch.setattr(apache_kafka, "_java_major", lambda _: 11)
    with pytest.raises(LookupError, match="java 17"):
        find_kafka(tmp_path)
    monkeypatch.setattr(apache_kafka, "_java_major", lambda _: 17)
    with pytest.raises(LookupError, match="needs mvn"):
        find_kafka(tmp_path)

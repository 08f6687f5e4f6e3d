"""Connections to a database server: few, lent for a moment, and good again when the server is."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from django.db.utils import OperationalError
from pytest_django import DjangoDbBlocker

from oms_project import databases
from oms_project.tests.servers import Server
from oms_project.threads import Releasing

POOLED = "pooled"
SIZE = 3


@pytest.fixture
def pooled(postgres_server: Server, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """PostgreSQL as the settings have it, with a small pool."""
    config = {"default": databases.server(postgres_server.url, SIZE)}
    connections.databases[POOLED] = connections.configure_settings(config)["default"]
    with django_db_blocker.unblock():
        yield POOLED
        connections[POOLED].close()
        connections[POOLED].close_pool()
    del connections[POOLED]
    del connections.databases[POOLED]


def who(alias: str) -> int:
    """Return the number of the server's process that answers: one a connection."""
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


@pytest.mark.services
def test_threads_share_few_connections(pooled: str) -> None:
    """Thirty requests, each in a thread of its own that ends: at most SIZE connections."""
    found: set[int] = set()

    def request() -> None:
        found.add(who(pooled))
        connections[pooled].close()  # as Django does at the end of a request

    for _ in range(30):
        thread = threading.Thread(target=request)
        thread.start()
        thread.join()
    assert 1 <= len(found) <= SIZE


@pytest.mark.services
def test_threads_that_live_on_give_them_back(pooled: str) -> None:
    """More threads than connections, none of which ever ends: nobody starves."""
    ready = threading.Barrier(2 * SIZE)

    def job() -> int:
        ready.wait(10)  # so that every job has a thread of its own
        return who(pooled)

    with Releasing(2 * SIZE) as executor:
        for _ in range(3):
            jobs = [executor.submit(job) for _ in range(2 * SIZE)]
            assert len({one.result(10) for one in jobs}) <= SIZE


@pytest.mark.services
def test_a_connection_the_server_ended_is_replaced(pooled: str) -> None:
    """A fail-over costs the answers that were under way, and none after."""

    ended: list[int] = []

    def end_mine() -> None:
        ended.append(who(pooled))
        with connections[pooled].cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    with Releasing(1) as executor:
        for _ in range(SIZE):
            with pytest.raises(OperationalError):
                executor.submit(end_mine).result(10)
        found = [executor.submit(who, pooled).result(10) for _ in range(2 * SIZE)]
    assert not set(found) & set(ended)


def test_what_the_settings_say() -> None:
    """A pool for PostgreSQL, if it is wanted; its time-out in any case; nothing for others."""
    url = "postgres://user:word@db:5432/oms"
    found = databases.server(url, 7)
    assert found["OPTIONS"]["pool"]["max_size"] == 7
    assert found["CONN_HEALTH_CHECKS"]
    assert "statement_timeout" in found["OPTIONS"]["options"]
    assert "pool" not in databases.server(url, 0)["OPTIONS"]
    assert "OPTIONS" not in databases.server("sqlite:////tmp/x", 7)


async def test_an_event_loop_uses_such_threads(monkeypatch: Any) -> None:
    """Whatever is given to a thread by whoever: it gives back what it was lent."""
    released: list[str] = []
    monkeypatch.setattr(
        "oms_project.threads.release", lambda: released.append(threading.current_thread().name)
    )
    asyncio.get_running_loop().set_default_executor(Releasing(1, thread_name_prefix="web"))
    assert await sync_to_async(lambda: 1, thread_sensitive=False)() == 1
    assert await asyncio.to_thread(lambda: 2) == 2
    assert released == ["web_0", "web_0"]


def test_it_is_a_pool_of_threads() -> None:
    """Errors come out, and the next job is done."""
    with Releasing(1) as executor:
        assert isinstance(executor, ThreadPoolExecutor)
        with pytest.raises(ZeroDivisionError):
            executor.submit(lambda: 1 // 0).result()
        assert executor.submit(max, 1, 2).result() == 2

"""The adapters that the OrderStore contract runs against: one dict. A new adapter is one entry."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import msgspec
import pytest

from oms_project.adapters.ids import SystemIds
from oms_project.kernel.ports import OrderStore
from orders.adapters.memory_store import MemoryStore
from orders.adapters.sql_store import SqlStore
from orders.tests.documentdb import DocumentDbListener

Request = pytest.FixtureRequest


class StoreCase(msgspec.Struct):
    """A store under test. open: another client of the same data."""

    open: Callable[[], OrderStore]


@contextmanager
def memory_store(request: Request) -> Iterator[StoreCase]:
    store = MemoryStore()
    yield StoreCase(lambda: store)


@contextmanager
def sql_store(request: Request) -> Iterator[StoreCase]:
    yield StoreCase(SqlStore)


@contextmanager
def mongo_store(request: Request) -> Iterator[StoreCase]:
    server = request.getfixturevalue("mongo_server")
    from pymongo import MongoClient

    from orders.adapters.mongo_store import MongoStore

    name = f"oms_test_{SystemIds().new()}".replace("-", "")[:40]
    base = server.url.rpartition("/")[0]
    listener = DocumentDbListener()
    opened: list[MongoStore] = []

    def make() -> OrderStore:
        opened.append(MongoStore(f"{base}/{name}", listeners=[listener]))
        return opened[-1]

    yield StoreCase(make)
    for store in opened:
        store.close()
    with MongoClient(server.url) as client:
        client.drop_database(name)
    assert listener.commands
    listener.check()


STORES: dict[str, Callable[[Request], AbstractContextManager[StoreCase]]] = {
    "memory": memory_store,
    "sql": sql_store,
    "mongo": mongo_store,
}


def each_store() -> list[object]:
    """Return pytest params for STORES, marked with what they need."""
    marks = {
        "sql": [pytest.mark.django_db(transaction=True, databases="__all__")],
        "mongo": [pytest.mark.services],
    }
    return [pytest.param(make, id=name, marks=marks.get(name, [])) for name, make in STORES.items()]

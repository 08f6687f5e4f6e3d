"""The adapters that the OrderStore contract runs against: one dict. A new adapter is one entry."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import msgspec
import pytest
from django.core.management import call_command
from django.db import connections
from django.test.utils import override_settings
from environ import Env as UrlEnv
from pytest_django import DjangoDbBlocker

from oms_project.adapters.ids import SystemIds
from oms_project.kernel.ports import OrderStore
from oms_project.tests.servers import Server
from orders.adapters.memory_store import MemoryStore
from orders.adapters.sql_store import SqlStore
from orders.tests.documentdb import DocumentDbListener

Request = pytest.FixtureRequest
POSTGRES = "postgres_of_the_contract"


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


@pytest.fixture(scope="session")
def postgres_alias(postgres_server: Server, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """The tables of the store on PostgreSQL, as a database of Django's beside the tests' own."""
    config = {"default": UrlEnv.db_url_config(postgres_server.url)}
    connections.databases[POSTGRES] = connections.configure_settings(config)["default"]
    with django_db_blocker.unblock():
        with override_settings(STORE_ALIAS=POSTGRES):
            call_command("migrate", "orders", database=POSTGRES, verbosity=0)
        yield POSTGRES
        connections[POSTGRES].close()
    del connections.databases[POSTGRES]


@contextmanager
def postgres_store(request: Request) -> Iterator[StoreCase]:
    alias = request.getfixturevalue("postgres_alias")
    blocker: DjangoDbBlocker = request.getfixturevalue("django_db_blocker")
    with blocker.unblock():
        with connections[alias].cursor() as cursor:
            tables = connections[alias].introspection.table_names(cursor)
            ours = ", ".join(name for name in tables if name.startswith("orders_"))
            cursor.execute(f"TRUNCATE {ours}")
        yield StoreCase(lambda: SqlStore(alias))


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
    "postgres": postgres_store,
    "mongo": mongo_store,
}


def each_store() -> list[object]:
    """Return pytest params for STORES, marked with what they need."""
    marks = {
        "sql": [pytest.mark.django_db(transaction=True, databases="__all__")],
        "postgres": [pytest.mark.services],
        "mongo": [pytest.mark.services],
    }
    return [pytest.param(make, id=name, marks=marks.get(name, [])) for name, make in STORES.items()]

"""The document store when its server dies, and the guard that keeps it to DocumentDB's list."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from pymongo import MongoClient, UpdateOne

from oms_project.adapters.servers import HOST, LocalServer, free_port
from oms_project.kernel import ports as p
from oms_project.kernel.errors import OldVersionError, TransportError, UnknownOutcomeError
from oms_project.tests.eventually import eventually
from oms_project.tests.servers import Server
from orders.adapters.mongo_store import MongoStore
from orders.tests.contracts.rows import ACCOUNT, a_chunk, an_order, changes
from orders.tests.documentdb import DocumentDbListener, problems

pytestmark = pytest.mark.services

Opened = Callable[[str], MongoStore]


@pytest.fixture
def opened() -> Iterator[Opened]:
    stores: list[MongoStore] = []

    def make(url: str) -> MongoStore:
        stores.append(MongoStore(url))
        return stores[-1]

    yield make
    for store in stores:
        store.close()


def a_step(number: int) -> p.Changes:
    return changes(number, orders=[an_order(number)], chunks=[a_chunk(number, number, number)])


def test_the_concerns_are_those_of_durable_writes(mongo_server: Server, opened: Opened) -> None:
    """Acknowledged by a majority, in the journal; read what a majority has."""
    database = opened(mongo_server.url)._db()
    assert database.write_concern.document == {"w": "majority", "j": True, "wtimeout": 5_000}
    assert database.read_concern.document == {"level": "majority"}
    assert database.client.options.retry_writes is False


def test_a_url_cannot_weaken_them(mongo_server: Server, opened: Opened) -> None:
    """Options of the URL are for TLS and replica sets."""
    url = f"{mongo_server.url}?w=1&journal=false&readConcernLevel=local&retryWrites=true"
    database = opened(url)._db()
    assert database.write_concern.document == {"w": "majority", "j": True, "wtimeout": 5_000}
    assert database.read_concern.document == {"level": "majority"}
    assert database.client.options.retry_writes is False


def test_nobody_there_is_a_broken_wire(opened: Opened) -> None:
    """Told in seconds; the write's outcome is unknown, which asks for nothing but the same again."""
    store = opened(f"mongodb://{HOST}:{free_port()}/oms")
    begun = time.monotonic()
    with pytest.raises(TransportError):
        store.ping()
    with pytest.raises(UnknownOutcomeError):
        store.apply(a_step(1))
    assert time.monotonic() - begun < 15


def test_a_store_that_dies_loses_nothing_applied(own_mongo: LocalServer, opened: Opened) -> None:
    """Killed twice under a projector that repeats a broken step: all is there, once."""
    store = opened(own_mongo.url)
    applied: list[int] = []
    stop = threading.Event()

    def project() -> None:
        number = 1
        while not stop.is_set():
            try:
                store.apply(a_step(number))
            except TransportError:
                stop.wait(0.1)
                continue
            applied.append(number)
            number += 1

    writer = threading.Thread(target=project)
    writer.start()
    try:
        for _ in range(2):
            target = len(applied) + 20
            eventually(lambda target=target: len(applied) >= target, 30)
            own_mongo.kill()
            own_mongo.start()
        target = len(applied) + 20
        eventually(lambda: len(applied) >= target, 30)
    finally:
        stop.set()
        writer.join()
    count = len(applied)
    orders = store.find(p.OrderQuery(account_ids=(ACCOUNT,), limit=count + 10))
    assert orders == [an_order(number) for number in range(count, 0, -1)]
    assert [head[0] for head in store.heads(0, -1, count + 10)] == applied
    assert store.progress(0).next_offset == count


def test_documents_of_an_earlier_version_are_refused(mongo_server: Server, opened: Opened) -> None:
    """With what to do, and before anything is written."""
    url = f"{mongo_server.url.rpartition('/')[0]}/oms_earlier"
    with MongoClient(mongo_server.url) as client:
        client.oms_earlier.progress.insert_one({"_id": 0, "next_offset": 7, "last_command": 7})
        with pytest.raises(OldVersionError, match="ORDER_STORE_URL"):
            opened(url).apply(a_step(8))
        assert client.oms_earlier.list_collection_names() == ["progress"]
        client.drop_database("oms_earlier")
    opened(url).apply(a_step(1))
    assert opened(url).progress(0).next_offset == 1
    opened(url).apply(a_step(2))


# ------------------------------------------------------------------ the guard itself


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        ({"find": "orders", "filter": {"a": {"$in": [1]}}, "$db": "oms"}, None),
        ({"find": "orders", "filter": {"$where": "1"}}, "operator $where"),
        (
            {"find": "orders", "filter": {"$or": [{"a": {"$jsonSchema": {}}}]}},
            "operator $jsonSchema",
        ),
        ({"find": "orders", "collation": {"locale": "en"}}, "field collation"),
        ({"update": "orders", "updates": [{"q": {}, "u": [{"$set": {"a": 1}}]}]}, "pipeline"),
        ({"update": "orders", "updates": [{"u": {"$set": {"a.$[]": 1}}}]}, "positional"),
        ({"update": "orders", "updates": [{"u": {}, "arrayFilters": []}]}, "arrayFilters"),
        ({"insert": "orders", "txnNumber": 1}, "field txnNumber"),
    ],
)
def test_the_guard_knows_what_is_not_on_the_list(command: dict, problem: str | None) -> None:
    found = list(problems(command))
    assert found == [] if problem is None else problem in found[0]


def test_the_guard_sees_what_is_sent(mongo_server: Server) -> None:
    """It hangs on the wire, not on our code: whatever a client sends is judged."""
    listener = DocumentDbListener()
    with MongoClient(mongo_server.url, event_listeners=[listener]) as client:
        orders = client.get_default_database()["guarded"]
        orders.bulk_write([UpdateOne({"_id": 1}, {"$set": {"a": 1}}, upsert=True)])
        listener.refused.clear()  # this client writes with retries, as ours does not
        list(orders.find({"$expr": {"$eq": ["$a", 1]}}))
    with pytest.raises(AssertionError, match=r"\$expr"):
        listener.check()

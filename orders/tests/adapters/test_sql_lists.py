"""Lists of the SQL store: by an index, whatever is asked for, and no further than a page needs."""

import importlib
from collections.abc import Iterator

import msgspec
import pytest
from django.core.management.base import CommandError
from django.db import connections
from django.test.utils import CaptureQueriesContext

from oms_project.kernel import ports as p
from oms_project.kernel.errors import TransportError
from oms_project.kernel.words import OPEN, Side, Status
from orders.adapters import pages, sql_lists
from orders.adapters.sql_store import SqlStore
from orders.tests.contracts.rows import ACCOUNT, AT_NS, OTHER, an_order, changes, order_id

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")

ASKED = [
    {},
    {"symbol": "BTC-USD"},
    {"side": "sell"},
    {"statuses": (Status.EXPIRED,)},
    {"statuses": tuple(OPEN)},
    {"statuses": (Status.NEW,), "symbol": "BTC-USD", "side": "buy"},
    {"from_ns": AT_NS, "to_ns": AT_NS + 10**9},
    {"client_order_id": "c4"},
    {"before_id": order_id(50)},
]


@pytest.fixture
def store() -> SqlStore:
    store = SqlStore()
    orders = [
        an_order(
            number, account_id=(ACCOUNT, OTHER)[number % 2], symbol=("BTC-USD", "ETH-USD")[number % 3 > 0],
            status=Status.EXPIRED if number % 37 == 0 else Status.FILLED,
            side=Side.SELL if number % 41 == 0 else Side.BUY,
        )
        for number in range(1, 301)
    ]  # fmt: skip
    store.apply(changes(1, orders=orders))
    return store


def plans(captured: CaptureQueriesContext) -> Iterator[str]:
    """Yield a line for each step SQLite would take for each of the reads."""
    cursor = connections["store"].cursor()
    for query in list(captured.captured_queries):
        if query["sql"].startswith("SELECT"):
            for step in cursor.execute(f"EXPLAIN QUERY PLAN {query['sql']}").fetchall():
                yield f"{step[3]} <- {query['sql']}"


@pytest.mark.parametrize("asked", ASKED)
def test_every_list_goes_by_an_index(store: SqlStore, asked: dict) -> None:
    """No table is read from end to end, and only a few rows are ever sorted."""
    query = p.OrderQuery(account_ids=(ACCOUNT, OTHER), **asked)
    with CaptureQueriesContext(connections["store"]) as captured:
        store.page(query)
    for step in plans(captured):
        assert not step.startswith("SCAN") or step.startswith("SCAN few"), step
        if "client_order_id" not in asked:
            assert "TEMP B-TREE" not in step, step
        elif step.startswith("SEARCH orders_order"):
            assert "client_order_id=?" in step, step


@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize("scan", [10, 37, 100])
def test_pages_that_stop_early_lose_nothing(
    store: SqlStore, asked: dict, scan: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However few rows are looked at for one page, all pages together are the list."""
    query = p.OrderQuery(account_ids=(ACCOUNT, OTHER), limit=400, **asked)
    whole = store.find(query)
    monkeypatch.setattr(pages, "SCAN_MAX", scan)
    monkeypatch.setattr(pages, "SCAN_MIN", 1)
    seen: list[p.OrderRow] = []
    before = query.before_id
    rounds = 0
    while True:
        page = store.page(msgspec.structs.replace(query, before_id=before, limit=5))
        seen += page.rows
        before = page.before_id
        rounds += 1
        assert rounds < 200
        if before is None:
            break
    assert seen == whole


def test_a_filter_that_matches_nothing_looks_no_further_than_it_may(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "SCAN_MAX", 40)
    monkeypatch.setattr(pages, "SCAN_MIN", 1)
    page = store.page(p.OrderQuery(account_ids=(ACCOUNT,), statuses=(Status.CANCELED,)))
    assert page == p.OrderPage([], order_id(222))


def test_too_many_readers_are_told_so(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """What they read is in memory until it is sent: at most so many at once, the rest gets a 503."""
    monkeypatch.setattr(sql_lists, "READERS", 1)
    monkeypatch.setattr(sql_lists, "READER_WAIT_S", 0.01)
    busy = sql_lists.SqlLists(store._wire)
    with busy._reading(), pytest.raises(TransportError, match="too many"):
        busy.page(p.OrderQuery(account_ids=(ACCOUNT,)))
    assert len(busy.page(p.OrderQuery(account_ids=(ACCOUNT,))).rows) == 100


def test_a_database_of_an_earlier_version_is_refused() -> None:
    """With what to do, and before anything in it is changed."""
    migration = importlib.import_module("orders.migrations.0001_projection")
    with connections["store"].schema_editor() as editor, pytest.raises(CommandError) as told:
        migration.refuse_older(None, editor)
    assert "earlier version" in str(told.value)
    assert "OMS_DATA_DIR" in str(told.value)

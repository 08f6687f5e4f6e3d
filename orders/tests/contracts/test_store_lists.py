"""What every OrderStore promises of lists: the right rows, in one order, none lost between pages."""

import msgspec
import pytest

from oms_project.kernel import ports as p
from oms_project.kernel.words import OPEN, Side, Status
from orders.adapters import pages
from orders.tests.contracts.rows import (
    ACCOUNT,
    AT_NS,
    OTHER,
    an_order,
    changes,
    order_id,
)

MS = 1_000_000


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ({}, [5, 4, 3, 2, 1]),
        ({"limit": 2}, [5, 4]),
        ({"before_id": order_id(4), "limit": 2}, [3, 2]),
        ({"symbol": "ETH-USD"}, [2]),
        ({"side": "sell"}, [3]),
        ({"statuses": (Status.FILLED, Status.NEW)}, [5, 4, 3, 2]),
        ({"statuses": (Status.CANCELED,)}, [1]),
        ({"statuses": (Status.NEW, Status.ACCEPTED), "symbol": "ETH-USD"}, [2]),
        ({"from_ns": AT_NS + 2 * MS, "to_ns": AT_NS + 4 * MS}, [3, 2]),
        ({"from_ns": AT_NS + 2 * MS + 1, "to_ns": AT_NS + 4 * MS + 1}, [4, 3, 2]),
        ({"to_ns": AT_NS + 4 * MS, "before_id": order_id(3)}, [2, 1]),
        ({"to_ns": AT_NS + 2 * MS, "before_id": order_id(4)}, [1]),
        ({"from_ns": -(2**63), "to_ns": 2**63 - 1}, [5, 4, 3, 2, 1]),
        ({"statuses": tuple(OPEN), "side": "sell"}, [3]),
        ({"symbol": "DOGE-USD"}, []),
        ({"client_order_id": "c4"}, [4]),
        ({"client_order_id": "c9"}, []),
        ({"account_ids": (ACCOUNT, OTHER), "limit": 3}, [6, 5, 4]),
    ],
)
def test_orders_are_found(store: p.OrderStore, query: dict, numbers: list[int]) -> None:
    """By every filter, newest first, a page at a time."""
    orders = [
        an_order(1, status=Status.CANCELED),
        an_order(2, symbol="ETH-USD"),
        an_order(3, side=Side.SELL),
        an_order(4),
        an_order(5, status=Status.FILLED),
        an_order(6, account_id=OTHER),
    ]
    store.apply(changes(1, orders=orders))
    found = store.find(p.OrderQuery(**{"account_ids": (ACCOUNT,), **query}))
    assert [row.order_id for row in found] == [order_id(number) for number in numbers]


def test_a_long_list_goes_on_where_a_page_ended(
    store: p.OrderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rare rows among many: a page may be short, but the pages together have all, each once."""
    monkeypatch.setattr(pages, "SCAN_MAX", 500)
    orders = [
        an_order(
            number, account_id=(ACCOUNT, OTHER)[number % 2],
            status=Status.EXPIRED if number % 97 == 0 else Status.FILLED,
            side=Side.SELL if number % 101 == 0 else Side.BUY,
        )
        for number in range(1, 3_001)
    ]  # fmt: skip
    store.apply(changes(1, orders=orders))
    for filters in ({"statuses": (Status.EXPIRED,)}, {"side": "sell"}, {"statuses": tuple(OPEN)}):
        query = p.OrderQuery(account_ids=(ACCOUNT, OTHER), limit=7, **filters)
        wanted = [
            row.order_id
            for row in reversed(orders)
            if row.terms.side == filters.get("side", row.terms.side)
            and row.status in filters.get("statuses", (row.status,))
        ]
        seen: list[str] = []
        page = p.OrderPage([], None)
        while page.before_id is not None or not seen:
            page = store.page(msgspec.structs.replace(query, before_id=page.before_id))
            assert len(page.rows) <= 7
            seen += [row.order_id for row in page.rows]
            if page.before_id is None:
                break
        assert seen == wanted
        assert [row.order_id for row in store.find(query)] == wanted[:7]


def test_ids_sort_as_bytes(store: p.OrderStore) -> None:
    """No language's order, which would put a page's end before its beginning."""
    ids = [f"01900000-0000-7000-8000-{tail}" for tail in ("0a", "0A", "0_", "00", "zz", "Zz", "ä")]
    store.apply(changes(1, orders=[an_order(1, order_id=one) for one in ids]))
    query = p.OrderQuery(account_ids=(ACCOUNT,))
    newest = sorted(ids, key=str.encode, reverse=True)
    assert [row.order_id for row in store.find(query)] == newest
    for place, one in enumerate(newest):
        behind = store.find(msgspec.structs.replace(query, before_id=one))
        assert [row.order_id for row in behind] == newest[place + 1 :]

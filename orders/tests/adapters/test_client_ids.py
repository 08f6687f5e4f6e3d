"""A client_order_id is known for ever; one that was never used costs the store nothing."""

import pytest

from oms_project.kernel import ports as p
from orders.adapters import client_ids as module
from orders.adapters.client_ids import ClientIds, Used
from orders.adapters.memory_store import MemoryStore
from orders.domain.book import Account, Book, State
from orders.tests.contracts.rows import ACCOUNT, OTHER, an_order, changes, order_id
from orders.tests.domain.build import new_order, place


class CountingStore(MemoryStore):
    """Notes which client_order_ids it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def orders_by_client_id(
        self, account_id: str, ids: p.Sequence[str]
    ) -> dict[str, tuple[str, int]]:
        self.asked += ids
        return super().orders_by_client_id(account_id, ids)


@pytest.fixture
def store() -> CountingStore:
    """Five orders of each account, long out of memory."""
    store = CountingStore()
    orders = [
        an_order(n + 10 * of, client_order_id=f"{name}{n}", account_id=account)
        for of, (name, account) in enumerate((("mine", ACCOUNT), ("theirs", OTHER)))
        for n in range(1, 6)
    ]
    store.apply(changes(1, orders=orders))
    return store


def a_book(*in_memory: str) -> Book:
    """Return a book that has let go of what the store has; *in_memory* is what it still knows."""
    ids = {one: f"order of {one}" for one in in_memory}
    accounts = {
        ACCOUNT: Account(ACCOUNT, "", client_ids=ids), OTHER: Account(OTHER, ""),
    }  # fmt: skip
    return Book(State(0, accounts=accounts, evicted=10))


def ask(client_ids: ClientIds, *wanted: str, account_id: str = ACCOUNT) -> set[str]:
    """Return which of the ids the store knows."""
    orders = [new_order(n, client_order_id=one) for n, one in enumerate(wanted, 1)]
    return set(client_ids.stored(place(*orders, account_id=account_id)))


def read_all(client_ids: ClientIds) -> None:
    for _ in range(20):
        client_ids.read_more()


def test_until_all_is_read_the_store_is_asked(store: CountingStore) -> None:
    client_ids = ClientIds(store, a_book())
    assert ask(client_ids, "mine1", "new") == {"mine1"}
    assert store.asked == ["mine1", "new"]


@pytest.mark.parametrize("page", [1, 2, 5, 100])
def test_what_was_used_before_is_found(
    store: CountingStore, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    """Whatever the pages; of each account its own."""
    monkeypatch.setattr(module, "PAGE", page)
    client_ids = ClientIds(store, a_book())
    read_all(client_ids)
    assert ask(client_ids, "mine1", "mine3", "mine5", "theirs1") == {"mine1", "mine3", "mine5"}
    assert ask(client_ids, "theirs5", account_id=OTHER) == {"theirs5"}
    assert client_ids.stored(place(new_order(1, client_order_id="mine2")))["mine2"] == (
        order_id(2), 2,
    )  # fmt: skip


def test_what_was_never_used_is_not_asked_for(store: CountingStore) -> None:
    """But for the filter's rare mistakes, which cost a question and nothing else."""
    client_ids = ClientIds(store, a_book())
    read_all(client_ids)
    ask(client_ids, *(f"new{n}" for n in range(2_000)))
    assert len(store.asked) < 20


def test_what_is_used_from_now_on_is_known(store: CountingStore) -> None:
    """An id this book places, and one it had in memory, are asked for once memory lets go."""
    book = a_book("kept")
    client_ids = ClientIds(store, book)
    read_all(client_ids)
    ask(client_ids, "placed", "kept")
    book.state.accounts[ACCOUNT].client_ids.clear()
    store.asked.clear()
    ask(client_ids, "placed", "kept")
    assert store.asked == ["placed", "kept"]


def test_a_book_that_let_nothing_go_asks_nothing(store: CountingStore) -> None:
    book = Book(State(0, accounts={ACCOUNT: Account(ACCOUNT, "")}))
    client_ids = ClientIds(store, book)
    read_all(client_ids)
    assert ask(client_ids, "mine1") == set()
    assert store.asked == []


def test_the_filter_grows() -> None:
    """Nothing is forgotten, and it stays a filter."""
    used = Used(size=100)
    for start in range(0, 5_000, 50):
        used.add([f"id{n}" for n in range(start, start + 50)])
    assert all(f"id{n}" in used for n in range(5_000))
    assert sum(f"other{n}" in used for n in range(5_000)) < 100

"""What the book's memory has let go of, from the store: a function of the log like the rest.

A client_order_id is refused a second time for ever, but next to none comes a second time. So the
store is asked only of those that a Bloom filter of everything ever used does not rule out.
"""

from collections import deque
from typing import Final

from rbloom import Bloom

from oms_project.kernel.ports import OrderStore
from orders.domain import commands
from orders.domain.book import Book
from orders.domain.decide import Stored

FIRST_SIZE: Final = 1_000_000
FALSE_POSITIVES: Final = 0.001
PAGE: Final = 5_000


class Used:
    """A Bloom filter that grows: when the newest is full, one of twice its size follows."""

    def __init__(self, size: int = FIRST_SIZE) -> None:
        self._filters = [Bloom(size, FALSE_POSITIVES)]
        self._size = size
        self._room = size

    def add(self, keys: list[str]) -> None:
        if len(keys) > self._room:
            self._size *= 2
            self._room = self._size
            self._filters.append(Bloom(self._size, FALSE_POSITIVES))
        self._room -= len(keys)
        self._filters[-1].update(keys)

    def __contains__(self, key: str) -> bool:
        return any(key in one for one in self._filters)


class ClientIds:
    """The client_order_ids of one partition: looked up in the store, where that can be needed."""

    def __init__(self, store: OrderStore, book: Book) -> None:
        self._store = store
        self._book = book
        self._used = Used()
        accounts = book.state.accounts.values()
        for account in accounts:
            self._used.add([account.account_id + one for one in account.client_ids])
        # What memory had let go of when we began: read into the filter page by page. Until that is
        # done nothing is ruled out.
        self._unread = deque(one.account_id for one in accounts) if book.state.evicted else deque()
        self._after = ""

    def read_more(self) -> None:
        """Read one page more of what the store has; nothing once all is read."""
        if not self._unread:
            return
        account_id = self._unread[0]
        page = self._store.client_order_ids(account_id, self._after, PAGE)
        self._used.add([account_id + one for one in page])
        self._after = page[-1] if page else ""
        if len(page) < PAGE:
            self._unread.popleft()
            self._after = ""

    def stored(self, command: commands.Command) -> Stored:
        """Return the stored orders of the command's ids that the book's memory has let go of."""
        if type(command) is not commands.PlaceOrders:
            return {}
        account_id = command.account_id
        account = self._book.state.accounts.get(account_id)
        known = account.client_ids if account is not None else {}
        new = [one.client_order_id for one in command.orders if one.client_order_id not in known]
        keys = [account_id + one for one in new]
        maybe: list[str] = []
        if self._book.state.evicted:
            used = self._used
            maybe = new if self._unread else [
                one for one, key in zip(new, keys, strict=True) if key in used
            ]  # fmt: skip
        self._used.add(keys)
        return self._store.orders_by_client_id(account_id, maybe) if maybe else {}

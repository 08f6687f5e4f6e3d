"""One command's turn at the book: what it has done so far, and what that began with."""

from collections.abc import Mapping

from oms_project.kernel.ports import CancelRoute, Route
from oms_project.kernel.words import Status
from orders.domain import apply
from orders.domain import events as e
from orders.domain.book import Account, Book
from orders.domain.order import Order

Stored = Mapping[str, tuple[str, int]]
"""client_order_id -> (order id, account_seq of its first event) of orders no longer in memory."""


class Turn:
    """One command's turn: its account, its time, what it does so far."""

    __slots__ = ("account", "assets", "at_ns", "book", "events", "routes", "stored", "symbols")

    def __init__(self, book: Book, account: Account, at_ns: int, stored: Stored) -> None:
        self.book = book
        self.account = account
        self.at_ns = at_ns
        self.stored = stored
        self.events: list[e.Event] = []
        self.routes: list[Route | CancelRoute] = []
        # dicts, not sets: what changed is told in the order in which it first changed
        self.assets: dict[str, None] = {}
        self.symbols: dict[str, None] = {}

    def happen(self, event: e.Event) -> None:
        """Apply *event* and tell it."""
        apply.apply(self.book, self.account, event)
        self.events.append(event)

    def touch(self, symbol: str) -> None:
        instrument = self.book.units[symbol].instrument
        self.assets[instrument.base] = self.assets[instrument.quote] = None


def after(order: Order, status: Status) -> tuple[str, Status, int, int, int, int]:
    """Return how an event that moves no money begins (events.py: _OrderEvent)."""
    return order.order_id, status, order.version + 1, order.cum_lots, order.cost, order.fee

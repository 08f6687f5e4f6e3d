"""One command's turn at the book: what it told, and what it sends to the venue."""

from oms_project.kernel.ports import CancelRoute, Route
from orders.domain import events as e
from orders.domain.book import Account, Balance, Book
from orders.domain.lanes import Lane


class Turn:
    """One command's turn: its account, its id and time, what it did so far.

    deadlines: a route of it must not leave after a time; balances, positions: what changed, to be
    told at the end, in the order of the first change;
    event_command: the last command before it that had events.
    """

    __slots__ = (
        "account",
        "at_ns",
        "balances",
        "book",
        "deadlines",
        "event_command",
        "events",
        "id",
        "positions",
        "routes",
    )

    def __init__(self, book: Book, account: Account, id: str, at_ns: int) -> None:
        self.book = book
        self.account = account
        self.id = id
        self.at_ns = at_ns
        self.deadlines = False
        self.event_command = book.state.event_command
        self.events: list[e.Event] = []
        self.routes: list[Route | CancelRoute] = []
        self.balances: dict[str, Balance] = {}
        self.positions: dict[str, None] = {}

    def tell(self, event: e.Event) -> None:
        self.events.append(event)

    def paid(self, lane: Lane, sign: int) -> None:
        """What the order pays with changed: its hold."""
        if sign > 0:
            self.balances[lane.quote_asset] = lane.quote
        else:
            self.balances[lane.base_asset] = lane.base

    def traded(self, lane: Lane) -> None:
        self.positions[lane.symbol] = None
        self.balances[lane.base_asset] = lane.base
        self.balances[lane.quote_asset] = lane.quote

    def finish(self) -> "Turn":
        """Tell the positions and balances as they are now; return the turn."""
        events = self.events
        for symbol in self.positions:
            held = self.account.positions[symbol]
            events.append(e.PositionChanged(symbol, held.net_lots, held.cost, held.realized))
        for asset, b in self.balances.items():
            events.append(e.BalanceChanged(asset, b.free, b.locked, b.fees, b.venue, b.external))
        return self

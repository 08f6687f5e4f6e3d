"""Command sequences nobody would think of, for the property tests: drawn as data, played at a desk."""

from collections.abc import Callable
from typing import Any

import msgspec
from hypothesis import strategies as st

from marketdata.domain.mark import SetMarks
from oms_project.adapters.ids import seeded
from oms_project.kernel.errors import IllegalTransitionError
from oms_project.kernel.ports import Report, ReportKind
from oms_project.kernel.words import PRICED, WAITING, AccountState, OrderType, Side, TimeInForce
from orders.domain import commands as c
from orders.domain.order import Order, status_of
from orders.tests.domain import build
from orders.tests.domain.build import ACCOUNT, OTHER, SYMBOLS, Desk
from risk.domain.limits import Limits

Dice = Any  # a random.Random
ACCOUNTS = (ACCOUNT, OTHER)
SMALL_FUNDS = {"USD": 4 * 10**8, "BTC": 4_000_000, "ETH": 3_000_000}


class Item(msgspec.Struct, frozen=True):
    """An order to place. client: the number of its client_order_id (0: its own); lasts_ms: if GTD."""

    symbol: str
    side: Side
    type: OrderType
    tif: TimeInForce
    lots: int
    ticks: int
    client: int
    lasts_ms: int


class Action(msgspec.Struct, frozen=True):
    """One command to make. pick: which of the orders there are; size, ticks: of a trade and such."""

    kind: str
    account_id: str = ACCOUNT
    items: tuple[Item, ...] = ()
    atomic: bool = False
    pick: int = 0
    size: int = 0
    ticks: int = 0
    word: str = ""


def _item(dice: Dice) -> Item:
    return Item(
        dice.choice((*SYMBOLS, *SYMBOLS, *SYMBOLS, "DOGE-USD")), dice.choice(tuple(Side)),
        dice.choice((*[OrderType.LIMIT] * 4, *OrderType, OrderType.MARKET)),
        dice.choice(tuple(TimeInForce)), dice.randint(1, 60), dice.randint(9_500, 10_500),
        dice.choice((0,) * 20 + (1, 2)), dice.randint(0, 3_000),
    )  # fmt: skip


def _place(dice: Dice) -> Action:
    items = tuple(_item(dice) for _ in range(dice.randint(1, 4)))
    return Action("place", dice.choice(ACCOUNTS), items, atomic=dice.random() < 0.4)


def _report(dice: Dice) -> Action:
    word = dice.choice((*ReportKind, *[ReportKind.TRADE] * 5))
    return Action(
        "report", pick=dice.randint(0, 100), size=dice.randint(0, 25), ticks=dice.randint(-300, 300),
        word=word,
    )  # fmt: skip


def _cancel(dice: Dice) -> Action:
    word = dice.choice(("", "BTC-USD"))
    return Action(
        "cancel",
        dice.choice(ACCOUNTS),
        pick=dice.randint(0, 100),
        size=dice.randint(0, 2),
        word=word,
    )


def _rest(dice: Dice) -> Action:
    kind, sizes, words = dice.choice(_RARE)
    size = dice.randint(*sizes)
    return Action(
        kind, dice.choice(ACCOUNTS), pick=dice.randint(0, 3), size=size, word=dice.choice(words)
    )


_RARE = (
    ("adjust", (-(10**8), 10**9), ("USD", "BTC", "ETH")),
    ("adjust", (10**18, 10**18), ("USD", "SOL")),
    ("state", (0, 0), tuple(AccountState)),
    ("marks", (9_000, 11_000), ("",)),
    ("marks", (9_000, 11_000), ("",)),
    ("wait", (1, 3_000), ("",)),
    ("wake", (0, 0), ("",)),
    ("wake", (0, 0), ("",)),
    ("epoch", (0, 3), ("",)),
    ("limits", (0, 9), ("",)),
    ("list", (0, 2_000), ("",)),
)


def _scripts(*makers: Callable[[Dice], Action]) -> st.SearchStrategy[list[Action]]:
    """Draw a seed and a length: quick to draw, and a failing script still shrinks to its length."""

    def script(drawn: tuple[int, int]) -> list[Action]:
        seed, length = drawn
        dice = seeded(seed)
        return [dice.choice(makers)(dice) for _ in range(length)]

    return st.tuples(st.integers(0, 2**32), st.integers(0, 40)).map(script)


scripts = _scripts(_place, _place, _report, _report, _report, _cancel, _rest)
"""Anything, also a venue that lies."""
honest_scripts = _scripts(_place, _place, _report, _report, _report, _cancel)
"""Played with honest=True: trades at or better than the limit, no more than is open."""


class Player:
    """Plays actions at a desk of two accounts."""

    def __init__(self, *, honest: bool = False) -> None:
        self.desk = Desk(accounts=ACCOUNTS, funds=SMALL_FUNDS)
        self.honest = honest
        self._orders = 0
        self._executions = 0

    def play(self, action: Action) -> None:
        """Make the action's command and do it; what is poison changes nothing."""
        command = _MAKERS[action.kind](self, action)
        if command is None:
            return
        before = self.desk.book.to_bytes()
        try:
            self.desk.do(command)
        except IllegalTransitionError:
            assert self.desk.book.to_bytes() == before
            self.desk.commands.pop()

    def orders(self) -> list[Order]:
        """Return all orders there are, oldest first."""
        state = self.desk.book.state
        opened = [order for _, order in self.desk.book.open_orders()]
        return sorted((*opened, *state.closed.values()), key=lambda order: order.order_id)

    def place(self, action: Action) -> c.Command:
        orders = []
        for item in action.items:
            self._orders += 1
            market = item.type not in PRICED
            stops = item.type in WAITING and item.type is not OrderType.TRAILING_STOP
            client = f"client-{item.client}" if item.client else f"own-{self._orders}"
            gtd = item.tif is TimeInForce.GTD
            orders.append(
                build.new_order(
                    self._orders, client_order_id=client, symbol=item.symbol, side=item.side,
                    type=item.type, time_in_force=item.tif, lots=item.lots,
                    ticks=0 if market else item.ticks,
                    stop_ticks=item.ticks + item.lots if stops else 0,
                    trail_ticks=item.lots if item.type is OrderType.TRAILING_STOP else 0,
                    expires_ns=self.desk.at_ns + item.lasts_ms * 1_000_000 if gtd else 0,
                )
            )  # fmt: skip
        return build.place(*orders, account_id=action.account_id, atomic=action.atomic)

    def cancel(self, action: Action) -> c.Command:
        found = self.orders()
        if not found or not action.size:
            return c.CancelOrders(action.account_id, (), action.word)
        ids = tuple(found[(action.pick + n) % len(found)].order_id for n in range(action.size))
        return c.CancelOrders(action.account_id, ids)

    def report(self, action: Action) -> c.Command | None:
        found = self.orders()
        if self.honest or action.pick % 10 > 2:
            found = [order for order in found if not order.closed]
        if not found:
            return None
        order = found[action.pick % len(found)]
        self._executions += 1
        kind = ReportKind(action.word)
        lots, ticks = (action.size, order.worst_ticks + action.ticks)
        if self.honest:
            lots = min(max(lots, 1), order.leaves)
            ticks = max(1, order.worst_ticks - order.sign * abs(action.ticks))
        # The venue sends some of its words twice, and numbers them out of order.
        execution = self._executions if action.pick % 5 else max(1, self._executions - 2)
        one = Report(
            order.order_id, kind, execution, lots if kind is ReportKind.TRADE else 0,
            ticks if kind is ReportKind.TRADE else 0, action.pick % 2 == 0, "why",
        )  # fmt: skip
        account_id = order.account_id if self.honest or action.pick % 7 else OTHER
        return c.VenueReports(account_id, build.VENUE, self.desk.book.state.epoch, [one])

    def adjust(self, action: Action) -> c.Command:
        return build.credit(action.word, action.size, f"adjust-{action.pick}", action.account_id)

    def state(self, action: Action) -> c.Command:
        return build.account(action.account_id, AccountState(action.word))

    def limits(self, action: Action) -> c.Command:
        limits = Limits(max_open_orders=action.size)
        return build.account(action.account_id, limits=limits)

    def marks(self, action: Action) -> SetMarks:
        return build.marks(self.desk.at_ns, action.size)

    def wait(self, action: Action) -> None:
        self.desk.at_ns += action.size * 1_000_000

    def wake(self, action: Action) -> c.Command:
        return c.WakeOrders(action.account_id)

    def epoch(self, action: Action) -> c.Command:
        return c.OpenEpoch(action.size)

    def list(self, action: Action) -> c.Command:
        return c.SetInstrument(build.an_instrument(collar_ppm=action.size * 1_000))


_MAKERS: dict[str, Callable[[Player, Action], Any]] = {
    "place": Player.place, "cancel": Player.cancel, "report": Player.report,
    "adjust": Player.adjust, "state": Player.state, "limits": Player.limits,
    "marks": Player.marks, "wait": Player.wait, "wake": Player.wake, "epoch": Player.epoch, "list": Player.list,
}  # fmt: skip


def shown(order: Order) -> dict[str, object]:
    """Return an order's facts without what counts events."""
    facts = msgspec.structs.asdict(order) | {"status": status_of(order)}
    facts["fills"] = dict(sorted(order.fills.items()))
    del facts["version"]
    return facts

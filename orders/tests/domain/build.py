"""Builders of the order law's tests: instruments, orders, commands and reports, with defaults.

The default order buys 10 lots of BTC-USD at 10,000 ticks (100.00), where the mark is.
"""

from typing import Any

import msgspec

from marketdata.domain.instrument import Instrument
from marketdata.domain.mark import Mark, SetMarks
from oms_project.kernel.ports import Report, ReportKind
from oms_project.kernel.terms import Extras, Terms
from oms_project.kernel.words import AccountState, OrderType, Side, TimeInForce
from orders.domain import apply
from orders.domain import commands as c
from orders.domain import events as e
from orders.domain.book import Account, Book, State, state_hash
from orders.domain.decide import step
from orders.domain.laws import breaches, stale_indexes
from orders.domain.order import Order
from orders.domain.turn import Turn
from risk.domain.limits import Limits
from risk.domain.rules import Reason

BEGIN_NS = 1_790_000_000_000_000_000
ACCOUNT = "11111111-2222-4333-8444-555555555555"
OTHER = "99999999-2222-4333-8444-555555555555"
VENUE = "SIM"
TICKS = 10_000
FUNDS = {"USD": 10**15, "BTC": 10**12, "ETH": 10**12, "SOL": 10**12}
PLENTY = 10**17
HOUR_NS = 3_600 * 10**9


def an_instrument(symbol: str = "BTC-USD", **changes: Any) -> Instrument:
    """One lot at one tick is worth 100 smallest units; one lot is 10,000."""
    base, _, quote = symbol.partition("-")
    made = Instrument(
        symbol=symbol, base=base, quote=quote, tick_size="0.01", lot_size="0.0001",
        quantity_min_lots=1, quantity_max_lots=1_000_000,
    )  # fmt: skip
    return msgspec.structs.replace(made, **changes)


INSTRUMENTS = (
    an_instrument(),
    # A fee that never comes out even, and a coarse tick.
    an_instrument("ETH-USD", tick_size="0.05", taker_fee_ppm=1_333, maker_fee_ppm=777),
    # The finest there is: one tick of one lot is one smallest unit; makers are paid.
    an_instrument("SOL-USD", tick_size="0.0001", taker_fee_ppm=1_913, maker_fee_ppm=-250),
)
SYMBOLS = tuple(one.symbol for one in INSTRUMENTS)


def order_id_of(number: int) -> str:
    return f"01990000-0000-7000-8000-{number:012x}"


def an_order(**changes: Any) -> Order:
    """Return an order's facts as the book holds them."""
    facts = {
        "order_id": order_id_of(1), "account_id": ACCOUNT, "client_order_id": "client-1",
        "terms": new_order().terms, "sign": 1, "worst_ticks": TICKS, "hold": 0,
        "taker_ppm": 1_000, "maker_ppm": 500,
    }  # fmt: skip
    return Order(**facts | changes)


def new_order(number: int = 1, **changes: Any) -> c.NewOrder:
    """Return an order as it stands in a command."""
    terms = Terms("BTC-USD", Side.BUY, OrderType.LIMIT, TimeInForce.GTC, 10, TICKS)
    of_terms = {name: changes.pop(name) for name in Terms.__struct_fields__ if name in changes}
    terms = msgspec.structs.replace(terms, **of_terms)
    extras = {name: changes.pop(name) for name in Extras.__struct_fields__ if name in changes}
    terms = terms.having(**extras) if extras else terms
    made = c.NewOrder(order_id_of(number), f"client-{number}", terms)
    return msgspec.structs.replace(made, **changes)


def a_market_order(number: int = 1, **changes: Any) -> c.NewOrder:
    fixed = {"type": OrderType.MARKET, "time_in_force": TimeInForce.IOC, "ticks": 0}
    return new_order(number, **fixed | changes)


def place(*orders: c.NewOrder, account_id: str = ACCOUNT, atomic: bool = False) -> c.PlaceOrders:
    return c.PlaceOrders(account_id, list(orders), atomic)


def cancel(*numbers: int, account_id: str = ACCOUNT, **which: str) -> c.CancelOrders:
    """Cancel the numbered orders; with none, all of *which* symbol, side or request."""
    return c.CancelOrders(account_id, tuple(order_id_of(n) for n in numbers), **which)


def told(*reports: Report, account_id: str = ACCOUNT, epoch: int = 0) -> c.VenueReports:
    return c.VenueReports(account_id, VENUE, epoch, list(reports))


def ack(number: int = 1, execution: int = 1) -> Report:
    return Report(order_id_of(number), ReportKind.NEW, execution)


def trade(
    number: int = 1, execution: int = 2, *, lots: int = 10, ticks: int = TICKS, maker: bool = False,
    symbol: str = "", sign: int = 0,
) -> Report:  # fmt: skip
    """symbol, sign: what a venue says besides; needed only where the order is not known."""
    return Report(
        order_id_of(number), ReportKind.TRADE, execution, lots, ticks, maker, "", symbol, sign
    )


def a_timed_order(number: int = 1, **changes: Any) -> c.NewOrder:
    """Return a GTD order that lasts an hour."""
    fixed = {"time_in_force": TimeInForce.GTD, "expires_ns": BEGIN_NS + HOUR_NS}
    return new_order(number, **fixed | changes)


def a_stop(number: int = 1, **changes: Any) -> c.NewOrder:
    """Return an order to sell 10 lots at the market once the mark is 9,900 ticks or less."""
    fixed = {
        "side": Side.SELL, "type": OrderType.STOP, "ticks": 0, "stop_ticks": 9_900,
    }  # fmt: skip
    return new_order(number, **fixed | changes)


def a_trailing_stop(number: int = 1, **changes: Any) -> c.NewOrder:
    """Return an order to sell 10 lots at the market once the mark is 100 ticks behind its best."""
    trails = {} if "trail_bps" in changes else {"trail_ticks": 100}
    fixed = {"type": OrderType.TRAILING_STOP, "stop_ticks": 0}
    return a_stop(number, **fixed | trails | changes)


def canceled(number: int = 1, execution: int = 3, reason: str = "requested") -> Report:
    return Report(order_id_of(number), ReportKind.CANCELED, execution, reason=reason)


def expired(number: int = 1, execution: int = 3, reason: str = "day") -> Report:
    return Report(order_id_of(number), ReportKind.EXPIRED, execution, reason=reason)


def rejected(number: int = 1, execution: int = 1, reason: str = "no_market") -> Report:
    return Report(order_id_of(number), ReportKind.REJECTED, execution, reason=reason)


def cancel_rejected(number: int = 1, execution: int = 3, reason: str = "too_late") -> Report:
    return Report(order_id_of(number), ReportKind.CANCEL_REJECTED, execution, reason=reason)


def marks(at_ns: int, ticks: int = TICKS, symbols: tuple[str, ...] = SYMBOLS) -> SetMarks:
    return SetMarks(tuple(Mark(symbol, ticks, ticks - 1, ticks + 1, at_ns) for symbol in symbols))


def account(
    account_id: str = ACCOUNT,
    state: AccountState = AccountState.ACTIVE,
    limits: Limits = Limits(),  # noqa: B008 -- frozen
) -> c.SetAccount:
    return c.SetAccount(account_id, f"Desk {account_id[:4]}", state, limits)


def credit(
    asset: str, units: int, adjustment_id: str = "", account_id: str = ACCOUNT
) -> c.AdjustBalance:
    adjustment_id = adjustment_id or f"{account_id}-{asset}"
    return c.AdjustBalance(account_id, adjustment_id, asset, units, "opening")


def opening(account_id: str = ACCOUNT, funds: dict[str, int] | None = None) -> list[c.Command]:
    """Return the commands that open an account with funds."""
    units = FUNDS if funds is None else funds
    return [account(account_id), *(credit(a, u, account_id=account_id) for a, u in units.items())]


def a_book(*instruments: Instrument) -> Book:
    """Return a book in which these are listed (all of INSTRUMENTS if none is named)."""
    listed = instruments or INSTRUMENTS
    return Book(State(0, instruments={one.symbol: one for one in listed}))


class Desk:
    """A book at work: does commands, a millisecond apart, and keeps what was said and done.

    After each the laws of the book hold, and its indexes are what its state gives.
    """

    def __init__(
        self, *instruments: Instrument, accounts: tuple[str, ...] = (ACCOUNT,),
        funds: dict[str, int] | None = None,
    ) -> None:  # fmt: skip
        self.instruments = instruments
        self.book = a_book(*instruments)
        self.at_ns = BEGIN_NS
        self.commands: list[tuple[str, int, c.Command]] = []
        self.events: list[tuple[str, e.Event]] = []
        self.do(marks(self.at_ns))
        for account_id in accounts:
            for command in opening(account_id, funds):
                self.do(command)

    def do(self, command: c.Command, id: str = "") -> Turn:
        """Decide a command (*id*: of its envelope, its own by default), and check the books."""
        self.at_ns += 1_000_000
        self.commands.append((id or f"command-{len(self.commands)}", self.at_ns, command))
        turn = decide(self.book, *self.commands[-1])
        self.events += [(turn.account.account_id, event) for event in turn.events]
        assert breaches(self.book.state) == []
        assert stale_indexes(self.book) == []
        return turn

    @property
    def account(self) -> Account:
        return self.book.state.accounts[ACCOUNT]

    def mark(self, ticks: int, symbols: tuple[str, ...] = SYMBOLS) -> Turn:
        """Set marks as they are now, and do what is due by them."""
        self.do(marks(self.at_ns + 1_000_000, ticks, symbols))
        return self.wake()

    def wake(self, at_ns: int = 0) -> Turn:
        """Let time go on to *at_ns*, if that is later, and do what is due."""
        self.at_ns = max(self.at_ns, at_ns - 1_000_000)
        return self.do(c.WakeOrders(ACCOUNT))

    def order(self, number: int = 1) -> Order:
        """Return the order, open or closed."""
        order_id = order_id_of(number)
        for one in self.book.state.accounts.values():
            if order_id in one.open:
                return one.open[order_id]
        return self.book.state.closed[order_id]

    def hash(self) -> str:
        return state_hash(self.book.to_bytes())


def decide(book: Book, id: str, at_ns: int, command: c.Command) -> Turn:
    """Decide a command as the engine does, at the next offset."""
    offset = book.state.offset
    turn = step(book, id, at_ns, command)
    apply.advance(book, offset)
    if turn.events:
        apply.emit(book, turn.account, offset, len(turn.events))
    return turn


def again(book: Book) -> Book:
    """Return the book made from its own bytes, as after a restart."""
    return Book.from_bytes(book.to_bytes(), book.used.bodies())


def moved_by_fills(desk: Desk, account_id: str = ACCOUNT) -> None:
    """Check that positions, cash and orders tell of the same trades, whatever happened."""
    one = desk.book.state.accounts[account_id]
    closed = [o for o in desk.book.state.closed.values() if o.account_id == account_id]
    orders = [*one.open.values(), *closed]
    lots: dict[str, int] = {}
    spent: dict[str, int] = {}
    fees: dict[str, int] = {}
    for order in orders:
        units = desk.book.units.get(order.terms.symbol)
        if units is None:
            continue
        base, quote = units.instrument.base, units.instrument.quote
        lots[base] = lots.get(base, 0) + order.sign * order.cum_lots * units.lot_units
        spent[quote] = spent.get(quote, 0) + order.sign * order.cost * units.tick_lot_units
        fees[quote] = fees.get(quote, 0) + order.fee
    for asset, balance in one.balances.items():
        assert balance.venue == spent.get(asset, 0) - lots.get(asset, 0)
        assert balance.fees == fees.get(asset, 0)
    for symbol, position in one.positions.items():
        own = [o for o in orders if o.terms.symbol == symbol]
        assert position.net_lots == sum(o.sign * o.cum_lots for o in own)
        assert position.cost - position.realized == sum(o.sign * o.cost for o in own)


def answers(turn: Turn) -> list[Reason | str]:
    """Return what each order was told: a reason, or "routed"."""
    told: list[Reason | str] = []
    for event in turn.events:
        if isinstance(event, e.OrderRouted | e.OrderHeld):
            told.append("routed")
        elif isinstance(event, e.OrderDenied):
            told.append(Reason(event.reason))
    return told

"""What a command does: `step` decides it, applies its events to the book and returns them.

Pure: the same book and command give the same events, for ever. A batch is decided order by order,
each seeing what the ones before it locked, so deciding and applying take turns.
"""

from collections.abc import Callable

from marketdata.domain.instrument import UNITS_MAX, Units
from marketdata.domain.mark import SetMarks
from oms_project.kernel.errors import IllegalTransitionError
from oms_project.kernel.ports import CancelRoute, Route
from oms_project.kernel.words import AccountState, Status, TimeInForce
from orders.domain import apply
from orders.domain import commands as c
from orders.domain import events as e
from orders.domain.book import Account, Book
from orders.domain.order import MOVES, Move, Order, Outcome, status_of
from orders.domain.reports import report
from orders.domain.turn import Stored, Turn, after
from risk.domain.rules import Check, Reason, refusal


def step(book: Book, at_ns: int, command: c.Command, stored: Stored) -> Turn:
    """Decide *command* at *at_ns* (its envelope's time); the book has changed when this returns.

    Raises:
        IllegalTransitionError: the command cannot be meant for this product (our bug, or a foreign
            producer's); nothing changed.
    """
    decide = _DECIDERS.get(type(command))
    if decide is None:
        raise IllegalTransitionError(f"no decision for {type(command).__name__}")
    account = _account_of(book, command)
    turn = Turn(book, account, at_ns, stored)
    decide(turn, command)
    for symbol in turn.symbols:
        position = account.positions[symbol]
        turn.happen(e.PositionChanged(symbol, position.net_lots, position.cost, position.realized))
    for asset in turn.assets:
        b = account.balance(asset)
        turn.happen(e.BalanceChanged(asset, b.free, b.locked, b.fees, b.venue, b.external))
    account.seq += len(turn.events)
    return turn


def _account_of(book: Book, command: c.Command) -> Account:
    """Return the command's account, or the partition's own stream for what has none.

    An account nobody opened is HALTED: its orders are refused, and the refusals can be read.
    """
    accounts = book.state.accounts
    account_id = getattr(command, "account_id", "") or f"~{book.state.partition}"
    account = accounts.get(account_id)
    if account is None:
        account = accounts[account_id] = Account(account_id, "", AccountState.HALTED)
    return account


# ------------------------------------------------------------------ orders


def place(turn: Turn, command: c.PlaceOrders) -> None:
    """Decide each order; routed ones are locked, told and on their way."""
    check = Check()
    check.now_ns = turn.at_ns
    check.limits = turn.account.limits
    check.account_state = turn.account.state
    refused = _atomic_refusals(turn, check, command) if command.atomic else None
    known = turn.account.client_ids
    for order in command.orders:
        twin = known.get(order.client_order_id) or _stored_twin(turn, order)
        if twin is not None:
            if twin != order.order_id and order.order_id not in turn.book.state.closed:
                _deny(turn, order, Reason.DUPLICATE_CLIENT_ORDER_ID)
            continue  # the same order, sent again after an unknown outcome: it is here already
        reason = refused[order.order_id] if refused else _examine(turn, check, order, None)
        if reason is None:
            _route(turn, check, order)
        else:
            _deny(turn, order, reason)


def _stored_twin(turn: Turn, order: c.NewOrder) -> str | None:
    """Return the stored order of this client_order_id if it came before this command.

    During a replay the store knows the future; account_seq tells what was already past.
    """
    found = turn.stored.get(order.client_order_id)
    return found[0] if found is not None and found[1] <= turn.account.seq else None


class _Taken:
    """What the orders of an atomic batch would take before the next one is examined.

    units: asset -> smallest units held; lots: (symbol, sign) -> lots pending.
    """

    __slots__ = ("client_order_ids", "lots", "orders", "units")

    def __init__(self) -> None:
        self.units: dict[str, int] = {}
        self.lots: dict[tuple[str, int], int] = {}
        self.client_order_ids: set[str] = set()
        self.orders = 0

    def take(self, order: c.NewOrder, asset: str, check: Check) -> None:
        self.units[asset] = self.units.get(asset, 0) + check.hold
        key = order.terms.symbol, check.sign
        self.lots[key] = self.lots.get(key, 0) + order.terms.lots
        self.client_order_ids.add(order.client_order_id)
        self.orders += 1


def _examine(turn: Turn, check: Check, order: c.NewOrder, taken: _Taken | None) -> Reason | None:
    """Return why to refuse *order*, as if what is *taken* was locked already."""
    account = turn.account
    terms = order.terms
    symbol = terms.symbol
    units = turn.book.units.get(symbol)
    sign = terms.sign
    check.units = units
    asset = ""
    if units is not None:
        asset = units.instrument.quote if sign > 0 else units.instrument.base
        balance = account.balances.get(asset)
        check.free = balance.free if balance is not None else 0
    check.mark = turn.book.state.marks.get(symbol)
    check.sign = sign
    check.lots = terms.lots
    check.ticks = terms.ticks
    check.reduce_only = terms.reduce_only
    check.open_orders = len(account.open)
    check.reducible_lots = lambda: account.reducible_lots(symbol, sign)
    if taken is None:
        return refusal(check)
    pending = taken.lots.get((symbol, sign), 0)
    check.free -= taken.units.get(asset, 0)
    check.open_orders += taken.orders
    check.reducible_lots = lambda: account.reducible_lots(symbol, sign) - pending
    reason = refusal(check)
    if reason is None:
        taken.take(order, asset, check)
    return reason


def _atomic_refusals(turn: Turn, check: Check, command: c.PlaceOrders) -> dict[str, Reason] | None:
    """Return a reason for every order if one of them would be refused, None if all may pass."""
    taken = _Taken()
    known = turn.account.client_ids
    check.free = 0
    for order in command.orders:
        twin = known.get(order.client_order_id) or _stored_twin(turn, order)
        if twin == order.order_id or order.order_id in turn.book.state.closed:
            return None  # sent again: all of them were decided then
        reason: Reason | None = Reason.DUPLICATE_CLIENT_ORDER_ID
        if twin is None and order.client_order_id not in taken.client_order_ids:
            reason = _examine(turn, check, order, taken)
        if reason is not None:
            refused = {other.order_id: Reason.ATOMIC_BATCH for other in command.orders}
            return refused | {order.order_id: reason}
    return None


def _route(turn: Turn, check: Check, order: c.NewOrder) -> None:
    cap_ticks = 0 if order.terms.ticks else check.worst_ticks
    event = e.OrderRouted(order.order_id, order.client_order_id, order.terms, cap_ticks, check.hold)
    made = apply.routed(turn.book, turn.account, event)
    turn.events.append(event)
    turn.routes.append(route_of(made))
    instrument = check.units.instrument  # type: ignore[union-attr]
    turn.assets[instrument.quote if check.sign > 0 else instrument.base] = None


def _deny(turn: Turn, order: c.NewOrder, reason: Reason) -> None:
    event = e.OrderDenied(order.order_id, order.client_order_id, order.terms, reason)
    apply.denied(turn.book, turn.account, event)
    turn.events.append(event)


def route_of(order: Order) -> Route:
    """Return what the venue is told of an order, new or still open after a restart."""
    tif = order.time_in_force
    return Route(
        order.order_id, order.account_id, order.symbol, order.sign, order.leaves,
        order.worst_ticks, order.ticks != 0 and tif is TimeInForce.GTC,
        tif is TimeInForce.FOK, order.executions,
    )  # fmt: skip


# ------------------------------------------------------------------ cancels


def cancel(turn: Turn, command: c.CancelOrders) -> None:
    account = turn.account
    order_ids = command.order_ids
    if not order_ids:
        fitting = [
            order.order_id
            for order in account.open.values()
            if command.symbol in ("", order.symbol) and command.side in ("", order.side)
        ]
        order_ids = tuple(fitting[: c.CANCELS_MAX])
        account.to_cancel |= dict.fromkeys(fitting[c.CANCELS_MAX :])
    for order_id in order_ids:
        if account.to_cancel.pop(order_id, 0) is None and order_id not in account.open:
            continue  # asked for by a cancel of all, and closed before its turn came
        order = account.open.get(order_id) or turn.book.state.closed.get(order_id)
        if order is None or order.account_id != account.account_id:
            turn.happen(e.CancelRejected(order_id, Status.NEW, 0, 0, 0, 0, "order_closed"))
            continue
        outcome = MOVES[status_of(order)][Move.CANCEL_REQUEST][0]
        if outcome is Outcome.APPLY:
            turn.happen(e.OrderCancelRequested(*after(order, Status.PENDING_CANCEL)))
            turn.routes.append(CancelRoute(order_id, account.account_id, order.symbol))
        elif outcome is Outcome.REFUSE:
            turn.happen(e.CancelRejected(*after(order, status_of(order)), "too_late"))


# ------------------------------------------------------------------ reference data, money, time


def set_marks(turn: Turn, command: SetMarks) -> None:
    """Prices change what the next order may do; nobody else needs an event of it."""
    marks = turn.book.state.marks
    for mark in command.marks:
        marks[mark.symbol] = mark


def set_instrument(turn: Turn, command: c.SetInstrument) -> None:
    instrument = command.instrument
    listed = turn.book.state.instruments.get(instrument.symbol)
    if listed == instrument:
        return
    units = ("base", "quote", "tick_size", "lot_size")
    if listed is not None and any(getattr(listed, u) != getattr(instrument, u) for u in units):
        # open orders and positions are counted in the listed ticks and lots
        raise IllegalTransitionError(f"{instrument.symbol}: tick, lot and assets never change")
    try:
        Units(instrument)
    except ValueError as error:
        raise IllegalTransitionError(f"{instrument.symbol}: {error}") from error
    turn.happen(e.InstrumentChanged(instrument))


def set_account(turn: Turn, command: c.SetAccount) -> None:
    account = turn.account
    wanted = (command.name, command.state, command.limits)
    if wanted != (account.name, account.state, account.limits):
        turn.happen(e.AccountChanged(*wanted))


def adjust(turn: Turn, command: c.AdjustBalance) -> None:
    if command.adjustment_id in turn.account.adjustments:
        return
    balance = turn.account.balances.get(command.asset)
    external = balance.external if balance is not None else 0
    if abs(external - command.units) > UNITS_MAX:
        raise IllegalTransitionError(f"{command.asset}: more than {UNITS_MAX} units")
    turn.happen(
        e.BalanceAdjusted(command.adjustment_id, command.asset, command.units, command.reason)
    )
    turn.assets[command.asset] = None


def open_epoch(turn: Turn, command: c.OpenEpoch) -> None:
    state = turn.book.state
    state.epoch = max(state.epoch, command.epoch)


_DECIDERS: dict[type, Callable[[Turn, object], None]] = {
    c.PlaceOrders: place,  # type: ignore[dict-item]
    c.CancelOrders: cancel,  # type: ignore[dict-item]
    c.VenueReports: report,  # type: ignore[dict-item]
    SetMarks: set_marks,  # type: ignore[dict-item]
    c.SetInstrument: set_instrument,  # type: ignore[dict-item]
    c.SetAccount: set_account,  # type: ignore[dict-item]
    c.AdjustBalance: adjust,  # type: ignore[dict-item]
    c.OpenEpoch: open_epoch,  # type: ignore[dict-item]
}

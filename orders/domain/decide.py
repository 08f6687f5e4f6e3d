"""What a command does: `step` decides it, applies its events to the book and returns them.

Pure: the same book and command give the same events, for ever. A batch is decided order by order,
each seeing what the ones before it locked, so deciding and applying take turns.
"""

from collections.abc import Callable, Mapping

from marketdata.domain.instrument import UNITS_MAX, Units
from marketdata.domain.mark import SetMarks
from oms_project.kernel import ids
from oms_project.kernel.errors import IllegalTransitionError
from oms_project.kernel.numbers import PPM, ceil_div
from oms_project.kernel.ports import CancelRoute, Report, ReportKind, Route
from oms_project.kernel.words import AccountState, Side, Status, TimeInForce
from orders.domain import apply
from orders.domain import commands as c
from orders.domain import events as e
from orders.domain.book import Account, Book
from orders.domain.order import MOVES, Move, Order, Outcome, status_of, status_with
from risk.domain.rules import Check, Reason, refusal

Stored = Mapping[str, tuple[str, int]]
"""client_order_id -> (order id, account_seq of its first event) of orders no longer in memory."""

MOVE_OF = {
    ReportKind.NEW: Move.ACK,
    ReportKind.TRADE: Move.FILL,
    ReportKind.CANCELED: Move.CANCELED,
    ReportKind.REJECTED: Move.REJECTED,
    ReportKind.CANCEL_REJECTED: Move.CANCEL_REJECTED,
}


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
        client_order_id = order.client_order_id
        twin = known.get(client_order_id) or _stored_twin(turn, client_order_id)
        if twin is not None:
            if twin != order.order_id:
                _deny(turn, order, Reason.DUPLICATE_CLIENT_ORDER_ID)
            continue  # the same order, sent again after an unknown outcome: it is here already
        reason = refused[order.order_id] if refused else _examine(turn, check, order, 0, 0)
        if reason is None:
            _route(turn, check, order)
        else:
            _deny(turn, order, reason)


def _stored_twin(turn: Turn, client_order_id: str) -> str | None:
    """Return the stored order of this client_order_id if it came before this command.

    During a replay the store knows the future; account_seq tells what was already past.
    """
    found = turn.stored.get(client_order_id)
    return found[0] if found is not None and found[1] <= turn.account.seq else None


def _examine(turn: Turn, check: Check, order: c.NewOrder, used: int, more: int) -> Reason | None:
    """Return why to refuse *order*, as if *used* units and *more* open orders were taken already."""
    account = turn.account
    symbol = order.symbol
    units = turn.book.units.get(symbol)
    sign = 1 if order.side is Side.BUY else -1
    check.units = units
    if units is not None:
        instrument = units.instrument
        balance = account.balances.get(instrument.quote if sign > 0 else instrument.base)
        check.free = balance.free - used if balance is not None else 0
    check.mark = turn.book.state.marks.get(symbol)
    check.sign = sign
    check.lots = order.lots
    check.ticks = order.ticks
    check.open_orders = len(account.open) + more
    check.reducible_lots = lambda: account.reducible_lots(symbol, sign)
    return refusal(check)


def _atomic_refusals(turn: Turn, check: Check, command: c.PlaceOrders) -> dict[str, Reason] | None:
    """Return a reason for every order if one of them would be refused, None if all may pass."""
    used: dict[str, int] = {}
    for more, order in enumerate(command.orders):
        units = turn.book.units.get(order.symbol)
        asset = ""
        if units is not None:
            pays_quote = order.side is Side.BUY
            asset = units.instrument.quote if pays_quote else units.instrument.base
        reason = _examine(turn, check, order, used.get(asset, 0), more)
        if reason is not None:
            refused = {other.order_id: Reason.ATOMIC_BATCH for other in command.orders}
            return refused | {order.order_id: reason}
        used[asset] = used.get(asset, 0) + check.hold
    return None


def _route(turn: Turn, check: Check, order: c.NewOrder) -> None:
    cap_ticks = 0 if order.ticks else check.worst_ticks
    event = e.OrderRouted(
        order.order_id, order.client_order_id, order.symbol, order.side, order.type,
        order.time_in_force, order.lots, order.ticks, cap_ticks, check.hold,
    )  # fmt: skip
    made = apply.routed(turn.book, turn.account, event)
    turn.events.append(event)
    turn.routes.append(route_of(made))
    instrument = check.units.instrument  # type: ignore[union-attr]
    turn.assets[instrument.quote if check.sign > 0 else instrument.base] = None


def _deny(turn: Turn, order: c.NewOrder, reason: Reason) -> None:
    event = e.OrderDenied(
        order.order_id, order.client_order_id, order.symbol, order.side, order.type,
        order.time_in_force, order.lots, order.ticks, reason,
    )  # fmt: skip
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
    order_ids = command.order_ids or tuple(
        order.order_id
        for order in account.open.values()
        if command.symbol in ("", order.symbol) and command.side in ("", order.side)
    )
    for order_id in order_ids:
        order = account.open.get(order_id) or turn.book.state.closed.get(order_id)
        if order is None or order.account_id != account.account_id:
            turn.happen(e.CancelRejected(order_id, Status.NEW, 0, 0, 0, 0, "order_closed"))
            continue
        outcome = MOVES[status_of(order)][Move.CANCEL_REQUEST][0]
        if outcome is Outcome.APPLY:
            turn.happen(e.OrderCancelRequested(*_after(order, Status.PENDING_CANCEL)))
            turn.routes.append(CancelRoute(order_id, account.account_id, order.symbol))
        elif outcome is Outcome.REFUSE:
            turn.happen(e.CancelRejected(*_after(order, status_of(order)), "too_late"))


def _after(order: Order, status: Status) -> tuple[str, Status, int, int, int, int]:
    """Return how an event that moves no money begins (events.py: _OrderEvent)."""
    return order.order_id, status, order.version + 1, order.cum_lots, order.cost, order.fee


# ------------------------------------------------------------------ venue reports


def report(turn: Turn, command: c.VenueReports) -> None:
    """Apply each report by the order table."""
    state = turn.book.state
    if command.epoch < state.epoch:
        state.absorbed += len(command.reports)  # a fenced owner's venue: its word is void
        return
    opened = turn.account.open
    for one in command.reports:
        order = opened.get(one.order_id) or state.closed.get(one.order_id)
        if order is None:
            turn.happen(e.OrderQuarantined(one.order_id, "unknown_order", repr(one)))
            continue
        outcome = MOVES[status_of(order)][MOVE_OF[one.kind]][0]
        if outcome is Outcome.APPLY:
            _REPORTERS[one.kind](turn, command.venue, order, one)
        elif outcome is Outcome.ABSORB:
            state.absorbed += 1
        else:
            turn.happen(e.OrderQuarantined(one.order_id, "illegal_transition", repr(one)))


def _ack(turn: Turn, venue: str, order: Order, one: Report) -> None:
    if order.accepted:
        turn.book.state.absorbed += 1
        return
    status = status_of(order)
    if status is Status.NEW:
        status = Status.ACCEPTED
    event = e.OrderAccepted(*_after(order, status), one.execution)
    apply.accepted(turn.book, turn.account, event)
    turn.events.append(event)


def _fill(turn: Turn, venue: str, order: Order, one: Report) -> None:
    trade_id = ids.trade_id(venue, order.order_id, one.execution)
    known = order.fills.get(trade_id)
    if known is not None:
        if known == (one.lots, one.ticks):
            turn.book.state.absorbed += 1
        else:
            turn.happen(e.OrderQuarantined(order.order_id, "trade_mismatch", repr(one)))
            _reduce_only(turn)
        return
    units = turn.book.units[order.symbol]
    instrument = units.instrument
    rate_ppm = instrument.maker_fee_ppm if one.maker else instrument.taker_fee_ppm
    # The fee is rounded up once an order, not once a fill, so that it never outgrows the hold.
    fee_basis = order.fee_basis + one.lots * one.ticks * rate_ppm
    fee = ceil_div(fee_basis * units.tick_lot_units, PPM)
    cum_lots = order.cum_lots + one.lots
    late = 0 < order.end_execution < max(one.execution, order.last_fill)
    event = e.OrderFilled(
        order.order_id, status_with(order, cum_lots), order.version + 1, cum_lots,
        order.cost + one.lots * one.ticks, fee, order.symbol, order.side, venue, trade_id,
        one.execution, one.lots, one.ticks, one.maker, fee - order.fee, fee_basis, late,
        cum_lots > order.lots,
    )  # fmt: skip
    apply.filled(turn.book, turn.account, event)
    turn.events.append(event)
    turn.symbols[order.symbol] = None
    turn.touch(order.symbol)
    if event.overfilled:
        _reduce_only(turn)


def _canceled(turn: Turn, venue: str, order: Order, one: Report) -> None:
    filled = order.cum_lots >= order.lots
    status = Status.FILLED if filled else Status.CANCELED
    late = 0 < one.execution < order.last_fill
    turn.happen(e.OrderCanceled(*_after(order, status), one.execution, one.reason, late))
    turn.touch(order.symbol)


def _rejected(turn: Turn, venue: str, order: Order, one: Report) -> None:
    turn.happen(e.OrderRejected(*_after(order, Status.REJECTED), one.execution, one.reason))
    turn.touch(order.symbol)


def _cancel_rejected(turn: Turn, venue: str, order: Order, one: Report) -> None:
    if order.cum_lots:
        status = Status.PARTIALLY_FILLED
    else:
        status = Status.ACCEPTED if order.accepted else Status.NEW
    turn.happen(e.CancelRejected(*_after(order, status), one.reason))


def _reduce_only(turn: Turn) -> None:
    account = turn.account
    if account.state is AccountState.ACTIVE:
        turn.happen(e.AccountChanged(account.name, AccountState.REDUCE_ONLY, account.limits))


_REPORTERS: dict[ReportKind, Callable[[Turn, str, Order, Report], None]] = {
    ReportKind.NEW: _ack,
    ReportKind.TRADE: _fill,
    ReportKind.CANCELED: _canceled,
    ReportKind.REJECTED: _rejected,
    ReportKind.CANCEL_REJECTED: _cancel_rejected,
}

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
    after = turn.account.balance(command.asset).external - command.units
    if abs(after) > UNITS_MAX:
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

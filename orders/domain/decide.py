"""What a command does: `step` decides it, applies what follows to the book, returns what it told.

Pure: the same book and command give the same events, for ever. A batch is decided order by order,
each seeing what the ones before it locked, so deciding and applying take turns.

Follow a fill: `report` here finds the order and its row (law.py); apply.py moves the money and reads
the event off.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from marketdata.domain.mark import SetMarks
from oms_project.kernel import ids
from oms_project.kernel.errors import IllegalTransitionError
from oms_project.kernel.ports import CancelRoute, Report, ReportKind
from oms_project.kernel.words import WAITING, AccountState
from orders.domain import (
    apply,
    apply_held,
    apply_reference,
    apply_requests,
    commands,
    events,
    held,
    law,
    reference,
)
from orders.domain.book import Account, Book
from orders.domain.commands import (
    AdjustBalance,
    CancelOrders,
    Command,
    NewOrder,
    OpenEpoch,
    PlaceOrders,
    SetAccount,
    SetInstrument,
    VenueReports,
    WakeOrders,
)
from orders.domain.examine import Taken, case_of
from orders.domain.held import waiting
from orders.domain.lanes import Lane
from orders.domain.law import ACK, APPLY, TRADE, Kind, Outcome
from orders.domain.order import HELD, Order
from orders.domain.route import route_of
from orders.domain.turn import Turn
from orders.domain.used import client_key, lasting_name, order_mark, other_key
from orders.domain.wake import lasting, wake
from risk.domain.rules import Checked, Measure, Reason, refusal


def step(book: Book, id: str, at_ns: int, command: Command) -> Turn:
    """Decide *command* (its envelope's *id* and time); the book has changed when this returns.

    Raises:
        IllegalTransitionError: the command cannot be meant for this product (our bug, or a foreign
            producer's); nothing changed.
    """
    decide = _DECIDERS.get(type(command))
    if decide is None:
        raise IllegalTransitionError(f"no decision for {type(command).__name__}")
    turn = Turn(book, _account_of(book, command), id, at_ns)
    decide(turn, command)
    return turn.finish()


def set_aside(book: Book, offset: int, reason: str) -> Turn:
    """Skip the command at *offset*, which cannot be read or decided, and say so."""
    turn = Turn(book, _account_of(book, None), "", 0)
    turn.tell(apply.set_aside(book, offset, reason))
    return turn


def _account_of(book: Book, command: object) -> Account:
    """Return the command's account, or the partition's own stream for what has none.

    An account nobody opened is HALTED: its orders are refused, and the refusals can be read. It is
    in the book only once something was told of it (apply.emit).
    """
    account_id = getattr(command, "account_id", "") or f"~{book.state.partition}"
    found = book.state.accounts.get(account_id)
    return found if found is not None else Account(account_id, "", AccountState.HALTED)


# ------------------------------------------------------------------ orders


def place(turn: Turn, command: PlaceOrders) -> None:
    """Decide each order; routed ones are locked, told and on their way."""
    book, account, at_ns = turn.book, turn.account, turn.at_ns
    refused = _atomic_refusals(turn, command) if command.atomic else None
    marks = book.state.marks
    tell, send = turn.events.append, turn.routes.append
    known, used = account.names, book.used
    account_hash = book.hash_of(account.account_id)
    symbol, lane = "", None
    for new in command.orders:
        client_order_id = new.client_order_id
        name = lasting_name(new.order_id, client_order_id)
        if name in known or client_key(account_hash, name) in used:
            if not _sent_again(turn, new):
                _deny(turn, new, _PLAIN_REFUSALS[Reason.DUPLICATE_CLIENT_ORDER_ID])
            continue
        if refused is not None:
            _deny(turn, new, refused[new.order_id])
            continue
        terms = new.terms
        if terms.symbol != symbol:
            symbol = terms.symbol
            lane = book.lane(account, symbol)
        passed = lane.passes(terms, marks.get(symbol), at_ns) if lane is not None else None
        if passed is None or lane is None:
            _by_rules(turn, lane, new)
            continue
        order, event = apply.route(lane, new.order_id, client_order_id, terms, passed[0], passed[1])
        tell(event)
        send(route_of(order))
        if order.sign > 0:
            turn.balances[lane.quote_asset] = lane.quote
        else:
            turn.balances[lane.base_asset] = lane.base


def _by_rules(turn: Turn, lane: Lane | None, new: NewOrder) -> None:
    """Decide an order that is not plain, or that a bound stops: by every rule."""
    book, account = turn.book, turn.account
    terms = waiting(book, lasting(new.terms, turn.at_ns))
    case = case_of(book, account, terms, turn.at_ns)
    why = refusal(case)
    if why is not None:
        _deny(turn, new, why)
        return
    assert lane is not None, "an unknown symbol was refused"
    turn.paid(lane, terms.sign)
    ids = new.order_id, new.client_order_id
    if terms.type in WAITING:
        order, waits = apply_held.hold(book, lane, *ids, terms, case.worst_ticks, case.hold)
        turn.tell(waits)
        book.follow(account, order)
        return
    order, event = apply.route(lane, *ids, terms, case.worst_ticks, case.hold)
    turn.tell(event)
    turn.routes.append(route_of(order))
    if terms.extras is not None:
        book.follow(account, order)
        turn.deadlines = turn.deadlines or terms.deadline_ns > 0


def _used_before(turn: Turn, name: str) -> bool:
    """Tell whether memory has let go of an order of this name."""
    book = turn.book
    return client_key(book.hash_of(turn.account.account_id), name) in book.used


def _sent_again(turn: Turn, new: NewOrder) -> bool:
    """Tell whether this very order is here already: sent again after an unknown outcome."""
    name = lasting_name(new.order_id, new.client_order_id)
    twin = turn.account.names.get(name)
    if twin is not None:
        return twin == new.order_id or new.order_id in turn.book.state.closed
    book = turn.book
    key = client_key(book.hash_of(turn.account.account_id), name)
    mark = book.used.mark_of(key)
    # The low bits say how much of the order was told, which the order sent again does not know.
    return mark is not None and mark | 0xFFFF == order_mark(new.order_id, 0xFFFF)


def _atomic_refusals(turn: Turn, command: PlaceOrders) -> dict[str, Checked] | None:
    """Return a reason for every order if one of them would be refused, None if all may pass."""
    book, account = turn.book, turn.account
    taken = Taken()
    seen: set[str] = set()
    for new in command.orders:
        name = lasting_name(new.order_id, new.client_order_id)
        why: Checked | None = _PLAIN_REFUSALS[Reason.DUPLICATE_CLIENT_ORDER_ID]
        if name in account.names or _used_before(turn, name):
            if _sent_again(turn, new):
                return None  # sent again: all of them were decided then
        elif name not in seen:
            case = case_of(book, account, waiting(book, new.terms), turn.at_ns, taken)
            why = refusal(case)
            if why is None:
                taken.take(case)
        if why is not None:
            others = _PLAIN_REFUSALS[Reason.ATOMIC_BATCH]
            refused = {other.order_id: others for other in command.orders}
            return refused | {new.order_id: why}
        seen.add(name)
    return None


_PLAIN_REFUSALS: Final = {
    code: Checked(code, 0, 0, Measure.NOTHING, passed=False)
    for code in (Reason.DUPLICATE_CLIENT_ORDER_ID, Reason.ATOMIC_BATCH)
}


def _deny(turn: Turn, new: NewOrder, why: Checked) -> None:
    measured = why.measure is not Measure.NOTHING
    used, limit = (why.used, why.limit or 0) if measured else (0, 0)
    turn.tell(
        apply.deny(
            turn.book, turn.account, new.order_id, new.client_order_id, new.terms, why.code,
            used, limit,
        )
    )  # fmt: skip


# ------------------------------------------------------------------ cancels


def cancel(turn: Turn, command: CancelOrders) -> None:
    """Ask for each order's end, once a command id; what one command cannot reach is due next."""
    book, account = turn.book, turn.account
    if other_key("command", turn.id) in book.used:
        apply.absorb(book)
        return
    apply.use(book, "command", turn.id)
    order_ids = _to_cancel(account, command)
    for order_id in order_ids[: commands.CANCELS_MAX]:
        order = account.open.get(order_id) or book.state.closed.get(order_id)
        if order is None or order.account_id != account.account_id:
            continue  # nothing is written of what is not known (B.1.f)
        row = law.row(order, Kind.CANCEL_ASKED)
        if row.outcome is Outcome.APPLY and order.life is HELD:
            turn.tell(held.end(turn, order, expired=False))
        elif row.outcome is Outcome.APPLY:
            turn.tell(apply_requests.ask_cancel(book, account, order))
            turn.routes.append(CancelRoute(order_id, account.account_id, order.terms.symbol))
        else:
            turn.tell(apply_requests.refuse_cancel(order, row.code))
    rest = order_ids[commands.CANCELS_MAX :]
    if rest or command.request:
        apply_requests.keep_canceling(book, account, command.request or turn.id, rest)


def _to_cancel(account: Account, command: CancelOrders) -> list[str]:
    """Return the ids that a cancel is about, oldest first: named, left over, or all that fit."""
    if command.request:
        return account.canceling.get(command.request, [])
    if command.order_ids:
        return list(command.order_ids)
    return [
        order.order_id
        for order in account.open.values()
        if command.symbol in ("", order.terms.symbol) and command.side in ("", order.terms.side)
    ]


# ------------------------------------------------------------------ reports


def report(turn: Turn, command: VenueReports) -> None:
    """Apply each report by the law; a fenced owner's venue is not listened to."""
    if command.epoch < turn.book.state.epoch:
        apply.absorb(turn.book, len(command.reports))
    else:
        _by_law(turn, command.venue, command.reports)


def _by_law(turn: Turn, venue: str, reports: Sequence[Report]) -> None:
    book, account = turn.book, turn.account
    open_orders, closed = account.open, book.state.closed
    kind_of, row_of, fits = law.kind_of, law.row, apply.fits
    tell = turn.events.append
    symbol, lane, traded = "", None, None
    for one in reports:
        order = open_orders.get(one.order_id) or closed.get(one.order_id)
        if order is None or order.account_id != account.account_id:
            _unknown(turn, venue, one)
            continue
        if order.terms.symbol != symbol:
            symbol = order.terms.symbol
            lane = book.lane(account, symbol)
        kind = kind_of(order, one)
        if kind is TRADE and not fits(lane, order.cost, one):
            kind = Kind.TRADE_IMPOSSIBLE
        row = row_of(order, kind)
        if row.outcome is not APPLY:
            _not_applied(turn, order, one, kind, row)
        elif kind is ACK:
            tell(apply.acknowledge(order, one))
        elif kind is TRADE and lane is not None:
            event = apply.fill(book, lane, order, one, venue)
            tell(event)
            if lane is not traded:
                traded = lane
                turn.traded(lane)
            if (
                order.asked
                or event.late
                or event.overfilled
                or order.end_execution
                or order.life is HELD
            ):
                _not_plain(turn, order, overfilled=event.overfilled)
        else:
            _answered(turn, lane, order, one, kind)


def _not_applied(turn: Turn, order: Order, one: Report, kind: Kind, row: law.Row) -> None:
    """Count what is known already, set aside what contradicts."""
    if row.outcome is Outcome.ABSORB:
        apply.saw(order, one.execution)
        apply.absorb(turn.book)
        return
    turn.tell(apply.quarantine(turn.book, one, row.code))
    if kind is Kind.TRADE_OTHER:
        _reduce_only(turn, row.code)


def _answered(turn: Turn, lane: Lane | None, order: Order, one: Report, kind: Kind) -> None:
    """The venue says no to a cancel, or ends the order."""
    if kind is Kind.CANCEL_REFUSED:
        turn.tell(_cancel_failed(turn, order, one.reason, one.execution))
        return
    turn.tell(apply.end(turn.book, lane, order, one))
    if lane is not None:
        turn.paid(lane, order.sign)
    if order.contradicted:
        _reduce_only(turn, "rejected_after_trade")


def _not_plain(turn: Turn, order: Order, *, overfilled: bool) -> None:
    """Do what follows a fill of an order with an open request, or of one that should have none left."""
    if order.asked and order.closed and law.completed(order).outcome is APPLY:
        turn.tell(_cancel_failed(turn, order, "too_late"))
    if overfilled:
        _reduce_only(turn, "overfill")
    elif order.contradicted:
        _reduce_only(turn, "rejected_after_trade")


def _cancel_failed(turn: Turn, order: Order, why: str, number: int = 0) -> events.CancelRejected:
    return apply_requests.answer_cancel(turn.book, turn.account, order, why, turn.at_ns, number)


def _unknown(turn: Turn, venue: str, one: Report) -> None:
    """Book a trade of an order that is not here; nothing else of such an order says anything.

    Memory lets go of closed orders; how much of them was told is known for ever, so a report sent
    again is told from a late one.
    """
    book = turn.book
    told = book.used.executions_of(one.order_id)
    if one.kind is not ReportKind.TRADE:
        if told is None:
            turn.tell(apply.quarantine(book, one, "unknown_order"))
        else:
            apply.absorb(book)
        return
    order_id = ids.external_order_id(venue, one.order_id)
    told = told or 0
    while before := book.used.mark_of(other_key("external", order_id)):
        told = before  # booked so far, and let go of: what comes later has an order of its own
        order_id = ids.external_order_id(venue, one.order_id, told)
    known = book.state.closed.get(order_id)
    if one.execution <= told or (known is not None and one.execution in known.fills):
        apply.absorb(book)
        return
    lane = book.lane(turn.account, one.symbol) if one.sign in (1, -1) else None
    if lane is None or (known is not None and known.sign != one.sign):
        turn.tell(apply.quarantine(book, one, "unknown_order"))
        return
    if not apply.fits(lane, known.cost if known is not None else 0, one):
        turn.tell(apply.quarantine(book, one, "impossible_trade"))
        return
    order, event = apply.open_external(book, lane, order_id, venue, one, known)
    turn.tell(event)
    turn.tell(apply.fill(book, lane, order, one, venue))
    turn.traded(lane)


def _reduce_only(turn: Turn, reason: str) -> None:
    """The books and the venue disagree: until a person has looked, this account only gets smaller."""
    account = turn.account
    if account.state is AccountState.ACTIVE:
        turn.tell(
            apply_reference.set_account(
                turn.book, account, account.name, AccountState.REDUCE_ONLY, account.limits,
                account.version + 1, reason,
            )
        )  # fmt: skip


_DECIDERS: Final[dict[type, Callable[[Turn, Any], None]]] = {
    PlaceOrders: place,
    CancelOrders: cancel,
    WakeOrders: wake,
    VenueReports: report,
    SetMarks: reference.set_marks,
    SetInstrument: reference.set_instrument,
    SetAccount: reference.set_account,
    AdjustBalance: reference.adjust,
    OpenEpoch: reference.open_epoch,
}

"""Rows as the API shows them: decimal texts, ISO times, no integer that needs a unit. Pure.

Everything here returns plain dicts, the same for REST, websockets and pages.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from marketdata.domain.instrument import Units, units_text
from oms_project.kernel.ids import trade_id
from oms_project.kernel.ports import BalanceRow, FillRow, OrderRow, PositionRow
from oms_project.kernel.terms import NO_EXTRAS, Terms
from oms_project.kernel.words import CLOSED, Status
from oms_project.rest import times
from orders.domain import events as e
from risk.domain.limits import Limits
from risk.domain.rules import RULES, Measure

Value = dict[str, Any]
EXTERNAL: Final = "external"
"""The reason of an order that is not known here (orders/domain/decide.py)."""
UnitsOf = Callable[[str], Units]


def order(row: OrderRow, units: Units) -> Value:
    """Return an order. remaining_quantity: what is still open, "0" once it is closed."""
    terms = row.terms
    leaves = 0 if row.status in CLOSED else max(0, terms.lots - row.cum_lots)
    return {
        "order_id": row.order_id,
        "account_id": row.account_id,
        "client_order_id": row.client_order_id,
        "symbol": terms.symbol,
        "side": terms.side,
        "type": terms.type,
        "time_in_force": terms.time_in_force,
        "quantity": units.quantity_text(terms.lots),
        "price": _price(terms.ticks, units),
        "reduce_only": terms.reduce_only,
        **_extras(terms, units),
        "status": row.status,
        "filled_quantity": units.quantity_text(row.cum_lots),
        "remaining_quantity": units.quantity_text(leaves),
        "average_price": units.average_price_text(row.cost, row.cum_lots),
        "fee": units_text(row.fee),
        "fee_asset": units.instrument.quote,
        "rejected_by": row.rejected_by or None,
        "reason": _reason(row),
        "late_fill": row.late_fill,
        "overfilled": row.overfilled,
        "version": row.version,
        "account_seq": row.last_seq,
        "created_at": times.text(row.created_ns),
        "updated_at": times.text(row.updated_ns),
    }


def _reason(row: OrderRow) -> str | None:
    """Return why it was refused or ended. A filled one needs none: what crossed its last fill lost."""
    if row.status is Status.FILLED and row.reason != EXTERNAL:
        return None
    return row.reason or None


def fill(row: FillRow, units: Units) -> Value:
    return {
        "trade_id": row.trade_id,
        "order_id": row.order_id,
        "account_id": row.account_id,
        "symbol": row.symbol,
        "side": row.side,
        "quantity": units.quantity_text(row.lots),
        "price": units.price_text(row.ticks),
        "fee": units_text(row.fee),
        "fee_asset": units.instrument.quote,
        "liquidity": row.liquidity,
        "venue": row.venue,
        "account_seq": row.seq,
        "at": times.text(row.at_ns),
    }


def position(row: PositionRow, units: Units, mark_ticks: int) -> Value:
    """Return a position. mark_ticks: what it could be closed at now, 0 if nobody knows."""
    known = bool(mark_ticks) or not row.net_lots
    unrealized = mark_ticks * row.net_lots - row.cost
    return {
        "symbol": row.symbol,
        "quantity": units.quantity_text(row.net_lots),
        "average_price": units.average_price_text(abs(row.cost), abs(row.net_lots)),
        "realized_pnl": units.amount_text(row.realized),
        "unrealized_pnl": units.amount_text(unrealized) if known else None,
        "mark_price": _price(mark_ticks, units),
        "quote": units.instrument.quote,
    }


def balance(row: BalanceRow) -> Value:
    return {
        "asset": row.asset,
        "free": units_text(row.free),
        "locked": units_text(row.locked),
        "total": units_text(row.free + row.locked),
    }


def limits(found: Limits) -> Value:
    """Return limits; one that is off is null."""
    return {
        "max_open_orders": found.max_open_orders or None,
        "max_order_value": units_text(found.max_order_value) if found.max_order_value else None,
        "restricted_symbols": list(found.restricted_symbols),
    }


# ------------------------------------------------------------------ events
def event(batch: e.EventBatch, index: int, units_of: UnitsOf) -> Value:
    """Return the event at *index* of its batch, payload first, then where it stands."""
    found = batch.events[index]
    shown: Value = {"type": type(found).__name__}
    version = getattr(found, "version", 1) if isinstance(found, _OF_AN_ORDER) else 0
    shown |= _PAYLOADS[type(found)](found, units_of)
    shown["event_id"] = f"{batch.partition}-{batch.offset}-{index}"
    shown["account_id"] = batch.stream
    shown["account_seq"] = batch.first_seq + index
    if version:
        shown["order_version"] = version
    shown["caused_by"] = batch.caused_by
    shown["at"] = times.text(batch.at_ns)
    return shown


_OF_AN_ORDER: Final = (e.OrderRouted, e.OrderHeld, e.OrderDenied, e.OrderExternal, e._OrderEvent)


def _terms(
    found: e.OrderRouted | e.OrderHeld | e.OrderDenied | e.OrderExternal, units: Units
) -> Value:
    terms = found.terms
    return {
        "order_id": found.order_id,
        "client_order_id": found.client_order_id,
        "symbol": terms.symbol,
        "side": terms.side,
        "order_type": terms.type,
        "time_in_force": terms.time_in_force,
        "quantity": units.quantity_text(terms.lots),
        "price": _price(terms.ticks, units),
        "reduce_only": terms.reduce_only,
        **_extras(terms, units),
    }


def _extras(terms: Terms, units: Units) -> Value:
    """Return what few orders have; a trailing stop's stop_price is its first one."""
    extras = terms.extras or NO_EXTRAS
    return {
        "stop_price": _price(extras.stop_ticks, units),
        "trail_amount": _price(extras.trail_ticks, units),
        "trail_bps": extras.trail_bps or None,
        "expires_at": _time(extras.expires_ns),
        "deadline": _time(extras.deadline_ns),
    }


def _routed(found: e.OrderRouted | e.OrderHeld, units_of: UnitsOf) -> Value:
    units = units_of(found.terms.symbol)
    asset = units.instrument.quote if found.terms.sign > 0 else units.instrument.base
    hold = {"hold": units_text(found.hold), "hold_asset": asset}
    return {**_terms(found, units), "price_cap": _price(found.cap_ticks, units), **hold}


def _denied(found: e.OrderDenied, units_of: UnitsOf) -> Value:
    units = units_of(found.terms.symbol)
    status = {"status": "REJECTED", "rejected_by": "oms", "reason": found.reason}
    return {**_terms(found, units), **status, **measured(found, units)}


def _triggered(found: e.OrderTriggered, units_of: UnitsOf) -> Value:
    units = units_of(found.symbol)
    return {
        **_moved(found, units_of),
        "mark_price": _price(found.mark_ticks, units),
        "price_cap": _price(found.cap_ticks, units),
    }


def _trigger_refused(found: e.TriggerRefused, units_of: UnitsOf) -> Value:
    return {**_moved(found, units_of), "rejected_by": "oms", "reason": found.reason}


def measured(found: e.OrderDenied, units: Units | None) -> Value:
    """Return what the rule measured and what it allows, as texts; {} if it measures nothing.

    unit: an asset's name, or what is counted.
    """
    measure = _MEASURES.get(found.reason, Measure.NOTHING)
    if measure is Measure.NOTHING or (found.used, found.limit) == (0, 0):
        return {}
    if measure in (Measure.COUNT, Measure.MS):
        unit = "orders" if measure is Measure.COUNT else "ms"
        return {"measured": str(found.used), "limit": str(found.limit), "unit": unit}
    if units is None:
        return {}
    one, buys = units.instrument, found.terms.sign > 0
    if measure is Measure.LOTS:
        texts, unit = (units.quantity_text(found.used), units.quantity_text(found.limit)), one.base
    elif measure is Measure.TICKS:
        texts, unit = (units.price_text(found.used), units.price_text(found.limit)), one.quote
    else:
        texts = (units_text(found.used), units_text(found.limit))
        pays_quote = measure is Measure.QUOTE or (measure is Measure.PAID) == buys
        unit = one.quote if pays_quote else one.base
    return {"measured": texts[0], "limit": texts[1], "unit": unit}


_MEASURES: Final = {rule.code.value: rule.measure for rule in RULES}


def _external(found: e.OrderExternal, units_of: UnitsOf) -> Value:
    units = units_of(found.terms.symbol)
    return {**_terms(found, units), "status": "FILLED", "venue": found.venue}


def _moved(found: Any, units_of: UnitsOf) -> Value:
    return {"order_id": found.order_id, "status": found.status}


def _rejected(found: e.OrderRejected, units_of: UnitsOf) -> Value:
    ended = {"rejected_by": "venue", "reason": found.reason, "late_fill": found.late}
    return {**_moved(found, units_of), **ended}


def _filled(found: e.OrderFilled, units_of: UnitsOf) -> Value:
    units = units_of(found.symbol)
    return {
        **_moved(found, units_of),
        "symbol": found.symbol,
        "side": found.side,
        "venue": found.venue,
        "trade_id": trade_id(found.venue, found.order_id, found.execution),
        "quantity": units.quantity_text(found.lots),
        "price": units.price_text(found.ticks),
        "fee": units_text(found.fill_fee),
        "fee_asset": units.instrument.quote,
        "liquidity": "maker" if found.maker else "taker",
        "filled_quantity": units.quantity_text(found.cum_lots),
        "average_price": units.average_price_text(found.cost, found.cum_lots),
        "fee_total": units_text(found.fee),
        "late_fill": found.late,
        "overfilled": found.overfilled,
    }


def _ended(found: e.OrderCanceled | e.OrderExpired, units_of: UnitsOf) -> Value:
    return {**_moved(found, units_of), "reason": found.reason or None, "late_fill": found.late}


def _cancel_rejected(found: e.CancelRejected, units_of: UnitsOf) -> Value:
    return {**_moved(found, units_of), "reason": found.cancel_reason}


def _quarantined(found: e.OrderQuarantined, units_of: UnitsOf) -> Value:
    return {
        "order_id": found.order_id,
        "reason": found.reason,
        "report": found.kind,
        "execution": found.execution,
        "detail": found.detail,
    }


def _position_changed(found: e.PositionChanged, units_of: UnitsOf) -> Value:
    units = units_of(found.symbol)
    return {
        "symbol": found.symbol,
        "quantity": units.quantity_text(found.net_lots),
        "average_price": units.average_price_text(abs(found.cost), abs(found.net_lots)),
        "realized_pnl": units.amount_text(found.realized),
        "quote": units.instrument.quote,
    }


def _balance_changed(found: e.BalanceChanged, units_of: UnitsOf) -> Value:
    return {
        "asset": found.asset,
        "free": units_text(found.free),
        "locked": units_text(found.locked),
        "total": units_text(found.free + found.locked),
    }


def _adjusted(found: e.BalanceAdjusted, units_of: UnitsOf) -> Value:
    return {
        "adjustment_id": found.adjustment_id,
        "asset": found.asset,
        "amount": units_text(found.units),
        "reason": found.reason,
    }


def _adjustment_refused(found: e.AdjustmentRefused, units_of: UnitsOf) -> Value:
    return {
        "adjustment_id": found.adjustment_id,
        "asset": found.asset,
        "amount": units_text(found.units),
        "reason": found.reason,
        "measured": units_text(found.used),
        "limit": units_text(found.limit),
    }


def _account_changed(found: e.AccountChanged, units_of: UnitsOf) -> Value:
    return {
        "name": found.name,
        "state": found.state,
        "limits": limits(found.limits),
        "account_version": found.version,
        "reason": found.reason or None,
    }


def _instrument_changed(found: e.InstrumentChanged, units_of: UnitsOf) -> Value:
    one = found.instrument
    return {"symbol": one.symbol, "state": one.state, "instrument_version": found.version}


def _change_refused(found: e.ChangeRefused, units_of: UnitsOf) -> Value:
    return {
        "what": found.what,
        "key": found.key,
        "reason": found.reason,
        "wanted_version": found.version,
        "current_version": found.current,
    }


def _set_aside(found: e.CommandSetAside, units_of: UnitsOf) -> Value:
    return {"command_offset": found.offset, "reason": found.reason}


_PAYLOADS: Final[Mapping[type, Callable[[Any, UnitsOf], Value]]] = {
    e.OrderRouted: _routed,
    e.OrderHeld: _routed,
    e.OrderTriggered: _triggered,
    e.TriggerRefused: _trigger_refused,
    e.OrderDenied: _denied,
    e.OrderAccepted: _moved,
    e.OrderExternal: _external,
    e.OrderRejected: _rejected,
    e.OrderFilled: _filled,
    e.OrderCancelRequested: _moved,
    e.OrderExpiryRequested: _moved,
    e.OrderCanceled: _ended,
    e.OrderExpired: _ended,
    e.CancelRejected: _cancel_rejected,
    e.OrderQuarantined: _quarantined,
    e.PositionChanged: _position_changed,
    e.BalanceChanged: _balance_changed,
    e.BalanceAdjusted: _adjusted,
    e.AdjustmentRefused: _adjustment_refused,
    e.AccountChanged: _account_changed,
    e.InstrumentChanged: _instrument_changed,
    e.ChangeRefused: _change_refused,
    e.CommandSetAside: _set_aside,
}


def _time(at_ns: int) -> str | None:
    return times.text(at_ns) if at_ns else None


def _price(ticks: int, units: Units) -> str | None:
    return units.price_text(ticks) if ticks else None

"""What is wrong with an order's body, said completely: a code and a pointer for every field.

Off the fast path: bodies.py comes here once it knows that something is wrong.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import msgspec
from msgspec import UNSET

from marketdata.domain.instrument import LOTS_MAX, TICKS_MAX, UNITS_MAX, Units, units_text
from oms_project.kernel import numbers
from oms_project.kernel.words import (
    PRICED,
    RESTING,
    WAITING,
    InstrumentState,
    OrderType,
    TimeInForce,
)
from oms_project.problem import Entry, Problem, token
from oms_project.rest import strict_json, times
from orders.entry.fields import (
    BATCH_MAX,
    CLIENT_ORDER_ID,
    TRAIL_BPS_MAX,
    BatchBody,
    Body,
    OrderBody,
)
from orders.services import Wanted

DECIMALS_MAX: Final = 18
"""Of any decimal (kernel/numbers.py)."""
TOO_LARGE: Final = Problem("batch_too_large", f"At most {BATCH_MAX} orders a batch.")


def why(order: Body, units: Units | None, at: str, index: int | None, now_ns: int) -> list[Entry]:
    """Return everything that is wrong with one order at *now_ns*."""
    found: list[Entry] = []

    def wrong(field: str, code: str, detail: str = "") -> None:
        found.append(Entry(f"{at}/{field}", code, detail, index))

    client_order_id = order.client_order_id
    if client_order_id is not UNSET and CLIENT_ORDER_ID.fullmatch(client_order_id) is None:
        wrong("client_order_id", "invalid", "1 to 36 of A-Z a-z 0-9 . _ : -")
    _why_type(order, wrong)
    _why_times(order, now_ns, wrong)
    if units is None:
        wrong("symbol", "unknown_symbol", "GET /api/instruments lists what there is.")
        return found
    if units.instrument.state is not InstrumentState.TRADING:
        wrong("symbol", "instrument_not_tradable", f"It is {units.instrument.state}.")
    lots = _measure(order.quantity, units.lots, wrong, "quantity", lambda: _lot_hint(units))
    ticks = None
    for name in ("price", "stop_price", "trail_amount"):
        text = getattr(order, name, UNSET)
        if text is UNSET or (name == "price" and order.type not in PRICED):
            continue
        found_ticks = _measure(text, units.ticks, wrong, name, partial(_tick_hint, text, units))
        if name == "price":
            ticks = found_ticks
        elif found_ticks is not None and found_ticks > TICKS_MAX:
            wrong(name, "invalid", f"At most {units.price_text(TICKS_MAX)}.")
    _why_bounds(units, lots, ticks, wrong)
    return found


def _why_type(order: Body, wrong: Callable[..., None]) -> None:
    """Say which fields the type must have, and which it cannot."""
    kind, tif = order.type, order.time_in_force
    if kind not in PRICED and order.price is not UNSET:
        wrong("price", "price_forbidden", f"A {kind} order has no price; leave it out.")
    if kind is OrderType.MARKET and tif in RESTING:
        wrong("time_in_force", "not_a_choice", "A market order is ioc or fok.")
    if kind in WAITING - PRICED and tif in (TimeInForce.IOC, TimeInForce.FOK):
        wrong("time_in_force", "not_a_choice", "It waits for its price: gtc, day or gtd.")
    if kind in PRICED and order.price is UNSET:
        wrong("price", "price_required", f"A {kind} order needs a price.")
    _why_trigger(order, wrong)


def _why_trigger(order: Body, wrong: Callable[..., None]) -> None:
    """Say what it must wait for, and what it cannot."""
    kind = order.type
    stop, amount, bps = (
        getattr(order, name, UNSET) for name in ("stop_price", "trail_amount", "trail_bps")
    )
    trails = kind is OrderType.TRAILING_STOP
    if stop is UNSET and kind in WAITING and not trails:
        wrong("stop_price", "stop_price_required", "The mark at which it is sent.")
    elif stop is not UNSET and (trails or kind not in WAITING):
        wrong("stop_price", "stop_price_forbidden", f"A {kind} order has none; leave it out.")
    if trails and (amount is UNSET) is (bps is UNSET):
        wrong("trail_amount", "trail_required", "trail_amount or trail_bps, one of them.")
    for name, value in (("trail_amount", amount), ("trail_bps", bps)):
        if not trails and value is not UNSET:
            wrong(name, "trail_forbidden", f"A {kind} order does not trail.")
    if bps is not UNSET and not 0 < bps <= TRAIL_BPS_MAX:
        wrong("trail_bps", "invalid", f"From 1 to {TRAIL_BPS_MAX}.")


def prices_are_odd(order: OrderBody, stop_ticks: int, trail_ticks: int, bps: int) -> bool:
    """Tell whether `_why_type` or a bound has something against what it waits for."""
    told = (order.stop_price, order.trail_amount, order.trail_bps)
    stop, amount, part = (one is not UNSET for one in told)
    if order.type is OrderType.TRAILING_STOP:
        in_bounds = 0 < trail_ticks <= TICKS_MAX if amount else 0 < bps <= TRAIL_BPS_MAX
        return stop or amount is part or not in_bounds
    if order.type in WAITING:
        return amount or part or not 0 < stop_ticks <= TICKS_MAX
    return stop or amount or part


def _why_times(order: Body, now_ns: int, wrong: Callable[..., None]) -> None:
    told = {name: getattr(order, name, UNSET) for name in ("expires_at", "deadline")}
    ends = told["expires_at"] is not UNSET
    if order.time_in_force is not TimeInForce.GTD and ends:
        wrong("expires_at", "expires_at_forbidden", "Only a gtd order has one.")
    elif order.time_in_force is TimeInForce.GTD and not ends:
        wrong("expires_at", "expires_at_required", "A gtd order needs its end.")
    for name, text in told.items():
        if text is UNSET:
            continue
        try:
            at_ns = times.read_ns(text)
        except ValueError as error:
            wrong(name, "not_a_time", f"It is {error}.")
            continue
        if at_ns <= now_ns:
            wrong(name, "in_the_past", f"It is past: our clock says {times.text(now_ns)}.")


def _measure(
    text: str,
    read: Callable[[str], int | None],
    wrong: Callable[..., None],
    field: str,
    hint: Callable[[], str],
) -> int | None:
    try:
        value = read(text)
    except ValueError:
        detail = 'Digits with a point, as a string: "0.5". No sign, exponent or blank.'
        wrong(field, "not_a_decimal", detail)
        return None
    if value is None:
        wrong(field, "quantity_step" if field == "quantity" else "price_tick", hint())
    elif value == 0:
        wrong(field, "invalid", "It must be above zero.")
        return None
    return value


def _lot_hint(units: Units) -> str:
    return f"It must be a multiple of {units.instrument.lot_size}."


def _tick_hint(price: str, units: Units) -> str:
    """Say which price on a tick is nearest. *price* is a decimal, so at most 18 and 18 digits."""
    exact = numbers.scaled(price, DECIMALS_MAX) or 0  # never None: no decimals are left over
    step = units.tick_step * 10 ** (DECIMALS_MAX - units.price_places)
    nearest = units.price_text(max(1, (2 * exact + step) // (2 * step)))
    return f"It must be a multiple of {units.instrument.tick_size}; nearest {nearest}."


def _why_bounds(
    units: Units, lots: int | None, ticks: int | None, wrong: Callable[..., None]
) -> None:
    instrument = units.instrument
    if lots is not None and lots < instrument.quantity_min_lots:
        least = units.quantity_text(instrument.quantity_min_lots)
        wrong("quantity", "quantity_min", f"At least {least}.")
    most_lots = instrument.quantity_max_lots or LOTS_MAX
    if lots is not None and lots > most_lots:
        wrong("quantity", "quantity_max", f"At most {units.quantity_text(most_lots)}.")
    if ticks is not None and ticks > TICKS_MAX:
        wrong("price", "invalid", f"At most {units.price_text(TICKS_MAX)}.")
    elif ticks is not None and lots is not None and lots <= most_lots:
        notional = units.notional(ticks, lots)
        if notional < instrument.notional_min:
            wrong(
                "quantity", "min_notional", f"Worth at least {units_text(instrument.notional_min)}."
            )
        most = instrument.notional_max or UNITS_MAX
        if notional > most:
            wrong("quantity", "max_notional", f"Worth at most {units_text(most)}.")


def refuse_twins(wanted: Sequence[Wanted], entries: list[Entry]) -> None:
    """Add an entry for every client_order_id that stands twice in a batch."""
    named = [one[0] for one in wanted if one[0]]
    if len(set(named)) == len(named):
        return
    seen: set[str] = set()
    for index, (client_order_id, _) in enumerate(wanted):
        if client_order_id and client_order_id in seen:
            pointer = f"/orders/{index}/client_order_id"
            detail = "It stands twice in this batch."
            entries.append(Entry(pointer, "duplicate_client_order_id", detail, index))
        seen.add(client_order_id)


def invalid(code: str, entries: list[Entry]) -> Problem:
    first = entries[0]
    detail = f"{first.pointer}: {first.detail or first.code}"
    return Problem(code, detail, tuple(entries))


def explain(body: bytes, kind: type) -> Problem:
    """Return why *body* is no *kind*: unreadable JSON, or every field that is wrong."""
    value = strict_json.read_object(body)
    if isinstance(value, Problem):
        return value
    entries: list[Entry] = []
    if kind is BatchBody:
        _explain_fields(value, BatchBody, "", None, entries)
        orders = value.get("orders")
        if isinstance(orders, list) and len(orders) > BATCH_MAX:
            return TOO_LARGE
        for index, order in enumerate(orders if isinstance(orders, list) else ()):
            _explain_fields(order, OrderBody, f"/orders/{index}", index, entries)
        return invalid("batch_invalid", entries) if entries else Problem("batch_invalid")
    _explain_fields(value, kind, "", None, entries)
    return invalid("validation_error", entries) if entries else Problem("validation_error")


def _explain_fields(
    value: Any, kind: type, at: str, index: int | None, entries: list[Entry]
) -> None:
    if not isinstance(value, dict):
        entries.append(Entry(at, "wrong_type", "Not a JSON object.", index))
        return
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    for name in value:
        if name not in fields:
            entries.append(Entry(f"{at}/{token(name)}", "unknown_field", "", index))
    for name, field in fields.items():
        if name not in value:
            if field.required:
                entries.append(Entry(f"{at}/{name}", "required", "", index))
            continue
        if kind is BatchBody and name == "orders" and isinstance(value[name], list):
            continue
        try:
            msgspec.convert(value[name], field.type, strict=True)
        except msgspec.ValidationError as error:
            code = "wrong_type" if str(error).startswith("Expected ") else "not_a_choice"
            entries.append(Entry(f"{at}/{name}", code, str(error)[:200], index))

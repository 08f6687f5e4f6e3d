"""What a body must say to be an order: the only file that turns request bytes into terms.

A body that is right is decoded straight into structs (the fast path); whatever that refuses is read
again slowly, to say everything that is wrong with it. Both accept the same: a property test.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from marketdata.domain.instrument import LOTS_MAX, TICKS_MAX, UNITS_MAX, Units, units_text
from oms_project.kernel import numbers
from oms_project.kernel.terms import Flag, Terms
from oms_project.kernel.words import InstrumentState, OrderType, Side, TimeInForce
from oms_project.rest import strict_json
from oms_project.rest.problem import Entry, Problem
from orders.services import Wanted

BATCH_MAX: Final = 500
DECIMALS_MAX: Final = 18
"""Of any decimal (kernel/numbers.py)."""
_TOO_LARGE: Final = Problem("batch_too_large", f"At most {BATCH_MAX} orders a batch.")
_CLIENT_ORDER_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,36}")
_encode = msgspec.json.Encoder().encode

UnitsOf = Callable[[str], Units | None]
Mode = ("independent", "atomic")
REDUCE_ONLY: Final = int(Flag.REDUCE_ONLY)


class OrderBody(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """POST /api/orders, and an item of a batch. quantity, price: decimal strings."""

    symbol: str
    side: Side
    type: OrderType
    quantity: str
    account_id: str | UnsetType = UNSET
    time_in_force: TimeInForce | UnsetType = UNSET
    price: str | UnsetType = UNSET
    client_order_id: str | UnsetType = UNSET
    reduce_only: bool | UnsetType = UNSET


class BatchBody(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """POST /api/orders/batch."""

    orders: list[OrderBody]
    account_id: str | UnsetType = UNSET
    mode: str | UnsetType = UNSET


class Parsed(msgspec.Struct, gc=False):
    """A body that is right. canonical: its one form, for the fingerprint."""

    account_id: str
    wanted: list[Wanted]
    canonical: bytes
    atomic: bool = False


_order_decoder = msgspec.json.Decoder(OrderBody)
_batch_decoder = msgspec.json.Decoder(BatchBody)


def single(body: bytes, key: str, units_of: UnitsOf) -> Parsed | Problem:
    """Return the order in *body*. Without a client_order_id it gets the idempotency key's."""
    decoded, canonical = _decode(body, _order_decoder)
    if isinstance(decoded, Problem):
        return decoded
    entries: list[Entry] = []
    if decoded.account_id is UNSET:
        entries.append(Entry("/account_id", "required"))
    wanted = _wanted(decoded, key, units_of, "", None, entries)
    if entries:
        return _invalid("validation_error", entries)
    return Parsed(decoded.account_id, [wanted], canonical)


def batch(body: bytes, key: str, units_of: UnitsOf) -> Parsed | Problem:
    """Return the orders in *body*; one that is wrong refuses them all."""
    decoded, canonical = _decode(body, _batch_decoder)
    if isinstance(decoded, Problem):
        return decoded
    orders = decoded.orders
    if not orders:
        return Problem("batch_empty")
    if len(orders) > BATCH_MAX:
        return _TOO_LARGE
    entries: list[Entry] = []
    account_id = decoded.account_id if decoded.account_id is not UNSET else orders[0].account_id
    if account_id is UNSET:
        entries.append(Entry("/account_id", "required"))
    if decoded.mode is not UNSET and decoded.mode not in Mode:
        entries.append(Entry("/mode", "not_a_choice", "independent or atomic"))
    wanted: list[Wanted] = []
    for index, order in enumerate(orders):
        if order.account_id is not UNSET and order.account_id != account_id:
            detail = "One batch is one account's."
            entries.append(Entry(f"/orders/{index}/account_id", "invalid", detail, index))
        wanted.append(_wanted(order, key, units_of, "/orders/", index, entries))
    if not entries:
        _refuse_twins(wanted, entries)
    if entries:
        return _invalid("batch_invalid", entries)
    return Parsed(account_id, wanted, canonical, decoded.mode == "atomic")


def _decode(body: bytes, decoder: Any) -> tuple[Any, bytes]:
    """Return what *body* says and its canonical form, or a problem and nothing."""
    try:
        decoded = decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError):
        return explain(body, decoder.type), b""
    if len(body) > strict_json.BODY_BYTES_MAX:
        return strict_json.read(body), b""
    canonical = _encode(decoded)
    # A key that stands twice brings at least two more quotes than what was understood needs, and
    # without a backslash every quote is one of JSON's own.
    if b"\\" in body or body.count(b'"') != canonical.count(b'"'):
        again = strict_json.read_object(body)
        if isinstance(again, Problem):
            return again, b""
    return decoded, canonical


def _wanted(
    order: OrderBody,
    key: str,
    units_of: UnitsOf,
    pointer: str,
    index: int | None,
    entries: list[Entry],
) -> Wanted:
    """Return the order; what is wrong is added to *entries* and its terms mean nothing."""
    units = units_of(order.symbol)
    kind = order.type
    tif = order.time_in_force
    if tif is UNSET:
        tif = TimeInForce.GTC if kind is OrderType.LIMIT else TimeInForce.IOC
    client_order_id = order.client_order_id
    if client_order_id is UNSET:
        client_order_id = key if index is None else f"{key}:{index}"
    elif _CLIENT_ORDER_ID.fullmatch(client_order_id) is None:
        units = None
    lots = ticks = None
    if units is not None:
        try:
            lots = units.lots(order.quantity)
            ticks = 0 if kind is OrderType.MARKET else units.ticks(order.price)  # type: ignore[arg-type]
        except (ValueError, TypeError):
            lots = None
    if units is None or lots is None or ticks is None or _out_of_bounds(order, units, lots, ticks):
        at = pointer if index is None else f"{pointer}{index}"
        entries += _why(order, units_of(order.symbol), at, index)
    flags = REDUCE_ONLY if order.reduce_only is True else 0
    terms = Terms(order.symbol, order.side, kind, tif, lots or 0, ticks or 0, flags)
    return client_order_id, terms


def _out_of_bounds(order: OrderBody, units: Units, lots: int, ticks: int) -> bool:
    """Tell, cheaply, whether anything is wrong with terms that are on tick and lot."""
    instrument = units.instrument
    notional = ticks * lots * units.tick_lot_units
    if order.type is OrderType.MARKET:
        odd = order.price is not UNSET or order.time_in_force is TimeInForce.GTC
    else:
        odd = not 0 < ticks <= TICKS_MAX or notional < instrument.notional_min
        odd = odd or notional > (instrument.notional_max or UNITS_MAX)
    return (
        odd
        or instrument.state is not InstrumentState.TRADING
        or not instrument.quantity_min_lots <= lots <= (instrument.quantity_max_lots or LOTS_MAX)
        or lots <= 0
    )


# ------------------------------------------------------------------ saying what is wrong


def _why(order: OrderBody, units: Units | None, at: str, index: int | None) -> list[Entry]:
    """Return everything that is wrong with one order. Not on the fast path."""
    found: list[Entry] = []

    def wrong(field: str, code: str, detail: str = "") -> None:
        found.append(Entry(f"{at}/{field}", code, detail, index))

    client_order_id = order.client_order_id
    if client_order_id is not UNSET and _CLIENT_ORDER_ID.fullmatch(client_order_id) is None:
        wrong("client_order_id", "invalid", "1 to 36 of A-Z a-z 0-9 . _ : -")
    market = order.type is OrderType.MARKET
    if market and order.price is not UNSET:
        wrong("price", "price_forbidden", "A market order has no price; leave it out.")
    if market and order.time_in_force is TimeInForce.GTC:
        wrong("time_in_force", "not_a_choice", "A market order is ioc or fok.")
    if not market and order.price is UNSET:
        wrong("price", "price_required", "A limit order needs a price.")
    if units is None:
        wrong("symbol", "unknown_symbol", "GET /api/instruments lists what there is.")
        return found
    if units.instrument.state is not InstrumentState.TRADING:
        wrong("symbol", "instrument_not_tradable", f"It is {units.instrument.state}.")
    lots = _measure(order.quantity, units.lots, wrong, "quantity", lambda: _lot_hint(units))
    ticks = None
    if not market and order.price is not UNSET:
        price = order.price
        ticks = _measure(price, units.ticks, wrong, "price", lambda: _tick_hint(price, units))
    _why_bounds(units, lots, ticks, wrong)
    return found


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
        wrong(field, "price_tick" if field == "price" else "quantity_step", hint())
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


def _refuse_twins(wanted: Sequence[Wanted], entries: list[Entry]) -> None:
    """Add an entry for every client_order_id that stands twice in a batch."""
    if len({one[0] for one in wanted}) == len(wanted):
        return
    seen: set[str] = set()
    for index, (client_order_id, _) in enumerate(wanted):
        if client_order_id in seen:
            pointer = f"/orders/{index}/client_order_id"
            detail = "It stands twice in this batch."
            entries.append(Entry(pointer, "duplicate_client_order_id", detail, index))
        seen.add(client_order_id)


def _invalid(code: str, entries: list[Entry]) -> Problem:
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
            return _TOO_LARGE
        for index, order in enumerate(orders if isinstance(orders, list) else ()):
            _explain_fields(order, OrderBody, f"/orders/{index}", index, entries)
        return _invalid("batch_invalid", entries) if entries else Problem("batch_invalid")
    _explain_fields(value, kind, "", None, entries)
    return _invalid("validation_error", entries) if entries else Problem("validation_error")


def _explain_fields(
    value: Any, kind: type, at: str, index: int | None, entries: list[Entry]
) -> None:
    if not isinstance(value, dict):
        entries.append(Entry(at, "wrong_type", "Not a JSON object.", index))
        return
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    for name in value:
        if name not in fields:
            entries.append(Entry(f"{at}/{_escape(name)}", "unknown_field", "", index))
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
            choice = isinstance(value[name], str)
            code = "not_a_choice" if choice else "wrong_type"
            entries.append(Entry(f"{at}/{name}", code, str(error)[:200], index))


def _escape(name: str) -> str:
    """Return a key as a JSON pointer's token (RFC 6901 §3), cut to a bearable length."""
    return name[:64].replace("~", "~0").replace("/", "~1")

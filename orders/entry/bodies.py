"""What a body must say to be an order: the only file that turns request bytes into terms.

A body that is right is decoded straight into structs (the fast path); whatever that refuses is read
again slowly, to say everything that is wrong with it. Both accept the same: a property test.
"""

import re
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from marketdata.domain.instrument import (
    LOTS_MAX,
    SYMBOL_PATTERN,
    TICKS_MAX,
    UNITS_MAX,
    Units,
    units_text,
)
from oms_project.kernel import ids, numbers
from oms_project.kernel.terms import Flag, Terms
from oms_project.kernel.words import InstrumentState, OrderType, Side, TimeInForce
from oms_project.problem import Entry, Problem, token
from oms_project.rest import strict_json
from orders.services import Wanted

BATCH_MAX: Final = 500
DECIMALS_MAX: Final = 18
"""Of any decimal (kernel/numbers.py)."""
_TOO_LARGE: Final = Problem("batch_too_large", f"At most {BATCH_MAX} orders a batch.")
_CLIENT_ORDER_ID: Final = re.compile(ids.CLIENT_ORDER_ID_PATTERN)
NOW_ONLY: Final = frozenset(
    {"instrument_not_tradable", "quantity_min", "quantity_max", "min_notional", "max_notional"}
)
"""Codes of what an instrument's present state and bounds stand against; all others hold for ever."""
_encode = msgspec.json.Encoder().encode
_encode_terms = msgspec.msgpack.Encoder().encode

UnitsOf = Callable[[str], Units | None]
Refuse = Callable[[str], Problem | None]
"""Why an account may not be traded on, None: it may."""
Mode = ("independent", "atomic")
REDUCE_ONLY: Final = int(Flag.REDUCE_ONLY)


def _said(text: str, **schema: Any) -> msgspec.Meta:
    """What the contract says of a field; what is refused is refused below, with a code."""
    return msgspec.Meta(description=text, extra_json_schema=schema or None)


Symbol = Annotated[str, _said("one of GET /api/instruments", pattern=f"^{SYMBOL_PATTERN}$")]
Decimal = Annotated[str, _said("above zero, as a string", pattern=f"^{numbers.PATTERN}$")]
AccountId = Annotated[str, _said("yours, to trade", pattern=f"^{ids.ID_PATTERN}$")]


class OrderBody(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """An order: POST /api/orders, and an item of a batch. Decimals are strings."""

    symbol: Symbol
    side: Side
    type: OrderType
    quantity: Decimal
    account_id: AccountId | UnsetType = UNSET
    time_in_force: (
        Annotated[TimeInForce, _said("gtc for a limit order, ioc for a market order by default")]
        | UnsetType
    ) = UNSET
    price: Decimal | UnsetType = UNSET
    client_order_id: (
        Annotated[
            str,
            _said("unique per account, for ever; by default the order's id",
                  pattern=f"^{ids.CLIENT_ORDER_ID_PATTERN}$"),
        ]
        | UnsetType
    ) = UNSET  # fmt: skip
    reduce_only: (
        Annotated[bool, _said("refused if it could open or flip the position")] | UnsetType
    ) = UNSET


class BatchBody(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """POST /api/orders/batch: orders of one account. It stands here, or in the first of them."""

    orders: Annotated[list[OrderBody], _said(f"1 to {BATCH_MAX}", minItems=1, maxItems=BATCH_MAX)]
    account_id: AccountId | UnsetType = UNSET
    mode: Annotated[str, _said("independent by default", enum=list(Mode))] | UnsetType = UNSET


class Parsed(msgspec.Struct, gc=False):
    """A body that says what it wants. stands_against: why that cannot be had now, if it cannot.

    Instruments halt and their bounds change, so a request that was acknowledged once may be wrong
    today: only a key that is fresh is refused for that.
    """

    account_id: str
    wanted: list[Wanted]
    atomic: bool = False
    stands_against: Problem | None = None

    def canonical(self) -> bytes:
        """Return the one form of everything that says the same, for the fingerprint.

        Of terms, not of texts: 0.01 is 0.010, and a default left out is the default.
        """
        return _encode_terms((self.account_id, self.atomic, self.wanted))


# Members by a name of the module's: looking one up in its class costs as much as a dict.
_LIMIT, _MARKET = OrderType.LIMIT, OrderType.MARKET
_GTC, _IOC = TimeInForce.GTC, TimeInForce.IOC
_TRADING: Final = InstrumentState.TRADING

_order_decoder = msgspec.json.Decoder(OrderBody)
_batch_decoder = msgspec.json.Decoder(BatchBody)


def single(body: bytes, units_of: UnitsOf, refuse: Refuse) -> Parsed | Problem:
    """Return the order in *body*. *refuse* is asked about its account before anything of it is told."""
    decoded = _decode(body, _order_decoder)
    if isinstance(decoded, Problem):
        return decoded
    entries: list[Entry] = []
    if decoded.account_id is UNSET:
        entries.append(Entry("/account_id", "required"))
    elif (refused := refuse(decoded.account_id)) is not None:
        return refused
    wanted = [_wanted(decoded, units_of, "", None, entries)]
    return _parsed(Parsed(decoded.account_id, wanted), "validation_error", entries)


def batch(body: bytes, units_of: UnitsOf, refuse: Refuse) -> Parsed | Problem:
    """Return the orders in *body*; one that is wrong refuses them all."""
    decoded = _decode(body, _batch_decoder)
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
    elif (refused := refuse(account_id)) is not None:
        return refused
    if decoded.mode is not UNSET and decoded.mode not in Mode:
        entries.append(Entry("/mode", "not_a_choice", "independent or atomic"))
    wanted: list[Wanted] = []
    for index, order in enumerate(orders):
        if order.account_id is not UNSET and order.account_id != account_id:
            detail = "One batch is one account's."
            entries.append(Entry(f"/orders/{index}/account_id", "invalid", detail, index))
        wanted.append(_wanted(order, units_of, "/orders/", index, entries))
    if not entries:
        _refuse_twins(wanted, entries)
    return _parsed(Parsed(account_id, wanted, decoded.mode == "atomic"), "batch_invalid", entries)


def _parsed(found: Parsed, code: str, entries: list[Entry]) -> Parsed | Problem:
    if not entries:
        return found
    problem = _invalid(code, entries)
    lasting = any(entry.code not in NOW_ONLY for entry in entries)
    if lasting or any(one[1].lots > LOTS_MAX for one in found.wanted):
        return problem
    found.stands_against = problem
    return found


def _decode(body: bytes, decoder: Any) -> Any:
    """Return what *body* says, or a problem."""
    try:
        decoded = decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError):
        return explain(body, decoder.type)
    if len(body) > strict_json.BODY_BYTES_MAX:
        return strict_json.read(body)
    # A key that stands twice brings at least two more quotes than what was understood needs, and
    # without a backslash every quote is one of JSON's own.
    if b"\\" in body or body.count(b'"') != _encode(decoded).count(b'"'):
        again = strict_json.read_object(body)
        if isinstance(again, Problem):
            return again
    return decoded


def _wanted(
    order: OrderBody,
    units_of: UnitsOf,
    pointer: str,
    index: int | None,
    entries: list[Entry],
) -> Wanted:
    """Return the order; what is wrong is added to *entries*.

    Without a client_order_id it has "": that will be the order's id.
    """
    units = units_of(order.symbol)
    kind = order.type
    tif = order.time_in_force
    if tif is UNSET:
        tif = _GTC if kind is _LIMIT else _IOC
    client_order_id = order.client_order_id
    if client_order_id is UNSET:
        client_order_id = ""
    elif _CLIENT_ORDER_ID.fullmatch(client_order_id) is None:
        units = None
    lots = ticks = None
    if units is not None:
        try:
            lots = units.lots(order.quantity)
            ticks = 0 if kind is _MARKET else units.ticks(order.price)  # type: ignore[arg-type]
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
    if order.type is _MARKET:
        odd = order.price is not UNSET or order.time_in_force is _GTC
    else:
        odd = not 0 < ticks <= TICKS_MAX or notional < instrument.notional_min
        odd = odd or notional > (instrument.notional_max or UNITS_MAX)
    return (
        odd
        or instrument.state is not _TRADING
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
            choice = isinstance(value[name], str)
            code = "not_a_choice" if choice else "wrong_type"
            entries.append(Entry(f"{at}/{name}", code, str(error)[:200], index))

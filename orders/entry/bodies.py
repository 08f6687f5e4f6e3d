"""What a body must say to be an order: the only file that turns request bytes into terms.

A body that is right is decoded straight into structs (the fast path); whatever that refuses is read
again slowly, to say everything that is wrong with it (wrong.py). Both accept the same: a property test.
The plain order is decoded as one; a body with any other field is decoded again, with all of them.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec
from msgspec import UNSET

from marketdata.domain.instrument import LOTS_MAX, TICKS_MAX, UNITS_MAX, Units
from oms_project.kernel.terms import NO_EXTRAS, Extras, Flag, Terms
from oms_project.kernel.words import PRICED, InstrumentState, OrderType, TimeInForce
from oms_project.problem import Entry, Problem
from oms_project.rest import strict_json, times
from orders.entry.fields import (
    BATCH_MAX,
    CLIENT_ORDER_ID,
    BatchBody,
    Body,
    Mode,
    OrderBody,
    PlainBatch,
    PlainBody,
)
from orders.entry.wrong import TOO_LARGE, explain, invalid, prices_are_odd, refuse_twins, why
from orders.services import Wanted

NOW_ONLY: Final = frozenset(
    {
        "instrument_not_tradable", "quantity_min", "quantity_max", "min_notional", "max_notional",
        "in_the_past",
    }
)  # fmt: skip
"""Codes of what stands against it now: an instrument's state and bounds, the time. All others hold
for ever."""
REDUCE_ONLY: Final = int(Flag.REDUCE_ONLY)
_encode = msgspec.json.Encoder().encode
_encode_terms = msgspec.msgpack.Encoder().encode

UnitsOf = Callable[[str], Units | None]
Now = Callable[[], int]
"""Asked only for an order with a time."""
Refuse = Callable[[str], Problem | None]
"""Why an account may not be traded on, None: it may."""


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
_GTC, _IOC, _FOK, _GTD = TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK, TimeInForce.GTD
_TRADING: Final = InstrumentState.TRADING

_order_decoders = msgspec.json.Decoder(PlainBody), msgspec.json.Decoder(OrderBody)
_batch_decoders = msgspec.json.Decoder(PlainBatch), msgspec.json.Decoder(BatchBody)


def single(body: bytes, units_of: UnitsOf, refuse: Refuse, now: Now) -> Parsed | Problem:
    """Return the order in *body*. *refuse* is asked about its account before anything of it is told."""
    decoded = _decode(body, *_order_decoders)
    if isinstance(decoded, Problem):
        return decoded
    entries: list[Entry] = []
    if decoded.account_id is UNSET:
        entries.append(Entry("/account_id", "required"))
    elif (refused := refuse(decoded.account_id)) is not None:
        return refused
    wanted = [_wanted(decoded, units_of, now, "", None, entries)]
    return _parsed(Parsed(decoded.account_id, wanted), "validation_error", entries)


def batch(body: bytes, units_of: UnitsOf, refuse: Refuse, now: Now) -> Parsed | Problem:
    """Return the orders in *body*; one that is wrong refuses them all."""
    decoded = _decode(body, *_batch_decoders)
    if isinstance(decoded, Problem):
        return decoded
    orders = decoded.orders
    if not orders:
        return Problem("batch_empty")
    if len(orders) > BATCH_MAX:
        return TOO_LARGE
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
        wanted.append(_wanted(order, units_of, now, "/orders/", index, entries))
    if not entries:
        refuse_twins(wanted, entries)
    return _parsed(Parsed(account_id, wanted, decoded.mode == "atomic"), "batch_invalid", entries)


def _parsed(found: Parsed, code: str, entries: list[Entry]) -> Parsed | Problem:
    if not entries:
        return found
    problem = invalid(code, entries)
    lasting = any(entry.code not in NOW_ONLY for entry in entries)
    if lasting or any(one[1].lots > LOTS_MAX for one in found.wanted):
        return problem
    found.stands_against = problem
    return found


_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError)


def _decode(body: bytes, plain: Any, full: Any) -> Any:
    """Return what *body* says, or a problem."""
    try:
        decoded = plain.decode(body)
    except _UNREADABLE:
        try:
            decoded = full.decode(body)
        except _UNREADABLE:
            return explain(body, full.type)
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
    order: Body,
    units_of: UnitsOf,
    now: Now,
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
        tif = _IOC if kind is _MARKET else _GTC
    client_order_id = order.client_order_id
    if client_order_id is UNSET:
        client_order_id = ""
    elif CLIENT_ORDER_ID.fullmatch(client_order_id) is None:
        units = None
    lots = ticks = extras = None
    odd = False
    if units is not None and type(order) is OrderBody:
        extras, odd = _extras(order, units, now)
    if units is not None:
        try:
            lots = units.lots(order.quantity)
            priced = kind is _LIMIT or kind in PRICED
            ticks = units.ticks(order.price) if priced else 0  # type: ignore[arg-type]
        except (ValueError, TypeError):
            lots = None
    if (
        units is None
        or lots is None
        or ticks is None
        or odd
        or _out_of_bounds(order, units, lots, ticks)
    ):
        at = pointer if index is None else f"{pointer}{index}"
        entries += why(order, units_of(order.symbol), at, index, now())
    flags = REDUCE_ONLY if order.reduce_only is True else 0
    terms = Terms(order.symbol, order.side, kind, tif, lots or 0, ticks or 0, flags, extras)
    return client_order_id, terms


def _extras(order: OrderBody, units: Units, now: Now) -> tuple[Extras | None, bool]:
    """Return what the order wants besides, and whether anything is wrong with that."""
    prices = []
    for text in (order.stop_price, order.trail_amount):
        try:
            prices.append(units.ticks(text) if text is not UNSET else 0)
        except ValueError:
            return None, True
    stop_ticks, trail_ticks = prices
    bps = order.trail_bps if order.trail_bps is not UNSET else 0
    if (
        stop_ticks is None
        or trail_ticks is None
        or prices_are_odd(order, stop_ticks, trail_ticks, bps)
    ):
        return None, True
    times_ns = []
    for text in (order.expires_at, order.deadline):
        try:
            times_ns.append(times.read_ns(text) if text is not UNSET else 0)
        except ValueError:
            return None, True
    extras = Extras(*times_ns, stop_ticks, trail_ticks, bps)
    ends = order.expires_at is not UNSET
    odd = ends is not (order.time_in_force is _GTD)
    past = any(
        text is not UNSET and at_ns <= now()
        for text, at_ns in zip((order.expires_at, order.deadline), times_ns, strict=True)
    )
    return (extras if extras != NO_EXTRAS else None), odd or past


def _out_of_bounds(order: Body, units: Units, lots: int, ticks: int) -> bool:
    """Tell, cheaply, whether anything is wrong with terms that are on tick and lot."""
    instrument = units.instrument
    notional = ticks * lots * units.tick_lot_units
    kind, tif = order.type, order.time_in_force
    if kind is _LIMIT or kind in PRICED:
        odd = not 0 < ticks <= TICKS_MAX or notional < instrument.notional_min
        odd = odd or notional > (instrument.notional_max or UNITS_MAX)
        odd = odd or (type(order) is PlainBody and (tif is _GTD or kind is not _LIMIT))
    elif kind is _MARKET:
        odd = order.price is not UNSET or not (tif is UNSET or tif is _IOC or tif is _FOK)
    else:
        odd = order.price is not UNSET or tif is _IOC or tif is _FOK or type(order) is PlainBody
    return (
        odd
        or instrument.state is not _TRADING
        or not instrument.quantity_min_lots <= lots <= (instrument.quantity_max_lots or LOTS_MAX)
        or lots <= 0
    )

"""The pre-trade rules: one pure function each, in this documented order, a reason or nothing.

Order: is it known and open, may this account, does it fit the instrument, do we know the price,
is it within limits, is it paid for. The first reason wins. Rules that need a mark and have none,
or an old one, refuse (fail closed).
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Final

from marketdata.domain.instrument import UNITS_MAX, Units
from marketdata.domain.mark import Mark
from oms_project.kernel.numbers import PPM, ceil_div
from oms_project.kernel.words import AccountState, InstrumentState
from risk.domain.limits import Limits

NS_PER_MS: Final = 1_000_000


class Reason(StrEnum):
    """Why an order was refused. Stable API: codes are never renamed."""

    UNKNOWN_SYMBOL = "unknown_symbol"
    INSTRUMENT_NOT_TRADABLE = "instrument_not_tradable"
    RESTRICTED_SYMBOL = "restricted_symbol"
    ACCOUNT_SUSPENDED = "account_suspended"
    ACCOUNT_CANCEL_ONLY = "account_cancel_only"
    ACCOUNT_REDUCE_ONLY = "account_reduce_only"
    REDUCE_ONLY = "reduce_only"
    QUANTITY_MIN = "quantity_min"
    QUANTITY_MAX = "quantity_max"
    MIN_NOTIONAL = "min_notional"
    MAX_NOTIONAL = "max_notional"
    NO_REFERENCE_PRICE = "no_reference_price"
    MARKET_DATA_STALE = "market_data_stale"
    PRICE_COLLAR = "price_collar"
    MAX_OPEN_ORDERS = "max_open_orders"
    MAX_ORDER_VALUE = "max_order_value"
    INSUFFICIENT_BALANCE = "insufficient_balance"
    DUPLICATE_CLIENT_ORDER_ID = "duplicate_client_order_id"
    ATOMIC_BATCH = "atomic_batch"


class Check:
    """What the rules look at: one order against its account, instrument and mark.

    sign: +1 buy, -1 sell; ticks: limit price, 0 for market; free: smallest units free of the asset
    the order pays with; reducible_lots: how much an order of this side may still reduce.
    worst_ticks, hold: worked out by `price_it`, 0 before.
    """

    __slots__ = (
        "account_state", "free", "hold", "limits", "lots", "mark", "now_ns", "open_orders",
        "reduce_only", "reducible_lots", "sign", "ticks", "units", "worst_ticks",
    )  # fmt: skip

    account_state: AccountState
    free: int
    hold: int
    limits: Limits
    lots: int
    mark: Mark | None
    now_ns: int
    open_orders: int
    reduce_only: bool
    reducible_lots: Callable[[], int]
    sign: int
    ticks: int
    units: Units | None
    worst_ticks: int


def price_it(check: Check) -> None:
    """Work out the worst price and the hold: buy = notional + taker fee, sell = the quantity.

    A market order's worst price is the mark and the instrument's market cap away from it.
    """
    units = check.units
    mark = check.mark
    assert units is not None, "an unknown symbol was refused before"
    instrument = units.instrument
    worst = check.ticks
    if not worst:
        assert mark is not None, "a market order without a mark was refused before"
        # A buyer's cap rounds down and a seller's up: never worse than the rate allows.
        cap = instrument.market_cap_ppm
        worst = (
            mark.ticks * (PPM + cap) // PPM
            if check.sign > 0
            else ceil_div(mark.ticks * (PPM - cap), PPM)
        )
    check.worst_ticks = worst
    if check.sign > 0:
        notional = worst * check.lots * units.tick_lot_units
        check.hold = notional + ceil_div(notional * instrument.taker_fee_ppm, PPM)
    else:
        check.hold = check.lots * units.lot_units


def known_symbol(check: Check) -> Reason | None:
    return Reason.UNKNOWN_SYMBOL if check.units is None else None


def tradable(check: Check) -> Reason | None:
    if check.units.instrument.state is not InstrumentState.TRADING:  # type: ignore[union-attr]
        return Reason.INSTRUMENT_NOT_TRADABLE
    return None


def not_restricted(check: Check) -> Reason | None:
    restricted = check.limits.restricted_symbols
    if restricted and check.units.instrument.symbol in restricted:  # type: ignore[union-attr]
        return Reason.RESTRICTED_SYMBOL
    return None


def account_may_trade(check: Check) -> Reason | None:
    state = check.account_state
    if state is AccountState.ACTIVE:
        return None
    if state is AccountState.HALTED:
        return Reason.ACCOUNT_SUSPENDED
    if state is AccountState.CANCEL_ONLY:
        return Reason.ACCOUNT_CANCEL_ONLY
    return Reason.ACCOUNT_REDUCE_ONLY if check.lots > check.reducible_lots() else None


def only_reduces(check: Check) -> Reason | None:
    """An order that may only reduce is refused if it could open or flip the position."""
    if check.reduce_only and check.lots > check.reducible_lots():
        return Reason.REDUCE_ONLY
    return None


def quantity_in_range(check: Check) -> Reason | None:
    instrument = check.units.instrument  # type: ignore[union-attr]
    if check.lots < instrument.quantity_min_lots:
        return Reason.QUANTITY_MIN
    if instrument.quantity_max_lots and check.lots > instrument.quantity_max_lots:
        return Reason.QUANTITY_MAX
    return None


def mark_is_fresh(check: Check) -> Reason | None:
    """Every order needs a mark: a market order for its cap, a limit order for its collar."""
    mark = check.mark
    if mark is None:
        return Reason.NO_REFERENCE_PRICE
    age_max_ns = check.units.instrument.mark_age_max_ms * NS_PER_MS  # type: ignore[union-attr]
    return Reason.MARKET_DATA_STALE if check.now_ns - mark.at_ns > age_max_ns else None


def notional_in_range(check: Check) -> Reason | None:
    """A limit order at its price, a market order at the mark."""
    units = check.units
    instrument = units.instrument  # type: ignore[union-attr]
    ticks = check.ticks or check.mark.ticks  # type: ignore[union-attr]
    notional = ticks * check.lots * units.tick_lot_units  # type: ignore[union-attr]
    if notional < instrument.notional_min:
        return Reason.MIN_NOTIONAL
    if notional > (instrument.notional_max or UNITS_MAX):
        return Reason.MAX_NOTIONAL
    return None


def within_collar(check: Check) -> Reason | None:
    ticks = check.ticks
    if not ticks:
        return None
    mark_ticks = check.mark.ticks  # type: ignore[union-attr]
    collar_ppm = check.units.instrument.collar_ppm  # type: ignore[union-attr]
    distance = abs(ticks - mark_ticks)
    return Reason.PRICE_COLLAR if collar_ppm and distance * PPM > mark_ticks * collar_ppm else None


def within_account_limits(check: Check) -> Reason | None:
    limits = check.limits
    if limits.max_open_orders and check.open_orders >= limits.max_open_orders:
        return Reason.MAX_OPEN_ORDERS
    if limits.max_order_value:
        # A market seller's cap lies below the mark: what is at stake is what the mark says.
        ticks = check.ticks or max(check.worst_ticks, check.mark.ticks)  # type: ignore[union-attr]
        value = ticks * check.lots * check.units.tick_lot_units  # type: ignore[union-attr]
        if value > limits.max_order_value:
            return Reason.MAX_ORDER_VALUE
    return None


def paid_for(check: Check) -> Reason | None:
    return Reason.INSUFFICIENT_BALANCE if check.hold > check.free else None


Rule = Callable[[Check], Reason | None]
BEFORE_PRICING: Final[tuple[Rule, ...]] = (
    known_symbol,
    tradable,
    not_restricted,
    account_may_trade,
    only_reduces,
    quantity_in_range,
    mark_is_fresh,
    notional_in_range,
    within_collar,
)
AFTER_PRICING: Final[tuple[Rule, ...]] = (within_account_limits, paid_for)
RULES: Final = BEFORE_PRICING + AFTER_PRICING


def refusal(check: Check) -> Reason | None:
    """Return the first reason to refuse, or None with worst_ticks and hold worked out."""
    for rule in BEFORE_PRICING:
        reason = rule(check)
        if reason is not None:
            return reason
    price_it(check)
    for rule in AFTER_PRICING:
        reason = rule(check)
        if reason is not None:
            return reason
    return None

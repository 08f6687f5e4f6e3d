"""The pre-trade rules: one row each, in this documented order, over a frozen case.

Order: is it known and open, may this account, does it fit the instrument, do we know the price, is
it within limits, is it paid for. The first row that fails is the refusal; `explain` says them all.

Rules for this file:
1. A rule measures (`used`) and allows (`limit`, None: it does not apply); it decides nothing itself.
2. A rule that needs an input and has none refuses (fail closed).
3. orders/domain/lanes.py has the same rules as bounds, worked out ahead for the plain order: a
   property test holds the two together. A rule that is added here must be felt there.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Final, NamedTuple

import msgspec

from marketdata.domain.instrument import SUM_MAX, UNITS_MAX, Instrument, Units
from marketdata.domain.mark import Mark
from oms_project.kernel.numbers import NS_PER_MS, PPM, ceil_div
from oms_project.kernel.terms import Terms
from oms_project.kernel.words import TIMED, WAITING, AccountState, InstrumentState
from risk.domain.limits import Limits

BALANCE_MAX: Final = SUM_MAX // 2
"""What an account may come to own of one asset through its orders, in smallest units."""


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
    ALREADY_EXPIRED = "already_expired"
    DEADLINE_PASSED = "deadline_passed"
    NO_REFERENCE_PRICE = "no_reference_price"
    MARKET_DATA_STALE = "market_data_stale"
    WOULD_TRIGGER = "would_trigger"
    MIN_NOTIONAL = "min_notional"
    MAX_NOTIONAL = "max_notional"
    PRICE_COLLAR = "price_collar"
    MAX_OPEN_ORDERS = "max_open_orders"
    MAX_ORDER_VALUE = "max_order_value"
    MAX_BALANCE = "max_balance"
    INSUFFICIENT_BALANCE = "insufficient_balance"
    DUPLICATE_CLIENT_ORDER_ID = "duplicate_client_order_id"
    ATOMIC_BATCH = "atomic_batch"


class Measure(StrEnum):
    """What the numbers of a rule count."""

    NOTHING = ""
    LOTS = "lots"
    TICKS = "ticks"
    COUNT = "count"
    MS = "ms"
    QUOTE = "units of the quote asset"
    PAID = "units of the asset it pays with"
    GOT = "units of the asset it is paid in"


class Case(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Everything a rule may look at: one order against its account, instrument and mark.

    now_ns: when the door took it; free: smallest units free of the asset it pays with;
    reducible_lots: how much an order of its side may still reduce the position;
    coming_units: what the account has, or open orders may bring, of the asset it is paid in.
    """

    terms: Terms
    now_ns: int
    account_state: AccountState
    limits: Limits
    open_orders: int
    reducible_lots: int
    free: int
    coming_units: int
    units: Units | None
    mark: Mark | None

    @property
    def known(self) -> Units:
        assert self.units is not None, "an unknown symbol was refused before"
        return self.units

    @property
    def instrument(self) -> Instrument:
        return self.known.instrument

    @property
    def mark_ticks(self) -> int:
        return self.mark.ticks if self.mark is not None else 0

    @property
    def reference_ticks(self) -> int:
        """The price that its own is judged by: the mark, or the stop at which it will be sent."""
        return self.terms.stop_ticks if self.terms.type in WAITING else self.mark_ticks

    @property
    def worst_ticks(self) -> int:
        """The worst price it may trade at: its limit, or the market cap away from the reference."""
        terms = self.terms
        return terms.ticks or market_worst(self.reference_ticks, self.instrument, terms.sign)

    @property
    def notional(self) -> int:
        """Return what it is worth: a limit order at its price, a market order at the mark."""
        return self.known.notional(self.terms.ticks or self.reference_ticks, self.terms.lots)

    @property
    def value(self) -> int:
        """What is at stake: a market seller's cap lies below the mark, so the mark counts."""
        ticks = self.terms.ticks or max(self.worst_ticks, self.reference_ticks)
        return self.known.notional(ticks, self.terms.lots)

    @property
    def hold(self) -> int:
        """What accepting it locks: buy = notional + taker fee, sell = the quantity."""
        lots, units = self.terms.lots, self.known
        if self.terms.sign < 0:
            return lots * units.lot_units
        notional = units.notional(self.worst_ticks, lots)
        return notional + ceil_div(notional * units.instrument.taker_fee_ppm, PPM)

    @property
    def brings(self) -> int:
        """What it may bring of the asset it is paid in (a sale at the price it is worth now)."""
        if self.terms.sign > 0:
            return self.terms.lots * self.known.lot_units
        return self.value


def market_worst(mark_ticks: int, instrument: Instrument, sign: int) -> int:
    """Return a market order's worst price. A buyer's rounds down, a seller's up: never worse."""
    cap = instrument.market_cap_ppm
    if sign > 0:
        return mark_ticks * (PPM + cap) // PPM
    return ceil_div(mark_ticks * (PPM - cap), PPM)


Number = Callable[[Case], int]
Allowance = Callable[[Case], int | None]


class Rule(NamedTuple):
    """at_least: `used` must not be below `limit`; else it must not be above it."""

    code: Reason
    used: Number
    limit: Allowance
    measure: Measure = Measure.NOTHING
    at_least: bool = False


class Checked(NamedTuple):
    """One rule's answer. used, limit: in the rule's measure; limit None: it did not apply."""

    code: Reason
    used: int
    limit: int | None
    measure: Measure
    passed: bool


def _must(code: Reason, holds: Callable[[Case], bool]) -> Rule:
    """A rule that measures nothing: it holds or it does not."""
    return Rule(code, lambda case: int(holds(case)), lambda _: 1, at_least=True)


def _when(on: Callable[[Case], int], limit: Number) -> Allowance:
    """A limit that applies only where *on* is not zero."""
    return lambda case: limit(case) if on(case) else None


def _is_reduce_only(case: Case) -> bool:
    return case.account_state is AccountState.REDUCE_ONLY


def _collar_ticks(case: Case) -> int:
    return case.reference_ticks * case.instrument.collar_ppm // PPM


def _mark_age_ns(case: Case) -> int:
    """A mark from the future is as doubtful as an old one: one of the two clocks is wrong."""
    return abs(case.now_ns - case.mark.at_ns) if case.mark is not None else 0


def _ms_since(at_ns: int, now_ns: int) -> int:
    """Return the milliseconds that *at_ns* is past, rounded up; the very moment counts as past."""
    return max(0, ceil_div(now_ns - at_ns + 1, NS_PER_MS))


R, M = Reason, Measure
RULES: Final[tuple[Rule, ...]] = (
    _must(R.UNKNOWN_SYMBOL, lambda c: c.units is not None),
    _must(R.INSTRUMENT_NOT_TRADABLE, lambda c: c.instrument.state is InstrumentState.TRADING),
    _must(R.RESTRICTED_SYMBOL, lambda c: c.terms.symbol not in c.limits.restricted_symbols),
    _must(R.ACCOUNT_SUSPENDED, lambda c: c.account_state is not AccountState.HALTED),
    _must(R.ACCOUNT_CANCEL_ONLY, lambda c: c.account_state is not AccountState.CANCEL_ONLY),
    Rule(
        R.ACCOUNT_REDUCE_ONLY, lambda c: c.terms.lots,
        _when(_is_reduce_only, lambda c: c.reducible_lots), M.LOTS,
    ),
    Rule(
        R.REDUCE_ONLY, lambda c: c.terms.lots,
        _when(lambda c: c.terms.reduce_only, lambda c: c.reducible_lots), M.LOTS,
    ),
    Rule(
        R.QUANTITY_MIN, lambda c: c.terms.lots,
        lambda c: max(1, c.instrument.quantity_min_lots), M.LOTS, at_least=True,
    ),
    Rule(
        R.QUANTITY_MAX, lambda c: c.terms.lots,
        _when(lambda c: c.instrument.quantity_max_lots, lambda c: c.instrument.quantity_max_lots),
        M.LOTS,
    ),
    Rule(
        R.ALREADY_EXPIRED, lambda c: _ms_since(c.terms.expires_ns, c.now_ns),
        _when(lambda c: c.terms.time_in_force in TIMED, lambda _: 0), M.MS,
    ),
    Rule(
        R.DEADLINE_PASSED, lambda c: _ms_since(c.terms.deadline_ns, c.now_ns),
        _when(lambda c: c.terms.deadline_ns, lambda _: 0), M.MS,
    ),
    _must(R.NO_REFERENCE_PRICE, lambda c: c.mark is not None),
    Rule(
        R.MARKET_DATA_STALE, lambda c: ceil_div(_mark_age_ns(c), NS_PER_MS),
        lambda c: c.instrument.mark_age_max_ms, M.MS,
    ),
    _must(R.WOULD_TRIGGER, lambda c: not c.terms.fires_at(c.mark_ticks)),
    Rule(
        R.MIN_NOTIONAL, lambda c: c.notional,
        lambda c: c.instrument.notional_min, M.QUOTE, at_least=True,
    ),
    Rule(
        R.MAX_NOTIONAL, lambda c: c.notional,
        lambda c: c.instrument.notional_max or UNITS_MAX, M.QUOTE,
    ),
    Rule(
        R.PRICE_COLLAR, lambda c: abs(c.terms.ticks - c.reference_ticks),
        _when(lambda c: c.terms.ticks and c.instrument.collar_ppm, _collar_ticks), M.TICKS,
    ),
    Rule(
        R.MAX_OPEN_ORDERS, lambda c: c.open_orders + 1,
        _when(lambda c: c.limits.max_open_orders, lambda c: c.limits.max_open_orders), M.COUNT,
    ),
    Rule(
        R.MAX_ORDER_VALUE, lambda c: c.value,
        _when(lambda c: c.limits.max_order_value, lambda c: c.limits.max_order_value), M.QUOTE,
    ),
    Rule(R.MAX_BALANCE, lambda c: c.coming_units + c.brings, lambda _: BALANCE_MAX, M.GOT),
    Rule(R.INSUFFICIENT_BALANCE, lambda c: c.hold, lambda c: c.free, M.PAID),
)  # fmt: skip


def check(rule: Rule, case: Case) -> Checked:
    """Return what *rule* says of *case*."""
    limit = rule.limit(case)
    used = rule.used(case)
    passed = limit is None or (used >= limit if rule.at_least else used <= limit)
    return Checked(rule.code, used, limit, rule.measure, passed)


def refusal(case: Case) -> Checked | None:
    """Return the first rule that refuses, or None: the order may go."""
    for rule in RULES:
        checked = check(rule, case)
        if not checked.passed:
            return checked
    return None


def explain(case: Case) -> list[Checked]:
    """Return what every rule says, up to the first without which the next cannot be asked."""
    found = []
    for rule in RULES:
        found.append(check(rule, case))
        if not found[-1].passed and rule.code in _INPUTS:
            break
    return found


_INPUTS: Final = frozenset({R.UNKNOWN_SYMBOL, R.NO_REFERENCE_PRICE})

"""Lanes: one account in one symbol, with all that an order needs at hand. Worked out, never stored.

A lane is an index over the book's state: which balances and position an order moves, how much is
pending a side, and the rules of risk/domain/rules.py as bounds for the plain order (`Gate`). It is
never a second law: what a gate does not let pass is judged by the rules, and a property test holds
"a gate lets it pass" and "no rule refuses" together.
"""

from typing import TYPE_CHECKING, Final

from marketdata.domain.instrument import UNITS_MAX, Units
from marketdata.domain.mark import Mark
from oms_project.kernel.numbers import NS_PER_MS, PPM
from oms_project.kernel.words import AccountState, InstrumentState, OrderType, Side, TimeInForce
from risk.domain.limits import Limits
from risk.domain.rules import BALANCE_MAX, market_worst

if TYPE_CHECKING:
    from oms_project.kernel.terms import Terms
    from orders.domain.book import Account, Balance
    from risk.domain.position import Position

_BUY: Final = Side.BUY
_DAY: Final = TimeInForce.DAY
_LIMIT, _MARKET = OrderType.LIMIT, OrderType.MARKET
NEVER: Final = -1
"""A bound below every number: nothing passes."""


class Gate:
    """The rules for a plain order of one lane as bounds; worked out from one mark.

    worst_*: a market order's worst price; *_max and *_min are inclusive; an account or instrument
    that needs more than bounds (not active, restricted, halted) has lots_max NEVER.
    """

    __slots__ = (
        "at_max_ns", "at_min_ns", "fee_ppm", "lots_max", "lots_min", "mark", "mark_ticks",
        "notional_max", "notional_min", "open_max", "ticks_max", "ticks_min", "value_max",
        "worst_buy", "worst_sell",
    )  # fmt: skip

    def __init__(self, units: Units, mark: Mark, state: AccountState, limits: Limits) -> None:
        one = units.instrument
        ticks = mark.ticks
        self.mark = mark
        self.mark_ticks = ticks
        # The rule rounds the age up to a millisecond: within the limit is within its whole ones.
        age_max_ns = one.mark_age_max_ms * NS_PER_MS
        self.at_min_ns = mark.at_ns - age_max_ns
        self.at_max_ns = mark.at_ns + age_max_ns
        self.lots_min = max(1, one.quantity_min_lots)
        self.lots_max = one.quantity_max_lots or UNITS_MAX
        plain = state is AccountState.ACTIVE and one.state is InstrumentState.TRADING
        if not plain or one.symbol in limits.restricted_symbols:
            self.lots_max = NEVER
        self.notional_min = one.notional_min
        self.notional_max = one.notional_max or UNITS_MAX
        self.value_max = limits.max_order_value or BALANCE_MAX
        collar = ticks * one.collar_ppm // PPM if one.collar_ppm else UNITS_MAX
        self.ticks_min = ticks - collar
        self.ticks_max = ticks + collar
        self.open_max = limits.max_open_orders or UNITS_MAX
        self.worst_buy = market_worst(ticks, one, 1)
        self.worst_sell = market_worst(ticks, one, -1)
        self.fee_ppm = one.taker_fee_ppm


class Lane:
    """One account in one symbol.

    base, quote: the account's balances; position: the account's, None before the first trade;
    buy_lots, sell_lots: what its open orders may still trade, a side.
    """

    __slots__ = (
        "account", "base", "base_asset", "buy_lots", "gate", "lot_units", "maker_ppm", "position",
        "quote", "quote_asset", "sell_lots", "symbol", "taker_ppm", "tick_lot_units", "units",
    )  # fmt: skip

    def __init__(self, account: "Account", units: Units) -> None:
        instrument = units.instrument
        self.account = account
        self.symbol = instrument.symbol
        self.base_asset = instrument.base
        self.quote_asset = instrument.quote
        self.base: Balance = account.balance(instrument.base)
        self.quote: Balance = account.balance(instrument.quote)
        self.position: Position | None = account.positions.get(instrument.symbol)
        self.buy_lots = 0
        self.sell_lots = 0
        self.gate: Gate | None
        self.lot_units = units.lot_units
        self.tick_lot_units = units.tick_lot_units
        self.list_again(units)

    def list_again(self, units: Units) -> None:
        """The instrument changed: tick, lot and assets never do, the bounds may."""
        self.units = units
        self.taker_ppm = units.instrument.taker_fee_ppm
        self.maker_ppm = units.instrument.maker_fee_ppm
        self.gate = None

    def reducible_lots(self, sign: int, more_lots: int = 0) -> int:
        """Return how many lots an order of this side may have and only reduce the position.

        more_lots: pending besides what is.
        """
        position = self.position
        if position is None or position.net_lots * sign >= 0:
            return 0
        pending = self.buy_lots if sign > 0 else self.sell_lots
        return max(0, abs(position.net_lots) - pending - more_lots)

    def coming_units(self, sign: int) -> int:
        """Return what the account has, or its orders here may bring, of what an order is paid in."""
        if sign > 0:
            base = self.base
            return base.free + base.locked + self.buy_lots * self.lot_units
        quote = self.quote
        return quote.free + quote.locked

    def pend(self, sign: int, lots: int) -> None:
        """Count *lots* more (or fewer) as open on a side."""
        if sign > 0:
            self.buy_lots += lots
        else:
            self.sell_lots += lots

    def passes(self, terms: "Terms", mark: Mark | None, at_ns: int) -> tuple[int, int] | None:
        """Return (worst_ticks, hold) if every rule lets the plain order pass, else None: ask them.

        The hot path: once an order, so all in one function.
        """
        gate = self.gate
        if gate is None or gate.mark is not mark:
            if mark is None:
                return None
            account = self.account
            gate = self.gate = Gate(self.units, mark, account.state, account.limits)
        lots = terms.lots
        if (
            terms.flags
            or terms.extras is not None
            or terms.time_in_force is _DAY
            or (terms.type is not _LIMIT and terms.type is not _MARKET)
            or not gate.lots_min <= lots <= gate.lots_max
            or not gate.at_min_ns <= at_ns <= gate.at_max_ns
            or len(self.account.open) >= gate.open_max
        ):
            return None
        ticks = terms.ticks
        buys = terms.side is _BUY
        tick_lot_units = self.tick_lot_units
        if ticks:
            if not gate.ticks_min <= ticks <= gate.ticks_max:
                return None
            worst = ticks
            notional = value = worst_notional = ticks * lots * tick_lot_units
        else:
            worst = gate.worst_buy if buys else gate.worst_sell
            notional = gate.mark_ticks * lots * tick_lot_units
            worst_notional = worst * lots * tick_lot_units
            value = max(worst_notional, notional)
        if not gate.notional_min <= notional <= gate.notional_max or value > gate.value_max:
            return None
        if buys:
            hold = worst_notional - (-worst_notional * gate.fee_ppm // PPM)
            base = self.base
            coming = base.free + base.locked + (self.buy_lots + lots) * self.lot_units
            if hold > self.quote.free or coming > BALANCE_MAX:
                return None
            return worst, hold
        hold = lots * self.lot_units
        quote = self.quote
        if hold > self.base.free or quote.free + quote.locked + value > BALANCE_MAX:
            return None
        return worst, hold

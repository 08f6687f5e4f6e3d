"""Builders of the risk law's tests: a check that passes, to be spoiled one field at a time."""

from typing import Any

import msgspec

from marketdata.domain.instrument import Instrument, Units
from marketdata.domain.mark import Mark
from oms_project.kernel.terms import NO_EXTRAS, Extras, Flag, Terms
from oms_project.kernel.words import AccountState, OrderType, Side, TimeInForce
from risk.domain.limits import Limits
from risk.domain.rules import Case, Reason, refusal

NOW_NS = 1_790_000_000_000_000_000
AGE_MAX_NS = 5_000_000_000
TICKS = 10_000
PLENTY = 10**15


def an_instrument(**changes: Any) -> Instrument:
    """One lot at one tick is worth 100 smallest units; one lot is 10,000."""
    made = Instrument(
        symbol="BTC-USD", base="BTC", quote="USD", tick_size="0.01", lot_size="0.0001",
        quantity_min_lots=2, quantity_max_lots=1_000, notional_min=4_000_000,
        notional_max=500_000_000,
    )  # fmt: skip
    return msgspec.structs.replace(made, **changes)


def a_mark(ticks: int = TICKS, age_ns: int = 0) -> Mark:
    return Mark("BTC-USD", ticks, ticks - 1, ticks + 1, NOW_NS - age_ns)


def a_case(**changes: Any) -> Case:
    """Return the case of a limit order to buy 10 lots at the mark that every rule lets pass.

    *changes*: fields of Case and of Terms; sign; instrument: an Instrument, None for an unknown
    symbol; reducible: lots that an order of this side may reduce; reduce_only: its flag; extras: what
    Extras has.
    """
    values: dict[str, Any] = {
        "account_state": AccountState.ACTIVE, "free": PLENTY, "limits": Limits(), "lots": 10,
        "mark": a_mark(), "now_ns": NOW_NS, "open_orders": 0, "sign": 1, "ticks": TICKS,
        "instrument": an_instrument(), "reducible": 0, "reduce_only": False, "coming_units": 0,
        "tif": TimeInForce.GTC, "extras": {}, "type": None,
    } | changes  # fmt: skip
    instrument, ticks = values.pop("instrument"), values.pop("ticks")
    kind = values.pop("type") or (OrderType.LIMIT if ticks else OrderType.MARKET)
    terms = Terms(
        "BTC-USD", Side.BUY if values.pop("sign") > 0 else Side.SELL,
        kind, values.pop("tif"), values.pop("lots"), ticks,
        Flag.REDUCE_ONLY if values.pop("reduce_only") else 0,
    )  # fmt: skip
    extras = Extras(**values.pop("extras"))
    if extras != NO_EXTRAS:
        terms = msgspec.structs.replace(terms, extras=extras)
    return Case(
        terms=terms, reducible_lots=values.pop("reducible"),
        units=Units(instrument) if instrument is not None else None, **values,
    )  # fmt: skip


def said(case: Case) -> Reason | None:
    """Return why the case is refused, None if it is not."""
    found = refusal(case)
    return found.code if found is not None else None

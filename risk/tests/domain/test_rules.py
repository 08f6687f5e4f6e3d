"""The pre-trade rules as rows, one table a rule, and the order in which they speak."""

import itertools
from typing import Any

import pytest

from marketdata.domain.instrument import TICKS_MAX, UNITS_MAX
from oms_project.kernel.words import AccountState, InstrumentState, OrderType, TimeInForce
from risk.domain.limits import Limits
from risk.domain.rules import BALANCE_MAX, RULES, Measure, Reason, check, explain, refusal
from risk.tests.domain.build import (
    AGE_MAX_NS,
    NOW_NS,
    PLENTY,
    TICKS,
    a_case,
    a_mark,
    an_instrument,
    said,
)

R = Reason
MARKET = {"ticks": 0}
SELL = {"sign": -1}
STOP = {"type": OrderType.STOP, "ticks": 0, "extras": {"stop_ticks": 15_000}}
STOP_LIMIT = STOP | {"type": OrderType.STOP_LIMIT}
Row = tuple[dict[str, Any], Reason | None]


def instrument(**changes: Any) -> dict[str, Any]:
    return {"instrument": an_instrument(**changes)}


def limits(**changes: Any) -> dict[str, Any]:
    return {"limits": Limits(**changes)}


KNOWN: list[Row] = [
    ({}, None),
    ({"instrument": None}, R.UNKNOWN_SYMBOL),
    ({"instrument": None} | MARKET | SELL, R.UNKNOWN_SYMBOL),
]
TRADABLE: list[Row] = [
    (instrument(state=InstrumentState.TRADING), None),
    (instrument(state=InstrumentState.HALTED), R.INSTRUMENT_NOT_TRADABLE),
    (instrument(state=InstrumentState.DELISTED), R.INSTRUMENT_NOT_TRADABLE),
    (instrument(state=InstrumentState.HALTED) | MARKET, R.INSTRUMENT_NOT_TRADABLE),
]
RESTRICTED: list[Row] = [
    (limits(restricted_symbols=("BTC-USD",)), R.RESTRICTED_SYMBOL),
    (limits(restricted_symbols=("ETH-USD", "BTC-USD")) | SELL, R.RESTRICTED_SYMBOL),
    (limits(restricted_symbols=("ETH-USD", "BTC")), None),
    (limits(restricted_symbols=()), None),
]
ACCOUNT: list[Row] = [
    ({"account_state": AccountState.ACTIVE}, None),
    ({"account_state": AccountState.HALTED}, R.ACCOUNT_SUSPENDED),
    ({"account_state": AccountState.HALTED, "reducible": 10}, R.ACCOUNT_SUSPENDED),
    ({"account_state": AccountState.CANCEL_ONLY, "reducible": 10}, R.ACCOUNT_CANCEL_ONLY),
    ({"account_state": AccountState.REDUCE_ONLY}, R.ACCOUNT_REDUCE_ONLY),
    ({"account_state": AccountState.REDUCE_ONLY, "reducible": 9}, R.ACCOUNT_REDUCE_ONLY),
    ({"account_state": AccountState.REDUCE_ONLY, "reducible": 10}, None),
    ({"account_state": AccountState.REDUCE_ONLY, "reducible": 11} | SELL, None),
]
QUANTITY: list[Row] = [
    ({"lots": 2} | instrument(notional_min=0), None),
    ({"lots": 1} | instrument(notional_min=0), R.QUANTITY_MIN),
    ({"lots": 0}, R.QUANTITY_MIN),
    ({"lots": -5}, R.QUANTITY_MIN),
    ({"lots": 1_000} | instrument(notional_max=0, quantity_max_lots=999), R.QUANTITY_MAX),
    ({"lots": 1_000} | instrument(notional_max=0, quantity_max_lots=1_000), None),
    ({"lots": 1_001} | instrument(notional_max=0, quantity_max_lots=1_000), R.QUANTITY_MAX),
    ({"lots": 10**8} | instrument(notional_max=0, quantity_max_lots=0), None),
]
REDUCING: list[Row] = [
    ({"reduce_only": True}, R.REDUCE_ONLY),
    ({"reduce_only": True, "reducible": 9}, R.REDUCE_ONLY),
    ({"reduce_only": True, "reducible": 10}, None),
    ({"reduce_only": False, "reducible": 0}, None),
]
TIMES: list[Row] = [
    ({"tif": TimeInForce.GTD, "extras": {"expires_ns": NOW_NS + 1}}, None),
    ({"tif": TimeInForce.GTD, "extras": {"expires_ns": NOW_NS}}, R.ALREADY_EXPIRED),
    ({"tif": TimeInForce.DAY, "extras": {"expires_ns": NOW_NS - 1}}, R.ALREADY_EXPIRED),
    ({"tif": TimeInForce.GTD}, R.ALREADY_EXPIRED),  # a foreign one that has no end: fail closed
    ({"extras": {"deadline_ns": NOW_NS + 1}}, None),
    ({"extras": {"deadline_ns": NOW_NS}}, R.DEADLINE_PASSED),
    ({"extras": {"deadline_ns": 1}} | MARKET, R.DEADLINE_PASSED),
]
FRESH: list[Row] = [
    ({"mark": None}, R.NO_REFERENCE_PRICE),
    ({"mark": a_mark(age_ns=AGE_MAX_NS)}, None),
    ({"mark": a_mark(age_ns=AGE_MAX_NS + 1)}, R.MARKET_DATA_STALE),
    ({"mark": a_mark(age_ns=-AGE_MAX_NS)}, None),
    # One of two clocks is wrong; which, nobody knows: fail closed.
    ({"mark": a_mark(age_ns=-AGE_MAX_NS - 1)}, R.MARKET_DATA_STALE),
    ({"mark": a_mark(age_ns=2_000_001)} | instrument(mark_age_max_ms=2), R.MARKET_DATA_STALE),
    ({"mark": a_mark(age_ns=2_000_000)} | instrument(mark_age_max_ms=2), None),
]
# The mark is 10,000: a stop waits for a worse price than that, a take-profit for a better one.
WAITING: list[Row] = [
    ({"type": kind, "ticks": 0, "sign": sign, "extras": {"stop_ticks": stop}}, reason)
    for kind, sign, stop, reason in (
        (OrderType.STOP, 1, 10_001, None),
        (OrderType.STOP, 1, 10_000, R.WOULD_TRIGGER),
        (OrderType.STOP, -1, 9_999, None),
        (OrderType.STOP, -1, 10_000, R.WOULD_TRIGGER),
        (OrderType.TAKE_PROFIT, 1, 9_999, None),
        (OrderType.TAKE_PROFIT, 1, 10_000, R.WOULD_TRIGGER),
        (OrderType.TAKE_PROFIT, -1, 10_001, None),
        (OrderType.TAKE_PROFIT, -1, 9_000, R.WOULD_TRIGGER),
    )
]
# 10 lots at 10,000 ticks are worth 10,000,000 units.
NOTIONAL: list[Row] = [
    (instrument(notional_min=10_000_000), None),
    (instrument(notional_min=10_000_001), R.MIN_NOTIONAL),
    (instrument(notional_max=10_000_000), None),
    (instrument(notional_max=9_999_999), R.MAX_NOTIONAL),
    (instrument(notional_min=0, notional_max=0) | {"ticks": 5_000}, None),
    ({"ticks": 9_999} | instrument(notional_min=10_000_000), R.MIN_NOTIONAL),
    (MARKET | instrument(notional_min=10_000_000), None),  # at the mark, not at its cap
    (MARKET | instrument(notional_min=10_000_001), R.MIN_NOTIONAL),
    (MARKET | instrument(notional_max=9_999_999), R.MAX_NOTIONAL),
    (MARKET | SELL | instrument(notional_max=9_999_999), R.MAX_NOTIONAL),
    # Without a filter the product's own bound holds: sums must fit 64 bits.
    (
        {"ticks": TICKS_MAX, "lots": 10**6, "free": 10**30, "mark": a_mark(TICKS_MAX)}
        | instrument(notional_max=0, quantity_max_lots=0),
        R.MAX_NOTIONAL,
    ),
    (
        {"ticks": 10**9, "lots": 10**7, "free": 2 * UNITS_MAX, "mark": a_mark(10**9)}
        | instrument(notional_max=0, quantity_max_lots=0),
        None,
    ),
]
COLLAR: list[Row] = [
    ({"ticks": 11_000} | instrument(collar_ppm=100_000), None),
    ({"ticks": 11_001} | instrument(collar_ppm=100_000), R.PRICE_COLLAR),
    ({"ticks": 9_000} | instrument(collar_ppm=100_000), None),
    ({"ticks": 8_999} | instrument(collar_ppm=100_000), R.PRICE_COLLAR),
    ({"ticks": 8_999} | SELL | instrument(collar_ppm=100_000), R.PRICE_COLLAR),
    ({"ticks": 10_000} | instrument(collar_ppm=1), None),
    ({"ticks": 10_001} | instrument(collar_ppm=1), R.PRICE_COLLAR),
    ({"ticks": 30_000} | instrument(collar_ppm=0), None),  # 0 switches it off
    (MARKET | instrument(collar_ppm=1), None),  # capped, not collared
    # A limit behind a stop is judged by the stop, which is where it will be sent.
    (STOP_LIMIT | {"ticks": 15_000} | instrument(collar_ppm=1), None),
    (STOP_LIMIT | {"ticks": 15_001} | instrument(collar_ppm=1), R.PRICE_COLLAR),
]
LIMITS: list[Row] = [
    (limits(max_open_orders=3) | {"open_orders": 2}, None),
    (limits(max_open_orders=3) | {"open_orders": 3}, R.MAX_OPEN_ORDERS),
    (limits(max_open_orders=3) | {"open_orders": 4}, R.MAX_OPEN_ORDERS),
    ({"open_orders": 10**6}, None),
    (limits(max_order_value=10_000_000), None),
    (limits(max_order_value=9_999_999), R.MAX_ORDER_VALUE),
    # A market buy may pay up to its cap, 5 % above the mark.
    (limits(max_order_value=10_500_000) | MARKET, None),
    (limits(max_order_value=10_499_999) | MARKET, R.MAX_ORDER_VALUE),
    # a market sell is worth what the mark says, not what its cap below it says
    (limits(max_order_value=10_000_000) | MARKET | SELL, None),
    (limits(max_order_value=9_999_999) | MARKET | SELL, R.MAX_ORDER_VALUE),
]
# A buy holds 10,000,000 and 0.1 % of it; a sell its lots.
PAID: list[Row] = [
    ({"free": 10_010_000}, None),
    ({"free": 10_009_999}, R.INSUFFICIENT_BALANCE),
    ({"free": 0}, R.INSUFFICIENT_BALANCE),
    ({"free": -1}, R.INSUFFICIENT_BALANCE),
    ({"free": 100_000} | SELL, None),
    ({"free": 99_999} | SELL, R.INSUFFICIENT_BALANCE),
    ({"free": 10_510_500} | MARKET, None),
    ({"free": 10_510_499} | MARKET, R.INSUFFICIENT_BALANCE),
    ({"free": 100_000} | MARKET | SELL, None),
    # A stop to buy may pay up to the cap beyond its stop.
    (STOP | {"free": 15_765_750}, None),
    (STOP | {"free": 15_765_749}, R.INSUFFICIENT_BALANCE),
]
GOT: list[Row] = [
    ({"coming_units": BALANCE_MAX - 100_000}, None),
    ({"coming_units": BALANCE_MAX - 99_999}, R.MAX_BALANCE),
    ({"coming_units": BALANCE_MAX - 10_000_000} | SELL, None),
    ({"coming_units": BALANCE_MAX - 9_999_999} | SELL, R.MAX_BALANCE),
    ({"coming_units": BALANCE_MAX - 10_000_000} | SELL | MARKET, None),
]
TABLES = {
    (R.UNKNOWN_SYMBOL,): KNOWN,
    (R.INSTRUMENT_NOT_TRADABLE,): TRADABLE,
    (R.RESTRICTED_SYMBOL,): RESTRICTED,
    (R.ACCOUNT_SUSPENDED, R.ACCOUNT_CANCEL_ONLY, R.ACCOUNT_REDUCE_ONLY): ACCOUNT,
    (R.REDUCE_ONLY,): REDUCING,
    (R.QUANTITY_MIN, R.QUANTITY_MAX): QUANTITY,
    (R.ALREADY_EXPIRED, R.DEADLINE_PASSED): TIMES,
    (R.NO_REFERENCE_PRICE, R.MARKET_DATA_STALE): FRESH,
    (R.WOULD_TRIGGER,): WAITING,
    (R.MIN_NOTIONAL, R.MAX_NOTIONAL): NOTIONAL,
    (R.PRICE_COLLAR,): COLLAR,
    (R.MAX_OPEN_ORDERS, R.MAX_ORDER_VALUE): LIMITS,
    (R.MAX_BALANCE,): GOT,
    (R.INSUFFICIENT_BALANCE,): PAID,
}
ROWS = [
    pytest.param(changes, reason, id=f"{codes[0]}-{number}")
    for codes, table in TABLES.items()
    for number, (changes, reason) in enumerate(table)
]


@pytest.mark.parametrize(("changes", "reason"), ROWS)
def test_rule(changes: dict[str, Any], reason: Reason | None) -> None:
    assert said(a_case(**changes)) is reason


def test_every_rule_has_a_table_that_refuses() -> None:
    """A new rule fails here until its rows exist; the tables stand in the order of the rules."""
    assert [rule.code for rule in RULES] == [code for codes in TABLES for code in codes]
    for codes, table in TABLES.items():
        assert {reason for _, reason in table} == {None, *codes}
    outside = {R.DUPLICATE_CLIENT_ORDER_ID, R.ATOMIC_BATCH}  # said by decide itself
    assert {rule.code for rule in RULES} | outside == set(Reason)


@pytest.mark.parametrize(
    ("changes", "reason", "used", "limit", "measure"),
    [
        ({"ticks": 11_001} | instrument(collar_ppm=100_000), R.PRICE_COLLAR, 1_001, 1_000, "ticks"),
        ({"free": 10_009_999}, R.INSUFFICIENT_BALANCE, 10_010_000, 10_009_999, Measure.PAID),
        (
            limits(max_order_value=9_999_999),
            R.MAX_ORDER_VALUE,
            10_000_000,
            9_999_999,
            Measure.QUOTE,
        ),
        ({"reduce_only": True, "reducible": 4}, R.REDUCE_ONLY, 10, 4, "lots"),
        ({"mark": a_mark(age_ns=AGE_MAX_NS + 1)}, R.MARKET_DATA_STALE, 5_001, 5_000, "ms"),
    ],
)
def test_a_refusal_says_what_it_measured_and_what_is_allowed(
    changes: dict[str, Any], reason: Reason, used: int, limit: int, measure: str
) -> None:
    found = refusal(a_case(**changes))
    assert found is not None
    assert (found.code, found.used, found.limit, found.measure) == (reason, used, limit, measure)


@pytest.mark.parametrize(("changes", "reason"), ROWS)
def test_explaining_says_what_refusing_says(changes: dict[str, Any], reason: Reason | None) -> None:
    """Every rule in order, each as alone; the first that fails is the refusal."""
    case = a_case(**changes)
    told = explain(case)
    assert [one.code for one in told] == [rule.code for rule in RULES][: len(told)]
    assert next((one.code for one in told if not one.passed), None) is reason
    for rule, one in zip(RULES, told, strict=False):
        assert check(rule, case) == one


# One way to fall through each reason, in the order in which they must be said.
SPOILS: list[tuple[Reason, dict[str, Any]]] = [
    (R.INSTRUMENT_NOT_TRADABLE, {"state": InstrumentState.HALTED}),
    (R.RESTRICTED_SYMBOL, {"restricted_symbols": ("BTC-USD",)}),
    (R.ACCOUNT_SUSPENDED, {"account_state": AccountState.HALTED}),
    (R.QUANTITY_MIN, {"quantity_min_lots": 11}),
    (R.QUANTITY_MAX, {"quantity_max_lots": 9}),
    (R.NO_REFERENCE_PRICE, {"mark": None}),
    (R.MIN_NOTIONAL, {"notional_min": 10**12}),
    (R.MAX_NOTIONAL, {"notional_max": 1}),
    (R.PRICE_COLLAR, {"collar_ppm": 1, "ticks": 10_100}),
    (R.MAX_OPEN_ORDERS, {"max_open_orders": 1, "open_orders": 1}),
    (R.MAX_ORDER_VALUE, {"max_order_value": 1}),
    (R.INSUFFICIENT_BALANCE, {"free": 0}),
]
_OF_INSTRUMENT = {
    "state", "quantity_min_lots", "quantity_max_lots", "notional_min", "notional_max", "collar_ppm",
}  # fmt: skip
_OF_LIMITS = {"restricted_symbols", "max_open_orders", "max_order_value"}


def spoiled(*spoils: dict[str, Any]) -> dict[str, Any]:
    """Return the changes of a check in which all of *spoils* are wrong at once."""
    merged = {name: value for spoil in spoils for name, value in spoil.items()}
    own = {n: v for n, v in merged.items() if n not in _OF_INSTRUMENT | _OF_LIMITS}
    of_instrument = {n: v for n, v in merged.items() if n in _OF_INSTRUMENT}
    of_limits = {n: v for n, v in merged.items() if n in _OF_LIMITS}
    return own | instrument(**of_instrument) | limits(**of_limits)


@pytest.mark.parametrize(
    ("first", "second"),
    [pytest.param(a, b, id=f"{a[0]}<{b[0]}") for a, b in itertools.combinations(SPOILS, 2)],
)
def test_the_first_reason_wins(
    first: tuple[Reason, dict[str, Any]], second: tuple[Reason, dict[str, Any]]
) -> None:
    """Of two that hold, the one whose rule stands first is said; alone, each is."""
    assert said(a_case(**spoiled(first[1]))) is first[0]
    assert said(a_case(**spoiled(second[1]))) is second[0]
    assert said(a_case(**spoiled(first[1], second[1]))) is first[0]


@pytest.mark.parametrize("sign", [1, -1], ids=["buy", "sell"])
@pytest.mark.parametrize("ticks", [TICKS, 0], ids=["limit", "market"])
@pytest.mark.parametrize(
    ("mark", "reason"),
    [
        (None, R.NO_REFERENCE_PRICE),
        (a_mark(age_ns=AGE_MAX_NS + 1), R.MARKET_DATA_STALE),
        (a_mark(age_ns=10**18), R.MARKET_DATA_STALE),
    ],
    ids=["missing", "stale", "ancient"],
)
@pytest.mark.parametrize("state", [AccountState.ACTIVE, AccountState.REDUCE_ONLY])
def test_without_a_price_every_order_is_refused(
    mark: Any, reason: Reason, ticks: int, sign: int, state: AccountState
) -> None:
    """Fail closed: whatever the type and side, also with every filter switched off."""
    off = instrument(notional_min=0, notional_max=0, collar_ppm=0, quantity_max_lots=0)
    case = a_case(mark=mark, ticks=ticks, sign=sign, account_state=state, reducible=10, **off)
    assert said(case) is reason


@pytest.mark.parametrize(
    ("ticks", "sign", "cap_ppm", "worst", "hold"),
    [
        (10_000, 1, 50_000, 10_000, 10_010_000),
        (9_000, 1, 50_000, 9_000, 9_009_000),
        (10_000, -1, 50_000, 10_000, 100_000),
        (0, 1, 50_000, 10_500, 10_510_500),
        (0, -1, 50_000, 9_500, 100_000),
        (0, 1, 0, 10_000, 10_010_000),
        (0, 1, 33, 10_000, 10_010_000),  # 0.33 of a tick: a buyer's cap rounds down
        (0, -1, 33, 10_000, 100_000),  # and a seller's up
        (0, 1, 133, 10_001, 10_011_001),
    ],
)
def test_worst_price_and_hold(ticks: int, sign: int, cap_ppm: int, worst: int, hold: int) -> None:
    case = a_case(ticks=ticks, sign=sign, **instrument(market_cap_ppm=cap_ppm))
    assert said(case) is None
    assert (case.worst_ticks, case.hold) == (worst, hold)


def test_the_fee_in_a_hold_rounds_up() -> None:
    """A thousandth of 10,000,100 · 7 units is 70,000.7: held is one unit more."""
    case = a_case(lots=7, ticks=10_001, **instrument(taker_fee_ppm=1_001))
    assert said(case) is None
    notional = 7 * 10_001 * 100
    assert case.hold == notional + 7_008  # 7,007.7007
    assert case.hold < PLENTY

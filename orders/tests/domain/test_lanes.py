"""The bounds of the hot path are the rules: a gate lets pass what no rule refuses, and nothing else."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from marketdata.domain.mark import Mark, SetMarks
from oms_project.kernel.terms import Extras, Flag, Terms
from oms_project.kernel.words import AccountState, InstrumentState, OrderType, Side, TimeInForce
from oms_project.tests.examples import examples
from orders.domain.examine import case_of
from orders.tests.domain import build
from orders.tests.domain.build import ACCOUNT, BEGIN_NS
from risk.domain.limits import Limits
from risk.domain.rules import BALANCE_MAX, refusal


def near(*bounds: int) -> st.SearchStrategy[int]:
    """Draw numbers about where a bound may be."""
    return st.one_of(*[st.integers(max(0, bound - 2), bound + 2) for bound in bounds])


INSTRUMENTS = st.fixed_dictionaries(
    {
        "quantity_min_lots": st.integers(0, 5),
        "quantity_max_lots": st.sampled_from((0, 10, 1_000)),
        "notional_min": st.sampled_from((0, 1_000_000, 10_000_000)),
        "notional_max": st.sampled_from((0, 10_000_000, 10**15)),
        "collar_ppm": st.sampled_from((0, 1, 50_000, 333_333)),
        "market_cap_ppm": st.sampled_from((0, 33, 50_000)),
        "taker_fee_ppm": st.sampled_from((0, 500, 1_333)),
        "maker_fee_ppm": st.just(0),
        "mark_age_max_ms": st.sampled_from((0, 5, 5_000)),
        "state": st.sampled_from((InstrumentState.TRADING,) * 6 + (InstrumentState.HALTED,)),
    }
)
TERMS = st.builds(
    lambda side, lots, ticks, flags, tif, extras: Terms(
        "BTC-USD", side, OrderType.LIMIT if ticks else OrderType.MARKET, tif, lots, ticks, flags,
        extras,
    ),
    st.sampled_from(Side), near(0, 5, 10, 1_000), near(0, 500, 9_500, 10_000, 10_500, 13_333),
    st.sampled_from((0, 0, 0, int(Flag.REDUCE_ONLY))),
    st.sampled_from((*[TimeInForce.GTC] * 5, TimeInForce.DAY)),
    st.sampled_from((*[None] * 5, Extras(deadline_ns=1))),
)  # fmt: skip
LIMITS = st.builds(
    Limits, max_open_orders=st.sampled_from((0, 0, 1, 2)),
    max_order_value=st.sampled_from((0, 0, 10_000_000, 10_500_000)),
    restricted_symbols=st.sampled_from(((), (), (), ("BTC-USD",))),
)  # fmt: skip


@given(
    INSTRUMENTS, TERMS, LIMITS,
    st.sampled_from((AccountState.ACTIVE,) * 6 + tuple(AccountState)),
    st.fixed_dictionaries({"USD": near(0, 10_010_000, 10**12), "BTC": near(0, 100_000, 10**18)}),
    st.sampled_from((0, 0, 1, 1_000_000, 5_000_000, 5_000_001, 5_000_000_000, 5_000_000_001)),
    st.sampled_from((1, -1)), st.booleans(), st.booleans(),
)  # fmt: skip
@examples(600)
def test_a_gate_lets_pass_what_no_rule_refuses(
    spec: dict[str, Any], terms: Terms, limits: Limits, state: AccountState, funds: dict[str, int],
    age_ns: int, sign: int, marked: bool, busy: bool,
) -> None:  # fmt: skip
    """Same verdict, same worst price, same hold; what is no plain order is always left to the rules."""
    desk = build.Desk(build.an_instrument(**spec), funds=funds)
    if busy:
        desk.do(build.place(build.new_order(9, lots=3)))
    desk.do(build.account(state=state, limits=limits))
    at_ns = BEGIN_NS + 10**12
    if marked:
        mark = Mark("BTC-USD", 10_000, 9_999, 10_001, at_ns - sign * age_ns)
        desk.do(SetMarks((mark,)))
    else:
        desk.book.state.marks.clear()
    account = desk.book.state.accounts[ACCOUNT]
    lane = desk.book.lane(account, "BTC-USD")
    assert lane is not None
    case = case_of(desk.book, account, terms, at_ns)
    passed = lane.passes(terms, desk.book.state.marks.get("BTC-USD"), at_ns)
    special = terms.flags or terms.extras or terms.time_in_force is TimeInForce.DAY
    if special or state is not AccountState.ACTIVE:
        assert passed is None
    elif refusal(case) is None:
        assert passed == (case.worst_ticks, case.hold)
    else:
        assert passed is None
    assert BALANCE_MAX > 10**18

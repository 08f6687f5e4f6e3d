"""What holds for every history of orders, cancels and books at the simulated venue."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from marketdata.domain.venue import SimulatedVenue
from marketdata.tests.build import MS_NS, NOW_NS, a_route, dice, symbol_prices
from oms_project.kernel.ports import CancelRoute, Report, ReportKind, Route

K = ReportKind
ASKS = ((101, 5), (102, 7), (105, 20))
BIDS = ((99, 5), (98, 7), (95, 20))
NUMBERS = st.integers(0, 30)


def an_order(number: int, sign: int, lots: int, limit_ticks: int, rests: bool) -> Route:
    return a_route(
        f"order-{number}",
        account_id=f"account-{number % 2}",
        sign=sign,
        lots=lots,
        limit_ticks=limit_ticks,
        rests=rests,
    )


orders = st.builds(
    an_order,
    NUMBERS,
    st.sampled_from([1, -1]),
    st.integers(1, 15),
    st.integers(90, 110),
    st.booleans(),
)
cancels = st.builds(
    lambda number: CancelRoute(f"order-{number}", f"account-{number % 2}", "BTC-USD"), NUMBERS
)
side = st.dictionaries(st.integers(1, 10), st.integers(1, 10), max_size=5)
Step = Sequence[Route | CancelRoute] | tuple[dict[int, int], dict[int, int]]
steps = st.lists(
    st.one_of(st.lists(st.one_of(orders, orders, cancels), max_size=5), st.tuples(side, side)),
    max_size=12,
)


def run(found: Sequence[Step], seed: int) -> tuple[list[Report], int]:
    """Play the steps; return all reports and how many lots the books offered in all."""
    venue = SimulatedVenue(dice(seed), latency_max_ms=20)
    venue.on_book(symbol_prices(bids=BIDS, asks=ASKS), NOW_NS)
    offered = sum(lots for _, lots in (*BIDS, *ASKS))
    reports: list[Report] = []
    for number, step in enumerate(found):
        now_ns = NOW_NS + number * 7 * MS_NS
        if isinstance(step, tuple):
            below, above = step
            bids = sorted(((100 - away, lots) for away, lots in below.items()), reverse=True)
            asks = sorted((100 + away, lots) for away, lots in above.items())
            offered += sum(lots for _, lots in (*bids, *asks))
            venue.on_book(symbol_prices(bids=bids, asks=asks), now_ns)
        else:
            venue.route(step, now_ns)
        for _, found_now in venue.reports(now_ns):
            reports += found_now
    for _, rest in venue.reports(NOW_NS + 10**12):
        reports += rest
    return reports, offered


@settings(max_examples=100)
@given(steps, st.integers(0, 3))
def test_every_history_is_legal(found: list[Step], seed: int) -> None:
    """Numbers run 1, 2, 3 …; nobody gets more than ordered, nor beyond his limit, nor for free."""
    first: dict[str, Route] = {}
    for step in found:
        for route in step if isinstance(step, list) else ():
            if isinstance(route, Route):
                first.setdefault(route.order_id, route)
    reports, offered = run(found, seed)
    by_order: dict[str, list[Report]] = {}
    for report in reports:
        if report.reason != "unknown_order":
            by_order.setdefault(report.order_id, []).append(report)
    traded = 0
    for order_id, told in by_order.items():
        order = first[order_id]
        assert [one.execution for one in told] == list(range(1, len(told) + 1))
        assert told[0].kind is K.NEW
        trades = [one for one in told if one.kind is K.TRADE]
        traded += sum(one.lots for one in trades)
        assert sum(one.lots for one in trades) <= order.lots
        assert all(one.lots > 0 for one in trades)
        assert all(order.sign * one.ticks <= order.sign * order.limit_ticks for one in trades)
        ended = [at for at, one in enumerate(told) if one.kind is K.CANCELED]
        assert all(one.kind is K.CANCEL_REJECTED for at in ended for one in told[at + 1 :])
    assert traded <= offered
    assert set(by_order) == set(first)


@given(steps, st.integers(0, 3))
def test_same_seed_same_reports(found: list[Step], seed: int) -> None:
    assert run(found, seed) == run(found, seed)

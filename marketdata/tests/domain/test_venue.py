"""The simulated venue: every way an order can go, and that nothing is filled twice or for free."""

import pytest

from marketdata.domain.venue import SimulatedVenue
from marketdata.tests.build import MS_NS, NOW_NS, Pairs, a_route, dice, symbol_prices
from oms_project.kernel.ports import CancelRoute, Report, ReportKind, Route

K = ReportKind
ASKS = ((101, 5), (102, 7), (105, 20))
BIDS = ((99, 5), (98, 7), (95, 20))


def a_venue(
    *, bids: Pairs = BIDS, asks: Pairs = ASKS, latency_ms: tuple[int, int] = (0, 0), seed: int = 1
) -> SimulatedVenue:
    venue = SimulatedVenue(dice(seed), latency_min_ms=latency_ms[0], latency_max_ms=latency_ms[1])
    venue.on_book(symbol_prices(bids=bids, asks=asks), NOW_NS)
    return venue


def show(venue: SimulatedVenue, now_ns: int = NOW_NS) -> list[tuple[object, ...]]:
    """Return all due reports as (order, number, kind, lots, ticks or reason)."""
    return [
        (one.order_id, one.execution, one.kind, one.lots, one.reason or one.ticks)
        for _, reports in venue.reports(now_ns)
        for one in reports
    ]


def send(venue: SimulatedVenue, *routes: Route | CancelRoute) -> list[tuple[object, ...]]:
    venue.route(routes, NOW_NS)
    return [shown[1:] for shown in show(venue)]


CASES: list[tuple[str, Route, list[tuple[object, ...]], int]] = [
    (
        "a market buy within the first level",
        a_route(lots=3, limit_ticks=200, rests=False),
        [(1, K.NEW, 0, 0), (2, K.TRADE, 3, 101)],
        0,
    ),
    (
        "exactly one level",
        a_route(lots=5, limit_ticks=200, rests=False),
        [(1, K.NEW, 0, 0), (2, K.TRADE, 5, 101)],
        0,
    ),
    (
        "over three levels, each its own trade",
        a_route(lots=15, limit_ticks=200, rests=False),
        [(1, K.NEW, 0, 0), (2, K.TRADE, 5, 101), (3, K.TRADE, 7, 102), (4, K.TRADE, 3, 105)],
        0,
    ),
    (
        "a market sell",
        a_route(sign=-1, lots=6, limit_ticks=1, rests=False),
        [(1, K.NEW, 0, 0), (2, K.TRADE, 5, 99), (3, K.TRADE, 1, 98)],
        0,
    ),
    (
        "a market order stops at its cap",
        a_route(lots=15, limit_ticks=102, rests=False),
        [
            (1, K.NEW, 0, 0),
            (2, K.TRADE, 5, 101),
            (3, K.TRADE, 7, 102),
            (4, K.CANCELED, 0, "no_liquidity"),
        ],
        0,
    ),
    (
        "an IOC below the touch",
        a_route(lots=1, limit_ticks=100, rests=False),
        [(1, K.NEW, 0, 0), (2, K.CANCELED, 0, "no_liquidity")],
        0,
    ),
    ("a limit buy that rests", a_route(limit_ticks=100), [(1, K.NEW, 0, 0)], 1),
    (
        "a limit buy that fills in part and rests",
        a_route(lots=8, limit_ticks=101),
        [(1, K.NEW, 0, 0), (2, K.TRADE, 5, 101)],
        1,
    ),
    (
        "a FOK that can be had over two levels",
        a_route(lots=12, limit_ticks=102, rests=False, all_or_none=True),
        [(1, K.NEW, 0, 0), (2, K.TRADE, 5, 101), (3, K.TRADE, 7, 102)],
        0,
    ),
    (
        "a FOK that lacks one lot",
        a_route(lots=13, limit_ticks=102, rests=False, all_or_none=True),
        [(1, K.NEW, 0, 0), (2, K.CANCELED, 0, "fok_unfilled")],
        0,
    ),
    (
        "a FOK larger than the book",
        a_route(lots=99, limit_ticks=999, rests=False, all_or_none=True),
        [(1, K.NEW, 0, 0), (2, K.CANCELED, 0, "fok_unfilled")],
        0,
    ),
    (
        "a symbol without a book",
        a_route(symbol="NO-USD"),
        [(1, K.REJECTED, 0, "no_market")],
        0,
    ),
]


@pytest.mark.parametrize(
    ("route", "expected", "resting"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_route(route: Route, expected: list[tuple[object, ...]], resting: int) -> None:
    """What each kind of order is told, in order and numbered, and whether it stays."""
    venue = a_venue()
    assert send(venue, route) == expected
    assert venue.open_orders() == resting
    assert show(venue) == [], "each report comes once"


def test_liquidity_is_consumed_until_the_next_book() -> None:
    venue = a_venue(asks=((101, 5),))
    market = {"limit_ticks": 200, "rests": False}
    assert send(venue, a_route("first", lots=4, **market))[-1] == (2, K.TRADE, 4, 101)
    assert send(venue, a_route("next", lots=4, **market)) == [
        (1, K.NEW, 0, 0),
        (2, K.TRADE, 1, 101),
        (3, K.CANCELED, 0, "no_liquidity"),
    ]
    venue.on_book(symbol_prices(asks=((101, 5),)), NOW_NS)
    assert send(venue, a_route("later", lots=4, **market))[-1] == (2, K.TRADE, 4, 101)


def test_resting_orders_fill_as_maker_best_price_first_then_oldest() -> None:
    """A book that crosses fills them at their own limit, as far as its lots go."""
    venue = a_venue()
    for order_id, limit_ticks in (("low", 97), ("high", 100), ("late", 100), ("far", 90)):
        venue.route([a_route(order_id, lots=4, limit_ticks=limit_ticks)], NOW_NS)
    venue.reports(NOW_NS)
    venue.on_book(symbol_prices(bids=((89, 1),), asks=((95, 6), (97, 3))), NOW_NS)
    [(account_id, reports)] = venue.reports(NOW_NS)
    assert account_id == "account-1"
    assert reports == [
        Report("high", K.TRADE, 2, 4, 100, True, "", "BTC-USD", 1),
        Report("late", K.TRADE, 2, 2, 100, True, "", "BTC-USD", 1),
        Report("late", K.TRADE, 3, 2, 100, True, "", "BTC-USD", 1),
        Report("low", K.TRADE, 2, 1, 97, True, "", "BTC-USD", 1),
    ]
    assert venue.open_orders() == 2


def test_resting_sells_fill_when_a_bid_reaches_them() -> None:
    venue = a_venue()
    venue.route([a_route("sell", sign=-1, lots=4, limit_ticks=103)], NOW_NS)
    venue.on_book(symbol_prices(bids=((104, 9),), asks=((105, 1),)), NOW_NS)
    assert show(venue)[-1] == ("sell", 2, K.TRADE, 4, 103)
    assert send(venue, a_route("market", sign=-1, lots=9, limit_ticks=1, rests=False)) == [
        (1, K.NEW, 0, 0),
        (2, K.TRADE, 5, 104),
        (3, K.CANCELED, 0, "no_liquidity"),
    ], "what the resting order took is gone"


def test_a_book_of_another_symbol_touches_nothing() -> None:
    venue = a_venue()
    venue.route([a_route(limit_ticks=100)], NOW_NS)
    venue.reports(NOW_NS)
    venue.on_book(symbol_prices("ETH-USD", asks=((1, 99),)), NOW_NS)
    assert show(venue) == []


def cancel(order_id: str = "order-1") -> CancelRoute:
    return CancelRoute(order_id, "account-1", "BTC-USD")


def test_cancel_of_a_resting_order() -> None:
    venue = a_venue()
    send(venue, a_route(limit_ticks=100))
    assert send(venue, cancel()) == [(2, K.CANCELED, 0, "requested")]
    assert venue.open_orders() == 0
    venue.on_book(symbol_prices(asks=((90, 9),)), NOW_NS)
    assert show(venue) == [], "a canceled order is not filled"


def test_cancel_of_a_filled_order_is_too_late_and_numbered() -> None:
    venue = a_venue()
    send(venue, a_route(limit_ticks=101))
    assert send(venue, cancel()) == [(3, K.CANCEL_REJECTED, 0, "too_late")]
    assert send(venue, cancel()) == [(4, K.CANCEL_REJECTED, 0, "too_late")]


def test_cancel_of_an_unknown_order_has_no_number() -> None:
    assert send(a_venue(), cancel("who")) == [(0, K.CANCEL_REJECTED, 0, "unknown_order")]


def test_order_and_cancel_in_one_call_are_handled_in_order() -> None:
    assert send(a_venue(), a_route(limit_ticks=100), cancel()) == [
        (1, K.NEW, 0, 0),
        (2, K.CANCELED, 0, "requested"),
    ]


def test_a_known_order_id_is_ignored_open_or_closed() -> None:
    venue = a_venue()
    send(venue, a_route("open", limit_ticks=100), a_route("closed", limit_ticks=101))
    assert send(venue, a_route("open", limit_ticks=100), a_route("closed")) == []
    venue.resume([a_route("open", limit_ticks=100, executions=1), a_route("closed")], NOW_NS)
    assert show(venue) == []
    assert venue.open_orders() == 1


def test_closed_orders_are_forgotten_after_the_bound_open_ones_never() -> None:
    venue = SimulatedVenue(dice(), known_max=10)
    venue.on_book(symbol_prices(asks=((101, 1_000),)), NOW_NS)
    send(venue, a_route("open", limit_ticks=100), a_route("old", limit_ticks=101))
    for number in range(25):
        send(venue, a_route(f"order-{number}", limit_ticks=101))
    assert send(venue, a_route("open", limit_ticks=100)) == []
    assert send(venue, a_route("order-24")) == []
    assert send(venue, a_route("old"))[0] == (1, K.NEW, 0, 0)


def test_latency_delays_all_reports_of_a_call() -> None:
    venue = a_venue(latency_ms=(5, 5))
    venue.route([a_route()], NOW_NS)
    assert show(venue, NOW_NS + 5 * MS_NS - 1) == []
    assert venue.next_due_ns() == NOW_NS + 5 * MS_NS
    assert len(show(venue, NOW_NS + 5 * MS_NS)) == 2
    assert venue.next_due_ns() is None


def test_latency_is_drawn_within_its_bounds_and_from_the_seed() -> None:
    def draws(seed: int) -> list[int]:
        venue = a_venue(latency_ms=(2, 15), seed=seed)
        found = []
        for number in range(30):
            now_ns = NOW_NS + number * 1_000 * MS_NS
            venue.route([a_route(f"{number}", limit_ticks=1)], now_ns)
            found.append((venue.next_due_ns() or 0) - now_ns)
            venue.reports(now_ns + 999 * MS_NS)
        return found

    assert draws(3) == draws(3) != draws(4)
    assert len(set(draws(3))) > 5
    assert all(2 * MS_NS <= drawn <= 15 * MS_NS for drawn in draws(3))


def test_a_cancel_never_overtakes_its_order() -> None:
    """Both are in latency; whatever was drawn, the order is answered first."""
    for seed in range(20):
        venue = a_venue(latency_ms=(0, 50), seed=seed)
        venue.route([a_route(limit_ticks=100)], NOW_NS)
        venue.route([cancel()], NOW_NS + 1)
        found: list[tuple[object, ...]] = []
        for wait_ms in range(60):
            found += show(venue, NOW_NS + wait_ms * MS_NS)
        assert [shown[1] for shown in found] == [1, 2]


def test_a_fill_by_a_new_book_does_not_overtake_the_acknowledgement() -> None:
    venue = a_venue(latency_ms=(10, 10))
    venue.route([a_route(limit_ticks=100)], NOW_NS)
    venue.on_book(symbol_prices(asks=((99, 50),)), NOW_NS + MS_NS)
    assert show(venue, NOW_NS + 9 * MS_NS) == []
    assert [shown[2] for shown in show(venue, NOW_NS + 10 * MS_NS)] == [K.NEW, K.TRADE]


def test_reports_are_grouped_by_account_in_order() -> None:
    venue = a_venue()
    venue.route([a_route("a", account_id="one"), a_route("b", account_id="two")], NOW_NS)
    venue.route([a_route("c", account_id="one", limit_ticks=1)], NOW_NS)
    found = venue.reports(NOW_NS)
    assert [(account_id, [one.order_id for one in reports]) for account_id, reports in found] == [
        ("one", ["a", "a", "c"]),
        ("two", ["b"]),
    ]


def test_resume_rests_what_was_resting_and_goes_on_numbering() -> None:
    """Known to the log up to number 2: the next report is 3, and there is no second NEW."""
    venue = a_venue()
    venue.resume([a_route(lots=3, limit_ticks=100, executions=2)], NOW_NS)
    assert show(venue) == []
    venue.on_book(symbol_prices(asks=((100, 9),)), NOW_NS)
    assert show(venue) == [("order-1", 3, K.TRADE, 3, 100)]


def test_resume_without_a_book_rests_what_rests_and_ends_what_does_not() -> None:
    venue = SimulatedVenue(dice())
    venue.resume(
        [
            a_route("rests", limit_ticks=100, executions=1),
            a_route("ioc", rests=False, executions=2),
            a_route("new"),
        ],
        NOW_NS,
    )
    assert show(venue) == [
        ("ioc", 3, K.CANCELED, 0, "no_liquidity"),
        ("new", 1, K.REJECTED, 0, "no_market"),
    ]
    assert venue.open_orders() == 1


def test_resume_of_an_order_never_acknowledged_is_a_route() -> None:
    told, resumed = a_venue(), a_venue()
    told.route([a_route(lots=7)], NOW_NS)
    resumed.resume([a_route(lots=7)], NOW_NS)
    assert show(told) == show(resumed) != []


def test_latency_bounds_must_make_sense() -> None:
    with pytest.raises(ValueError, match="min <= max"):
        SimulatedVenue(dice(), latency_min_ms=5, latency_max_ms=4)

"""The last price and the last 24 hours."""

from hypothesis import given
from hypothesis import strategies as st

from marketdata.domain.prices import Candle
from marketdata.domain.ticker import MINUTE_NS, Day, Ticker
from marketdata.tests.build import NOW_NS

DAY_NS = 24 * 60 * MINUTE_NS


def test_nothing_traded_is_all_zero() -> None:
    assert Ticker().day(NOW_NS) == Day()


def test_figures_of_a_day() -> None:
    ticker = Ticker()
    for number, ticks in enumerate((100, 90, 120, 110)):
        ticker.on_trade(ticks, 2, NOW_NS + number * MINUTE_NS)
    assert ticker.day(NOW_NS + 4 * MINUTE_NS) == Day(110, 100, 120, 90, 8)


def test_old_trades_leave_but_the_last_price_stays() -> None:
    ticker = Ticker()
    ticker.on_trade(100, 2, NOW_NS)
    assert ticker.day(NOW_NS + DAY_NS).volume_lots == 2
    assert ticker.day(NOW_NS + DAY_NS + 2 * MINUTE_NS) == Day(last_ticks=100)


@given(st.lists(st.tuples(st.integers(1, 999), st.integers(1, 9), st.integers(0, 3)), min_size=1))
def test_window_equals_a_plain_list(trades: list[tuple[int, int, int]]) -> None:
    """Buckets give what a list of all trades would, while all are within the day."""
    ticker = Ticker()
    at_ns = NOW_NS
    for ticks, lots, minutes in trades:
        at_ns += minutes * MINUTE_NS
        ticker.on_trade(ticks, lots, at_ns)
    prices = [ticks for ticks, _, _ in trades]
    volume = sum(lots for _, lots, _ in trades)
    assert ticker.day(at_ns) == Day(prices[-1], prices[0], max(prices), min(prices), volume)


def test_resumed_figures_lie_before_what_was_traded_since() -> None:
    ticker = Ticker()
    ticker.on_trade(105, 1, NOW_NS)
    ticker.resume(Day(100, 95, 130, 90, 50), NOW_NS - 5 * MINUTE_NS)
    assert ticker.day(NOW_NS) == Day(105, 95, 130, 90, 51)


def test_figures_say_since_when_they_are() -> None:
    """The minute of the first trade, through whatever process counts on."""
    first, second = Ticker(), Ticker()
    assert first.began_ns == 0
    first.on_trade(100, 1, NOW_NS)
    first.on_trade(101, 1, NOW_NS + 90 * MINUTE_NS)
    began_ns = NOW_NS // MINUTE_NS * MINUTE_NS
    assert first.began_ns == began_ns
    second.on_trade(99, 1, NOW_NS + 95 * MINUTE_NS)
    second.resume(first.day(NOW_NS), NOW_NS, first.began_ns)
    assert second.began_ns == began_ns


def test_minutes_of_the_past_take_the_place_of_what_was_carried_over() -> None:
    """They come in any order, and the minute in which counting began is put together."""
    minute = NOW_NS // MINUTE_NS
    ticker = Ticker()
    ticker.on_trade(105, 1, NOW_NS)
    ticker.resume(Day(100, 95, 999, 1, 50), NOW_NS - 5 * MINUTE_NS)
    for back in (0, 3, 9):
        ticker.fill([Candle((minute - back) * 60, 100 + back, 120, 90, 101, 10, 1010, 4, 1, 2)])
    assert ticker.day(NOW_NS) == Day(105, 109, 120, 90, 31)
    assert ticker.began_ns == (minute - 9) * MINUTE_NS

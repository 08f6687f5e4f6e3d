"""The seeded market looks like one, and is the same for the same seed."""

import pytest

from marketdata.domain import demo
from marketdata.domain.aggregate import Consolidator
from marketdata.domain.instrument import Units
from marketdata.domain.prices import SymbolPrices
from marketdata.domain.quote import FeedStep
from marketdata.domain.simulate import STEPS_MAX, VENUES, SimulatedFeed
from marketdata.tests.build import MS_NS, NOW_NS, SECOND_NS, dice

MODELS = demo.models(demo.INSTRUMENTS, demo.START_PRICES)
UNITS = {one.symbol: Units(one) for one in demo.INSTRUMENTS}


def play(seed: int, *, steps: int = 100, outage_every: int = 0) -> list[FeedStep]:
    feed = SimulatedFeed(MODELS, dice(seed), outage_every=outage_every)
    return [feed.step(NOW_NS + number * 200 * MS_NS) for number in range(steps)]


def consolidated(steps: list[FeedStep]) -> list[SymbolPrices]:
    book = Consolidator("sim")
    seen: list[SymbolPrices] = []
    for number, step in enumerate(steps):
        now_ns = NOW_NS + number * 200 * MS_NS
        book.apply(step, now_ns)
        seen += book.prices(now_ns).symbols
        book.published()
    return seen


def test_same_seed_same_market_other_seed_another() -> None:
    assert play(7) == play(7)
    assert play(7) != play(8)


def test_three_venues_quote_five_symbols_that_are_sane_books() -> None:
    """Each book: best first, not crossed, deeper away from the touch, many levels."""
    step = play(3)[-1]
    assert len(step.quotes) == len(VENUES) * len(MODELS) == 15
    for quote in step.quotes:
        bids, asks = quote.bids, quote.asks
        assert len(bids) == len(asks) == 20
        assert bids[0].ticks < asks[0].ticks
        assert list(bids) == sorted(bids, key=lambda level: -level.ticks)
        assert list(asks) == sorted(asks, key=lambda level: level.ticks)
    near = sum(level.lots for quote in step.quotes for level in quote.asks[:5])
    far = sum(level.lots for quote in step.quotes for level in quote.asks[-5:])
    assert far > 2 * near


def test_consolidated_spread_and_depth_are_those_of_a_liquid_market() -> None:
    """About 5 bps between the touches; several hundred bitcoins within twenty levels."""
    seen = consolidated(play(5, steps=200))
    for symbol, unit in ((model.symbol, UNITS[model.symbol]) for model in MODELS):
        books = [one for one in seen if one.symbol == symbol]
        bps = [
            (one.asks[0].ticks - one.bids[0].ticks) * 100_000 // one.bids[0].ticks for one in books
        ]
        assert 20 < sum(bps) // len(bps) < 80, (symbol, "tenths of a basis point")
        for offered in (books[-1].bids, books[-1].asks):
            worth = sum(unit.notional(level.ticks, level.lots) for level in offered)
            assert worth > 300 * 65_000 * 10**8
            assert len(offered) == 20


def test_prices_move_and_trades_are_at_the_touch() -> None:
    steps = play(11, steps=250)
    seen = [one for one in consolidated(steps) if one.symbol == "BTC-USD"]
    assert len({one.bids[0].ticks for one in seen}) > 8
    assert seen[-1].seq > 200
    trades = [trade for step in steps for _, trade in step.trades]
    assert len(trades) > 50
    assert {trade.sign for trade in trades} == {1, -1}
    assert len({(trade.venue, trade.trade_id) for trade in trades}) == len(trades)
    assert all(trade.lots > 0 and trade.ticks > 0 for trade in trades)


def test_prices_revert_to_where_they_started() -> None:
    """Many minutes of simulated time do not let the price wander off."""
    feed = SimulatedFeed(MODELS[:1], dice(2), outage_every=0)
    start = MODELS[0].start_ticks
    now_ns = NOW_NS
    for _ in range(15):
        now_ns += 60 * SECOND_NS
        quote = feed.step(now_ns).quotes[0]
        assert start // 2 < quote.bids[0].ticks < start * 2


def test_an_outage_silences_a_venue_for_a_while() -> None:
    """A silent venue neither quotes nor trades nor is heard, and comes back."""
    steps = play(4, steps=300, outage_every=100)
    heard = [set(step.heard) for step in steps]
    everybody = {venue.name for venue in VENUES}
    assert any(names != everybody for names in heard)
    assert heard.count(everybody) > 10
    for step in steps:
        assert {quote.venue for quote in step.quotes} == set(step.heard)


def test_a_long_pause_is_not_made_up_for_without_end() -> None:
    feed = SimulatedFeed(MODELS[:1], dice(2))
    feed.step(NOW_NS)
    trades = feed.step(NOW_NS + 3_600 * SECOND_NS).trades
    assert len(trades) <= STEPS_MAX * len(VENUES)
    assert feed.step(NOW_NS + 3_600 * SECOND_NS).trades == ()


def test_a_clock_set_back_does_not_stop_the_market() -> None:
    feed = SimulatedFeed(MODELS[:1], dice(2), outage_every=0)
    feed.step(NOW_NS)
    earlier = NOW_NS - 3_600 * SECOND_NS
    seen = {feed.step(earlier + number * SECOND_NS).quotes[0].bids for number in range(5)}
    assert len(seen) == 5


@pytest.mark.parametrize(
    ("symbol", "price", "reason"),
    [
        ("NO-USD", "1", "not an instrument"),
        ("BTC-USD", "0", "above 0"),
        ("BTC-USD", "1.001", "on a tick"),
        ("BTC-USD", "-1", "not a decimal"),
    ],
)
def test_demo_refuses_start_prices_that_do_not_fit(symbol: str, price: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        demo.models(demo.INSTRUMENTS, {symbol: price})

"""The seeded market looks like one, and is the same for the same seed."""

from itertools import pairwise

import pytest

from marketdata.domain import demo, simulate
from marketdata.domain.aggregate import Consolidator
from marketdata.domain.instrument import Units
from marketdata.domain.prices import SymbolPrices
from marketdata.domain.quote import FeedStep, Quote
from marketdata.domain.simulate import VENUES, SimulatedFeed
from marketdata.tests.build import MS_NS, NOW_NS, SECOND_NS

MODELS = demo.models(demo.INSTRUMENTS, demo.START_PRICES)
DAY_NS = 86_400 * SECOND_NS
UNITS = {one.symbol: Units(one) for one in demo.INSTRUMENTS}


def play(seed: int, *, steps: int = 100, outage_every: int = 0) -> list[FeedStep]:
    feed = SimulatedFeed(MODELS, seed, outage_every=outage_every)
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


def at(now_ns: int) -> tuple[Quote, ...]:
    """Return all books at an instant."""
    return SimulatedFeed(MODELS, 2, levels=1, outage_every=0).step(now_ns).quotes


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
    assert len({one.bids[0].ticks for one in seen}) > 4
    assert seen[-1].seq > 200
    trades = [trade for step in steps for _, trade in step.trades]
    assert len(trades) > 50
    assert {trade.sign for trade in trades} == {1, -1}
    assert len({(trade.venue, trade.trade_id) for trade in trades}) == len(trades)
    assert all(trade.lots > 0 and trade.ticks > 0 for trade in trades)


def test_prices_stay_near_where_they_started() -> None:
    """Weeks of simulated time do not let the price wander off; a day moves it by some percent."""
    start = MODELS[0].start_ticks
    bids = [at(NOW_NS + day * DAY_NS)[0].bids[0].ticks for day in range(60)]
    assert start * 80 // 100 < min(bids) < max(bids) < start * 120 // 100
    moved = sorted(abs(a - b) * 10_000 // a for a, b in pairwise(bids))
    assert 50 < moved[len(moved) // 2] < 500, "hundredths of a percent, the median"


def test_symbols_move_together_but_not_alike() -> None:
    moves: list[list[int]] = [[], []]
    for hour in range(200):
        for number, quote in enumerate(at(NOW_NS + hour * 3_600 * SECOND_NS)[:6:3]):
            moves[number].append(quote.bids[0].ticks)
    signs = [[b > a for a, b in pairwise(one)] for one in moves]
    alike = sum(one == other for one, other in zip(*signs, strict=True))
    assert 120 < alike < 190, "of 199 hours"


def test_the_past_is_what_was_told_live() -> None:
    """Trades of a minute, heard step by step, are those that history tells a restarted feed."""
    feed = SimulatedFeed(MODELS, 9, outage_every=300)
    feed.step(NOW_NS)
    heard = [
        trade
        for number in range(1, 301)
        for trade in feed.step(NOW_NS + number * 200 * MS_NS).trades
    ]
    other = SimulatedFeed(MODELS, 9, outage_every=300)
    other.step(NOW_NS + 3_600 * SECOND_NS)
    for symbol in other.symbols:
        told = list(other.history(symbol, NOW_NS, NOW_NS + 60 * SECOND_NS))
        assert told == [trade for of, trade in heard if of == symbol]
        assert len(told) > 20


def test_a_restart_shows_no_jump() -> None:
    """Another process finds the market where the first one left it."""
    first, second = (SimulatedFeed(MODELS[:1], 4, outage_every=0) for _ in range(2))
    for number in range(50):
        before = first.step(NOW_NS + number * 200 * MS_NS)
    assert second.step(NOW_NS + 49 * 200 * MS_NS).quotes == before.quotes


def test_an_outage_silences_a_venue_for_a_while() -> None:
    """A silent venue neither quotes nor trades nor is heard, and comes back."""
    steps = play(4, steps=600, outage_every=400)
    heard = [set(step.heard) for step in steps]
    everybody = {venue.name for venue in VENUES}
    assert any(names != everybody for names in heard)
    assert heard.count(everybody) > 10
    for step in steps:
        assert {quote.venue for quote in step.quotes} == set(step.heard)


def test_a_sleep_loses_no_trade_but_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """After an hour without a step its trades come with the next; after weeks the newest."""
    feed = SimulatedFeed(MODELS[:1], 2)
    feed.step(NOW_NS)
    told = feed.step(NOW_NS + 3_600 * SECOND_NS).trades
    history = feed.history("BTC-USD", NOW_NS, NOW_NS + 3_600 * SECOND_NS)
    assert [trade for _, trade in told] == list(history)
    monkeypatch.setattr(simulate, "STEPS_MAX", 600)
    later_ns = NOW_NS + 20 * DAY_NS
    oldest_ns = min(trade.at_ns for _, trade in feed.step(later_ns).trades)
    assert later_ns - 60 * SECOND_NS <= oldest_ns
    assert feed.step(later_ns).trades == ()


def test_a_clock_set_back_does_not_stop_the_market() -> None:
    feed = SimulatedFeed(MODELS[:1], 2, outage_every=0)
    feed.step(NOW_NS)
    earlier = NOW_NS - 3_600 * SECOND_NS
    seen = {feed.step(earlier + number * 5 * SECOND_NS).quotes[0].bids for number in range(5)}
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

"""Candles as they are kept: live, out of the past, over restarts and stores that are away."""

import pytest
from django.db import OperationalError

from marketdata.candles import Candles
from marketdata.domain import demo
from marketdata.domain.candle import INTERVALS, fold
from marketdata.domain.prices import Candle, Trade
from marketdata.domain.quote import Feed
from marketdata.domain.simulate import SimulatedFeed
from marketdata.tests.build import MS_NS, NOW_NS, SECOND_NS, ScriptedFeed
from marketdata.tests.fakes import MemoryCandles

MODELS = demo.models(demo.INSTRUMENTS, demo.START_PRICES)[:1]
BTC = "BTC-USD"
HOUR_NS = 3_600 * SECOND_NS
BEGIN_NS = NOW_NS // HOUR_NS * HOUR_NS + 17 * 60 * SECOND_NS + 23_400 * MS_NS
"""Seventeen minutes and 23.4 s past an hour: in the middle of every interval."""


def a_feed() -> SimulatedFeed:
    return SimulatedFeed(MODELS, 3, outage_every=0)


def run(
    feed: Feed, store: MemoryCandles, from_ns: int, until_ns: int, *, history_s: int = 3_600
) -> Candles:
    """Run a process from one instant to another, and end it as SIGTERM does."""
    candles = Candles(feed, store, history_s=history_s)
    for now_ns in range(from_ns, until_ns + 1, 200 * MS_NS):
        candles.take(feed.step(now_ns).trades, now_ns)
        candles.work()
        while candles.pause():
            pass
    candles.work()
    return candles


def tape(after_ns: int, until_ns: int) -> list[Trade]:
    """Return what really traded."""
    return list(a_feed().history(BTC, after_ns, until_ns))


def kept(store: MemoryCandles, interval_s: int) -> list[Candle]:
    return [one for key, one in sorted(store.rows.items()) if key[1] == interval_s]


def floor(at_ns: int, interval_s: int) -> int:
    return at_ns // SECOND_NS // interval_s * interval_s


def test_the_first_start_has_a_past() -> None:
    """All minutes of the last hour, the one in which it started whole, and that hour's seconds."""
    store = MemoryCandles()
    run(a_feed(), store, BEGIN_NS, BEGIN_NS + 90 * SECOND_NS)
    span = store.kept[BTC]
    assert span.until_s == (BEGIN_NS + 90 * SECOND_NS) // SECOND_NS
    assert span.from_s == floor(BEGIN_NS, 60) - 3_600
    real = tape(span.from_s * SECOND_NS - 1, span.until_s * SECOND_NS - 1)
    assert kept(store, 60) == fold(real, 60)
    assert kept(store, 1) == fold(real, 1)


@pytest.mark.parametrize("away_s", [0, 7, 200, 3_000])
def test_a_restart_leaves_no_gap_and_counts_nothing_twice(away_s: int) -> None:
    store, stop_ns = MemoryCandles(), BEGIN_NS + 30 * SECOND_NS
    run(a_feed(), store, BEGIN_NS, stop_ns)
    again_ns = stop_ns + away_s * SECOND_NS + 300 * MS_NS
    run(a_feed(), store, again_ns, again_ns + 70 * SECOND_NS)
    span = store.kept[BTC]
    oldest_s = min(floor(BEGIN_NS, 60), floor(again_ns, 60)) - 3_600
    assert span.from_s == oldest_s
    real = tape(span.from_s * SECOND_NS - 1, span.until_s * SECOND_NS - 1)
    assert kept(store, 60) == fold(real, 60)


def test_away_for_longer_than_the_past_is_wanted() -> None:
    store = MemoryCandles()
    run(a_feed(), store, BEGIN_NS, BEGIN_NS + 5 * SECOND_NS, history_s=600)
    again_ns = BEGIN_NS + 5 * HOUR_NS
    run(a_feed(), store, again_ns, again_ns + 5 * SECOND_NS, history_s=600)
    assert store.kept[BTC].from_s == floor(again_ns - 600 * SECOND_NS, 60)


def test_live_candles_are_those_of_all_that_traded() -> None:
    """Of every interval, whatever of it was found out, counted by another process, or counted here."""
    history_s = 3 * 3_600
    store, stop_ns = MemoryCandles(), BEGIN_NS + 30 * SECOND_NS
    run(a_feed(), store, BEGIN_NS, stop_ns, history_s=history_s)
    again_ns, end_ns = stop_ns + 40 * SECOND_NS, stop_ns + 80 * SECOND_NS
    candles = run(a_feed(), store, again_ns, end_ns, history_s=history_s)
    live = {one.interval_s: one.candle for one in candles.live.touched(everything=True)[BTC]}
    for interval_s in (60, 300, 900, 3_600):
        real = tape(floor(end_ns, interval_s) * SECOND_NS - 1, end_ns)
        assert [live[interval_s]] == fold(real, interval_s), interval_s
    assert set(live) == set(INTERVALS.values())


def test_where_nothing_trades_a_quiet_candle_begins() -> None:
    candles = Candles(ScriptedFeed(), MemoryCandles())
    at_ns = NOW_NS // (60 * SECOND_NS) * 60 * SECOND_NS
    candles.take([(BTC, Trade("1", "A", 50, 2, 1, at_ns))], at_ns)
    candles.live.told()
    candles.take([], at_ns + 61 * SECOND_NS)
    live = {one.interval_s: one.candle for one in candles.live.touched(everything=False)[BTC]}
    assert live[60] == Candle(at_ns // SECOND_NS + 60, 50, 50, 50, 50, 0, 0, 0, 0, 0)
    assert 86_400 not in live, "the day goes on: nothing of it changed"


def test_a_late_trade_counts_in_the_second_that_is_open() -> None:
    store = MemoryCandles()
    feed = ScriptedFeed()
    candles = run(feed, store, NOW_NS, NOW_NS + 3 * SECOND_NS)
    late = Trade("late", "A", 50, 2, 1, NOW_NS)
    candles.take([(BTC, late)], NOW_NS + 3_200 * MS_NS)
    candles.take([], NOW_NS + 5 * SECOND_NS)
    candles.work()
    assert [one.lots for one in kept(store, 1)] == [2]
    assert kept(store, 1)[0].begin_s == NOW_NS // SECOND_NS + 3
    assert candles.live.late == 1


def test_a_feed_without_a_past_goes_on_from_what_the_log_has() -> None:
    """Trades told before the end but not kept yet are counted, and none of those kept again."""
    store = MemoryCandles()
    first = [Trade(str(n), "A", 50 + n, 1, 1, NOW_NS + n * 300 * MS_NS) for n in range(10)]
    candles = Candles(ScriptedFeed(), store)
    candles.take([(BTC, one) for one in first], NOW_NS + 2_900 * MS_NS)
    candles.work()
    candles.pause()
    candles.take([], NOW_NS + 2_950 * MS_NS)
    candles.work()  # what was told in the second that is still open dies with the process
    again = Candles(ScriptedFeed(), store)
    again.heard([(BTC, one) for one in first])
    later = Trade("later", "A", 99, 1, 1, NOW_NS + 5 * SECOND_NS)
    again.take([], NOW_NS + 4 * SECOND_NS)
    again.work()
    again.pause()
    again.take([(BTC, later)], NOW_NS + 6 * SECOND_NS)
    again.work()
    assert sum(one.trades for one in kept(store, 1)) == 11
    assert kept(store, 60) == fold([*first, later], 60)


def test_a_store_that_is_away_loses_nothing() -> None:
    store, feed = MemoryCandles(), a_feed()
    store.breaks = OperationalError("away")
    candles = run(feed, store, BEGIN_NS, BEGIN_NS + 20 * SECOND_NS)
    assert store.rows == {}
    store.breaks = None
    end_ns = BEGIN_NS + 25 * SECOND_NS
    for now_ns in range(BEGIN_NS + 20_200 * MS_NS, end_ns + 1, 200 * MS_NS):
        candles.take(feed.step(now_ns).trades, now_ns)
        candles.work()
        while candles.pause():
            pass
    assert candles.work()
    until_ns = store.kept[BTC].until_s * SECOND_NS - 1
    begin_ns = store.kept[BTC].from_s * SECOND_NS - 1
    assert kept(store, 60) == fold(tape(begin_ns, until_ns), 60)

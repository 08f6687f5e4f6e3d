"""A process' view of the prices: newest wins, broken is stale, and it heals."""

import asyncio

from marketdata import view as view_module
from marketdata.domain.prices import SymbolPrices
from marketdata.tests.build import MS_NS, NOW_NS, SECOND_NS, a_record, a_trade, symbol_prices
from marketdata.tests.fakes import BreakableLog
from marketdata.view import PriceView
from oms_project.adapters.clock import FakeClock
from oms_project.kernel.errors import TransportError
from oms_project.kernel.ports import Record
from oms_project.kernel.words import Topic

Made = tuple[PriceView, BreakableLog, FakeClock]


def a_view() -> Made:
    log, clock = BreakableLog(), FakeClock(NOW_NS)
    return PriceView(log, clock), log, clock


def put(log: BreakableLog, *symbols: SymbolPrices) -> None:
    log.append(Topic.PRICES, [Record(0, "", a_record(*symbols))])


def test_nothing_published_is_no_price_and_stale() -> None:
    view, _, _ = a_view()
    assert view.current("BTC-USD") is None
    assert view.age_ms("BTC-USD") is None
    assert view.is_stale("BTC-USD")


def test_the_newest_record_wins_and_symbols_keep_their_own() -> None:
    view, log, _ = a_view()
    put(log, symbol_prices(seq=1), symbol_prices("ETH-USD", seq=7))
    put(log, symbol_prices(seq=2))
    assert view.refresh()
    assert view.symbols() == ["BTC-USD", "ETH-USD"]
    found = [view.get(symbol) for symbol in view.symbols()]
    assert [one.prices.seq for one in found if one] == [2, 7]
    assert not view.refresh()


def test_reading_again_is_due_only_after_a_while() -> None:
    """Synchronous readers share a read: a page with ten prices does not read the log ten times."""
    view, log, clock = a_view()
    put(log, symbol_prices(seq=1))
    assert view.current("BTC-USD") is not None
    put(log, symbol_prices(seq=2))
    seen = view.current("BTC-USD")
    assert seen is not None
    assert seen.prices.seq == 1
    clock.advance_ns(51 * MS_NS)
    seen = view.current("BTC-USD")
    assert seen is not None
    assert seen.prices.seq == 2


def test_a_price_grows_old_without_news() -> None:
    view, log, clock = a_view()
    put(log, symbol_prices())
    view.refresh()
    clock.advance_ns(4 * SECOND_NS)
    assert (view.age_ms("BTC-USD"), view.is_stale("BTC-USD")) == (4_000, False)
    clock.advance_ns(2 * SECOND_NS)
    assert view.is_stale("BTC-USD")


def test_a_price_of_no_fresh_venue_is_stale() -> None:
    view, log, _ = a_view()
    put(log, symbol_prices(venues=()))
    view.refresh()
    assert view.is_stale("BTC-USD")


def test_a_broken_log_keeps_what_is_known_and_heals() -> None:
    view, log, clock = a_view()
    put(log, symbol_prices(seq=1))
    view.refresh()
    log.breaks = TransportError("log")
    assert view.refresh(), "becoming broken is a change"
    assert not view.refresh()
    assert view.broken
    assert view.get("BTC-USD") is not None
    log.breaks = None
    put(log, symbol_prices(seq=2))
    clock.advance_ns(SECOND_NS)
    seen = view.current("BTC-USD")
    assert seen is not None
    assert (seen.prices.seq, view.broken) == (2, False)


def test_a_log_that_was_trimmed_ahead_of_us_is_joined_again() -> None:
    view, log, _ = a_view()
    put(log, symbol_prices(seq=1))
    view.refresh()
    for seq in range(2, 9):
        put(log, symbol_prices(seq=seq))
    log.trim(Topic.PRICES, 0, 6)
    for _ in range(2):
        view.refresh()
    seen = view.get("BTC-USD")
    assert seen is not None
    assert seen.prices.seq == 8


def test_a_reader_far_behind_goes_on_near_the_end() -> None:
    view, log, _ = a_view()
    put(log, symbol_prices(seq=1))
    view.refresh()
    for seq in range(2, view_module.READ_MAX + 10):
        put(log, symbol_prices(seq=seq))
    view.refresh()
    seen = view.get("BTC-USD")
    assert seen is not None
    assert seen.prices.seq == view_module.READ_MAX + 9
    assert len(seen.history) <= view_module.HISTORY_MAX


def test_a_record_nobody_can_read_is_passed_over() -> None:
    view, log, _ = a_view()
    log.append(Topic.PRICES, [Record(0, "", b"\x00")])
    put(log, symbol_prices())
    view.refresh()
    assert view.get("BTC-USD") is not None


def test_trades_are_numbered_once_however_often_they_are_told() -> None:
    view, log, _ = a_view()
    put(log, symbol_prices(trades=(a_trade("1"), a_trade("2"))))
    put(log, symbol_prices(trades=(a_trade("1"), a_trade("2"), a_trade("3"))))
    view.refresh()
    seen = view.get("BTC-USD")
    assert seen is not None
    assert [(number, trade.trade_id) for number, trade in seen.trades] == [
        (1, "1"),
        (2, "2"),
        (3, "3"),
    ]


def test_a_feed_that_counts_from_one_again_starts_a_new_history() -> None:
    """Books of another life must never be the base of a delta."""
    view, log, _ = a_view()
    put(log, symbol_prices(seq=8))
    put(log, symbol_prices(seq=9))
    put(log, symbol_prices(seq=1))
    view.refresh()
    seen = view.get("BTC-USD")
    assert seen is not None
    assert set(seen.history) == {1}


async def test_waiters_learn_of_a_new_version_whoever_read_it() -> None:
    """The follower wakes them also when a thread of a REST view was first to read the news."""
    view, log, _ = a_view()
    try:
        for first_to_read in (lambda: None, view.refresh):
            before = view.version
            waiter = asyncio.ensure_future(view.changed(before))
            await asyncio.sleep(0)
            put(log, symbol_prices())
            first_to_read()
            async with asyncio.timeout(5):
                assert await waiter > before
    finally:
        await view.stop()


async def test_following_survives_a_broken_log() -> None:
    view, log, _ = a_view()
    try:
        log.breaks = TransportError("log")
        async with asyncio.timeout(5):
            version = await view.changed(0)
            assert view.broken
            log.breaks = None
            put(log, symbol_prices())
            while view.broken:
                version = await view.changed(version)
        assert view.get("BTC-USD") is not None
    finally:
        await view.stop()


def test_each_event_loop_gets_a_follower_of_its_own() -> None:
    """A view outlives a loop (tests, reloads); nobody may wait on an event of a dead one."""
    view, log, _ = a_view()

    async def wait_once() -> int:
        put(log, symbol_prices())
        try:
            async with asyncio.timeout(5):
                return await view.changed(view.version)
        finally:
            await view.stop()

    assert asyncio.run(wait_once()) < asyncio.run(wait_once())

"""The market data service: what it writes, when, and that no broken log ends it."""

import threading

import msgspec
import pytest

from marketdata import feed
from marketdata.adapters import price_records
from marketdata.candles import Candles
from marketdata.domain import demo
from marketdata.domain.candle import INTERVALS
from marketdata.domain.mark import SetMarks
from marketdata.domain.prices import Prices
from marketdata.domain.quote import FeedStep
from marketdata.domain.simulate import SimulatedFeed
from marketdata.tests.build import MS_NS, ScriptedFeed, a_quote, a_trade
from marketdata.tests.fakes import BreakableLog, CountingStop, MemoryCandles
from oms_project.adapters.clock import FakeClock
from oms_project.kernel import wire
from oms_project.kernel.errors import TransportError, UnknownOutcomeError
from oms_project.kernel.words import Topic

QUOTED = FeedStep(("A",), (a_quote(),), (("BTC-USD", a_trade()),))
ALIVE = FeedStep(("A",))


def play(
    source: ScriptedFeed, log: BreakableLog, steps: int, clock: FakeClock | None = None
) -> CountingStop:
    """Run the service for so many steps; waiting moves the clock instead of the world."""
    clock = clock or FakeClock()
    stop = CountingStop(lambda seconds: clock.advance_ns(int(seconds * 1_000_000_000)))
    feed.run(source, log, clock, stop, steps_max=steps)  # type: ignore[arg-type]
    return stop


def published(log: BreakableLog) -> list[Prices]:
    records = log.read(Topic.PRICES, 0, log.first_offset(Topic.PRICES, 0), 10_000)
    return [price_records.decode(record.value) for record in records]


def marks(log: BreakableLog, partition: int) -> list[SetMarks]:
    records = log.read(Topic.COMMANDS, partition, 0, 10_000)
    decoder = msgspec.msgpack.Decoder(SetMarks)
    assert {record.key for record in records} <= {""}
    return [
        wire.read_body(decoder, wire.open_envelope(record.value, "command")) for record in records
    ]


def test_each_step_publishes_prices_and_marks_at_their_own_pace() -> None:
    """Ten steps of 200 ms: ten records of prices, and marks each 500 ms in every partition."""
    log = BreakableLog(partitions=2)
    play(ScriptedFeed(QUOTED, *[ALIVE] * 9), log, 10)
    assert len(published(log)) == 10
    assert published(log)[0].source == "scripted"
    assert marks(log, 0) == marks(log, 1)
    assert len(marks(log, 0)) == 4
    [mark] = marks(log, 0)[0].marks
    assert (mark.symbol, mark.ticks, mark.bid_ticks, mark.ask_ticks) == ("BTC-USD", 100, 99, 101)


def test_a_feed_gone_silent_gives_no_marks_but_says_so_in_prices() -> None:
    log = BreakableLog()
    play(ScriptedFeed(QUOTED), log, 40)
    assert published(log)[-1].symbols[0].venues == ()
    assert published(log)[-1].symbols[0].bids == ()
    newest = marks(log, 0)[-1].marks[0].at_ns
    oldest_record = published(log)[0].symbols[0].at_ns
    assert newest == oldest_record, "no mark is made of what came later"
    assert len(marks(log, 0)) < 10


def test_trades_are_told_once() -> None:
    log = BreakableLog()
    play(ScriptedFeed(QUOTED, ALIVE), log, 2)
    assert [len(prices.symbols[0].trades) for prices in published(log)] == [1, 0]


class BreaksFor(ScriptedFeed):
    """A feed that breaks the log while it plays the given steps."""

    def __init__(
        self, log: BreakableLog, error: TransportError, broken: range, *, lost_answers: bool = False
    ) -> None:
        super().__init__(*[QUOTED] * 20)
        self._log, self._error, self._broken = log, error, broken
        self._lost_answers = lost_answers
        self._count = 0

    def step(self, now_ns: int) -> FeedStep:
        self._count += 1
        breaks = self._count in self._broken
        self._log.breaks = self._error if breaks else None
        self._log.lost_answers = breaks and self._lost_answers
        return super().step(now_ns)


def test_a_broken_log_is_waited_for_ever_longer_and_heals() -> None:
    """From the first step on it is down; trades of that time come with the first record after."""
    log = BreakableLog()
    source = BreaksFor(log, TransportError("log"), range(1, 6))
    stop = play(source, log, 7)
    assert [wait for wait in stop.waits if wait in feed.BACK_OFF_S[1:]] == [0.5, 1.0, 2.0, 2.0]
    assert len(published(log)) == 2
    assert len(published(log)[0].symbols[0].trades) == 6


def test_an_unknown_outcome_goes_straight_on_and_tells_the_trades_again() -> None:
    """The record may be there: prices are absolute, and readers know the trades by their ids."""
    log = BreakableLog()
    source = BreaksFor(log, UnknownOutcomeError("log"), range(2, 3), lost_answers=True)
    stop = play(source, log, 3)
    trades = [len(prices.symbols[0].trades) for prices in published(log)]
    assert trades == [1, 1, 2]
    assert max(stop.waits) <= 0.2


def test_a_new_process_keeps_the_seqs_growing() -> None:
    log = BreakableLog()
    play(ScriptedFeed(QUOTED, FeedStep(("A",), (a_quote(bids=((98, 1),)),))), log, 2)
    play(ScriptedFeed(FeedStep(("A",), (a_quote(bids=((97, 1),)),))), log, 1)
    assert [prices.symbols[0].seq for prices in published(log)] == [1, 2, 3]


def test_a_record_nobody_can_read_does_not_stop_the_start() -> None:
    log = BreakableLog()
    log.append(Topic.PRICES, [feed.Record(0, "", b"not an envelope")])
    play(ScriptedFeed(QUOTED), log, 1)
    records = log.read(Topic.PRICES, 0, 1, 9)
    assert price_records.decode(records[0].value).symbols[0].seq == 1


def test_old_prices_are_trimmed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "KEEP_RECORDS", 20)
    monkeypatch.setattr(feed, "TRIM_EVERY", 10)
    log = BreakableLog()
    play(ScriptedFeed(QUOTED), log, 45)
    assert log.first_offset(Topic.PRICES, 0) == 20
    assert log.end_offset(Topic.PRICES, 0) == 45


def test_a_stop_that_is_set_ends_it_before_the_next_step() -> None:
    stop = threading.Event()
    stop.set()
    assert feed.run(ScriptedFeed(QUOTED), BreakableLog(), FakeClock(), stop) == 0


def test_a_late_step_is_not_made_up_for() -> None:
    """A feed that took five intervals is followed by one step, not by five in a hurry."""
    clock = FakeClock()
    late = clock.monotonic_ns() + 1_000 * MS_NS

    class Slow(ScriptedFeed):
        def step(self, now_ns: int) -> FeedStep:
            if clock.monotonic_ns() < late:
                clock.advance_ns(1_000 * MS_NS)
            return super().step(now_ns)

    stop = play(Slow(QUOTED), BreakableLog(), 3, clock)
    assert stop.waits == [0.2, 0.2]


def test_candles_go_with_the_prices_and_into_the_day() -> None:
    """What traded is told as candles; a first start tells of the day before, too."""
    log, clock = BreakableLog(), FakeClock()
    source = SimulatedFeed(demo.models(demo.INSTRUMENTS, {"BTC-USD": "65000"}), 1, outage_every=0)
    store = MemoryCandles()
    candles = Candles(source, store, history_s=1_800)
    publisher = feed.Publisher(source, log, clock, candles=candles)
    for _ in range(60):
        publisher.step()
        candles.work()
        publisher.pause(clock.monotonic_ns() + 10**12)
        clock.advance_ns(200 * MS_NS)
    newest = published(log)[-1].symbols[0]
    live = {
        one.interval_s: one.candle for prices in published(log) for one in prices.symbols[0].candles
    }
    assert set(live) == set(INTERVALS.values())
    assert live[1].close_ticks == newest.last_ticks
    assert newest.began_ns <= clock.now_ns() - 1_800 * 1_000 * MS_NS
    minutes = [one for key, one in store.rows.items() if key[1] == 60]
    assert newest.volume_24h_lots >= sum(one.lots for one in minutes) > 0
    assert newest.high_24h_ticks == max(one.high_ticks for one in (*minutes, live[60]))


def test_candles_of_a_record_that_was_not_written_come_with_the_next() -> None:
    log, clock = BreakableLog(), FakeClock()
    source = ScriptedFeed(QUOTED, ALIVE)
    publisher = feed.Publisher(source, log, clock, candles=Candles(source, MemoryCandles()))
    log.breaks = TransportError("log")
    with pytest.raises(TransportError):
        publisher.step()
    log.breaks = None
    publisher.step()
    assert published(log)[0].symbols[0].candles[0].candle.close_ticks == 100

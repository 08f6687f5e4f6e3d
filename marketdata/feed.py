"""The market data service: steps a feed, publishes prices, and gives risk its marks.

Prices and marks are absolute: a record that was lost, or written twice, does no harm. Only trades are
told once; they stay with us until the log has surely taken them, and readers drop those they know.
"""

import threading
from collections.abc import Mapping, Sequence
from typing import Final

import structlog

from marketdata.adapters import price_records
from marketdata.candles import Candles
from marketdata.domain.aggregate import Consolidator
from marketdata.domain.feed_state import Counting, FeedState, FeedStatus
from marketdata.domain.freshness import NS_PER_MS, STALE_MS
from marketdata.domain.mark import SetMarks
from marketdata.domain.prices import Live, Prices, Trade
from marketdata.domain.quote import Feed
from oms_project import metrics
from oms_project.adapters.clock import SystemClock
from oms_project.kernel import wire
from oms_project.kernel.errors import BadRecordError, GapError, TransportError, UnknownOutcomeError
from oms_project.kernel.ports import Clock, Log, Record
from oms_project.kernel.words import Topic
from oms_project.metrics import Meter

INTERVAL_MS: Final = 200
MARK_INTERVAL_MS: Final = 500
BACK_OFF_S: Final = (0.2, 0.5, 1.0, 2.0)
KEEP_RECORDS: Final = 2_000
RESUME_RECORDS: Final = 100
"""Records read at the start: the newest has the seqs, all of them trades that may not be kept yet."""
EVERYTHING_EVERY: Final = 25
"""Every so many records tell all live candles and the states of all feeds, not only what changed."""
PAUSE_PERCENT: Final = 50
"""So much of the time between two steps may go into finding out the past."""
TRIM_EVERY: Final = 500
"""Records published between two looks at what can be trimmed."""

_logger = structlog.get_logger(__name__)


class Publisher:
    """One feed on its way into the log. Used by one thread."""

    def __init__(
        self,
        feed: Feed,
        log: Log,
        clock: Clock,
        *,
        mark_interval_ms: int = MARK_INTERVAL_MS,
        stale_ms: int = STALE_MS,
        candles: Candles | None = None,
    ) -> None:
        self.published = 0
        self._candles = candles
        self._feed = feed
        self._log = log
        self._clock = clock
        self._mark_interval_ns = mark_interval_ms * NS_PER_MS
        self._mark_at_ns = clock.monotonic_ns()
        self._book = Consolidator(feed.name, stale_ms)
        self._resumed = False
        self._feed_states: dict[tuple[str, str], FeedState] = {}

    def step(self) -> None:
        """Take one step of the feed and publish it.

        Raises:
            TransportError: the log did not take it; the step is in the next one.
        """
        now_ns = self._clock.now_ns()
        step = self._feed.step(now_ns)
        self._book.apply(step, now_ns)
        if isinstance(self._feed, Counting):
            self._book.count(self._feed.counters())
        if self._candles is not None:
            self._candles.take(step.trades, now_ns)
        if not self._resumed:
            self._resume()
        self._publish_prices(now_ns)
        if self._clock.monotonic_ns() >= self._mark_at_ns:
            self._publish_marks(now_ns)
            self._mark_at_ns = self._clock.monotonic_ns() + self._mark_interval_ns

    def pause(self, until_ns: int) -> None:
        """Find out what was before, until *until_ns* (monotonic)."""
        if self._candles is None:
            return
        while self._clock.monotonic_ns() < until_ns and self._candles.pause():
            pass
        while self._candles.past:
            self._book.fill(*self._candles.past.popleft())

    def _resume(self) -> None:
        """Go on from the newest record, so that seqs keep growing over a restart."""
        end = self._log.end_offset(Topic.PRICES, price_records.PARTITION)
        first = self._log.first_offset(Topic.PRICES, price_records.PARTITION)
        begin = max(end - RESUME_RECORDS, first)
        try:
            records = self._log.read(Topic.PRICES, price_records.PARTITION, begin, RESUME_RECORDS)
        except GapError:
            records = []
        trades: dict[tuple[str, str, str], Trade] = {}
        newest: Prices | None = None
        for record in records:
            try:
                newest = price_records.decode(record.value)
            except BadRecordError as error:
                newest = None
                _logger.warning("price_record_unreadable", reason=str(error))
                continue
            for one in newest.symbols:
                trades |= {(one.symbol, t.venue, t.trade_id): t for t in one.trades}
        if newest is not None:
            self._book.resume(newest)
        if self._candles is not None:
            self._candles.heard([(key[0], trade) for key, trade in trades.items()])
        self._resumed = True

    def _publish_prices(self, now_ns: int) -> None:
        live: Mapping[str, tuple[Live, ...]] = {}
        everything = self.published % EVERYTHING_EVERY == 0
        if self._candles is not None:
            live = self._candles.live.touched(everything=everything)
        prices = self._book.prices(now_ns, live, all_feeds=everything)
        if prices.feeds:
            _tell(prices.feeds, self._feed_states)
        record = price_records.record(prices, at_ns=now_ns, actor=f"feed:{self._feed.name}")
        self._log.append(Topic.PRICES, [record])
        self._book.published()
        if self._candles is not None:
            self._candles.live.told()
        self.published += 1
        if self.published % TRIM_EVERY == 0:
            self._trim()

    def _publish_marks(self, now_ns: int) -> None:
        marks = self._book.marks(now_ns)
        if not marks:
            return
        value = wire.seal(
            "command",
            SetMarks(marks),
            id=f"marks:{now_ns}",
            at_ns=now_ns,
            actor=f"feed:{self._feed.name}",
        )
        partitions = range(self._log.partitions)
        self._log.append(Topic.COMMANDS, [Record(number, "", value) for number in partitions])

    def _trim(self) -> None:
        end = self._log.end_offset(Topic.PRICES, price_records.PARTITION)
        if end > KEEP_RECORDS:
            self._log.trim(Topic.PRICES, price_records.PARTITION, end - KEEP_RECORDS)


def _tell(feeds: Sequence[FeedStatus], known: dict[tuple[str, str], FeedState]) -> None:
    """Put the states of feeds into metrics, and those that changed into the log of this process."""
    for one in feeds:
        for state in FeedState:
            metrics.FEED_STATE.labels(one.venue, one.symbol, state).set(one.state is state)
        for name in one.counters.__struct_fields__:
            metrics.FEED_COUNTS.labels(one.venue, one.symbol, name).set(getattr(one.counters, name))
        metrics.FEED_LEFT_OUT.labels(one.venue, one.symbol).set(bool(one.left_out))
        before = known.get((one.venue, one.symbol))
        if before is not None and before is not one.state:
            _logger.info(
                "feed_state", venue=one.venue, symbol=one.symbol, state=one.state, before=before,
                left_out=one.left_out,
            )  # fmt: skip
        known[one.venue, one.symbol] = one.state


def run(
    feed: Feed,
    log: Log,
    clock: Clock,
    stop: threading.Event,
    *,
    interval_ms: int = INTERVAL_MS,
    mark_interval_ms: int = MARK_INTERVAL_MS,
    stale_ms: int = STALE_MS,
    steps_max: int | None = None,
    meter: Meter | None = None,
    candles: Candles | None = None,
) -> int:
    """Publish the feed until *stop* is set (or for *steps_max* steps); return the records written.

    A log that does not answer is tried again, ever more slowly; the feed goes on meanwhile.
    """
    publisher = Publisher(
        feed, log, clock, mark_interval_ms=mark_interval_ms, stale_ms=stale_ms, candles=candles
    )
    meter = meter or Meter("marketdata")
    failures = steps = 0
    next_ns = clock.monotonic_ns()
    while not stop.is_set() and steps != steps_max:
        steps += 1
        next_ns += interval_ms * NS_PER_MS
        begun_ns = SystemClock.monotonic_ns()
        try:
            publisher.step()
            failures = 0
            meter.round(1, begun_ns)
        except UnknownOutcomeError as error:
            # It may be there or not: the next prices are whole again either way.
            meter.broke(error)
            _logger.warning("prices_unknown_outcome", error=str(error))
        except TransportError as error:
            back_off_s = BACK_OFF_S[min(failures, len(BACK_OFF_S) - 1)]
            failures += 1
            meter.broke(error)
            _logger.warning("prices_wait", error=str(error), wait_s=back_off_s, times=failures)
            stop.wait(back_off_s)
        now_ns = clock.monotonic_ns()
        publisher.pause(now_ns + (next_ns - now_ns) * PAUSE_PERCENT // 100)
        now_ns = clock.monotonic_ns()
        if now_ns < next_ns:
            stop.wait((next_ns - now_ns) / 1_000_000_000)
        else:
            next_ns = now_ns  # late: do not hurry through what was missed
    return publisher.published

"""What this process knows of the prices: follows oms.prices and keeps the newest of each symbol.

Rules of this file:
- State is replaced, never changed in place: readers of any thread take what is there without a lock.
- A log that is broken makes the view stale, not wrong; it heals with the next read that works.
- Prices are absolute, so a reader that fell behind, or a trimmed log, just goes on from the end.
"""

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

import msgspec
import structlog

from marketdata.adapters import price_records
from marketdata.domain.feed_state import FeedStatus
from marketdata.domain.freshness import NS_PER_MS
from marketdata.domain.prices import Candle, Live, SymbolPrices, Trade
from oms_project.kernel.errors import BadRecordError, GapError, TransportError
from oms_project.kernel.ports import Clock, Log, StoredRecord
from oms_project.kernel.words import Topic

STALE_MS: Final = 5_000
BEGIN_RECORDS: Final = 100
"""Records read at the start, for the recent trades in them; the last one has the prices."""
READ_MAX: Final = 500
TRADES_MAX: Final = 500
HISTORY_MAX: Final = 64
"""Books of a symbol kept to make deltas from; a reader further behind gets a snapshot."""
CANDLES_MAX: Final = 2
"""Candles of an interval kept here: the one that grows and the one before it."""
POLL_S: Final = 0.05
REFRESH_NS: Final = 50 * NS_PER_MS
"""How old the last read may be before a synchronous reader reads again."""

_logger = structlog.get_logger(__name__)


class Seen(msgspec.Struct, frozen=True, gc=False):
    """One symbol as this process knows it.

    version: of the view when it last changed; trades: newest last, with each its running number;
    history: seq -> book, the newest HISTORY_MAX; candles: by interval, the newest two, newest last.
    """

    prices: SymbolPrices
    version: int
    trades: tuple[tuple[int, Trade], ...]
    history: Mapping[int, SymbolPrices]
    candles: Mapping[int, tuple[Candle, ...]] = MappingProxyType({})


class PriceView:
    """The prices of this process; one a process. `refresh` from any thread, `changed` from a loop."""

    def __init__(self, log: Log, clock: Clock) -> None:
        self.version = 0
        self.broken = False
        self._log = log
        self._clock = clock
        self._seen: dict[str, Seen] = {}
        self._feeds: tuple[FeedStatus, ...] = ()
        self._known_trades: dict[str, deque[tuple[str, str]]] = {}
        self._trade_count = 0
        self._next: int | None = None
        self._read_at_ns: int | None = None
        self._lock = threading.Lock()
        self._wake: asyncio.Event | None = None
        self._follower: asyncio.Task[None] | None = None

    # ------------------------------------------------------------------ reading, any thread

    def get(self, symbol: str) -> Seen | None:
        """Return what is known of *symbol* now, without reading the log."""
        return self._seen.get(symbol)

    def current(self, symbol: str) -> Seen | None:
        """Return what is known of *symbol*, reading the log first if nobody did just now."""
        at_ns = self._read_at_ns
        if at_ns is None or self._clock.monotonic_ns() - at_ns > REFRESH_NS:
            self.refresh()
        return self._seen.get(symbol)

    def symbols(self) -> list[str]:
        return sorted(self._seen)

    def feeds(self) -> tuple[FeedStatus, ...]:
        """Return the states of all feeds as told last, reading the log first if nobody did just now."""
        self.current("")
        return self._feeds

    def age_ms(self, symbol: str) -> int | None:
        """Return how old the symbol's price is (by the feed's clock), None if there is none."""
        seen = self._seen.get(symbol)
        if seen is None:
            return None
        return max(0, self._clock.now_ns() - seen.prices.at_ns) // NS_PER_MS

    def is_stale(self, symbol: str) -> bool:
        """Whether the price must not be trusted: none, too old, or no venue is fresh."""
        age_ms = self.age_ms(symbol)
        return age_ms is None or age_ms > STALE_MS or not self._seen[symbol].prices.venues

    # ------------------------------------------------------------------ following the log

    def refresh(self) -> bool:
        """Take in new records; return whether anything changed. Never raises for a broken log."""
        with self._lock:
            try:
                records = self._read()
                broken = False
            except TransportError as error:
                if not self.broken:
                    _logger.warning("price_view_broken", error=str(error))
                records, broken = [], True
            self._read_at_ns = self._clock.monotonic_ns()
            # Readers take no lock: they see all of these records or none, under one version.
            seen = dict(self._seen)
            changed = broken != self.broken
            for record in records:
                changed |= self._take(record, seen)
            self._seen = seen
            self.broken = broken
            if changed:
                self.version += 1
            return changed

    def _read(self) -> list[StoredRecord]:
        """Return the new records; go on near the end if we are new, far behind, or past a gap."""
        end = self._log.end_offset(Topic.PRICES, price_records.PARTITION)
        behind = self._next is None or end - self._next > READ_MAX or end < self._next
        if behind:
            first = self._log.first_offset(Topic.PRICES, price_records.PARTITION)
            self._next = max(first, end - BEGIN_RECORDS)
        if self._next is None or end == self._next:
            return []
        try:
            records = self._log.read(Topic.PRICES, price_records.PARTITION, self._next, READ_MAX)
        except GapError:
            self._next = None  # trimmed meanwhile: begin again with the next look
            return []
        if records:
            self._next = records[-1].offset + 1
        return records

    def _take(self, record: StoredRecord, into: dict[str, Seen]) -> bool:
        try:
            prices = price_records.decode(record.value)
        except BadRecordError as error:
            _logger.warning("price_record_unreadable", offset=record.offset, reason=str(error))
            return False
        if prices.feeds:
            self._feeds = prices.feeds
        for one in prices.symbols:
            into[one.symbol] = self._after(into.get(one.symbol), one)
        return bool(prices.symbols)

    def _after(self, before: Seen | None, now: SymbolPrices) -> Seen:
        trades = self._new_trades(now)
        history: Mapping[int, SymbolPrices] = {}
        if before is not None:
            trades = (*before.trades, *trades)[-TRADES_MAX:]
            history = before.history
        if now.seq not in history:
            # A feed that began anew counts from 1 again: its books do not follow from the old ones.
            kept = history if not history or now.seq > max(history) else {}
            newest = sorted(kept)[-(HISTORY_MAX - 1) :]
            history = {seq: kept[seq] for seq in newest} | {now.seq: now}
        candles = _candles_after(before.candles if before else {}, now.candles)
        return Seen(now, self.version + 1, trades, history, candles)

    def _new_trades(self, now: SymbolPrices) -> tuple[tuple[int, Trade], ...]:
        """Number the trades not seen before: a record may be told twice."""
        known = self._known_trades.setdefault(now.symbol, deque(maxlen=TRADES_MAX))
        fresh = []
        for trade in now.trades:
            key = (trade.venue, trade.trade_id)
            if key not in known:
                known.append(key)
                self._trade_count += 1
                fresh.append((self._trade_count, trade))
        return tuple(fresh)

    # ------------------------------------------------------------------ learning of changes, one loop

    def start(self) -> None:
        """Begin to follow the log in the running event loop; again and again does no harm."""
        if self._follower is None or self._follower.done() or self._other_loop():
            self._wake = asyncio.Event()
            self._follower = asyncio.get_running_loop().create_task(self._follow(self._wake))

    async def run(self) -> None:
        """Follow the log until cancelled: a part of the web process' life."""
        self.start()
        try:
            await asyncio.Event().wait()
        finally:
            await self.stop()

    async def stop(self) -> None:
        """End following and wake whoever waits."""
        follower, self._follower = self._follower, None
        if follower is None:
            return
        follower.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await follower

    async def changed(self, after_version: int) -> int:
        """Wait until the view's version is above *after_version* and return it."""
        while self.version <= after_version:
            self.start()
            wake = self._wake
            assert wake is not None, "start() made it"  # noqa: S101
            await wake.wait()
        return self.version

    def _other_loop(self) -> bool:
        follower = self._follower
        return follower is not None and follower.get_loop() is not asyncio.get_running_loop()

    async def _follow(self, wake: asyncio.Event) -> None:
        seen = self.version
        try:
            while True:
                await asyncio.sleep(POLL_S)
                # A broken file or broker may block: never in the loop's own thread.
                await asyncio.to_thread(self.refresh)
                if self.version != seen:  # here, or by a reader of another thread
                    seen = self.version
                    self._wake, woken = asyncio.Event(), wake
                    wake = self._wake
                    woken.set()
        finally:
            wake.set()  # whoever waits looks again, and starts another follower


def _candles_after(
    before: Mapping[int, tuple[Candle, ...]], told: Sequence[Live]
) -> Mapping[int, tuple[Candle, ...]]:
    """Return the newest candles of each interval, with those that were told now."""
    if not told:
        return before
    after = dict(before)
    for live in told:
        known = {one.begin_s: one for one in after.get(live.interval_s, ())}
        known[live.candle.begin_s] = live.candle
        after[live.interval_s] = tuple(known[begin] for begin in sorted(known)[-CANDLES_MAX:])
    return after

"""/ws/market: tickers, books, trades and candles, pushed.

The client sends {"op": "subscribe" | "unsubscribe", "channel": …, "symbol": …} (and "interval" for
candles); the server answers `subscribed`, then a `snapshot`, then `delta`s (book) or `update`s. Prices are
conflated: what changed while a frame was on its way to a slow client is one frame afterwards; a
delta's `prev_seq` is the seq this client was sent last. What holds for every socket is in
oms_project/rest/feed.py.
"""

import asyncio
import contextlib
from typing import Final
from weakref import WeakKeyDictionary

import msgspec
import structlog
from channels.db import database_sync_to_async
from django.db import DatabaseError

from marketdata import wiring
from marketdata.domain.candle import INTERVALS
from marketdata.domain.instrument import Units
from marketdata.domain.prices import Candle
from marketdata.view import PriceView, Seen
from marketdata.ws.frames import Frames
from oms_project.adapters.clock import NS_PER_S
from oms_project.kernel.ports import Clock
from oms_project.rest.feed import SUBSCRIPTIONS_MAX, Asked, Feed
from oms_project.rest.problem import Problem

LOOK_S: Final = 1
"""How often a socket looks at its own heartbeat and at staleness when no price comes."""

CHANNELS: Final = ("ticker", "book", "trades", "candles")

_logger = structlog.get_logger(__name__)
_frames: WeakKeyDictionary[PriceView, Frames] = WeakKeyDictionary()
"""The frames of each view: one in a process."""


class Request(Asked, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a client may say here."""

    symbol: str = ""
    interval: str = ""


class Subscription(msgspec.Struct, gc=False):
    """What one socket was sent of one channel and symbol. version -1: nothing yet.

    position: seq of the book, number of the last trade, or begin of the last candle; stale: as it was
    told last; interval, candles: of the candles, as they were told last.
    """

    channel: str
    symbol: str
    units: Units
    interval: str = ""
    candles: tuple[Candle, ...] = ()
    version: int = -1
    position: int = 0
    stale: bool = False


class Instruments:
    """Keeps the instruments of this process fresh for all its sockets, so that a halt is told soon.

    One try a second, by whoever comes first; without the database the prices go on.
    """

    def __init__(self) -> None:
        self._tried_ns: int | None = None

    async def refresh(self) -> None:
        now_ns = wiring.clock().monotonic_ns()
        recent = self._tried_ns is not None and now_ns - self._tried_ns < NS_PER_S
        if recent or not wiring.instruments_old():
            return
        self._tried_ns = now_ns
        try:
            await database_sync_to_async(wiring.listings, thread_sensitive=False)()
        except DatabaseError as error:
            _logger.warning("instruments_not_read", error=repr(error))


_INSTRUMENTS: Final = Instruments()


class MarketFeed(Feed):
    """One socket."""

    asked = Request
    channel_layer_alias = None  # nothing comes through the channel layer: no channel a socket

    def clock(self) -> Clock:
        return wiring.clock()

    async def connect(self) -> None:
        self._subscriptions: dict[tuple[str, str, str], Subscription] = {}
        self._version = wiring.view().version
        await super().connect()

    async def subscribe(self, asked: Request) -> None:
        where = {"channel": asked.channel, "symbol": asked.symbol}
        if asked.interval:
            where["interval"] = asked.interval
        key = (asked.channel, asked.symbol, asked.interval)
        full = key not in self._subscriptions and len(self._subscriptions) >= SUBSCRIPTIONS_MAX
        if asked.channel not in CHANNELS:
            problem = Problem("validation_error", f"channel must be one of {', '.join(CHANNELS)}")
            await self.refuse(problem, id=asked.id)
            return
        if (asked.channel == "candles") != (asked.interval in INTERVALS):
            detail = f"candles need an interval of {', '.join(INTERVALS)}; nothing else has one"
            await self.refuse(Problem("validation_error", detail), id=asked.id, **where)
            return
        if full:
            problem = Problem("rate_limited", f"At most {SUBSCRIPTIONS_MAX} subscriptions.")
            await self.refuse(problem, id=asked.id, **where)
            return
        units = await _units(asked.symbol)
        if units is None:
            await self.refuse(Problem("unknown_symbol"), id=asked.id, channel=asked.channel)
            return
        # Subscribing again begins again: that is how a client whose checksum differs heals.
        subscription = Subscription(asked.channel, asked.symbol, units, asked.interval)
        await self.answer(asked, op="subscribed", **where)
        self._subscriptions[key] = subscription
        await self._send_news(subscription)

    async def unsubscribe(self, asked: Request) -> None:
        self._subscriptions.pop((asked.channel, asked.symbol, asked.interval), None)
        where = {"channel": asked.channel, "symbol": asked.symbol}
        if asked.interval:
            where["interval"] = asked.interval
        async with self.sending:  # nothing of it may follow the answer
            await self.answer(asked, op="unsubscribed", **where)

    # ------------------------------------------------------------------ sending

    async def rest(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_S):
                await wiring.view().changed(self._version)

    async def news(self) -> bool:
        self._version = wiring.view().version
        await _INSTRUMENTS.refresh()
        for subscription in list(self._subscriptions.values()):
            await self._send_news(subscription)
        return False

    async def _send_news(self, subscription: Subscription) -> None:
        """Send what the subscription has not been sent yet, if anything."""
        async with self.sending:  # frames of one subscription never overtake each other
            key = (subscription.channel, subscription.symbol, subscription.interval)
            if self._subscriptions.get(key) is not subscription:
                return  # left, or begun again, meanwhile
            view = wiring.view()
            seen = view.get(subscription.symbol)
            if seen is None:
                return
            stale = view.broken or view.is_stale(subscription.symbol)
            units = wiring.known_units(subscription.symbol) or subscription.units
            turned = units.instrument.state is not subscription.units.instrument.state
            same = seen.version == subscription.version and stale == subscription.stale
            if same and not (turned and subscription.channel == "ticker"):
                return
            subscription.units = units
            frames = _frames.setdefault(view, Frames())
            frame = _NEWS[subscription.channel](frames, subscription, seen, stale)
            subscription.version = seen.version
            subscription.stale = stale
            if frame is not None:
                await self.give([frame])


async def _units(symbol: str) -> Units | None:
    """Return a symbol's units, asking the table in a thread if that must be asked again."""
    if not wiring.instruments_old():
        return wiring.known_units(symbol)
    found: Units | None = await database_sync_to_async(wiring.units, thread_sensitive=False)(symbol)
    return found


def _ticker_news(frames: Frames, one: Subscription, seen: Seen, stale: bool) -> str | None:
    kind = "snapshot" if one.version < 0 else "update"
    return frames.ticker(seen, one.units, kind=kind, stale=stale)


def _book_news(frames: Frames, one: Subscription, seen: Seen, stale: bool) -> str | None:
    """A delta from what was sent last; a snapshot at first, after a gap, or when staleness turns."""
    if one.version >= 0 and stale == one.stale:
        if one.position == seen.prices.seq:
            return None
        delta = frames.book_delta(seen, one.units, one.position)
        if delta is not None:
            one.position = seen.prices.seq
            return delta
    one.position = seen.prices.seq
    return frames.book(seen, one.units, stale=stale)


def _trades_news(frames: Frames, one: Subscription, seen: Seen, stale: bool) -> str | None:
    newest = seen.trades[-1][0] if seen.trades else 0
    first = one.version < 0
    if not first and newest <= one.position:
        return None
    after = None if first else one.position
    one.position = newest
    return frames.trades(seen, one.units, after=after)


def _candles_news(frames: Frames, one: Subscription, seen: Seen, stale: bool) -> str | None:
    """What grew since, and what began: the one sent last is sent again, closed."""
    candles = seen.candles.get(INTERVALS[one.interval], ())
    first = one.version < 0
    if candles == one.candles and not first:
        return None
    after_s = None if first else one.position
    one.candles, one.position = candles, candles[-1].begin_s if candles else 0
    return frames.candles(seen, one.units, one.interval, after_s=after_s)


_NEWS: Final = {
    "ticker": _ticker_news,
    "book": _book_news,
    "trades": _trades_news,
    "candles": _candles_news,
}

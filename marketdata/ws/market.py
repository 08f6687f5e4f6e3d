"""/ws/market: tickers, books and trades, pushed.

The client sends {"op": "subscribe" | "unsubscribe", "channel": …, "symbol": …}; the server answers
`subscribed`, then a `snapshot`, then `delta`s (book) or `update`s (ticker, trades). Prices are
conflated: what changed while a frame was on its way to a slow client is one frame afterwards; a
delta's `prev_seq` is the seq this client was sent last. Every 15 s the server sends `ping`; a
client that says nothing at all for a minute is closed with 4408, so it answers {"op": "pong"}.
"""

import asyncio
import contextlib
from typing import Any, Final, Literal
from weakref import WeakKeyDictionary

import msgspec
import structlog
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer

from marketdata import wiring
from marketdata.domain.instrument import Units
from marketdata.view import PriceView, Seen
from marketdata.ws.frames import Frames
from oms_project.adapters.clock import NS_PER_S

FRAME_BYTES_MAX: Final = 64 * 1024
SUBSCRIPTIONS_MAX: Final = 50
OPS_MAX: Final = 200
"""Messages of a client in OPS_WINDOW_NS; more is closed with 4429."""
OPS_WINDOW_NS: Final = 10 * NS_PER_S
PING_NS: Final = 15 * NS_PER_S
SILENCE_NS_MAX: Final = 60 * NS_PER_S
LOOK_S: Final = 1
"""How often a socket looks at its own heartbeat and at staleness when no price comes."""

CLOSE_NOT_AUTHENTICATED: Final = 4401
CLOSE_SILENT: Final = 4408
CLOSE_RATE: Final = 4429
CLOSE_BROKEN: Final = 1011

CHANNELS: Final = ("ticker", "book", "trades")

_logger = structlog.get_logger(__name__)
_frames: WeakKeyDictionary[PriceView, Frames] = WeakKeyDictionary()
"""The frames of each view: one in a process."""
_encode = msgspec.json.Encoder().encode


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a client may send. id: echoed in the answer."""

    op: Literal["subscribe", "unsubscribe", "ping", "pong"]
    channel: str = ""
    symbol: str = ""
    id: str | int | None = None


_decode = msgspec.json.Decoder(Request).decode


class Subscription(msgspec.Struct, gc=False):
    """What one socket was sent of one channel and symbol. version -1: nothing yet.

    position: seq of the book, or number of the last trade; stale: as it was told last.
    """

    channel: str
    symbol: str
    units: Units
    version: int = -1
    position: int = 0
    stale: bool = False


class MarketFeed(AsyncWebsocketConsumer):
    """One socket."""

    channel_layer_alias = None  # nothing comes through the channel layer: no channel a socket

    async def connect(self) -> None:
        await self.accept()
        self._subscriptions: dict[tuple[str, str], Subscription] = {}
        self._sender: asyncio.Task[None] | None = None
        self._sending = asyncio.Lock()
        self._ops = 0
        self._ops_since_ns = self._heard_ns = self._pinged_ns = wiring.clock().monotonic_ns()
        if not _is_authenticated(self.scope):
            await self.close(CLOSE_NOT_AUTHENTICATED)
            return
        self._sender = asyncio.create_task(self._send_all())

    async def disconnect(self, code: int) -> None:
        await self._stop_sending()

    async def _end(self, code: int) -> None:
        await self._stop_sending()
        await self.close(code)

    async def _stop_sending(self) -> None:
        sender, self._sender = self._sender, None
        if sender is not None and sender is not asyncio.current_task():
            sender.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sender

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self._sender is None:
            return  # not let in, or on the way out
        self._heard_ns = wiring.clock().monotonic_ns()
        too_long = len(text_data or bytes_data or "") > FRAME_BYTES_MAX
        if too_long or self._too_many():
            await self._end(CLOSE_RATE)
            return
        try:
            request = _decode(text_data if text_data is not None else (bytes_data or b""))
        except msgspec.ValidationError as error:
            await self._error("validation_error", str(error), None)
        except (msgspec.DecodeError, UnicodeError) as error:
            await self._error("malformed_json", str(error), None)
        else:
            await self._obey(request)

    def _too_many(self) -> bool:
        if self._heard_ns - self._ops_since_ns > OPS_WINDOW_NS:
            self._ops, self._ops_since_ns = 0, self._heard_ns
        self._ops += 1
        return self._ops > OPS_MAX

    async def _obey(self, request: Request) -> None:
        match request.op:
            case "ping":
                await self._answer({"op": "pong"}, request)
            case "subscribe":
                await self._subscribe(request)
            case "unsubscribe":
                self._subscriptions.pop((request.channel, request.symbol), None)
                await self._answer(
                    {
                        "op": "unsubscribed",
                        "channel": request.channel,
                        "symbol": request.symbol,
                    },
                    request,
                )

    async def _subscribe(self, request: Request) -> None:
        if request.channel not in CHANNELS:
            detail = f"channel must be one of {', '.join(CHANNELS)}"
            await self._error("validation_error", detail, request)
            return
        key = (request.channel, request.symbol)
        if key not in self._subscriptions and len(self._subscriptions) >= SUBSCRIPTIONS_MAX:
            detail = f"at most {SUBSCRIPTIONS_MAX} subscriptions"
            await self._error("too_many_subscriptions", detail, request)
            return
        units = await database_sync_to_async(wiring.units)(request.symbol)
        if units is None:
            await self._error("unknown_symbol", "There is no such instrument.", request)
            return
        # Subscribing again begins again: that is how a client whose checksum differs heals.
        subscription = Subscription(request.channel, request.symbol, units)
        await self._answer(
            {"op": "subscribed", "channel": request.channel, "symbol": request.symbol}, request
        )
        self._subscriptions[key] = subscription
        await self._send_news(subscription)

    # ------------------------------------------------------------------ sending

    async def _send_all(self) -> None:
        """Send what changed, for as long as the socket lives."""
        try:
            await self._follow()
        except OSError:
            return  # the client went away while we were sending; `disconnect` comes next
        except Exception:
            # Nobody awaits this task: a socket that has gone mute must be closed, and said so.
            _logger.exception("market_socket_failed")
            await self.close(CLOSE_BROKEN)

    async def _follow(self) -> None:
        view = wiring.view()
        version = view.version
        while await self._is_alive():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await view.changed(version)
            version = view.version
            for subscription in list(self._subscriptions.values()):
                await self._send_news(subscription)

    async def _is_alive(self) -> bool:
        """Keep the heartbeat; return whether the client still shows one."""
        now_ns = wiring.clock().monotonic_ns()
        if now_ns - self._heard_ns > SILENCE_NS_MAX:
            await self.close(CLOSE_SILENT)
            return False
        if now_ns - self._pinged_ns > PING_NS:
            self._pinged_ns = now_ns
            await self._answer({"op": "ping"}, None)
        return True

    async def _send_news(self, subscription: Subscription) -> None:
        """Send what the subscription has not been sent yet, if anything."""
        async with self._sending:  # frames of one subscription never overtake each other
            view = wiring.view()
            seen = view.get(subscription.symbol)
            if seen is None:
                return
            stale = view.broken or view.is_stale(subscription.symbol)
            if seen.version == subscription.version and stale == subscription.stale:
                return
            frames = _frames.setdefault(view, Frames())
            frame = _NEWS[subscription.channel](frames, subscription, seen, stale)
            subscription.version = seen.version
            subscription.stale = stale
            if frame is not None:
                await self.send(text_data=frame)

    async def _answer(self, body: dict[str, Any], request: Request | None) -> None:
        if request is not None and request.id is not None:
            body["id"] = request.id
        await self.send(text_data=_encode(body).decode())

    async def _error(self, code: str, detail: str, request: Request | None) -> None:
        await self._answer({"op": "error", "code": code, "detail": detail}, request)


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


_NEWS: Final = {"ticker": _ticker_news, "book": _book_news, "trades": _trades_news}


def _is_authenticated(scope: Any) -> bool:
    """Whoever let the socket in put a principal, or Django's user, into the scope."""
    who = scope.get("principal") or scope.get("user")
    return bool(who is not None and who.is_authenticated)

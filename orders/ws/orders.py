"""/ws/orders: an account's orders, positions, balances and fills as they change.

Rules of this file:
- The client says which account and from which seq; what it gets is read from the store. A push only
  wakes the reader, and a poll every POLL_S does so too: a lost push costs a moment, never an event.
- Nothing is dropped: a client that does not take its frames is closed (1013) and resumes.
- Rights are looked at before every read; the door (rest/sockets.py) keeps them fresh.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, Final, TypeVar

import msgspec
import structlog
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from redis.exceptions import RedisError

from oms_project.adapters.clock import NS_PER_S
from oms_project.adapters.push import channel_group
from oms_project.kernel.errors import OmsError, TransportError
from oms_project.rest import sockets, strict_json, times
from oms_project.rest.problem import Problem
from orders import wiring
from orders.pusher import group_of
from orders.ws.stream import CHANNEL, Frame, Stream, TooOldError

FRAME_BYTES_MAX: Final = 64 * 1024
SUBSCRIPTIONS_MAX: Final = 50
OPS_MAX: Final = 100
"""Messages of a client in OPS_NS; more is closed with 4429. Answering pings counts too."""
OPS_NS: Final = 10 * NS_PER_S
POLL_S: Final = 1.0
PING_NS: Final = 15 * NS_PER_S
SILENCE_NS_MAX: Final = 45 * NS_PER_S
SEND_S: Final = 10.0
"""How long a client may take for one round of frames."""
BROKEN: Final = 1011
TOO_BIG: Final = 1009

_logger = structlog.get_logger(__name__)
_encode = msgspec.json.Encoder().encode
T = TypeVar("T")


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a client may send."""

    op: str
    channel: str = CHANNEL
    account_id: str = ""
    from_seq: int | None = None


class OrderFeed(AsyncWebsocketConsumer):
    """One socket."""

    async def connect(self) -> None:
        self._streams: dict[str, Stream] = {}
        self._wake = asyncio.Event()
        self._sending = asyncio.Lock()
        self._reader: asyncio.Task[None] | None = None
        self._over = False
        self._ops = 0
        self._ops_since_ns = self._heard_ns = self._pinged_ns = wiring.clock().monotonic_ns()
        await self.accept()
        self._reader = asyncio.create_task(self._follow())

    async def disconnect(self, code: int) -> None:
        for account_id in list(self._streams):
            await self._leave(account_id)
        reader, self._reader = self._reader, None
        if reader is not None and reader is not asyncio.current_task():
            reader.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reader

    async def more(self, message: dict[str, Any]) -> None:
        """The pusher's hint."""
        self._wake.set()

    # -------------------------------------------------------------- what the client says
    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self._over:
            return
        raw = text_data.encode() if text_data is not None else bytes_data or b""
        if len(raw) > FRAME_BYTES_MAX:
            await self.close(TOO_BIG)
            return
        self._heard_ns = wiring.clock().monotonic_ns()
        if self._too_many():
            await self.close(sockets.TOO_MANY)
            return
        found = _request(raw)
        if isinstance(found, Problem):
            await self._error(found)
        else:
            await self._obey(found)

    def _too_many(self) -> bool:
        if self._heard_ns - self._ops_since_ns > OPS_NS:
            self._ops, self._ops_since_ns = 0, self._heard_ns
        self._ops += 1
        return self._ops > OPS_MAX

    async def _obey(self, request: Request) -> None:
        match request.op:
            case "pong":
                return
            case "ping":
                await self._say({"op": "pong", "at": times.text(wiring.clock().now_ns())})
            case "subscribe":
                await self._subscribe(request)
            case "unsubscribe":
                account = {"channel": CHANNEL, "account_id": request.account_id}
                async with self._sending:  # nothing of it may follow the answer
                    await self._leave(request.account_id)
                    await self._say({"op": "unsubscribed", **account})
            case _:
                await self._error(Problem("validation_error", f"There is no op {request.op[:32]}."))

    async def _subscribe(self, request: Request) -> None:
        account_id = request.account_id
        if request.channel != CHANNEL:
            await self._error(Problem("validation_error", f"The channel here is {CHANNEL}."))
        elif not self._may_read(account_id):
            await self._error(Problem("not_found"))
        elif account_id not in self._streams and len(self._streams) >= SUBSCRIPTIONS_MAX:
            await self._error(Problem("rate_limited", f"At most {SUBSCRIPTIONS_MAX} accounts."))
        else:
            await self._open(account_id, request.from_seq)

    async def _open(self, account_id: str, from_seq: int | None) -> None:
        """Begin a stream; subscribing again begins again."""
        stream = Stream(wiring.read_side(), account_id)
        await self._join(account_id)  # before the first read: nothing can come in between unseen
        try:
            if from_seq is None:
                frames = await _in_thread(stream.begin)
            else:
                frames = await _in_thread(lambda: stream.resume(from_seq))
        except TooOldError:
            await self._leave(account_id)
            await self._snapshot_required(account_id)
            return
        except TransportError as error:
            await self._leave(account_id)
            _logger.warning("stream_not_opened", error=str(error))
            await self._error(Problem("store_unavailable"))
            return
        async with self._sending:
            self._streams[account_id] = stream
            await self._give(frames)
        self._wake.set()

    # -------------------------------------------------------------- what the client gets
    async def _follow(self) -> None:
        """Send what is new for as long as the socket lives."""
        try:
            while await self._alive():
                self._wake.clear()
                if not await self._round():
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._wake.wait(), POLL_S)
        except OmsError:
            _logger.exception("stream_broke")
            await self.close(BROKEN)

    async def _round(self) -> bool:
        """Send every stream's news once; tell whether there was any."""
        some = False
        for account_id, stream in list(self._streams.items()):
            if not self._may_read(account_id):
                await self.close(sockets.FORBIDDEN)
                return False
            try:
                async with self._sending:
                    if self._streams.get(account_id) is not stream:
                        continue  # left, or begun again, meanwhile
                    frames = await _in_thread(stream.news)
                    await self._give(frames)
                some = some or bool(frames)
            except TooOldError:
                await self._leave(account_id)
                await self._snapshot_required(account_id)
            except TransportError as error:
                _logger.warning("stream_waits", error=str(error))
        return some

    async def _give(self, frames: list[Frame]) -> None:
        """Send frames; a client that does not take them is closed, and can resume."""
        try:
            async with asyncio.timeout(SEND_S):
                for frame in frames:
                    await self.send(text_data=frame)
        except TimeoutError:
            await self.close(sockets.OVERLOADED)

    async def close(self, code: int | None = None, reason: str | None = None) -> None:
        self._over = True
        await super().close(code, reason)

    async def _alive(self) -> bool:
        """Keep the heartbeat; tell whether the client still shows one."""
        now_ns = wiring.clock().monotonic_ns()
        if self._over:
            return False
        if now_ns - self._heard_ns > SILENCE_NS_MAX:
            await self.close(sockets.HEARTBEAT_LOST)
            return False
        if now_ns - self._pinged_ns > PING_NS:
            self._pinged_ns = now_ns
            await self._say({"op": "ping", "at": times.text(wiring.clock().now_ns())})
        return True

    def _may_read(self, account_id: str) -> bool:
        seat: sockets.Seat = self.scope["seat"]
        return seat.principal.can_read(account_id)

    async def _join(self, account_id: str) -> None:
        try:
            group = channel_group(group_of(account_id))
            await self.channel_layer.group_add(group, self.channel_name)
        except (RedisError, OSError) as error:
            _logger.warning("push_not_joined", error=repr(error))  # the poll still finds everything

    async def _leave(self, account_id: str) -> None:
        self._streams.pop(account_id, None)
        try:
            group = channel_group(group_of(account_id))
            await self.channel_layer.group_discard(group, self.channel_name)
        except (RedisError, OSError) as error:
            _logger.warning("push_not_left", error=repr(error))

    async def _snapshot_required(self, account_id: str) -> None:
        detail = "Subscribe again without from_seq."
        where = {"channel": CHANNEL, "account_id": account_id}
        await self._say({"op": "error", "code": "snapshot_required", "detail": detail, **where})

    async def _error(self, problem: Problem) -> None:
        detail = problem.detail or (problem.errors[0].detail if problem.errors else "")
        await self._say({"op": "error", "code": problem.code, "detail": detail})

    async def _say(self, frame: dict[str, Any]) -> None:
        await self._give([_encode(frame).decode()])


def _request(raw: bytes) -> Request | Problem:
    value = strict_json.read_object(raw)
    if isinstance(value, Problem):
        return value
    try:
        found = msgspec.convert(value, Request, strict=True)
    except msgspec.ValidationError as error:
        return Problem("validation_error", str(error)[:200])
    if found.from_seq is not None and not 1 <= found.from_seq < 2**63:
        return Problem("validation_error", "from_seq must be 1 or more.")
    return found


async def _in_thread(read: Callable[[], T]) -> T:
    found: T = await database_sync_to_async(read, thread_sensitive=False)()
    return found

"""What every socket of ours is: one grammar, one strictness, one heartbeat, one way to end.

Rules of this file:
- A client says {"op": "subscribe" | "unsubscribe" | "ping" | "pong", …}; `id`, if it sends one, comes
  back in the answer. Bytes are read as strictly as a REST body, refusals are codes of the catalogue.
- A socket that cannot go on is closed with a code, always: whatever breaks in it is logged once and
  ends with 1011. A client that left is no error.
- What is read for a client comes in its user's turn and in slices of SLICE_BYTES: the next slice is
  made when the last one is on its way. So a socket holds one slice, and a user SOCKETS_PER_USER_MAX.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Final, Literal, TypeVar

import msgspec
import structlog
from channels.consumer import get_handler_name
from channels.db import database_sync_to_async
from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer

from oms_project.adapters.clock import NS_PER_S
from oms_project.kernel.ports import Clock
from oms_project.rest import sockets, strict_json, times
from oms_project.rest.problem import Problem, from_exception

FRAME_BYTES_MAX: Final = 64 * 1024
SUBSCRIPTIONS_MAX: Final = 50
OPS_MAX: Final = 100
"""Messages of a client in OPS_NS; more is closed with 4429. What it is sent for asking counts too."""
OPS_NS: Final = 10 * NS_PER_S
OP_BYTES: Final = 64 * 1024
"""So many bytes of answer count as one more message."""
SLICE_BYTES: Final = 256 * 1024
PING_NS: Final = 15 * NS_PER_S
SILENCE_NS_MAX: Final = 45 * NS_PER_S
SEND_S: Final = 10.0
"""How long a client may take for one slice."""
TOO_BIG: Final = 1009
BROKEN: Final = 1011
ID_CHARS_MAX: Final = 64
ID_MAX: Final = 2**53 - 1
"""The largest integer that every client's JSON can hold."""

_logger = structlog.get_logger(__name__)
_encode = msgspec.json.Encoder().encode
T = TypeVar("T")
Id = (
    Annotated[str, msgspec.Meta(max_length=ID_CHARS_MAX)]
    | Annotated[int, msgspec.Meta(ge=-ID_MAX, le=ID_MAX)]
    | None
)


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a client may say; a feed adds what it subscribes by. id: echoed in the answer."""

    op: Literal["subscribe", "unsubscribe", "ping", "pong"]
    channel: str = ""
    id: Id = None


class GoneError(Exception):
    """The client is not there any more, or was told to go: nothing can be sent."""


class Feed(AsyncWebsocketConsumer):
    """One socket. A subclass says what can be subscribed to, and what is new of it."""

    asked: ClassVar[type[Asked]] = Asked

    # -------------------------------------------------------------- what a subclass says
    def clock(self) -> Clock:
        raise NotImplementedError

    async def subscribe(self, asked: Any) -> None:
        """Answer with `subscribed` and what comes first, or `refuse`."""
        raise NotImplementedError

    async def unsubscribe(self, asked: Any) -> None:
        """Answer with `unsubscribed`; nothing of it follows."""
        raise NotImplementedError

    async def news(self) -> bool:
        """Send what is new; tell whether there may be more at once."""
        raise NotImplementedError

    async def rest(self) -> None:
        """Return when there may be news; after a second at most, for the heartbeat."""
        raise NotImplementedError

    async def left(self) -> None:
        """The socket ends: let go of what it held."""

    # -------------------------------------------------------------- its life
    async def connect(self) -> None:
        self._over = False
        self._ops = 0
        self._ops_since_ns = self._heard_ns = self._pinged_ns = self.clock().monotonic_ns()
        self.sending = asyncio.Lock()
        """Held while frames that belong together are sent."""
        self._sender: asyncio.Task[None] | None = None
        await self.accept()
        self._sender = asyncio.create_task(self._send_all())

    async def disconnect(self, code: int) -> None:
        self._over = True
        sender, self._sender = self._sender, None
        if sender is not None:
            sender.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sender
        await self.left()

    async def dispatch(self, message: Mapping[str, Any]) -> None:
        """Take what came from the client or the channel layer. Whatever breaks ends in a code."""
        try:
            await getattr(self, get_handler_name(message))(message)
        except StopConsumer:
            raise
        except Exception as error:
            await self._ended_by(error)

    async def websocket_disconnect(self, message: Mapping[str, Any]) -> None:
        await self.disconnect(message["code"])
        raise StopConsumer

    async def _ended_by(self, error: Exception) -> None:
        if self._over:
            return
        self._over = True
        if not isinstance(error, GoneError):
            _logger.error("socket_broke", socket=type(self).__name__, exc_info=error)
            with contextlib.suppress(GoneError):
                await self.close(BROKEN)

    async def close(self, code: int | None = None, reason: str | None = None) -> None:
        self._over = True
        try:
            await super().close(code, reason)
        except OSError as error:
            raise GoneError from error

    # -------------------------------------------------------------- what the client says
    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self._over:
            return
        try:
            raw = text_data.encode() if text_data is not None else bytes_data or b""
        except UnicodeEncodeError:  # a lone surrogate: no server of ours lets one through
            raw = b"\xff"
        self._heard_ns = self.clock().monotonic_ns()
        if len(raw) > FRAME_BYTES_MAX:
            await self.close(TOO_BIG)
        elif self._spent(1):
            await self.close(sockets.TOO_MANY)
        else:
            await self._obey(raw)

    def _spent(self, ops: int) -> bool:
        """Count *ops* messages; tell whether these are too many."""
        now_ns = self.clock().monotonic_ns()
        if now_ns - self._ops_since_ns > OPS_NS:
            self._ops, self._ops_since_ns = 0, now_ns
        self._ops += ops
        return self._ops > OPS_MAX

    async def _obey(self, raw: bytes) -> None:
        value = strict_json.read_object(raw)
        if isinstance(value, Problem):
            await self.refuse(value)
            return
        try:
            asked = msgspec.convert(value, self.asked, strict=True)
        except msgspec.ValidationError as error:
            await self.refuse(Problem("validation_error", str(error)[:200]), id=_id_in(value))
            return
        match asked.op:
            case "ping":
                await self.answer(asked, op="pong", at=self._now())
            case "subscribe":
                await self.subscribe(asked)
            case "unsubscribe":
                await self.unsubscribe(asked)

    # -------------------------------------------------------------- what the client gets
    async def answer(self, asked: Asked, **frame: Any) -> None:
        """Send a frame that answers *asked*."""
        if asked.id is not None:
            frame["id"] = asked.id
        await self.give([_encode(frame).decode()])

    async def refuse(self, problem: Problem, **where: Any) -> None:
        """Send an `error` frame. where: what it is about (id, channel, …); None is left out."""
        detail = problem.detail or (problem.errors[0].detail if problem.errors else "")
        about = {name: value for name, value in where.items() if value is not None}
        frame = {"op": "error", "code": problem.code, "detail": detail, **about}
        await self.give([_encode(frame).decode()])

    async def give(self, frames: Sequence[str]) -> None:
        """Send frames; a client that does not take them is closed, and can resume.

        Raises:
            GoneError: it is not there any more.
        """
        try:
            async with asyncio.timeout(SEND_S):
                for frame in frames:
                    await self.send(text_data=frame)
        except TimeoutError as error:
            await self.close(sockets.OVERLOADED)
            raise GoneError from error
        except OSError as error:
            raise GoneError from error

    async def charge(self, frames: Sequence[str]) -> None:
        """Count what a client is sent because it asked.

        Raises:
            GoneError: it was too much, and the socket is closed.
        """
        if self._spent(sum(map(len, frames)) // OP_BYTES):
            await self.close(sockets.TOO_MANY)
            raise GoneError

    async def read(self, read: Callable[[], T]) -> T:
        """Return what *read* reads, in a thread, in this user's turn."""
        seat: sockets.Seat = self.scope["seat"]
        async with seat.reads.turn(seat.principal.user_id):
            found: T = await database_sync_to_async(read, thread_sensitive=False)()
        return found

    async def _send_all(self) -> None:
        """Send what is new for as long as the socket lives."""
        waiting = False
        try:
            while await self._alive():
                more = False
                try:
                    more = await self.news()
                    waiting = False
                except Exception as error:
                    if not _passes(error):
                        raise
                    if not waiting:  # once an outage: every socket meets it every second
                        _logger.warning("socket_waits", error=repr(error))
                    waiting = True
                if not more:
                    await self.rest()
        except Exception as error:
            # Nobody awaits this task: what breaks it must end the socket, or it would go mute.
            await self._ended_by(error)

    async def _alive(self) -> bool:
        """Keep the heartbeat; tell whether the client still shows one."""
        if self._over:
            return False
        now_ns = self.clock().monotonic_ns()
        if now_ns - self._heard_ns > SILENCE_NS_MAX:
            await self.close(sockets.HEARTBEAT_LOST)
            return False
        if now_ns - self._pinged_ns > PING_NS:
            self._pinged_ns = now_ns
            await self.give([_encode({"op": "ping", "at": self._now()}).decode()])
        return True

    def _now(self) -> str:
        return times.text(self.clock().now_ns())


def _passes(error: Exception) -> bool:
    """Tell whether *error* is an outage that a socket waits out: REST would answer 503."""
    problem = from_exception(error)
    return problem is not None and problem.status == 503


def _id_in(value: Mapping[str, Any]) -> str | int | None:
    """Return the id of a message that is wrong otherwise, if that is one."""
    try:
        found: str | int | None = msgspec.convert(value.get("id"), Id, strict=True)
    except msgspec.ValidationError:
        return None
    return found

"""/ws/orders: an account's orders, positions, balances and fills as they change.

Rules of this file:
- The client says which account and from which seq; what it gets is read from the store. A push only
  wakes the reader, and a poll every POLL_S does so too: a lost push costs a moment, never an event.
- Nothing is dropped: a client that does not take its frames is closed (1013) and resumes.
- Rights are looked at before every read; the door (rest/sockets.py) keeps them fresh.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any, Final

import structlog
from redis.exceptions import RedisError

from oms_project.access.rights import Action
from oms_project.adapters.push import channel_group
from oms_project.kernel.numbers import INT64_MAX
from oms_project.kernel.ports import Clock
from oms_project.rest import sockets
from oms_project.rest.feed import SUBSCRIPTIONS_MAX, Asked, Feed
from oms_project.rest.problem import Problem, from_exception
from orders import wiring
from orders.pusher import group_of
from orders.ws.stream import CHANNEL, Frame, Stream, TooOldError

POLL_S: Final = 1.0

_logger = structlog.get_logger(__name__)


class Request(Asked, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a client may say here. from_seq: the first event it wants; None: a snapshot first."""

    channel: str = CHANNEL
    account_id: str = ""
    from_seq: int | None = None


class OrderFeed(Feed):
    """One socket."""

    asked = Request

    def clock(self) -> Clock:
        return wiring.clock()

    async def connect(self) -> None:
        self._streams: dict[str, Stream] = {}
        self._wake = asyncio.Event()
        await super().connect()

    async def left(self) -> None:
        for account_id in list(self._streams):
            await self._leave(account_id)

    async def more(self, message: Mapping[str, Any]) -> None:
        """The pusher's hint."""
        self._wake.set()

    # -------------------------------------------------------------- what the client says
    async def subscribe(self, asked: Request) -> None:
        account_id = asked.account_id
        wrong = self._wrong(asked)
        if wrong is not None:
            await self.refuse(wrong, id=asked.id)
            return
        # Subscribing again begins again.
        stream = Stream(wiring.read_side(), account_id)
        await self._join(account_id)  # before the first read: nothing can come in between unseen
        try:
            frames = await self.read(lambda: stream.open(asked.from_seq, asked.id))
        except TooOldError:
            await self._end_stream(account_id, asked.id)
            return
        except Exception as error:
            await self._leave(account_id)
            problem = from_exception(error)
            if problem is None:
                raise
            _logger.warning("stream_not_opened", error=repr(error))
            await self.refuse(problem, id=asked.id, channel=CHANNEL, account_id=account_id)
            return
        async with self.sending:
            self._streams[account_id] = stream
            await self.give(frames)
        await self.charge(frames)
        self._wake.set()

    def _wrong(self, asked: Request) -> Problem | None:
        account_id = asked.account_id
        if asked.channel != CHANNEL:
            return Problem("validation_error", f"The channel here is {CHANNEL}.")
        if asked.from_seq is not None and not 1 <= asked.from_seq <= INT64_MAX:
            return Problem("validation_error", "from_seq must be 1 or more.")
        seat: sockets.Seat = self.scope["seat"]
        refused = seat.principal.on(account_id, Action.READ)
        if refused is not None:
            return refused
        if account_id not in self._streams and len(self._streams) >= SUBSCRIPTIONS_MAX:
            return Problem("rate_limited", f"At most {SUBSCRIPTIONS_MAX} accounts.")
        return None

    async def unsubscribe(self, asked: Request) -> None:
        async with self.sending:  # nothing of it may follow the answer
            await self._leave(asked.account_id)
            await self.answer(
                asked, op="unsubscribed", channel=CHANNEL, account_id=asked.account_id
            )

    # -------------------------------------------------------------- what the client gets
    async def rest(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), POLL_S)

    async def news(self) -> bool:
        """Send one slice of every stream's news; tell whether there was any."""
        self._wake.clear()
        some = False
        for account_id, stream in list(self._streams.items()):
            if not self._may_read(account_id):
                await self.close(sockets.FORBIDDEN)
                return False
            if await self._slice(account_id, stream):
                some = True
        return some

    async def _slice(self, account_id: str, stream: Stream) -> list[Frame]:
        try:
            async with self.sending:
                if self._streams.get(account_id) is not stream:
                    return []  # left, or begun again, meanwhile
                frames = await self.read(stream.news)
                await self.give(frames)
        except TooOldError:
            await self._end_stream(account_id, None)
            return []
        return frames

    async def _end_stream(self, account_id: str, asked_id: str | int | None) -> None:
        """Tell that the events are gone: only a snapshot can be given."""
        await self._leave(account_id)
        problem = Problem("snapshot_required", "Subscribe again without from_seq.")
        await self.refuse(problem, id=asked_id, channel=CHANNEL, account_id=account_id)

    # -------------------------------------------------------------- who may, and who is woken
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

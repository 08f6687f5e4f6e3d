"""A user, an account, and sockets to listen on: for the tests of /ws/orders."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator

from oms_project.access import principal
from oms_project.access.models import Membership
from oms_project.asgi import sockets as routes
from oms_project.kernel.words import Role
from oms_project.rest.sockets import Seats, guarded
from orders import wiring
from orders.pusher import group_of
from orders.tests.world import World

HOST: Final = (b"host", b"localhost")
ORIGIN: Final = (b"origin", b"http://localhost")
WAIT_S: Final = 10.0


class Room:
    """A user with an account, somebody else's account, and sockets."""

    def __init__(self) -> None:
        self.world = World()
        self.account, self.theirs = self.world.account(), self.world.account()
        self.user = self.world.user("ann", {self.account: Role.VIEWER})
        self.token = self.world.token(self.user)
        self.seats = Seats()
        self.app = guarded(routes, self.seats)
        self.open: list[WebsocketCommunicator] = []

    async def socket(self, **how: Any) -> "Socket":
        how.setdefault("subprotocols", ["oms.v1", f"bearer.{self.token}"])
        how.setdefault("headers", [HOST])
        made = WebsocketCommunicator(self.app, "/ws/orders", **how)
        self.open.append(made)
        connected, protocol = await made.connect(timeout=WAIT_S)
        assert connected
        return Socket(made, protocol)

    async def tell(self, *told: Any) -> int:
        return await sync_to_async(self.world.tell)(self.account, *told)

    async def push(self) -> None:
        await wiring.push().publish(group_of(self.account), {"type": "more", "seq": 0})


class Socket:
    """The client's side."""

    def __init__(self, made: WebsocketCommunicator, protocol: str | None) -> None:
        self.made = made
        self.protocol = protocol

    async def say(self, **message: Any) -> None:
        await self.made.send_to(text_data=json.dumps(message))

    async def hear(self, op: str = "") -> dict[str, Any]:
        found: dict[str, Any] = json.loads(await self.made.receive_from(timeout=WAIT_S))
        assert not op or found["op"] == op, found
        return found

    async def subscribe(self, account_id: str, **more: Any) -> dict[str, Any]:
        await self.say(op="subscribe", channel="orders", account_id=account_id, **more)
        return await self.hear()

    async def closed(self) -> int:
        """Return the code it was closed with, reading past what was sent before."""
        while True:
            message = await self.made.receive_output(timeout=WAIT_S)
            if message["type"] == "websocket.close":
                return int(message["code"])


@asynccontextmanager
async def a_room() -> AsyncIterator[Room]:
    """Yield a room; hang up everything at the end."""
    made = await sync_to_async(Room)()
    yield made
    for one in made.open:
        await one.disconnect(timeout=WAIT_S)


async def another_account(room: Room) -> str:
    account_id = await sync_to_async(room.world.account)()
    await Membership.objects.acreate(user=room.user, account_id=account_id, role=Role.VIEWER)
    principal.forget_all()
    return account_id

"""/ws/orders: who may listen, the snapshot, gap-free events, resuming, and how it ends."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.test import Client

from oms_project.access import principal
from oms_project.access.models import Membership
from oms_project.asgi import sockets as routes
from oms_project.kernel.words import Role
from oms_project.rest import sockets
from oms_project.rest.sockets import Seats, guarded
from orders import wiring
from orders.pusher import group_of
from orders.tests.world import World, accepted, fill, new_id, routed
from orders.ws import orders as feed
from orders.ws import stream

pytestmark = pytest.mark.django_db(databases=["default", "store"], transaction=True)
HOST = (b"host", b"localhost")
ORIGIN = (b"origin", b"http://localhost")
WAIT_S = 10.0


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


@pytest.fixture
async def room(transactional_db: None) -> AsyncIterator[Room]:
    made = await sync_to_async(Room)()
    yield made
    for one in made.open:
        await one.disconnect(timeout=WAIT_S)


# ------------------------------------------------------------------ who may listen
async def test_a_token_as_sub_protocol(room: Room) -> None:
    """The answer names a protocol the client offered, and not the token if it need not."""
    assert (await room.socket()).protocol == "oms.v1"
    only = f"bearer.{room.token}"
    assert (await room.socket(subprotocols=[only])).protocol == only


async def test_a_token_as_header(room: Room) -> None:
    """Programs may use the header they know."""
    header = (b"authorization", f"Bearer {room.token}".encode())
    found = await room.socket(subprotocols=None, headers=[HOST, header])
    assert (await found.subscribe(room.account))["op"] == "subscribed"


async def session(room: Room) -> bytes:
    client = Client()
    await sync_to_async(client.force_login)(room.user)
    return f"sessionid={client.cookies['sessionid'].value}".encode()


ORIGINS = [
    (b"http://localhost", 0),
    (b"https://localhost", 0),
    (b"https://trusted.example", 0),
    (b"http://evil.example", 4403),
    (b"http://localhost.evil.example", 4403),
    (b"http://localhost:81", 4403),
    (b"null", 4403),
    (None, 4403),
]


@pytest.mark.parametrize(("origin", "code"), ORIGINS)
async def test_a_session_needs_our_origin(
    room: Room, settings: Any, origin: bytes | None, code: int
) -> None:
    """A cookie comes with every page's socket; only the Origin says whose page it is."""
    settings.CSRF_TRUSTED_ORIGINS = ["https://trusted.example"]
    headers = [HOST, (b"cookie", await session(room))]
    headers += [(b"origin", origin)] if origin is not None else []
    found = await room.socket(subprotocols=None, headers=headers)
    if code:
        assert await found.closed() == code
    else:
        assert (await found.subscribe(room.account))["op"] == "subscribed"


async def test_strangers(room: Room) -> None:
    """No credentials, a bad token, a token in the query, another host: closed at once."""
    for how in (
        {"subprotocols": None},
        {"subprotocols": ["bearer.nonsense"]},
        {"subprotocols": None, "headers": [HOST, ORIGIN, (b"cookie", b"sessionid=nonsense")]},
    ):
        assert await (await room.socket(**how)).closed() == sockets.UNAUTHENTICATED
    evil = await room.socket(headers=[(b"host", b"evil.example")])
    assert await evil.closed() == sockets.FORBIDDEN


async def test_foreign_and_unknown_accounts_are_the_same(room: Room) -> None:
    """Neither exists."""
    found = await room.socket()
    answers = [await found.subscribe(account_id) for account_id in (room.theirs, new_id(), "")]
    assert answers[0] == answers[1] == answers[2]
    assert answers[0]["code"] == "not_found"


async def test_too_many_sockets(room: Room, monkeypatch: Any) -> None:
    """One user does not take all the seats; a seat that is left is free again."""
    monkeypatch.setattr(sockets, "SOCKETS_PER_USER_MAX", 2)
    first = await room.socket()
    await room.socket()
    assert await (await room.socket()).closed() == sockets.TOO_MANY
    await first.made.disconnect()
    assert (await (await room.socket()).subscribe(room.account))["op"] == "subscribed"


# ------------------------------------------------------------------ the stream
async def test_snapshot_then_events(room: Room) -> None:
    """What is true, and then every change, with the order as it is after it."""
    resting = routed()
    seq = await room.tell(resting)
    found = await room.socket()
    head = await found.subscribe(room.account)
    assert head == {
        "op": "subscribed", "channel": "orders", "account_id": room.account, "seq": seq,
    }  # fmt: skip
    snapshot = await found.hear("snapshot")
    assert snapshot["seq"] == seq
    assert [order["order_id"] for order in snapshot["orders"]] == [resting.order_id]
    assert {"positions", "balances", "fills"} < set(snapshot)

    await room.tell(accepted(resting))
    await room.tell(*fill(resting, 10, version=3))
    await room.push()
    events = [await found.hear("event") for _ in range(4)]
    assert [event["seq"] for event in events] == [2, 3, 4, 5]
    assert [event["event"]["type"] for event in events] == [
        "OrderAccepted", "OrderFilled", "PositionChanged", "BalanceChanged",
    ]  # fmt: skip
    assert [event["order"]["status"] for event in events[:2]] == ["ACCEPTED", "FILLED"]
    assert events[1]["order"]["filled_quantity"] == "0.001"
    assert "order" not in events[2]
    assert (
        await sync_to_async(wiring.read_side().order)(resting.order_id, [room.account])
        == (events[1]["order"])
    )


async def test_a_lost_push_loses_nothing(room: Room, monkeypatch: Any) -> None:
    """Nobody pushes: the poll finds it."""
    monkeypatch.setattr(feed, "POLL_S", 0.05)
    found = await room.socket()
    await found.subscribe(room.account)
    await found.hear("snapshot")
    await room.tell(routed())
    assert (await found.hear("event"))["seq"] == 1


async def test_resume_without_gaps(room: Room) -> None:
    """Cut off again and again while orders come in: each event once, in order."""
    seen: list[int] = []
    orders = [routed() for _ in range(12)]
    for number, order in enumerate(orders):
        await room.tell(order, accepted(order))
        if number % 3:
            continue
        found = await room.socket()
        await found.subscribe(room.account, from_seq=len(seen) + 1)
        for _ in range(2 * (number + 1) - len(seen) - 1):  # leave one unread: it was never seen
            seen.append((await found.hear("event"))["seq"])
        await found.made.disconnect()
    found = await room.socket()
    await found.subscribe(room.account, from_seq=len(seen) + 1)
    while len(seen) < 24:
        seen.append((await found.hear("event"))["seq"])
    assert seen == list(range(1, 25))


async def test_resume_inside_a_batch(room: Room) -> None:
    """A seq in the middle of one command's events is a place like any other."""
    orders = [routed() for _ in range(5)]
    await room.tell(*orders)
    found = await room.socket()
    assert (await found.subscribe(room.account, from_seq=3))["seq"] == 2
    assert [(await found.hear("event"))["seq"] for _ in range(3)] == [3, 4, 5]


async def test_the_state_rebuilt_from_events_is_the_stored_one(room: Room) -> None:
    """A client that folds `order` by order_id ends where REST is."""
    found = await room.socket()
    await found.subscribe(room.account)
    await found.hear("snapshot")
    orders = [routed() for _ in range(20)]
    last = await room.tell(*orders)
    for order in orders:
        last = await room.tell(accepted(order))
    for order in orders[::2]:
        last = await room.tell(*fill(order, 10, version=3))
    rebuilt: dict[str, Any] = {}
    seq = 0
    while seq < last:
        event = await found.hear("event")
        assert event["seq"] == seq + 1
        seq = event["seq"]
        if "order" in event:
            rebuilt[event["order"]["order_id"]] = event["order"]
    reader = wiring.read_side()
    for order in orders:
        stored = await sync_to_async(reader.order)(order.order_id, [room.account])
        assert rebuilt[order.order_id] == stored


async def test_too_old_and_too_new(room: Room, monkeypatch: Any) -> None:
    """Who cannot be served from there is told to take a snapshot, and can."""
    monkeypatch.setattr(stream, "RESUME_EVENTS_MAX", 3)
    for _ in range(6):
        await room.tell(routed())
    found = await room.socket()
    for from_seq in (1, 3, 8):
        answer = await found.subscribe(room.account, from_seq=from_seq)
        assert (answer["op"], answer["code"]) == ("error", "snapshot_required")
        assert answer["account_id"] == room.account
    assert (await found.subscribe(room.account, from_seq=4))["op"] == "subscribed"
    for seq in (4, 5, 6):
        assert (await found.hear("event"))["seq"] == seq
    assert (await found.subscribe(room.account))["op"] == "subscribed"
    await found.hear("snapshot")


async def test_unsubscribe(room: Room) -> None:
    """Nothing more comes of an account that was left; the others go on."""
    second = await another_account(room)
    found = await room.socket()
    for account_id in (room.account, second):
        await found.subscribe(account_id)
        await found.hear("snapshot")
    await found.say(op="unsubscribe", account_id=room.account)
    await found.hear("unsubscribed")
    await room.tell(routed())
    await sync_to_async(room.world.tell)(second, routed())
    await room.push()
    assert (await found.hear("event"))["account_id"] == second


async def another_account(room: Room) -> str:
    account_id = await sync_to_async(room.world.account)()
    await Membership.objects.acreate(user=room.user, account_id=account_id, role=Role.VIEWER)
    principal.forget_all()
    return account_id


# ------------------------------------------------------------------ bad input
BAD = [
    (" ", "empty_body"),
    ("{", "malformed_json"),
    ("[]", "validation_error"),
    ('{"op":"subscribe","op":"pong"}', "duplicate_json_key"),
    ('{"op":"nonsense"}', "validation_error"),
    ('{"op":1}', "validation_error"),
    ('{"op":"subscribe","channel":"book","account_id":"x"}', "validation_error"),
    ('{"op":"subscribe","account_id":1}', "validation_error"),
    ('{"op":"subscribe","account_id":"x","from_seq":"1"}', "validation_error"),
    ('{"op":"subscribe","account_id":"x","from_seq":0}', "validation_error"),
    ('{"op":"subscribe","account_id":"x","from_seq":1e3}', "validation_error"),
    ('{"op":"subscribe","account_id":"x","from_seq":9223372036854775808}', "validation_error"),
    ('{"op":"subscribe","account_id":"x","unknown":1}', "validation_error"),
]


async def test_bad_messages_get_a_code(room: Room) -> None:
    """And the socket goes on."""
    found = await room.socket()
    for text, code in BAD:
        await found.made.send_to(text_data=text)
        answer = await found.hear("error")
        assert answer["code"] == code, text
    await found.made.send_to(bytes_data=b"\xff")
    assert (await found.hear("error"))["code"] == "invalid_encoding"
    await found.say(op="ping")
    await found.hear("pong")


async def test_too_large_a_message(room: Room) -> None:
    """64 KiB is enough for anybody."""
    found = await room.socket()
    await found.say(op="x" * feed.FRAME_BYTES_MAX)
    assert await found.closed() == feed.TOO_BIG


async def test_too_many_messages(room: Room, monkeypatch: Any) -> None:
    """4429, whatever they say."""
    monkeypatch.setattr(feed, "OPS_MAX", 5)
    found = await room.socket()
    for _ in range(6):
        await found.say(op="pong")
    assert await found.closed() == sockets.TOO_MANY


async def test_too_many_subscriptions(room: Room, monkeypatch: Any) -> None:
    """Of different accounts; the same one again is not another."""
    monkeypatch.setattr(feed, "SUBSCRIPTIONS_MAX", 1)
    second = await another_account(room)
    found = await room.socket()
    await found.subscribe(room.account)
    await found.hear("snapshot")
    assert (await found.subscribe(second))["code"] == "rate_limited"
    assert (await found.subscribe(room.account))["op"] == "subscribed"


# ------------------------------------------------------------------ how it ends
async def test_silence(room: Room, monkeypatch: Any) -> None:
    """Pinged, then closed with 4408."""
    monkeypatch.setattr(feed, "PING_NS", 1)
    monkeypatch.setattr(feed, "SILENCE_NS_MAX", 200_000_000)
    monkeypatch.setattr(feed, "POLL_S", 0.02)
    found = await room.socket()
    assert (await found.hear("ping"))["at"].endswith("Z")
    assert await found.closed() == sockets.HEARTBEAT_LOST


async def revoked(room: Room, change: Callable[[], Awaitable[Any]]) -> int:
    found = await room.socket()
    await found.subscribe(room.account)
    await found.hear("snapshot")
    await change()
    principal.forget_all()
    await room.seats.sweep()
    await room.push()
    return await found.closed()


async def test_a_disabled_user(room: Room) -> None:
    """Open sockets end with 4401."""

    async def disable() -> None:
        room.user.is_active = False
        await room.user.asave()

    assert await revoked(room, disable) == sockets.UNAUTHENTICATED


async def test_a_membership_taken_away(room: Room) -> None:
    """4403: still somebody, but not here."""

    async def remove() -> None:
        await Membership.objects.filter(user=room.user).adelete()

    assert await revoked(room, remove) == sockets.FORBIDDEN


async def test_within_five_seconds() -> None:
    """Sweep and cache together."""
    assert sockets.SWEEP_S + principal.CACHE_MS / 1000 < 5


async def test_a_client_that_takes_nothing(room: Room, monkeypatch: Any) -> None:
    """1013: it can resume; nothing is dropped in silence."""
    monkeypatch.setattr(feed, "SEND_S", 0.05)
    stuck = asyncio.Event()
    sent: list[Any] = []

    async def receive() -> Any:
        if not sent:
            return {"type": "websocket.connect"}
        if len(sent) == 1:
            sent.append("asked")
            text = json.dumps({"op": "subscribe", "account_id": room.account})
            return {"type": "websocket.receive", "text": text}
        await stuck.wait()
        return {"type": "websocket.disconnect", "code": 1013}

    async def send(message: Any) -> None:
        sent.append(message)
        if message["type"] == "websocket.send":
            await asyncio.Event().wait()
        if message["type"] == "websocket.close":
            stuck.set()

    scope = {
        "type": "websocket", "path": "/ws/orders", "query_string": b"", "headers": [HOST],
        "subprotocols": [f"bearer.{room.token}"],
    }  # fmt: skip
    async with asyncio.timeout(WAIT_S):
        await room.app(scope, receive, send)
    assert sent[-1] == {"type": "websocket.close", "code": 1013}


async def test_no_such_socket(room: Room) -> None:
    """A path nobody serves is refused, not an error."""
    made = WebsocketCommunicator(
        room.app, "/ws/nothing", headers=[HOST], subprotocols=[f"bearer.{room.token}"]
    )
    connected, _ = await made.connect(timeout=WAIT_S)
    assert not connected
    assert settings.ASGI_APPLICATION == "oms_project.asgi.application"

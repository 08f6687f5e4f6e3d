"""/ws/orders: who may listen, what may be said, and how it ends."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.test import Client

from oms_project.access import principal
from oms_project.access.models import Membership
from oms_project.rest import feed, sockets
from orders.tests.room import HOST, ORIGIN, WAIT_S, Room, a_room, another_account
from orders.tests.world import new_id
from orders.ws import orders as orders_feed

pytestmark = pytest.mark.django_db(databases=["default", "store"], transaction=True)


@pytest.fixture
async def room(transactional_db: None) -> AsyncIterator[Room]:
    async with a_room() as made:
        yield made


# ------------------------------------------------------------------ who may listen
async def test_a_token_as_sub_protocol(room: Room) -> None:
    """The answer names our protocol or none: never the token, never what is not ours."""
    assert (await room.socket()).protocol == "oms.v1"
    token = f"bearer.{room.token}"
    for offered in ([token], [token, "evil"], ["evil", token]):
        assert (await room.socket(subprotocols=offered)).protocol is None


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
    (b"https://localhost", 4403),
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
    monkeypatch.setattr(orders_feed, "SUBSCRIPTIONS_MAX", 1)
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
    monkeypatch.setattr(orders_feed, "POLL_S", 0.02)
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

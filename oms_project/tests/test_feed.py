"""What holds for every socket: its grammar, its heartbeat, and that it ends with a code."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import structlog
from channels.testing import WebsocketCommunicator
from django.db import OperationalError

from oms_project.access.principal import Principal
from oms_project.adapters.clock import NS_PER_S, FakeClock
from oms_project.rest import feed, sockets
from oms_project.rest.feed import Asked, Feed
from oms_project.rest.sockets import Seat, Seats
from oms_project.tests.eventually import eventually_async

WAIT_S = 5.0


class Echo(Feed):
    """A feed of nothing: what breaks in it, and when, is the test's."""

    channel_layer_alias = None  # type: ignore[assignment]
    time = FakeClock()
    on_news: Callable[[], Any] = staticmethod(lambda: False)
    on_subscribe: Callable[[], Any] = staticmethod(lambda: None)
    rounds = 0
    ended = 0

    def clock(self) -> FakeClock:
        return type(self).time

    async def subscribe(self, asked: Asked) -> None:
        self.on_subscribe()
        await self.answer(asked, op="subscribed")

    async def unsubscribe(self, asked: Asked) -> None:
        await self.answer(asked, op="unsubscribed")

    async def news(self) -> bool:
        type(self).rounds += 1
        return bool(self.on_news())

    async def rest(self) -> None:
        await asyncio.sleep(0.005)

    async def left(self) -> None:
        type(self).ended += 1


class Client:
    def __init__(self, made: WebsocketCommunicator) -> None:
        self.made = made

    async def ask(self, said: Any) -> dict[str, Any]:
        await self.made.send_to(text_data=said if isinstance(said, str) else json.dumps(said))
        return await self.hear()

    async def hear(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(await self.made.receive_from(timeout=WAIT_S))
        return found

    async def closed(self) -> int:
        while True:
            message = await self.made.receive_output(timeout=WAIT_S)
            if message["type"] == "websocket.close":
                return int(message["code"])


@pytest.fixture
def echo() -> type[Echo]:
    """A feed class of this test alone."""
    return type("Echo", (Echo,), {"time": FakeClock()})


@pytest.fixture
async def connect(echo: type[Echo]) -> AsyncIterator[Callable[[], Any]]:
    opened = []
    seats = Seats()
    who = Principal("u", "somebody", "TRADER", {}, "token")

    async def made() -> Client:
        one = WebsocketCommunicator(echo.as_asgi(), "/ws/echo")
        seat = one.scope["seat"] = Seat(who, lambda: who, "key")
        seats.take(seat)
        opened.append(one)
        connected, _ = await one.connect(timeout=WAIT_S)
        assert connected
        return Client(one)

    yield made
    for one in opened:
        await one.disconnect(timeout=WAIT_S)


# ------------------------------------------------------------------ the grammar
BAD = [
    (" ", "empty_body", None),
    ("{", "malformed_json", None),
    ("[]", "validation_error", None),
    ("[" * 30 + "]" * 30, "json_too_deep", None),
    ('{"op":"ping","op":"pong"}', "duplicate_json_key", None),
    ('{"op":"dance","id":7}', "validation_error", 7),
    ('{"op":1,"id":"x"}', "validation_error", "x"),
    ('{"id":"x"}', "validation_error", "x"),
    ('{"op":"ping","extra":1,"id":"x"}', "validation_error", "x"),
    ('{"op":"ping","id":[1]}', "validation_error", None),
    ('{"op":"ping","id":true}', "validation_error", None),
    ('{"op":"ping","id":9007199254740992}', "validation_error", None),
    ('{"op":"ping","id":"' + "x" * 65 + '"}', "validation_error", None),
    ('{"op":"ping","id":"\\ud800"}', "malformed_json", None),
]


async def test_what_is_wrong_gets_a_code_and_its_id_back(connect: Any) -> None:
    """As strict as a REST body; the socket goes on."""
    client = await connect()
    for said, code, its_id in BAD:
        answer = await client.ask(said)
        assert (answer["op"], answer["code"], answer.get("id")) == ("error", code, its_id), said
    assert (await client.ask({"op": "ping", "id": "x"}))["id"] == "x"
    await client.made.send_to(bytes_data=b"\xff")
    assert (await client.hear())["code"] == "invalid_encoding"


async def test_every_answer_has_the_id_of_what_was_asked(connect: Any) -> None:
    client = await connect()
    for op, answered in (
        ("ping", "pong"), ("subscribe", "subscribed"), ("unsubscribe", "unsubscribed"),
    ):  # fmt: skip
        answer = await client.ask({"op": op, "id": 5})
        assert (answer["op"], answer["id"]) == (answered, 5)
        assert "id" not in await client.ask({"op": op})


async def test_too_large_a_message(connect: Any) -> None:
    client = await connect()
    await client.made.send_to(text_data=" " * (feed.FRAME_BYTES_MAX + 1))
    assert await client.closed() == feed.TOO_BIG


async def test_too_many_messages(connect: Any) -> None:
    """Answering pings counts too."""
    client = await connect()
    for _ in range(feed.OPS_MAX + 1):
        await client.made.send_to(text_data='{"op":"pong"}')
    assert await client.closed() == sockets.TOO_MANY


async def test_asking_costs_what_it_is_sent(connect: Any, echo: type[Echo]) -> None:
    """A few messages that are answered with megabytes are as many as a hundred small ones."""

    async def subscribe(self: Echo, asked: Asked) -> None:
        frames = ["x" * feed.OP_BYTES] * (feed.OPS_MAX // 4)
        await self.give(frames)
        await self.charge(frames)

    echo.subscribe = subscribe  # type: ignore[method-assign]
    client = await connect()
    for _ in range(4):
        await client.made.send_to(text_data='{"op":"subscribe"}')
    assert await client.closed() == sockets.TOO_MANY


class Reader:
    """Reads that take until they are told to end; counts how many are at work."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.at_work = 0
        self.most = 0
        self.lock = threading.Lock()

    def __call__(self) -> str:
        with self.lock:
            self.at_work += 1
            self.most = max(self.most, self.at_work)
        self.go.wait(WAIT_S)
        with self.lock:
            self.at_work -= 1
        return "x"


async def test_one_users_sockets_are_read_for_one_at_a_time(connect: Any, echo: type[Echo]) -> None:
    """Twelve sockets that subscribe at once cost their neighbours one read, not twelve."""
    reader = Reader()

    async def subscribe(self: Echo, asked: Asked) -> None:
        await self.give([await self.read(reader)])

    echo.subscribe = subscribe  # type: ignore[method-assign]
    clients = [await connect() for _ in range(12)]
    for client in clients:
        await client.made.send_to(text_data='{"op":"subscribe"}')
    await eventually_async(lambda: reader.at_work == 1)
    reader.go.set()
    for client in clients:
        assert await client.made.receive_from(timeout=WAIT_S) == "x"
    assert reader.most == 1


# ------------------------------------------------------------------ how it ends
async def test_heartbeat_pings_and_closes_whoever_never_answers(
    connect: Any, echo: type[Echo]
) -> None:
    """A ping each 15 s; any message keeps the socket; 45 s of silence end it."""
    client = await connect()
    for _ in range(5):
        echo.time.advance_ns(feed.PING_NS + NS_PER_S)
        assert (await client.hear())["op"] == "ping"
        assert (await client.ask({"op": "ping"}))["op"] == "pong"
    echo.time.advance_ns(feed.SILENCE_NS_MAX + NS_PER_S)
    assert await client.closed() == sockets.HEARTBEAT_LOST


@pytest.mark.parametrize("where", ["on_news", "on_subscribe"])
async def test_what_breaks_closes_with_1011_and_is_logged_once(
    connect: Any, echo: type[Echo], where: str
) -> None:
    """A socket never goes mute: not by a bug in its reader, not by one in what a client asks."""

    def bug() -> None:
        raise ValueError("a bug")

    with structlog.testing.capture_logs() as lines:
        client = await connect()
        setattr(echo, where, staticmethod(bug))
        await client.made.send_to(text_data='{"op":"subscribe"}')
        assert await client.closed() == feed.BROKEN
        await client.made.send_to(text_data='{"op":"subscribe"}')  # the client may not know yet
        await asyncio.sleep(0.02)
    assert [line["event"] for line in lines] == ["socket_broke"]


async def test_an_outage_is_waited_out_and_logged_once(connect: Any, echo: type[Echo]) -> None:
    """The database is away for twenty rounds: the socket lives, and goes on when it is back."""
    broken = True

    def news() -> bool:
        if broken:
            raise OperationalError("away")
        return False

    echo.on_news = staticmethod(news)
    with structlog.testing.capture_logs() as lines:
        client = await connect()
        await eventually_async(lambda: echo.rounds > 20)
        broken = False
        rounds = echo.rounds
        await eventually_async(lambda: echo.rounds > rounds + 2)
        assert (await client.ask({"op": "ping"}))["op"] == "pong"
    assert [line["event"] for line in lines] == ["socket_waits"]


class Wire:
    """A server's side of one socket, for what a communicator cannot do."""

    def __init__(self, echo: type[Echo]) -> None:
        self.said: asyncio.Queue[Any] = asyncio.Queue()
        self.sent: list[Any] = []
        self.on_send: Callable[[Any], Any] = lambda message: None
        who = Principal("u", "somebody", "TRADER", {}, "token")
        seat = Seat(who, lambda: who, "key")
        Seats().take(seat)
        self.scope = {"type": "websocket", "path": "/ws/echo", "headers": [], "seat": seat}
        self.said.put_nowait({"type": "websocket.connect"})
        self.task = asyncio.create_task(echo.as_asgi()(self.scope, self.said.get, self.send))

    async def send(self, message: Any) -> None:
        self.sent.append(message)
        if message["type"] == "websocket.send":
            await self.on_send(message)
        if message["type"] == "websocket.close":
            self.said.put_nowait({"type": "websocket.disconnect", "code": message["code"]})


async def test_a_client_that_left_is_no_error(echo: type[Echo]) -> None:
    """The server raises on sending to it: the socket ends, and not a line is logged."""
    wire = Wire(echo)

    async def gone(message: Any) -> None:
        raise ConnectionResetError

    with structlog.testing.capture_logs() as lines:
        wire.on_send = gone
        wire.said.put_nowait({"type": "websocket.receive", "text": '{"op":"ping"}'})
        echo.time.advance_ns(feed.PING_NS + 1)
        await eventually_async(lambda: len(wire.sent) > 1)
        wire.said.put_nowait({"type": "websocket.disconnect", "code": 1006})
        async with asyncio.timeout(WAIT_S):
            await wire.task
    assert lines == []
    assert echo.ended == 1


async def test_a_client_that_takes_nothing_is_closed(
    echo: type[Echo], monkeypatch: pytest.MonkeyPatch
) -> None:
    """1013: it can resume; nothing is dropped in silence."""
    monkeypatch.setattr(feed, "SEND_S", 0.02)
    wire = Wire(echo)

    async def stuck(message: Any) -> None:
        await asyncio.Event().wait()

    wire.on_send = stuck
    wire.said.put_nowait({"type": "websocket.receive", "text": '{"op":"ping"}'})
    async with asyncio.timeout(WAIT_S):
        await wire.task
    assert wire.sent[-1] == {"type": "websocket.close", "code": sockets.OVERLOADED}

"""The whole application behind the real server: raw requests, sockets, start and stop."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
import websockets
from django.test import Client

from oms_project.asgi import application
from oms_project.kernel.words import Role
from oms_project.rest.strict_json import BODY_BYTES_MAX
from oms_project.tests.live import exchange, server
from orders import wiring
from orders.adapters import in_flight
from orders.tests.world import World, routed

pytestmark = pytest.mark.django_db(databases=["default", "store"], transaction=True)


class Live:
    def __init__(self, port: int, world: World) -> None:
        self.port = port
        self.world = world
        self.account = world.account()
        self.token = world.token(world.user("ann", {self.account: Role.TRADER}))

    def raw(self, head: str, *body: bytes, host: str = "localhost", **fields: str) -> Any:
        """Send a request; return (status, headers, body)."""
        lines = [head, f"Host: {host}", "Connection: close"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
        first = ("\r\n".join(lines) + "\r\n\r\n").encode()
        found = exchange(self.port, first, *body)
        top, _, rest = found.partition(b"\r\n\r\n")
        status = int(top.split(b" ", 2)[1])
        return status, top.decode("latin-1").lower(), rest


@pytest.fixture
def live(transactional_db: None) -> Iterator[Live]:
    world = World()
    with server(application) as port:
        yield Live(port, world)


def chunked(size: int) -> list[bytes]:
    piece = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    return [piece] * (size // 0x10000) + [b"0\r\n\r\n"]


def test_every_path_answers_a_problem(live: Live) -> None:
    """Order entry's own path, Django's, and what the door refuses: one shape."""
    big = "x" * 9000
    rows: list[tuple[Any, int, str]] = [
        (live.raw("GET /api/nothing HTTP/1.1"), 404, "not_found"),
        (live.raw("POST /api/orders HTTP/1.1", Content_Length="0"), 401, "not_authenticated"),
        (live.raw("DELETE /api/orders HTTP/1.1"), 401, "not_authenticated"),
        (live.raw(f"GET /api/orders?q={big} HTTP/1.1"), 414, "uri_too_long"),
        (live.raw("GET /api/orders HTTP/1.1", host="evil.example"), 400, "bad_request"),
        (live.raw("POST /api/orders HTTP/1.1", host="evil.example"), 400, "bad_request"),
        (live.raw("GET /api/orders HTTP/1.1", X_Big="x" * 33_000), 400, "headers_too_large"),
        (
            live.raw("POST /api/orders HTTP/1.1", Content_Length=str(BODY_BYTES_MAX + 1)),
            413, "payload_too_large",
        ),
    ]  # fmt: skip
    for found, status, code in rows:
        assert found[0] == status, found
        assert "content-type: application/problem+json" in found[1]
        assert "x-request-id: " in found[1]
        assert json.loads(found[2])["code"] == code


@pytest.mark.parametrize("path", ["/api/orders", "/api/auth/login"])
def test_a_chunked_body_too_large(live: Live, path: str) -> None:
    """Counted as it comes, on the lean path and on Django's."""
    status, head, body = live.raw(
        f"POST {path} HTTP/1.1",
        *chunked(BODY_BYTES_MAX * 2),
        Transfer_Encoding="chunked",
        Content_Type="application/json",
        Idempotency_Key="k",
        Authorization=f"Bearer {live.token}",
    )
    assert status == 413, (head, body)
    assert json.loads(body)["code"] == "payload_too_large"


SMUGGLED = (
    b"POST /api/orders HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /api/meta/time HTTP/1.1\r\n"
    b"Host: localhost\r\nConnection: close\r\n\r\n"
)


def test_smuggling(live: Live) -> None:
    """Two lengths at once: no second request is answered."""
    found = exchange(live.port, SMUGGLED)
    assert b"epoch_ns" not in found


@pytest.mark.parametrize(
    "raw",
    [
        b"\x00\x01\x02\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /api/meta/time HTTP/1.1\r\n\r\n",
        b"GET /api/meta/time HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
        b"GET /api/meta/time HTTP/1.1\r\nHost : localhost\r\n\r\n",
        b"POST /api/orders HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST /api/orders HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
    ],
)
def test_broken_requests(live: Live, raw: bytes) -> None:
    """400 and nothing else."""
    found = exchange(live.port, raw, until=b"\r\n\r\n")
    assert found.split(b" ", 2)[1] == b"400", found
    assert b"Traceback" not in found


def test_a_socket_gets_its_events(live: Live) -> None:
    """Subscribed over the wire; the pusher, running inside the server, tells of what is stored."""

    async def listen() -> list[Any]:
        url = f"ws://127.0.0.1:{live.port}/ws/orders"
        protocols = ["oms.v1", f"bearer.{live.token}"]
        async with websockets.connect(url, subprotocols=protocols) as socket:
            assert socket.subprotocol == "oms.v1"
            await socket.send(json.dumps({"op": "subscribe", "account_id": live.account}))
            ops = [json.loads(await socket.recv())["op"] for _ in range(2)]
            assert ops == ["subscribed", "snapshot"]
            await asyncio.to_thread(live.world.tell, live.account, routed(), routed())
            return [json.loads(await socket.recv()) for _ in range(2)]

    async def limited() -> list[Any]:
        async with asyncio.timeout(10):
            return await listen()

    assert [event["seq"] for event in asyncio.run(limited())] == [1, 2]


def order(live: Live, key: str) -> Any:
    """Place an order; return (status, headers, body)."""
    order = {
        "account_id": live.account, "symbol": "BTC-USD", "side": "buy", "type": "limit",
        "quantity": "0.01", "price": "20000.00",
    }  # fmt: skip
    body = json.dumps(order).encode()
    return live.raw(
        "POST /api/orders HTTP/1.1",
        body,
        Content_Type="application/json",
        Content_Length=str(len(body)),
        Idempotency_Key=key,
        Authorization=f"Bearer {live.token}",
    )


def test_an_acknowledged_order_can_be_read(live: Live) -> None:
    """The first request of a fresh process; nobody has decided it, and it is there: NEW."""
    who = f"Bearer {live.token}"
    status, _, answer = order(live, live.account)
    assert status == 202, answer
    order_id = json.loads(answer)["order_id"]
    status, _, answer = live.raw(f"GET /api/orders/{order_id} HTTP/1.1", Authorization=who)
    assert (status, json.loads(answer)["status"]) == (200, "NEW")


def test_no_room(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """503 at the lean door, nothing written; the same key is taken once there is room."""
    monkeypatch.setattr(in_flight, "WAIT_S", 0.01)
    flow = wiring.gateway().flow
    orders_max = flow._orders_max
    assert flow.take(1)
    monkeypatch.setattr(flow, "_orders_max", 1)
    assert order(live, "full")[0] == 503
    monkeypatch.setattr(flow, "_orders_max", orders_max)
    with flow.lease(1):
        pass
    assert order(live, "full")[0] == 202


def test_wsgi_answers_too() -> None:
    """Without the ASGI door the same views answer the same problem."""
    assert Client().get("/api/nothing").json()["code"] == "not_found"

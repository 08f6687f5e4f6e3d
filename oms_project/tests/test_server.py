"""The web server's own limits, over real sockets: what is refused before a request is complete."""

import asyncio
import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import websockets.sync.client
from websockets.exceptions import ConnectionClosed

from oms_project import server as web
from oms_project.rest.door import HEADER_BYTES_MAX, TARGET_BYTES_MAX, Receive, Scope, Send
from oms_project.tests.eventually import eventually
from oms_project.tests.live import exchange, server

HEAD = b"GET /api/x HTTP/1.1\r\nHost: localhost\r\n"
SHORT_S = 0.2
CHUNK = 64 * 1024
MIB = 1024 * 1024


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer 200 with the client's address; echo a websocket's text."""
    if scope["type"] == "lifespan":
        for kind in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{kind}.complete"})
    elif scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"]})
    else:
        if scope["path"] == "/api/whole":
            while (message := await receive())["type"] == "http.request" and message["more_body"]:
                pass
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        asked = (b"x-echo", b"host") in scope["headers"]
        body = b",".join(hosts) if asked else scope["client"][0].encode()
        fields = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": fields})
        await send({"type": "http.response.body", "body": body})


class Plain:
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        self.written.append(b"closed")


@pytest.fixture
def port(monkeypatch: Any) -> Iterator[int]:
    monkeypatch.setattr(web, "HEADER_S_MAX", SHORT_S)
    with server(app, keep_alive_s=1) as found:
        yield found


def problem(answer: bytes) -> tuple[int, str]:
    """Return status and code of a refusal, which is one answer and the end of the connection."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"connection: close" in head
    found = json.loads(body)
    assert found["status"] == int(head.split(b" ", 2)[1])
    return found["status"], found["code"]


def test_a_header_has_a_deadline(port: int) -> None:
    """However slowly its bytes trickle in: the time counts from the first, not from the last."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as wire:
        over = threading.Event()

        def trickle() -> None:
            wire.sendall(HEAD + b"X-Slow: ")
            while not over.wait(SHORT_S / 10):
                try:
                    wire.sendall(b"a")
                except OSError:
                    return

        threading.Thread(target=trickle, daemon=True).start()
        begun = time.monotonic()
        answer = wire.recv(4096)
        took_s = time.monotonic() - begun
        over.set()
    assert problem(answer) == (408, "request_timeout")
    assert SHORT_S * 0.9 < took_s < 5


def test_a_body_has_a_deadline(port: int, monkeypatch: Any) -> None:
    """However it trickles in. Who reads it is told that the client left; the client is told why."""
    monkeypatch.setattr(web, "BODY_S_MAX", SHORT_S)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as wire:
        wire.sendall(b"POST /api/whole HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nx")
        begun = time.monotonic()
        answer = wire.recv(4096)
        assert time.monotonic() - begun >= SHORT_S * 0.9
        assert problem(answer) == (408, "request_timeout")
        assert wire.recv(1) == b""


def test_head_and_body_leave_in_one_call() -> None:
    """Two would be two calls of the kernel and two wake-ups of the client; an end sends what is held."""
    loop = asyncio.new_event_loop()
    plain = Plain()
    joined = web._Joined(plain, loop)  # type: ignore[arg-type]
    joined.write(b"head ")
    joined.write(b"body")
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert plain.written == [b"head body"]
    joined.write(b"last")
    joined.close()
    assert plain.written == [b"head body", b"last", b"closed"]
    loop.close()


@pytest.mark.parametrize("said", [b"", b"\r\n"])
def test_a_connection_that_asks_nothing_is_closed(port: int, said: bytes) -> None:
    """Without a word, or with line ends that begin no request."""
    answer = exchange(port, said)
    assert not answer or problem(answer) == (408, "request_timeout")


def test_the_second_request_has_a_deadline_too(port: int) -> None:
    """A kept connection is no way around it."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as wire:
        wire.sendall(HEAD + b"\r\n")
        assert wire.recv(4096).startswith(b"HTTP/1.1 200")
        wire.sendall(HEAD + b"X-Slow: ")
        assert problem(wire.recv(4096)) == (408, "request_timeout")


def test_a_kept_connection_may_be_idle_for_a_while_only(port: int) -> None:
    """It ends by itself."""
    assert exchange(port, HEAD + b"\r\n").startswith(b"HTTP/1.1 200")


def test_an_honest_client_is_not_hurried(port: int) -> None:
    """A body may come long after its header: it has a deadline of its own, at the door."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as wire:
        wire.sendall(b"POST /api/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n")
        assert wire.recv(4096).startswith(b"HTTP/1.1 200")
        threading.Event().wait(2 * SHORT_S)
        wire.sendall(b"{}" + HEAD + b"\r\n")
        assert wire.recv(4096).startswith(b"HTTP/1.1 200")


def endless(port: int, begin: bytes) -> tuple[bytes, int]:
    """Send *begin* and then `a`s until nobody takes them; return the answer and how many went."""
    sent, answer = 0, b""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as wire:
        try:
            wire.sendall(begin)
            while sent < 64 * MIB:
                sent += wire.send(b"a" * CHUNK)
        except OSError:
            pass
        try:
            while part := wire.recv(4096):
                answer += part
        except OSError:
            pass
    return answer, sent


@pytest.mark.parametrize(
    "begin", [HEAD + b"X-Big: ", HEAD, b"GET /", b"a"], ids=["value", "name", "target", "method"]
)
def test_a_header_without_an_end_is_not_buffered(port: int, begin: bytes) -> None:
    """Counted while it comes: what is sent is what the kernel holds, not what we do."""
    _, sent = endless(port, begin)
    assert sent < 16 * MIB


@pytest.mark.parametrize(
    ("raw", "status", "code"),
    [
        (HEAD + b"X-Big: " + b"a" * HEADER_BYTES_MAX, 400, "headers_too_large"),
        (b"GET /" + b"a" * (TARGET_BYTES_MAX + 300), 414, "uri_too_long"),
        (b"nonsense\r\n\r\n", 400, "bad_request"),
    ],
)
def test_what_is_refused_unfinished(port: int, raw: bytes, status: int, code: str) -> None:
    """Each with its code, before its end was seen."""
    assert problem(exchange(port, raw)) == (status, code)


@pytest.mark.parametrize(
    ("target", "host"),
    [
        (b"/api/x", b"localhost"),
        (b"http://evil.example/api/x", b"evil.example"),
        (b"http://evil.example:8000/api/x", b"evil.example:8000"),
        (b"http://[::1]:8000/api/x", b"[::1]:8000"),
        (b"*", b"localhost"),
    ],
)
def test_a_target_that_names_its_host(port: int, target: bytes, host: bytes) -> None:
    """It means that host, whatever the Host header says: else a name we do not serve gets through."""
    raw = b"OPTIONS " + target + b" HTTP/1.1\r\nHost: localhost\r\nX-Echo: host\r\n"
    assert exchange(port, raw + b"Connection: close\r\n\r\n").endswith(b"\r\n\r\n" + host)


def test_only_so_many_connections() -> None:
    """One more is told so and closed; a place that is free again is given again."""
    with server(app, connections_max=4, proxies=["127.0.0.1"]) as port:
        held = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(4)]
        for wire in held:
            wire.sendall(HEAD + b"\r\n")
            assert wire.recv(4096).startswith(b"HTTP/1.1 200")
        assert problem(exchange(port, HEAD + b"\r\n")) == (503, "overloaded")
        for wire in held:
            wire.close()
        again = HEAD + b"Connection: close\r\n\r\n"
        eventually(lambda: exchange(port, again).startswith(b"HTTP/1.1 200"))


def test_one_address_gets_half_of_them() -> None:
    """A proxy is everybody; anybody else is one."""
    with server(app, connections_max=4) as port:
        held = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(2)]
        for wire in held:
            wire.sendall(HEAD + b"\r\n")
            assert wire.recv(4096).startswith(b"HTTP/1.1 200")
        assert problem(exchange(port, HEAD + b"\r\n")) == (503, "overloaded")
        for wire in held:
            wire.close()


@pytest.mark.parametrize(
    ("proxies", "address"), [((), "127.0.0.1"), (("127.0.0.0/8",), "203.0.113.9")]
)
def test_only_a_proxy_says_who_asks(proxies: tuple[str, ...], address: str) -> None:
    """Else everybody could be somebody else for each guess of a password."""
    with server(app, proxies=proxies) as port:
        raw = HEAD + b"X-Forwarded-For: 203.0.113.9\r\nConnection: close\r\n\r\n"
        assert exchange(port, raw).endswith(address.encode())


def test_no_socket_writes_a_log(port: int, caplog: pytest.LogCaptureFixture) -> None:
    """Neither a token in its target, nor a traceback for text that is no UTF-8."""
    caplog.set_level(logging.INFO)
    url = f"ws://127.0.0.1:{port}/ws?token=a-secret-token"
    with websockets.sync.client.connect(url) as wire:
        wire.send("hello")
        assert wire.recv() == "hello"
        wire.send(b"\xff\xfe", text=True)
        with pytest.raises(ConnectionClosed) as closed:
            wire.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1007
    assert "a-secret-token" not in caplog.text
    assert "Traceback" not in caplog.text
    assert "Invalid UTF-8" not in caplog.text


def test_descriptors_for_all_connections() -> None:
    """As many connections as the system has descriptors for, and some to spare."""
    assert web.raise_descriptor_limit(10) == 10
    assert 0 < web.raise_descriptor_limit(10**7) <= 10**7

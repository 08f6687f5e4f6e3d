"""Websockets on the wire: what only the server can see of a client that takes nothing."""

import asyncio
from typing import Any

import pytest

from oms_project import server as web
from oms_project.tests.live import server

FRAME_BYTES = 64 * 1024
WAIT_S = 10.0


class Flood:
    """An application that sends without end, and notes how that ended."""

    def __init__(self) -> None:
        self.sent = 0
        self.ended: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        await receive()
        await send({"type": "websocket.accept"})
        try:
            if scope["path"] == "/flood":
                while True:
                    await send({"type": "websocket.send", "text": "x" * FRAME_BYTES})
                    self.sent += 1
            while (await receive())["type"] != "websocket.disconnect":
                pass
        except OSError as error:
            self.ended.append(type(error).__name__)


def test_a_client_that_reads_nothing_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """A polite close would wait behind the bytes it does not take, for ever."""
    monkeypatch.setattr(web, "STUCK_S", 0.2)
    app = Flood()

    async def listen(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writer.write(
            b"GET /flood HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        await reader.readuntil(b"\r\n\r\n")
        async with asyncio.timeout(WAIT_S):
            while not app.ended:
                await asyncio.sleep(0.01)
        writer.transport.abort()

    with server(app) as port:
        asyncio.run(listen(port))
    assert app.ended == ["ClientDisconnected"]

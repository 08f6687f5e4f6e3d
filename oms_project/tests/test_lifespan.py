"""What runs beside the requests: begun in order, begun again when it breaks, ended in reverse."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from oms_project import lifespan
from oms_project.lifespan import Lifespan, running


class Server:
    """The server's side of the lifespan protocol."""

    def __init__(self, app: Lifespan) -> None:
        self.sent: list[str] = []
        self.stop = asyncio.Event()
        self.started = asyncio.Event()
        self._asked = 0
        self.task = asyncio.create_task(app({"type": "lifespan"}, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        self._asked += 1
        if self._asked > 1:
            await self.stop.wait()
            return {"type": "lifespan.shutdown"}
        return {"type": "lifespan.startup"}

    async def _send(self, message: Any) -> None:
        self.sent.append(message["type"])
        self.started.set()


async def test_in_order_and_back() -> None:
    """The last begun is the first to end."""
    told: list[str] = []

    @contextlib.asynccontextmanager
    async def part(name: str) -> AsyncIterator[None]:
        told.append(f"{name} begins")
        yield
        told.append(f"{name} ends")

    server = Server(Lifespan([lambda: part("a"), lambda: part("b")]))
    await server.started.wait()
    assert told == ["a begins", "b begins"]
    server.stop.set()
    await server.task
    assert told[2:] == ["b ends", "a ends"]
    assert server.sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


async def test_a_part_that_cannot_start() -> None:
    """The server is told, and what was begun is ended."""
    told: list[str] = []

    @contextlib.asynccontextmanager
    async def good() -> AsyncIterator[None]:
        yield
        told.append("ended")

    @contextlib.asynccontextmanager
    async def bad() -> AsyncIterator[None]:
        raise ConnectionError("no broker")
        yield

    @contextlib.asynccontextmanager
    async def first() -> AsyncIterator[None]:
        try:
            async with good():
                yield
        finally:
            told.append("left")

    server = Server(Lifespan([first, bad]))
    with pytest.raises(ConnectionError):
        await server.task
    assert server.sent == ["lifespan.startup.failed"]
    assert told == ["left"]


async def test_a_task_that_breaks_is_begun_again(monkeypatch: Any) -> None:
    """And is cancelled at the end."""
    monkeypatch.setattr(lifespan, "BACK_OFF_S", (0.0,))
    begun = 0
    steady = asyncio.Event()
    cancelled = False

    async def task() -> None:
        nonlocal begun, cancelled
        begun += 1
        if begun < 3:
            raise ConnectionError
        steady.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled = True
            raise

    async with asyncio.timeout(10):
        async with running("task", task):
            await steady.wait()
    assert (begun, cancelled) == (3, True)

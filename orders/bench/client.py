"""The load: HTTP/1.1 over kept connections, as little Python a request as can be."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from oms_project.adapters.clock import SystemClock

ANSWER_S: Final = 60.0
_now_ns = SystemClock.monotonic_ns


class Answer:
    """What came back: status, body, and when (monotonic)."""

    __slots__ = ("at_ns", "body", "status")

    def __init__(self, status: int, body: bytes, at_ns: int) -> None:
        self.status = status
        self.body = body
        self.at_ns = at_ns


class Connection(asyncio.Protocol):
    """One connection: one request at a time, answers with a Content-Length."""

    def __init__(self) -> None:
        self._buffer = b""
        self._waiter: asyncio.Future[Answer] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        head, separator, rest = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        at = head.lower().index(b"content-length: ") + 16
        length = int(head[at : at + 12].split(b"\r\n", 1)[0])
        if len(rest) < length:
            return
        self._buffer = rest[length:]
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(Answer(int(head[9:12]), rest[:length], _now_ns()))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(ConnectionError("closed"))

    async def send(self, request: bytes) -> Answer:
        """Send one request and return its answer; ConnectionError if there is none."""
        if self._transport is None or self._transport.is_closing():
            raise ConnectionError("closed")
        self._waiter = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        async with asyncio.timeout(ANSWER_S):
            return await self._waiter

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


async def connect(port: int) -> Connection:
    _, connection = await asyncio.get_running_loop().create_connection(
        Connection, "127.0.0.1", port
    )
    return connection


def request(
    method: str, path: str, body: bytes, *, token: str = "", key: str = "", more: str = ""
) -> bytes:
    """Return the bytes of a request."""
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    if body:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    else:
        head += "Content-Length: 0\r\n" if method == "POST" else ""
    if token:
        head += f"Authorization: Bearer {token}\r\n"
    if key:
        head += f"Idempotency-Key: {key}\r\n"
    return f"{head}{more}\r\n".encode() + body


async def closed_loop(port: int, connections: int, requests: Sequence[bytes], take: Callable[[int, Answer], None], until_ns: int) -> int:  # fmt: skip
    """Send *requests* in order over some connections, each waiting for its answer; return how many."""
    position = 0

    async def worker() -> None:
        nonlocal position
        connection = await connect(port)
        try:
            while position < len(requests) and _now_ns() < until_ns:
                mine, position = position, position + 1
                take(mine, await connection.send(requests[mine]))
        finally:
            connection.close()

    await asyncio.gather(*(worker() for _ in range(connections)))
    return position


async def open_loop(port: int, connections: int, requests: Sequence[bytes], rate: int, take: Callable[[int, int, Answer], None]) -> None:  # fmt: skip
    """Send request i at i/rate seconds, whether or not earlier ones were answered.

    *take* gets the index and when the request was due: latency counted from there is free of
    coordinated omission.
    """
    pool: asyncio.Queue[Connection] = asyncio.Queue()
    made = [await connect(port) for _ in range(connections)]
    for connection in made:
        pool.put_nowait(connection)
    begun_ns = _now_ns()
    running: set[asyncio.Task[None]] = set()

    async def one(index: int, due_ns: int) -> None:
        connection = await pool.get()
        try:
            take(index, due_ns, await connection.send(requests[index]))
        finally:
            pool.put_nowait(connection)

    for index in range(len(requests)):
        due_ns = begun_ns + index * 1_000_000_000 // rate
        late_ns = due_ns - _now_ns()
        if late_ns > 0:
            await asyncio.sleep(late_ns / 1e9)
        task = asyncio.create_task(one(index, due_ns))
        running.add(task)
        task.add_done_callback(running.discard)
    await asyncio.gather(*running)
    for connection in made:
        connection.close()


def run(coroutine: Awaitable) -> object:
    """Run on uvloop: the load must not be what is measured."""
    import uvloop

    return uvloop.run(coroutine)  # type: ignore[arg-type]

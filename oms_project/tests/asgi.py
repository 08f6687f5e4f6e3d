"""A raw ASGI client for HTTP: says exactly the bytes it is told, in the pieces it is told."""

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import unquote

from oms_project.rest.door import App, Message


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


async def ask(
    app: App,
    method: str = "GET",
    path: str = "/",
    *,
    query: bytes = b"",
    headers: Sequence[tuple[bytes, bytes]] = ((b"host", b"localhost"),),
    pieces: Sequence[bytes] = (b"",),
    stall: bool = False,
    client: tuple[str, int] = ("127.0.0.1", 1),
) -> Answer:
    """Send one request; *stall*: say there is more of the body, and never send it."""
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method,
        "scheme": "http", "path": unquote(path), "raw_path": path.encode(), "query_string": query,
        "root_path": "", "headers": list(headers), "client": client,
        "server": ("127.0.0.1", 80), "state": {},
    }  # fmt: skip
    left = list(pieces)
    sent: list[Message] = []
    silence = asyncio.Event()

    async def receive() -> Message:
        if left:
            body = left.pop(0)
            return {"type": "http.request", "body": body, "more_body": bool(left) or stall}
        await silence.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    async with asyncio.timeout(10):
        await app(scope, receive, send)
    fields: list[tuple[Any, Any]] = sent[0]["headers"]
    return Answer(
        sent[0]["status"],
        {name.decode().lower(): value.decode() for name, value in fields},
        b"".join(message.get("body", b"") for message in sent[1:]),
    )

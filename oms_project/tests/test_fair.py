"""Requests take turns: so many at once, few of one caller, and nobody waits for ever."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from oms_project.access import principal
from oms_project.access.principal import Principal
from oms_project.rest import fair
from oms_project.rest.door import Receive, Scope, Send, limits
from oms_project.tests.asgi import Answer, ask

ANN = Principal("u-ann", "ann", "trader", {}, "token")


class App:
    """Holds every request until told to go on; remembers who was in it at once."""

    def __init__(self) -> None:
        self.inside: Counter[str] = Counter()
        self.most = 0
        self.bodies: list[bytes] = []
        self.go = asyncio.Event()
        self.door = limits(fair.fairly(self))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        message = await receive()
        self.bodies.append(message.get("body", b""))
        caller = fair.caller_of(scope)
        self.inside[caller] += 1
        self.most = max(self.most, self.inside.total())
        await self.go.wait()
        self.inside[caller] -= 1
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"done"})

    def ask(
        self, address: str = "192.0.2.1", token: str = "", **more: Any
    ) -> "asyncio.Task[Answer]":
        headers = [(b"host", b"localhost")]
        if token:
            headers.append((b"authorization", f"Bearer {token}".encode()))
        client = (address, 1)
        return asyncio.create_task(
            ask(self.door, "GET", "/api/x", headers=headers, client=client, **more)
        )


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_one_caller_does_not_take_all() -> None:
    """Twenty lists of one, and another's request goes on at once."""
    app = App()
    flood = [app.ask("192.0.2.1") for _ in range(20)]
    await settled()
    assert app.inside == {"address 192.0.2.1": fair.AT_ONCE_OF_ONE}
    other = app.ask("192.0.2.2")
    await settled()
    assert app.inside["address 192.0.2.2"] == 1
    app.go.set()
    answers = await asyncio.gather(*flood, other)
    assert [one.status for one in answers] == [200] * 21


async def test_never_more_than_so_many(monkeypatch: Any) -> None:
    """However many callers there are: threads, connections and memory have an end."""
    app = App()
    flood = [app.ask(f"192.0.2.{number}") for number in range(2 * fair.AT_ONCE)]
    await settled()
    assert app.inside.total() == fair.AT_ONCE
    app.go.set()
    await asyncio.gather(*flood)
    assert app.most == fair.AT_ONCE


async def test_who_waits_too_long_is_told_so(monkeypatch: Any) -> None:
    """503, nothing done, and when to come again; so is who has too many waiting already."""
    monkeypatch.setattr(fair, "WAIT_S_MAX", 0.01)
    monkeypatch.setattr(fair, "WAITING_OF_ONE_MAX", 2)
    app = App()
    flood = [app.ask() for _ in range(fair.AT_ONCE_OF_ONE + 5)]
    refused = [one for one in await asyncio.gather(*flood[fair.AT_ONCE_OF_ONE :])]
    assert [one.status for one in refused] == [503] * 5
    assert refused[0].headers["retry-after"] == "1"
    assert b'"overloaded"' in refused[0].body
    app.go.set()
    answers = await asyncio.gather(*flood[: fair.AT_ONCE_OF_ONE])
    assert [one.status for one in answers] == [200] * fair.AT_ONCE_OF_ONE


async def test_a_user_is_one_caller_from_everywhere(monkeypatch: Any) -> None:
    """Known by the token, if it was looked up a moment ago; else by the address."""
    principal.forget_all()
    principal.CACHE.put(("token", "known"), ANN, 10**12)
    app = App()
    flood = [app.ask(f"192.0.2.{number}", "known") for number in range(20)]
    stranger = app.ask("192.0.2.99", "unknown")
    broken = app.ask("192.0.2.98", "a b")
    await settled()
    assert app.inside["user u-ann"] == fair.AT_ONCE_OF_ONE
    assert app.inside["address 192.0.2.99"] == app.inside["address 192.0.2.98"] == 1
    app.go.set()
    await asyncio.gather(*flood, stranger, broken)
    principal.forget_all()


@pytest.mark.parametrize(("size", "held_up"), [(10, False), (2 * fair.HELD_BYTES_MAX, True)])
async def test_a_slow_reader_takes_no_turn(size: int, held_up: bool) -> None:
    """What fits into memory is sent when the turn is over; what streams keeps it."""
    inside: list[int] = []
    reads = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        inside.append(1)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x" * size})

    async def nobody_reads(message: Any) -> None:
        await reads.wait()

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope: Scope = {"type": "http", "path": "/", "headers": [], "client": ("192.0.2.1", 1)}
    door = fair.fairly(app)
    asked = [
        asyncio.create_task(door(dict(scope), receive, nobody_reads))
        for _ in range(2 * fair.AT_ONCE_OF_ONE)
    ]
    await settled()
    assert len(inside) == (1 if held_up else 2) * fair.AT_ONCE_OF_ONE
    reads.set()
    await asyncio.gather(*asked)
    assert len(inside) == 2 * fair.AT_ONCE_OF_ONE


async def test_a_slow_body_takes_no_turn(monkeypatch: Any) -> None:
    """It is read in front of it, and comes whole behind it."""
    app = App()
    slow = app.ask(pieces=[b"a"], stall=True)
    quick = app.ask(pieces=[b"b", b"c"])
    await settled()
    assert app.inside.total() == 1
    assert app.bodies == [b"b"]
    app.go.set()
    assert (await quick).status == 200
    slow.cancel()
    with pytest.raises(asyncio.CancelledError):
        await slow


def test_an_event_loop_that_ended_takes_its_turns_with_it(monkeypatch: Any) -> None:
    """A caller who was to rest in it does not rest for ever."""
    monkeypatch.setattr(fair, "REST_OVER_NS", 1)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    door = limits(fair.fairly(app))
    for _ in range(2 * fair.AT_ONCE_OF_ONE):
        assert asyncio.run(ask(door, path="/api/x")).status == 200

"""Order entry from a request's bytes to its answer's: waiting, replays, and bodies that never come."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from marketdata import wiring as market
from oms_project.access import principal as access
from oms_project.kernel import ids
from oms_project.kernel.words import Status
from oms_project.tests import asgi
from orders import wiring
from orders.rest import lean
from orders.tests.door import ANN, MINE, UNITS, Door, door
from orders.tests.test_bodies_catalogue import but
from orders.tests.test_entry_claims import show

__all__ = ("door",)


async def nobody(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError("not for Django")


@pytest.fixture
def loop(door: Door, monkeypatch: pytest.MonkeyPatch) -> Iterator[asyncio.Runner]:
    """The lean door before Ann's account, with everything behind it in memory."""
    monkeypatch.setattr(wiring, "gateway", lambda: door.gateway)
    monkeypatch.setattr(market, "instruments_old", lambda: False)
    monkeypatch.setattr(market, "units", UNITS.get)
    monkeypatch.setattr(access, "from_bearer", lambda token: ANN)
    with asyncio.Runner() as runner:
        yield runner
    door.gateway.group.close()


HEADERS = [
    (b"host", b"localhost"), (b"authorization", b"Bearer x"), (b"idempotency-key", b"k"),
    (b"content-type", b"application/json"),
]  # fmt: skip


async def post(path: str, *pieces: bytes, **how: Any) -> asgi.Answer:
    headers = [*HEADERS, *how.pop("more", ())]
    pieces = pieces or (b"",)
    return await asgi.ask(lean.app(nobody), "POST", path, headers=headers, pieces=pieces, **how)


WAIT = [(b"prefer", b"wait=5")]


async def meanwhile(asked: Any, happen: Any) -> asgi.Answer:
    """Return the answer of a request during which something happens."""
    task = asyncio.create_task(asked)
    await asyncio.sleep(0.05)
    assert not task.done(), task.result()
    happen()
    answer: asgi.Answer = await task
    return answer


def placed(door: Door) -> str:
    """Return the id of the one order that was placed."""
    (state,) = door.claims._states.values()
    return ids.order_id(state.claim.ids_base, 0)


def test_a_repeated_wait_waits_again(loop: asyncio.Runner, door: Door) -> None:
    """Who lost the first answer is who wants to know; after that the bytes stay."""
    assert loop.run(post("/api/orders", but())).status == 202
    again = loop.run(
        meanwhile(
            post("/api/orders", but(), more=WAIT),
            lambda: show(door, placed(door), 0, status=Status.ACCEPTED, version=2),
        )
    )
    assert (again.status, json.loads(again.body)["status"]) == (201, "ACCEPTED")
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["preference-applied"] == "wait=5"
    show(door, placed(door), 1, status=Status.CANCELED, version=3)
    assert loop.run(post("/api/orders", but())).body == again.body
    assert door.records() == 1


def test_a_waiting_cancel_tells_its_end(loop: asyncio.Runner, door: Door) -> None:
    """Not the state it found the order in."""
    order_id = ids.order_id(ids.order_id_base(MINE, "orders", "old", 1_790_000_000_000), 0)
    show(door, order_id, -1, status=Status.ACCEPTED, version=1)
    path = f"/api/orders/{order_id}/cancel"
    told = loop.run(
        meanwhile(
            post(path, b"", more=WAIT),
            lambda: show(door, order_id, 0, status=Status.CANCELED, version=3),
        )
    )
    assert (told.status, json.loads(told.body)["status"]) == (200, "CANCELED")
    again = loop.run(post(path, b""))
    assert (again.status, again.body) == (200, told.body)


@pytest.mark.parametrize("pieces", [(), (b"{",)])
def test_a_body_that_never_came_is_no_command(
    loop: asyncio.Runner, door: Door, pieces: tuple[bytes, ...]
) -> None:
    """An empty body is a right cancel; a client that hung up before sending one asked for nothing."""
    order_id = ids.order_id(ids.order_id_base(MINE, "orders", "old", 1_790_000_000_000), 0)
    show(door, order_id, -1, status=Status.ACCEPTED, version=1)
    left = list(pieces)
    sent: list[Any] = []

    async def receive() -> Any:
        if left:
            return {"type": "http.request", "body": left.pop(), "more_body": True}
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    for path in (f"/api/orders/{order_id}/cancel", "/api/orders"):
        scope = {"type": "http", "method": "POST", "path": path, "headers": HEADERS}
        loop.run(lean.app(nobody)(scope, receive, send))
    assert sent == []
    assert door.untouched()


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/api/orders", "GET, HEAD, POST"),
        ("GET", "/api/orders/batch", "POST"),
        ("PUT", "/api/orders/cancel", "POST"),
        ("GET", "/api/orders/x/cancel", "POST"),
    ],
)
def test_other_methods(loop: asyncio.Runner, method: str, path: str, allowed: str) -> None:
    answer = loop.run(asgi.ask(lean.app(nobody), method, path, headers=HEADERS))
    assert (answer.status, answer.headers["allow"]) == (405, allowed)


def test_a_fresh_key_is_refused_for_what_is_now(
    loop: asyncio.Runner, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And an old one is answered: the claim is looked up first, at the running door too."""
    first = loop.run(post("/api/orders", but()))
    halted = {**UNITS, "BTC-USD": UNITS["HALT-USD"]}
    monkeypatch.setattr(market, "known_units", halted.get)
    again = loop.run(post("/api/orders", but()))
    assert (again.status, again.body) == (202, first.body)
    fresh = [header for header in HEADERS if header[0] != b"idempotency-key"]
    fresh.append((b"idempotency-key", b"another"))
    app = lean.app(nobody)
    refused = loop.run(asgi.ask(app, "POST", "/api/orders", headers=fresh, pieces=(but(),)))
    assert (refused.status, json.loads(refused.body)["code"]) == (422, "validation_error")
    assert door.records() == 1

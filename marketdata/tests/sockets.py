"""A client's end of /ws/market, and what opens it: shared by the tests of sockets."""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from channels.testing import WebsocketCommunicator

from marketdata import wiring
from marketdata.domain.prices import SymbolPrices
from marketdata.tests.build import a_record, units
from marketdata.tests.fakes import BreakableLog
from marketdata.ws.market import MarketFeed
from oms_project.access.principal import Principal
from oms_project.kernel.ports import Record
from oms_project.kernel.words import Topic
from oms_project.rest.sockets import Seat, Seats

SOMEBODY = Principal("u", "somebody", "TRADER", {}, "token")
KNOWN = {f"S{number}-USD": units() for number in range(60)} | {"BTC-USD": units()}


class Socket:
    """A client's end."""

    def __init__(self, communicator: WebsocketCommunicator) -> None:
        self.communicator = communicator

    async def ask(self, **body: Any) -> dict[str, Any]:
        await self.communicator.send_to(text_data=json.dumps(body))
        return await self.next()

    async def subscribe(
        self, channel: str = "book", symbol: str = "BTC-USD", **more: str
    ) -> dict[str, Any]:
        """Subscribe and return the snapshot."""
        answer = await self.ask(op="subscribe", channel=channel, symbol=symbol, **more)
        assert answer == {"op": "subscribed", "channel": channel, "symbol": symbol, **more}
        return await self.next()

    async def next(self) -> dict[str, Any]:
        return json.loads(await self.communicator.receive_from(timeout=5))

    async def closed_with(self) -> int:
        """Read until the close and return its code."""
        while True:
            message = await self.communicator.receive_output(timeout=5)
            if message["type"] == "websocket.close":
                return int(message["code"])


Connect = Callable[[], Any]


@pytest.fixture
async def connect(
    price_log: BreakableLog, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Connect]:
    """Opens sockets of somebody logged in; closes them and the view's follower afterwards."""
    monkeypatch.setattr(wiring, "instruments_old", lambda: False)
    monkeypatch.setattr(wiring, "known_units", KNOWN.get)
    seats = Seats()
    opened: list[WebsocketCommunicator] = []

    async def open_socket() -> Socket:
        communicator = WebsocketCommunicator(MarketFeed.as_asgi(), "/ws/market")
        seat = communicator.scope["seat"] = Seat(SOMEBODY, lambda: SOMEBODY, "key")
        seats.take(seat)
        opened.append(communicator)
        connected, _ = await communicator.connect(timeout=5)
        assert connected
        return Socket(communicator)

    yield open_socket
    for communicator in opened:
        await communicator.disconnect()
    await wiring.view().stop()


def put(log: BreakableLog, *symbols: SymbolPrices) -> None:
    log.append(Topic.PRICES, [Record(0, "", a_record(*symbols))])

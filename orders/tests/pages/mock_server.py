"""The mock as an ASGI application: Django for pages, two small sockets, one loop that moves prices.

Run by hand, to look at the pages without the product (log in as trader / trader-demo-1):
    DJANGO_SETTINGS_MODULE=orders.tests.pages.mock_settings \
        uvicorn orders.tests.pages.mock_server:application --port 8899
"""

import asyncio
import contextlib
from typing import Any

import django
from django.core.asgi import get_asgi_application

django.setup()
_pages = get_asgi_application()

import msgspec  # noqa: E402
from django.contrib.auth import get_user_model  # noqa: E402
from django.core.management import call_command  # noqa: E402

from marketdata.domain.candle import INTERVALS  # noqa: E402
from orders.tests.pages.mock_desk import MemoryDesk, public  # noqa: E402
from orders.tests.pages.mock_market import MockSymbol  # noqa: E402
from orders.tests.pages.mock_urls import DESK  # noqa: E402

STEP_S = 0.25
BOOK_DEPTH = 40


def _dump(value: object) -> str:
    return msgspec.json.encode(value).decode()


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Serve one connection."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
    elif scope["type"] == "http":
        await _pages(scope, receive, send)
    else:
        await _socket(scope["path"], receive, send)


async def _lifespan(receive: Any, send: Any) -> None:
    await receive()
    await asyncio.to_thread(_users)
    mover = asyncio.create_task(_move())
    await send({"type": "lifespan.startup.complete"})
    await receive()
    mover.cancel()
    await send({"type": "lifespan.shutdown.complete"})


def _users() -> None:
    call_command("migrate", run_syncdb=True, verbosity=0)
    get_user_model().objects.create_user("trader", password="trader-demo-1")


async def _move() -> None:
    while True:
        await asyncio.sleep(STEP_S)
        DESK.step()


async def _socket(path: str, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    tasks: list[asyncio.Task[None]] = []

    async def say(**message: object) -> None:
        await send({"type": "websocket.send", "text": _dump(message)})

    serve = _market if path == "/ws/market" else _orders
    with contextlib.suppress(asyncio.CancelledError):
        while (event := await receive())["type"] == "websocket.receive":
            asked = msgspec.json.decode(event["text"])
            if asked["op"] == "subscribe":
                tasks.append(asyncio.create_task(serve(asked, say)))
            elif asked["op"] == "ping":
                await say(op="pong")
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _market(asked: dict[str, str], say: Any) -> None:
    symbol, channel = DESK.symbols[asked["symbol"]], asked["channel"]
    await say(op="subscribed", channel=channel, symbol=symbol.symbol)
    if channel == "candles":
        await _candles(symbol, asked["interval"], say)
        return
    await {"ticker": _tickers, "book": _books, "trades": _trades}[channel](symbol, say)


async def _tickers(symbol: MockSymbol, say: Any) -> None:
    before = None
    while True:
        if symbol.state == "TRADING" or symbol.state != before:
            await say(op="ticker", **symbol.ticker())
        before = symbol.state
        await asyncio.sleep(STEP_S)


async def _candles(symbol: MockSymbol, interval: str, say: Any) -> None:
    while True:
        candles = symbol.candles(INTERVALS[interval], 2)
        await say(
            op="update", channel="candles", symbol=symbol.symbol, interval=interval, candles=candles
        )
        await asyncio.sleep(STEP_S)


async def _trades(symbol: MockSymbol, say: Any) -> None:
    known: set[str] = set()
    while True:
        fresh = [one for one in symbol.trades if one["trade_id"] not in known]
        known |= {one["trade_id"] for one in fresh}
        if fresh:
            await say(op="trades", symbol=symbol.symbol, trades=fresh)
        await asyncio.sleep(STEP_S)


async def _books(symbol: MockSymbol, say: Any) -> None:
    before = symbol.book()
    await say(op="snapshot", channel="book", **before)
    while True:
        await asyncio.sleep(STEP_S)
        after = symbol.book()
        if after["seq"] == before["seq"]:
            continue
        changed = {}
        for side in ("bids", "asks"):
            had, has = dict(before[side]), dict(after[side])
            gone = [[price, "0"] for price in had if price not in has]
            changed[side] = gone + [[p, q] for p, q in has.items() if had.get(p) != q]
        await say(
            op="delta", channel="book", symbol=symbol.symbol,
            seq=after["seq"], prev_seq=before["seq"], **changed,
        )  # fmt: skip
        before = after


async def _orders(asked: dict[str, Any], say: Any) -> None:
    account = asked["account_id"]
    await say(op="subscribed", channel="orders", account_id=account, seq=len(DESK.stream))
    sent = asked["from_seq"] - 1 if "from_seq" in asked else await _snapshot(DESK, account, say)
    while True:
        for one in DESK.stream[sent:]:
            sent = one["seq"]
            await say(op="event", channel="orders", account_id=account, **one)
        await asyncio.sleep(0.02)


async def _snapshot(desk: MemoryDesk, account: str, say: Any) -> int:
    with desk.lock:
        seq = len(desk.stream)
        query = {"account_id": account, "status": "NEW,ACCEPTED,PARTIALLY_FILLED,PENDING_CANCEL"}
        message = {
            "orders": [public(one) for one in desk.orders(None, query)["orders"]],
            "positions": desk.positions(account),
            "balances": desk.balances(account),
            "fills": desk.fills(account)[:50],
        }
    await say(op="snapshot", channel="orders", account_id=account, seq=seq, **message)
    return seq

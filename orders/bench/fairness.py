"""bench fairness: what one trader's p99 is alone, and beside others who want everything at once."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
import websockets

from oms_project.access import accounts, tokens, users
from oms_project.access.models import User
from oms_project.adapters.clock import NS_PER_S, SystemClock
from oms_project.kernel.words import AccountState, Role
from orders import wiring
from orders.bench import client, workload
from orders.bench.product import Product
from orders.bench.result import Result, percentiles
from orders.domain import commands
from risk.domain.limits import Limits

RATE: Final = 50
"""Orders a second of the trader who is measured."""
FLOOD_CONNECTIONS: Final = 8
LOG_INS: Final = 30
SOCKETS: Final = 12
LISTS: Final = 20
TIMES_MAX: Final = 3.0
QUIET_ACCOUNT: Final = "be9c4000-0000-4000-8000-0000000fa12e"
_clock = SystemClock()
_encode = msgspec.json.Encoder().encode

Flood = Callable[["Stage", asyncio.Event], Awaitable[None]]


class Stage(msgspec.Struct):
    """A product with a crowd (its accounts and token) and a trader beside it."""

    port: int
    account_ids: list[str]
    crowd: str
    trader: str
    orders: workload.Orders
    number: int = 0


def a_trader() -> str:
    """Open the account of the trader who is measured; return a token of theirs."""
    gateway = wiring.gateway()
    name = "Bench quiet"
    account = commands.SetAccount(QUIET_ACCOUNT, name, AccountState.ACTIVE, Limits())
    gateway.broadcast(account, account_id=QUIET_ACCOUNT, actor="bench")
    for asset in ("USD", *(symbol.partition("-")[0] for symbol in workload.SYMBOLS)):
        funds = commands.AdjustBalance(
            QUIET_ACCOUNT, f"quiet-{asset}", asset, workload.FUNDS, "bench"
        )
        gateway.broadcast(funds, account_id=QUIET_ACCOUNT, actor="bench")
    accounts.propose(QUIET_ACCOUNT, name, AccountState.ACTIVE, "{}")
    users.ensure(
        "bench-quiet", workload.PASSWORD, desk_role="trader", staff=False, superuser=False,
        member={name: Role.TRADER},
    )  # fmt: skip
    return tokens.issue(User.objects.get(username="bench-quiet")).access


def measure(running: Product, account_ids: list[str], crowd: str, prices: dict[str, str], seconds: int) -> Result:  # fmt: skip
    """Measure the trader alone, then beside each flood."""
    stage = Stage(running.port, account_ids, crowd, a_trader(), workload.Orders(3, prices))
    begun_ns = _clock.monotonic_ns()
    _, errors = client.run(beside(stage, None, 2))  # type: ignore[misc]
    figures: dict[str, dict[str, float]] = {}
    for name, flood in FLOODS.items():
        figures[name], failed = client.run(beside(stage, flood, seconds))  # type: ignore[misc]
        errors += failed
    quiet = figures.pop("quiet")
    times = {name: round(found["p99_ms"] / quiet["p99_ms"], 2) for name, found in figures.items()}
    notes = {f"{name} p99_ms": found["p99_ms"] for name, found in figures.items()}
    notes |= {f"{name} times": value for name, value in times.items()}
    wrong = [f"{name}: {value} times" for name, value in times.items() if value > TIMES_MAX]
    took_s = (_clock.monotonic_ns() - begun_ns) / NS_PER_S
    return Result(
        scenario="fairness", orders=stage.number, seconds=round(took_s, 2),
        orders_per_s=round(stage.number / took_s, 1), errors=errors, rss_mb=running.rss_mb(),
        verified=not wrong and not errors, wrong=wrong, notes=notes, **quiet,
    )  # fmt: skip


async def beside(stage: Stage, flood: Flood | None, seconds: int) -> tuple[dict[str, float], int]:
    """Send the trader's orders, a flood beside them or not; return their percentiles and failures."""
    requests = []
    for _ in range(seconds * RATE):
        stage.number += 1
        order = stage.orders.order() | {"client_order_id": f"quiet-{stage.number}"}
        body = _encode({"account_id": QUIET_ACCOUNT, **order})
        key = f"quiet-{stage.number}"
        requests.append(client.request("POST", "/api/orders", body, token=stage.trader, key=key))
    latencies: list[int] = []
    failed = 0

    def take(index: int, due_ns: int, answer: client.Answer) -> None:
        nonlocal failed
        latencies.append(answer.at_ns - due_ns)
        failed += answer.status != 202

    stop = asyncio.Event()
    beside = asyncio.create_task(flood(stage, stop)) if flood is not None else None
    if beside is not None:
        await asyncio.sleep(0.5)
    await client.open_loop(stage.port, 8, requests, RATE, take)
    stop.set()
    if beside is not None:
        await beside
    return percentiles(latencies), failed


async def _again(stage: Stage, stop: asyncio.Event, request: Callable[[int], bytes]) -> None:
    """Send requests over one connection, one after the other, whatever they are answered."""
    connection = await client.connect(stage.port)
    number = 0
    try:
        while not stop.is_set():
            try:
                await connection.send(request(number))
            except ConnectionError:
                connection = await client.connect(stage.port)
            number += 1
    finally:
        connection.close()


async def _batches(stage: Stage, stop: asyncio.Event) -> None:
    token, account_ids = stage.crowd, stage.account_ids[:1]
    begun_ns = _clock.monotonic_ns()
    made = [stage.orders.batches(20, 500, account_ids, token) for _ in range(FLOOD_CONNECTIONS)]

    def request(which: int, number: int) -> bytes:
        key = f"f{begun_ns}-{which}-{number}".encode()
        old = f"k{number % 20}".encode()
        return made[which][number % 20].replace(b"Idempotency-Key: " + old, b"Idempotency-Key: " + key, 1)  # fmt: skip

    await asyncio.gather(
        *(_again(stage, stop, lambda number, which=which: request(which, number)) for which in range(FLOOD_CONNECTIONS))
    )  # fmt: skip


async def flood_log_ins(stage: Stage, stop: asyncio.Event) -> None:
    """The right password: what costs is the hash."""
    body = _encode({"username": "bench", "password": workload.PASSWORD})
    request = client.request("POST", "/api/auth/login", body)
    await asyncio.gather(*(_again(stage, stop, lambda _: request) for _ in range(LOG_INS)))


async def flood_lists(stage: Stage, stop: asyncio.Event) -> None:
    request = client.request("GET", "/api/orders?limit=500", b"", token=stage.crowd)
    await asyncio.gather(*(_again(stage, stop, lambda _: request) for _ in range(LISTS)))


async def _sockets(stage: Stage, stop: asyncio.Event) -> None:
    """Each asks for its snapshot again as soon as it has it; one that is closed comes back."""
    asked = json.dumps({"op": "subscribe", "channel": "orders", "account_id": stage.account_ids[0]})

    async def one() -> None:
        while not stop.is_set():
            protocols = ["oms.v1", f"bearer.{stage.crowd}"]
            url = f"ws://127.0.0.1:{stage.port}/ws/orders"
            try:
                async with websockets.connect(url, subprotocols=protocols, max_size=None) as wire:
                    while not stop.is_set():
                        await wire.send(asked)
                        while json.loads(await wire.recv())["op"] != "snapshot":
                            pass
            except websockets.ConnectionClosed:
                await asyncio.sleep(0.05)

    await asyncio.gather(*(one() for _ in range(SOCKETS)))


FLOODS: Final[dict[str, Flood | None]] = {
    "quiet": None,
    "batches": _batches,
    "log-ins": flood_log_ins,
    "sockets": _sockets,
    "lists": flood_lists,
}

"""bench attack: everything hostile at once, for as long as one likes, beside a trader who only trades.

What must hold afterwards: nobody got a 500, the trader was served in time, and the web process has the
memory, descriptors and threads of before. What the attackers are answered does not matter, as long as
it is an answer or the end of their connection.
"""

import asyncio
import contextlib
import json
import multiprocessing
import os
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import msgspec
import websockets

from oms_project.adapters.clock import NS_PER_S, SystemClock
from oms_project.adapters.ids import seeded
from orders.bench import client, workload
from orders.bench.fairness import Stage, a_trader, beside, flood_lists, flood_log_ins
from orders.bench.product import Product
from orders.bench.result import Result

NEIGHBOUR_MS_MAX: Final = 100.0
"""p99 of the trader's acknowledgements while all of this goes on, machine shared with it."""
QUIET_S: Final = 15
"""So long the process is left alone before it is looked at: longer than every deadline at its door."""
WARM_UP_S: Final = 10
LEAD_S: Final = 1
RSS_MB_MORE: Final = 64
DESCRIPTORS_MORE: Final = 16
THREADS_MORE: Final = 8
ANSWER_S: Final = 60.0
BATCH_PAUSE_S: Final = 0.5
MIB: Final = 1024 * 1024
HOSTILE_AT_ONCE: Final = 4
SLOW_AT_ONCE: Final = 20
SOCKETS_AT_ONCE: Final = 8
_clock = SystemClock()


class Tally:
    """What the attackers were answered: statuses, ends without an answer, sockets' codes."""

    def __init__(self) -> None:
        self.answers: Counter[str] = Counter()
        self.broken: list[str] = []

    def note(self, what: str, answer: bytes) -> None:
        status = answer[9:12].decode("latin-1") if answer.startswith(b"HTTP/1.1 ") else "closed"
        self.answers[status] += 1
        if status[:1] == "5" and status != "503":
            self.broken.append(f"{what}: {answer[:200]!r}")


# ------------------------------------------------------------------ what is sent
def hostile_bodies() -> Iterator[tuple[str, bytes]]:
    """Bodies that cost a reader much, or that no reader should take."""
    order = b'{"account_id":"x","symbol":"BTC-USD","side":"buy","type":"market","quantity":"1"}'
    yield "nothing", b""
    yield "a pit of lists", b"[" * MIB
    yield "a pit of objects", b'{"a":' * (MIB // 5)
    yield "a number without end", b'{"quantity":' + b"9" * (MIB - 100) + b"}"
    yield "digits in a text", order.replace(b'"1"', b'"' + b"9" * (MIB - 200) + b'"')
    yield "backslashes", b'{"symbol":"' + b"\\" * (MIB - 100) + b'"}'
    yield "escapes", b'{"symbol":"' + b"\\u0000" * (MIB // 6 - 10) + b'"}'
    yield "surrogates", b'{"symbol":"\\ud800"}'
    yield "a key twice", b'{"symbol":"BTC-USD","symbol":"ETH-USD"}'
    yield "many keys", json.dumps({f"k{number}": number for number in range(60_000)}).encode()[:MIB]
    yield "no UTF-8", b'{"symbol":"\xff\xfe"}'
    yield "a mark in front", b"\xef\xbb\xbf" + order
    yield "no number", b'{"quantity":NaN}'
    yield "too long", b" " * (MIB + 1)
    yield "blanks", b" " * (MIB - len(order)) + order
    yield "an order of a stranger", order
    yield "zeros", b"\x00" * MIB


def hostile_requests(token: str) -> Iterator[tuple[str, bytes]]:
    """Requests, whole: heads, targets and cookies besides the bodies."""
    for path in ("/api/orders", "/api/orders/batch", "/api/auth/login", "/api/orders/cancel"):
        for what, body in hostile_bodies():
            sent = client.request(
                "POST", path, body, token=token, key=f"attack-{what[:9]}".replace(" ", "-")
            )
            yield f"{path} {what}", sent
    yield "form", client.request("POST", "/login/", b"username=" + b"%41" * 20_000)
    for what, line in {
        "cookie": b'Cookie: a="' + b"\\" * 30_000 + b'"',
        "content type": b"Content-Type: a/b; " + b'"' * 200,
        "many fields": b"\r\n".join(b"X-%d: y" % number for number in range(3_000)),
        "two hosts": b"Host: evil.example",
        "authorization": b"Authorization: Bearer " + b"." * 8_000,
        "basic": b"Authorization: Basic " + b"A" * 8_000,
        "encoding": b"Content-Encoding: gzip",
        "both lengths": b"Content-Length: 5\r\nTransfer-Encoding: chunked",
    }.items():
        yield what, b"POST /api/orders HTTP/1.1\r\nHost: 127.0.0.1\r\n" + line + b"\r\n\r\n{}"
    for target in (
        b"/" + b"a" * 9_000, b"/api/orders?" + b"&" * 7_000, b"/api/orders?limit=" + b"9" * 5_000,
        b"/api/orders?cursor=" + b"A" * 6_000, b"/api/orders/%00%ff/events", b"/static/../../etc/passwd",
        b"/api/orders?from=0001-01-01T00:00:00Z&to=9999-12-31T23:59:59Z", b"//evil.example/", b"*",
        b"/api/orders?status=" + b"open," * 1_400, b"/admin/?next=//evil.example",
    ):  # fmt: skip
        bearer = f"Authorization: Bearer {token}\r\n".encode()
        yield (
            target[:30].decode(),
            b"GET " + target + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n" + bearer + b"\r\n",
        )
    yield "no HTTP", b"\x16\x03\x01" + b"\x00" * 500
    yield "an old one", b"GET / HTTP/0.9\r\n\r\n"
    yield "a verb", b"TRACE /api/orders HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    chunks = b"POST /api/orders HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    yield "chunks of one byte", chunks + b"1\r\nx\r\n" * 50_000 + b"0\r\n\r\n"
    yield "a chunk without end", chunks + b"ffffffffffffffff\r\n" + b"x" * 1_000


# ------------------------------------------------------------------ who sends it
async def _exchange(port: int, data: bytes) -> bytes:
    """Return the first bytes of the answer, b"" if there is none: it may come before all is sent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        with contextlib.suppress(ConnectionError):
            writer.write(data)
            await writer.drain()
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(ANSWER_S):
                return await reader.read(65_536)
        return b""
    finally:
        writer.close()


async def _hostile(stage: Stage, stop: asyncio.Event, tally: Tally) -> None:
    requests = list(hostile_requests(stage.crowd))

    async def one(first: int) -> None:
        number = first
        while not stop.is_set():
            what, data = requests[number % len(requests)]
            tally.note(what, await _exchange(stage.port, data))
            number += 1

    each = len(requests) // HOSTILE_AT_ONCE
    await asyncio.gather(*(one(number * each) for number in range(HOSTILE_AT_ONCE)))


async def _slow(stage: Stage, stop: asyncio.Event, tally: Tally) -> None:
    """Heads and bodies that come a byte at a time, answers that nobody takes, silent connections."""
    bearer = f"Authorization: Bearer {stage.crowd}\r\n".encode()
    begun = [
        b"GET /api/orders HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ",
        b"POST /api/orders HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\n",
        b"GET /api/orders?limit=500 HTTP/1.1\r\nHost: 127.0.0.1\r\n" + bearer + b"\r\n",
        b"",
    ]

    async def one(number: int) -> None:
        while not stop.is_set():
            _, writer = await asyncio.open_connection("127.0.0.1", stage.port)
            try:
                writer.write(begun[number % len(begun)])
                for _ in range(45):
                    await asyncio.sleep(1)
                    if stop.is_set() or writer.is_closing():
                        break
                    if number % len(begun) < 2:
                        writer.write(b"a")
                        await writer.drain()
                tally.answers["slow"] += 1
            except ConnectionError:
                tally.answers["slow, closed"] += 1
            finally:
                writer.close()

    await asyncio.gather(*(one(number) for number in range(SLOW_AT_ONCE)))


async def _sockets(stage: Stage, stop: asyncio.Event, tally: Tally) -> None:
    """Frames that are no word of the protocol, subscriptions without end, clients that just leave."""
    dice = seeded(5)
    frames: list[str | bytes] = [
        "", "{", "[]", "null", "[" * 10_000, "\x00", b"\xff" * 1_000, "a" * 65_000, "b" * 70_000,
        json.dumps({"op": "subscribe", "channel": "orders", "account_id": stage.account_ids[0]}),
        json.dumps({"op": "subscribe", "channel": "orders", "account_id": "x" * 1_000}),
        json.dumps({"op": "subscribe", "channel": "book", "symbols": ["BTC-USD"] * 500}),
        json.dumps({"op": "subscribe", "channel": "ticker", "symbols": ["BTC-USD"], "id": "i" * 60_000}),
        json.dumps({"op": "ping"}), json.dumps({"op": {"op": {}}}),
    ]  # fmt: skip

    async def one() -> None:
        while not stop.is_set():
            url = f"ws://127.0.0.1:{stage.port}/ws/{dice.choice(['orders', 'market'])}"
            protocols = [
                websockets.Subprotocol("oms.v1"),
                websockets.Subprotocol(f"bearer.{stage.crowd}"),
            ]
            try:
                async with websockets.connect(url, subprotocols=protocols, max_size=None) as wire:
                    for _ in range(dice.randrange(1, 40)):
                        await wire.send(dice.choice(frames))
                        with contextlib.suppress(TimeoutError):
                            async with asyncio.timeout(0.05):
                                await wire.recv()
                    if dice.randrange(2):
                        wire.transport.abort()
                tally.answers["socket, left"] += 1
            except (websockets.WebSocketException, OSError) as error:
                code = getattr(getattr(error, "rcvd", None), "code", "")
                tally.answers[f"socket {code}".rstrip()] += 1
                if code == 1011:
                    tally.broken.append(f"socket: {error}")
                await asyncio.sleep(0.05)

    await asyncio.gather(*(one() for _ in range(SOCKETS_AT_ONCE)))


async def _strangers(stage: Stage, stop: asyncio.Event, tally: Tally) -> None:
    """Tokens and sessions that nobody gave out, each another one."""
    dice = seeded(6)
    while not stop.is_set():
        token = f"{dice.getrandbits(200):x}"
        for path in ("/api/orders", "/api/accounts", "/orders/", "/admin/"):
            data = client.request(
                "GET", path, b"", token=token, more=f"Cookie: sessionid={token}\r\n"
            )
            tally.note(f"stranger {path}", await _exchange(stage.port, data))


async def _batches(stage: Stage, stop: asyncio.Event, tally: Tally) -> None:
    """Whole batches of somebody else, as many as a disk takes for long."""
    begun_ns, number = _clock.monotonic_ns(), 0
    while not stop.is_set():
        made = stage.orders.batches(1, 500, stage.account_ids[:1], stage.crowd)[0]
        key = f"attack-{begun_ns}-{number}".encode()
        sent = made.replace(b"Idempotency-Key: k0", b"Idempotency-Key: " + key, 1)
        tally.note("batch", await _exchange(stage.port, sent))
        number += 1
        await asyncio.sleep(BATCH_PAUSE_S)


Attack = Callable[[Stage, asyncio.Event, Tally], Awaitable[None]]
ATTACKS: Final[tuple[Attack, ...]] = (_hostile, _slow, _sockets, _strangers, _batches)


# ------------------------------------------------------------------ what is left
class Looks(msgspec.Struct):
    """What a process has of the machine."""

    rss_mb: int
    descriptors: int
    threads: int


def look_at(pid: int) -> Looks:
    status = Path(f"/proc/{pid}/status").read_text()
    fields = dict(line.split(":", 1) for line in status.splitlines())
    return Looks(
        int(fields["VmRSS"].split()[0]) // 1024,
        len(os.listdir(f"/proc/{pid}/fd")),
        int(fields["Threads"]),
    )


def _attackers(stage: Stage, seconds: int, told: Connection) -> None:
    """Attack in a process of one's own: the trader's clock must not stand while a body is made."""
    tally = Tally()

    async def everything() -> None:
        stop = asyncio.Event()
        asyncio.get_running_loop().call_later(seconds, stop.set)
        crowds = (flood_lists(stage, stop), flood_log_ins(stage, stop))
        await asyncio.gather(*crowds, *(attack(stage, stop, tally) for attack in ATTACKS))

    client.run(everything())
    told.send((dict(tally.answers), tally.broken))


def _beside_attackers(
    stage: Stage, seconds: int
) -> tuple[dict[str, float], int, dict[str, int], list[str]]:
    """Return what the trader saw, how many orders were not taken, the tally; wait until it is quiet."""
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe(duplex=False)
    attackers = context.Process(
        target=_attackers, args=(stage, seconds + LEAD_S, there), daemon=True
    )
    attackers.start()
    client.run(asyncio.sleep(LEAD_S))
    figures, failed = client.run(beside(stage, None, seconds))  # type: ignore[misc]
    answers, broken = here.recv()
    attackers.join()
    client.run(asyncio.sleep(QUIET_S))
    return figures, failed, answers, broken


def measure(running: Product, account_ids: list[str], crowd: str, prices: dict[str, str], seconds: int) -> Result:  # fmt: skip
    """Attack for *seconds*; return what the trader beside it saw, and what is left behind."""
    stage = Stage(running.port, account_ids, crowd, a_trader(), workload.Orders(3, prices))
    pid = running.processes["web"].pid
    begun_ns = _clock.monotonic_ns()
    # Once in short, so that what a process makes once and keeps is there before it is looked at.
    _beside_attackers(stage, WARM_UP_S)
    before = look_at(pid)
    figures, failed, answers, broken = _beside_attackers(stage, seconds)
    after = look_at(pid)
    wrong = broken[:5]
    if figures["p99_ms"] > NEIGHBOUR_MS_MAX:
        wrong.append(f"the trader waited: p99 {figures['p99_ms']} ms")
    if failed:
        wrong.append(f"{failed} of the trader's orders were not taken")
    for name, more in (
        ("rss_mb", RSS_MB_MORE),
        ("descriptors", DESCRIPTORS_MORE),
        ("threads", THREADS_MORE),
    ):
        if getattr(after, name) > getattr(before, name) + more:
            wrong.append(f"{name} grew from {getattr(before, name)} to {getattr(after, name)}")
    if running.processes["web"].poll() is not None:
        wrong.append("the web process ended")
    took_s = (_clock.monotonic_ns() - begun_ns) / NS_PER_S
    notes: dict[str, object] = {"attacked": dict(sorted(answers.items()))}
    notes |= {"before": msgspec.to_builtins(before), "after": msgspec.to_builtins(after)}
    return Result(
        scenario="attack", orders=stage.number, seconds=round(took_s, 2),
        orders_per_s=round(stage.number / took_s, 1), errors=failed, rss_mb=running.rss_mb(),
        verified=not wrong, wrong=wrong, notes=notes, **figures,
    )  # fmt: skip

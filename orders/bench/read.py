"""bench read: what lists cost when there are many orders, by every filter that is documented.

The orders are told straight to the store, as the projector would; the reads are HTTP, one after the
other, by a user of three accounts. A page must be answered whole, or it does not count.
"""

import time
from collections.abc import Iterator
from typing import Any, Final

import msgspec
from django.conf import settings

from oms_project.adapters.clock import NS_PER_S, SystemClock
from oms_project.adapters.ids import seeded
from oms_project.adapters.servers import free_port
from oms_project.kernel import ids, wire
from oms_project.kernel.terms import Terms
from oms_project.kernel.words import OrderType, Side, Status, TimeInForce
from oms_project.management.commands import up
from oms_project.rest import times
from orders import wiring
from orders.bench import client, workload
from orders.bench.product import Product
from orders.bench.result import Result, percentiles
from orders.domain import events as e
from orders.projector import Fold

ACCOUNTS: Final = 3
BATCH: Final = 100
ROUND: Final = 50
"""Batches told in one write of the store."""
BEGIN_NS: Final = 1_790_000_000 * NS_PER_S
STEP_MS: Final = 250
"""Between two batches: a million orders are some 42 minutes of a busy desk."""
ASKED: Final = 100
"""Reads of each kind."""
AT_ONCE: Final = 20
SYMBOLS: Final = workload.SYMBOLS[:4]
"""The fifth is asked for and found nowhere."""
_clock = SystemClock()


class Page(msgspec.Struct):
    next_cursor: str | None = None


class Filled:
    """What was told: the ids to ask for, and a mark of each kind of read."""

    def __init__(self, account_ids: list[str]) -> None:
        self.account_ids = account_ids
        self.order_ids: list[str] = []
        self._seqs = dict.fromkeys(account_ids, 1)
        self._dice = seeded(7)
        self._offset = 0

    def tell(self, orders: int) -> None:
        """Tell the store of so many orders: most FILLED, some over otherwise, very few still open."""
        store = wiring.store()
        while len(self.order_ids) * BATCH < orders:
            fold = Fold()
            for _ in range(ROUND):
                for batch in self._batches():
                    value = wire.seal(e.SCHEMA, batch, id="bench", at_ns=batch.at_ns)
                    fold.add(batch, value)
            store.apply(fold.changes(0, self._offset, self._offset - 1))

    def _batches(self) -> Iterator[e.EventBatch]:
        """Yield what a batch of orders comes to: routed together, and then decided together."""
        number = len(self.order_ids)
        account_id = self.account_ids[number % len(self.account_ids)]
        at_ms = BEGIN_NS // 1_000_000 + number * STEP_MS
        base = ids.order_id_base(account_id, "batch", f"k{number}", at_ms)
        routed: list[e.Event] = []
        decided: list[e.Event] = []
        for index in range(BATCH):
            order_id = ids.order_id(base, index)
            side = Side.BUY if self._dice.randrange(2) else Side.SELL
            symbol = SYMBOLS[self._dice.randrange(len(SYMBOLS))]
            terms = Terms(symbol, side, OrderType.LIMIT, TimeInForce.GTC, 10, 100)
            routed.append(e.OrderRouted(order_id, f"c{number}-{index}", terms, 0, 1))
            decided += self._decided(order_id, terms)
        self.order_ids.append(order_id)
        yield self._batch(account_id, routed, at_ms)
        yield self._batch(account_id, decided, at_ms + 20)

    def _decided(self, order_id: str, terms: Terms) -> list[e.Event]:
        number = self._dice.randrange(100_000)
        if number < 2:
            return [e.OrderExpired(order_id, Status.EXPIRED, 2, 0, 0, 0, 1, "expired", late=False)]
        accepted = e.OrderAccepted(order_id, Status.ACCEPTED, 2, 0, 0, 0, 1)
        if number < 50:
            return [accepted]
        if number < 2_000:
            canceled = (Status.CANCELED, 3, 0, 0, 0, 2, "client")
            return [accepted, e.OrderCanceled(order_id, *canceled, late=False)]
        filled = e.OrderFilled(
            order_id, Status.FILLED, 3, 10, 1_000, 1, symbol=terms.symbol, side=terms.side,
            venue="SIM", execution=2, lots=10, ticks=100, maker=False, fill_fee=1, late=False,
            overfilled=False,
        )  # fmt: skip
        return [accepted, filled]

    def _batch(self, account_id: str, told: list[e.Event], at_ms: int) -> e.EventBatch:
        first = self._seqs[account_id]
        self._seqs[account_id] = first + len(told)
        self._offset += 1
        return e.EventBatch(
            0, self._offset - 1, self._offset - 2, 1, account_id, first, at_ms * 1_000_000,
            "user:1:bench", "bench", told,
        )  # fmt: skip

    def reads(self) -> dict[str, list[str]]:
        """Return the paths to ask for, by what is measured."""
        dice = seeded(8)
        somewhere = [self.order_ids[dice.randrange(len(self.order_ids))] for _ in range(ASKED)]
        spans = []
        for order_id in somewhere:
            from_ns = int(order_id[:8] + order_id[9:13], 16) * 1_000_000
            until_ns = from_ns + 60 * NS_PER_S
            spans.append(f"from={times.text(from_ns)}&to={times.text(until_ns)}")
        mine = self.account_ids
        found = {
            "all": ["/api/orders"],
            "limit=500": ["/api/orders?limit=500"],
            "account_id": [f"/api/orders?account_id={one}" for one in mine],
            "symbol": [f"/api/orders?symbol={one}" for one in SYMBOLS],
            "symbol of none": [f"/api/orders?symbol={workload.SYMBOLS[4]}"],
            "side": ["/api/orders?side=buy", "/api/orders?side=sell"],
            "from and to": [f"/api/orders?{one}" for one in spans],
            "from and to of none": ["/api/orders?to=2020-01-01T00:00:00Z"],
            "client_order_id": [f"/api/orders?client_order_id=c{n}-7" for n in range(ASKED)],
            "client_order_id of none": ["/api/orders?client_order_id=nobody"],
            "symbol, side, status": ["/api/orders?symbol=ETH-USD&side=sell&status=CANCELED"],
            "one order": [f"/api/orders/{one}" for one in somewhere],
            "its events": [f"/api/orders/{one}/events" for one in somewhere],
            "its fills": [f"/api/orders/{one}/fills" for one in somewhere],
            "fills": [f"/api/accounts/{one}/fills" for one in mine],
            "fills of a symbol": [f"/api/accounts/{one}/fills?symbol=SOL-USD" for one in mine],
            "fills of none": [f"/api/accounts/{one}/fills?symbol=ADA-USD" for one in mine],
        }
        found |= {f"status={one}": [f"/api/orders?status={one}"] for one in Status}
        return found


def read(*, orders: int) -> Result:
    """Fill a store, start the web role over it, ask, and return the figures."""
    up.prepare(demo=True)
    account_ids, token = workload.seed(ACCOUNTS)
    filled = Filled(account_ids)
    begun_s = time.monotonic()
    filled.tell(orders)
    took_s = time.monotonic() - begun_s
    port = free_port()
    running = Product({"web": up.roles(port)["web"]}, port)
    running.start()
    try:
        running.wait_ready("/api/meta/time")
        return _measured(running, filled, token, orders, took_s)
    finally:
        running.stop()


def _measured(running: Product, filled: Filled, token: str, orders: int, took_s: float) -> Result:
    notes: dict[str, Any] = {"told_s": round(took_s, 1), "store_mb": _store_mb()}
    latencies: list[int] = []
    wrong: list[str] = []
    slowest = ("", 0.0)
    rss_mb = running.rss_mb()["web"]
    for name, paths in filled.reads().items():
        before_us = running.cpu_us()["web"]
        took, bad, cursor = _asked(running.port, paths, token)
        if cursor:
            later, more_bad, _ = _asked(running.port, [_with(paths[0], cursor)], token)
            took, bad = took + later, bad + more_bad
        found = percentiles(took)
        cpu_ms = round((running.cpu_us()["web"] - before_us) / 1000 / len(took), 1)
        notes[f"{name}:"] = f"p50 {found['p50_ms']} ms, p99 {found['p99_ms']} ms, CPU {cpu_ms} ms"
        slowest = max(slowest, (name, found["p99_ms"]), key=lambda one: one[1])
        latencies += took
        wrong += [f"{name}: {text}" for text in bad[:1]]
    notes["slowest"] = f"{slowest[0]}, p99 {slowest[1]} ms"
    _asked(running.port, ["/api/orders?side=buy&limit=500"], token, connections=AT_ONCE)
    notes["rss_mb of web, before and after"] = f"{rss_mb}, {running.rss_mb()['web']}"
    return Result(
        scenario="read", orders=orders, seconds=round(sum(latencies) / 1e9, 2),
        orders_per_s=round(orders / took_s, 1), verified=not wrong, wrong=wrong, notes=notes,
        **percentiles(latencies),
    )  # fmt: skip


def _with(path: str, cursor: str) -> str:
    return f"{path}{'&' if '?' in path else '?'}cursor={cursor}"


def _asked(
    port: int, paths: list[str], token: str, connections: int = 1
) -> tuple[list[int], list[str], str]:
    """Ask ASKED times; return how long each took, what was no 200, and a cursor to go on from."""
    requests = [
        client.request("GET", paths[n % len(paths)], b"", token=token) for n in range(ASKED)
    ]
    ends: list[int] = []
    bad: list[str] = []
    cursor = ""

    def take(index: int, answer: client.Answer) -> None:
        nonlocal cursor
        ends.append(answer.at_ns)
        if answer.status != 200:
            bad.append(f"{answer.status} {answer.body[:200].decode()}")
        elif index == 0:
            cursor = msgspec.json.decode(answer.body, type=Page).next_cursor or ""

    begun_ns = _clock.monotonic_ns()
    forever = begun_ns + 600 * NS_PER_S
    client.run(client.closed_loop(port, connections, requests, take, forever))
    starts = [begun_ns, *ends[:-1]]
    return [end - start for start, end in zip(starts, ends, strict=True)], bad, cursor


def _store_mb() -> int:
    return sum(one.stat().st_size for one in settings.ENV.data_dir.glob("store.sqlite3*")) >> 20

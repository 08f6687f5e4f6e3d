"""What can be measured. Each scenario starts a product, loads it, waits for the end and verifies."""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec
from django.conf import settings

from marketdata import wiring as market
from oms_project.adapters.clock import NS_PER_S, SystemClock
from oms_project.adapters.servers import free_port
from oms_project.kernel.words import Topic
from oms_project.management.commands import up
from orders import engine, wiring
from orders import replay as replay_log
from orders.bench import against, client, verify, workload
from orders.bench import attack as hostile
from orders.bench import fairness as beside
from orders.bench import page as in_browser
from orders.bench.product import Product, own_cpu_us
from orders.bench.read import read
from orders.bench.result import Result, percentiles

DRAIN_S = 120.0
WARM_UP = 20
_clock = SystemClock()


class BatchAnswer(msgspec.Struct):
    orders: list[msgspec.Raw]


class Ack(msgspec.Struct):
    order_id: str


_read_batch = msgspec.json.Decoder(BatchAnswer).decode
_read_ack = msgspec.json.Decoder(Ack).decode


@contextmanager
def product(accounts: int) -> Iterator[tuple[Product, list[str], str, dict[str, str]]]:
    """Run the embedded product with rich accounts; give it, their ids, a token and last prices."""
    up.prepare(demo=True)
    account_ids, token = workload.seed(accounts)
    port = free_port()
    commands = {role: line for role, line in up.roles(port).items() if role != "worker"}
    running = Product(commands, port)
    running.start()
    try:
        running.wait_ready()
        yield running, account_ids, token, last_prices()
    finally:
        running.stop()


def last_prices() -> dict[str, str]:
    """Wait until every symbol has a price and return them."""
    pause = threading.Event()
    for _ in range(300):
        found = {}
        for symbol in workload.SYMBOLS:
            seen = market.view().current(symbol)
            units = market.units(symbol)
            if seen is not None and units is not None and seen.prices.asks:
                found[symbol] = units.price_text(seen.prices.asks[0].ticks)
        if len(found) == len(workload.SYMBOLS):
            return found
        pause.wait(0.1)
    raise TimeoutError("no prices")


def drain() -> int:
    """Wait until everything in the log is projected; return when that was (monotonic ns)."""
    log, store = wiring.log(), wiring.store()
    _wait_for_engine()
    pause = threading.Event()
    deadline_ns = _clock.monotonic_ns() + int(DRAIN_S * NS_PER_S)
    still_ns, ends_before = 0, None
    while _clock.monotonic_ns() < deadline_ns:
        ends = [
            (log.end_offset(Topic.EVENTS, partition), store.progress(partition).next_offset)
            for partition in range(log.partitions)
        ]
        now_ns = _clock.monotonic_ns()
        if ends != ends_before:
            still_ns, ends_before = now_ns, ends
        # Nothing moved for a while and nothing waits: the last change was the end.
        if now_ns - still_ns > 3 * NS_PER_S and all(end == done for end, done in ends):
            return still_ns
        pause.wait(0.02)
    raise TimeoutError(f"not projected within {DRAIN_S:g} s: {ends_before}")


def _wait_for_engine() -> None:
    """Wait until the engine has decided what was in the log when this was called."""
    log = wiring.log()
    ends = {part: log.end_offset(Topic.COMMANDS, part) for part in range(log.partitions)}
    group = log.subscribe(Topic.COMMANDS, engine.GROUP)
    pause = threading.Event()
    deadline_ns = _clock.monotonic_ns() + int(DRAIN_S * NS_PER_S)
    while _clock.monotonic_ns() < deadline_ns:
        if all((group.committed(part) or 0) >= end for part, end in ends.items()):
            return
        pause.wait(0.05)
    raise TimeoutError(f"not decided within {DRAIN_S:g} s")


def batch(*, seconds: int, size: int, connections: int, accounts: int, rate_guess: int) -> Result:
    """HTTP batches → filled → persisted, as fast as they are taken."""
    with product(accounts) as (running, account_ids, token, prices):
        orders = workload.Orders(1, prices)
        requests = orders.batches(seconds * rate_guess // size, size, account_ids, token)
        acknowledged: dict[str, list[str]] = defaultdict(list)
        latencies: list[int] = []
        bodies: list[tuple[int, bytes]] = []
        failures: list[bytes] = []

        def take(index: int, answer: client.Answer) -> None:
            if answer.status == 202:
                bodies.append((index, answer.body))
            else:
                failures.append(answer.body)

        before, own = running.cpu_us(), own_cpu_us()
        begun_ns = _clock.monotonic_ns()
        client.run(
            client.closed_loop(
                running.port, connections, requests, take, begun_ns + seconds * NS_PER_S
            )
        )
        sent_ns = _clock.monotonic_ns()
        ended_ns = drain()
        after, own = running.cpu_us(), own_cpu_us() - own
        rss = running.rss_mb()
        for index, body in bodies:
            raw = _read_batch(body).orders
            acknowledged[account_ids[index % len(account_ids)]] += [
                msgspec.json.decode(one, type=Ack).order_id for one in raw
            ]
        verdict = verify.check(wiring.store(), acknowledged)
        verdict.wrong += [body[:500].decode() for body in failures[:3]]
        count = sum(map(len, acknowledged.values()))
        took_s = (ended_ns - begun_ns) / NS_PER_S
        cpu = {role: round((after[role] - before[role]) / max(1, count), 2) for role in after}
        cpu["client"] = round(own / max(1, count), 2)
        yardstick = against.baseline(orders.singles(20_000, account_ids, token), account_ids)
        per_s = count / took_s
        return Result(
            baseline=yardstick,
            ratio=round(per_s / yardstick, 1),
            scenario="batch", orders=count, seconds=round(took_s, 2),
            orders_per_s=round(count / took_s, 1), errors=len(failures),
            verified=verdict.right and not failures, statuses=verdict.statuses,
            wrong=verdict.wrong, cpu_us_per_order=cpu, rss_mb=rss,
            notes={
                "acknowledged_per_s": round(count / ((sent_ns - begun_ns) / NS_PER_S), 1),
                "batch": size, "connections": connections, "accounts": accounts,
            },
            **(percentiles(latencies) if latencies else {}),
        )  # fmt: skip


def single(*, seconds: int, rate: int, connections: int, accounts: int) -> Result:
    """One order a request: at a fixed rate (open loop), or as fast as they are taken (rate 0)."""
    with product(accounts) as (running, account_ids, token, prices):
        orders = workload.Orders(2, prices)
        count = seconds * (rate or 6_000)
        requests = orders.singles(count + WARM_UP, account_ids, token)
        latencies: list[int] = []
        acknowledged: dict[str, list[str]] = defaultdict(list)
        failures: list[bytes] = []

        def note(index: int, answer: client.Answer) -> None:
            if answer.status == 202:
                order_id = _read_ack(answer.body).order_id
                acknowledged[account_ids[index % len(account_ids)]].append(order_id)
            else:
                failures.append(answer.body)

        def take(index: int, due_ns: int, answer: client.Answer) -> None:
            note(index, answer)
            latencies.append(answer.at_ns - due_ns)

        forever = _clock.monotonic_ns() + 60 * NS_PER_S
        warm = requests[-WARM_UP:]
        client.run(
            client.closed_loop(running.port, 2, warm, lambda i, a: note(count + i, a), forever)
        )
        drain()
        requests = requests[:-WARM_UP]
        before, own = running.cpu_us(), own_cpu_us()
        begun_ns = _clock.monotonic_ns()
        if rate:
            client.run(client.open_loop(running.port, connections, requests, rate, take))
        else:
            until_ns = begun_ns + seconds * NS_PER_S
            client.run(client.closed_loop(running.port, connections, requests, note, until_ns))
        sent_ns = _clock.monotonic_ns()
        drain()
        after, own = running.cpu_us(), own_cpu_us() - own
        done = sum(map(len, acknowledged.values())) - WARM_UP
        verdict = verify.check(wiring.store(), acknowledged)
        verdict.wrong += [body[:500].decode() for body in failures[:3]]
        took_s = (sent_ns - begun_ns) / NS_PER_S
        cpu = {role: round((after[role] - before[role]) / max(1, done), 2) for role in after}
        cpu["client"] = round(own / max(1, done), 2)
        yardstick = against.baseline(requests[:20_000], account_ids)
        return Result(
            baseline=yardstick,
            ratio=round(done / took_s / yardstick, 1),
            scenario="single" if rate else "single --max", orders=done, seconds=round(took_s, 2),
            orders_per_s=round(done / took_s, 1), errors=len(failures),
            verified=verdict.right and not failures, statuses=verdict.statuses, wrong=verdict.wrong,
            cpu_us_per_order=cpu, rss_mb=running.rss_mb(),
            notes={"rate": rate, "connections": connections},
            **(percentiles(latencies) if latencies else {}),
        )  # fmt: skip


def fairness(*, seconds: int, accounts: int) -> Result:
    """One trader's orders, alone and beside others who want everything at once."""
    with product(accounts) as (running, account_ids, token, prices):
        return beside.measure(running, account_ids, token, prices, seconds)


def attack(*, seconds: int, accounts: int) -> Result:
    """Everything hostile at once, and what is left of the process that it was done to."""
    with product(accounts) as (running, account_ids, token, prices):
        return hostile.measure(running, account_ids, token, prices, seconds)


def page(*, seconds: int, accounts: int) -> Result:
    """What the trading page costs in a real browser."""
    with product(accounts) as (running, _, _, _):
        return in_browser.measure(running, seconds)


def replay(progress: Callable[[int], None] | None = None) -> Result:
    """Fill the log, then rebuild the state from it: how fast is a recovery?"""
    del progress
    filled = batch(seconds=5, size=500, connections=4, accounts=8, rate_guess=60_000)
    outcome = replay_log.run(wiring.log(), wiring.store(), settings.ENV.partitions)
    return Result(
        scenario="replay", orders=outcome.commands, seconds=round(outcome.seconds, 2),
        orders_per_s=round(outcome.commands / outcome.seconds, 1), verified=outcome.equal,
        notes={"records": outcome.records, "loaded_orders": filled.orders},
    )  # fmt: skip


SCENARIOS = {
    "attack": attack, "batch": batch, "fairness": fairness, "page": page, "read": read,
    "replay": replay, "single": single,
}  # fmt: skip

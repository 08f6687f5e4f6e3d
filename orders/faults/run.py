"""One run from the first process to the verdict."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec
from django.conf import settings
from django.db import connections

from oms_project.adapters.clock import NS_PER_S, SystemClock
from oms_project.adapters.servers import Services
from oms_project.kernel.ports import OrderQuery
from oms_project.kernel.words import OPEN
from oms_project.management.commands import up
from orders import wiring
from orders.bench import scenarios, workload
from orders.faults import journal as oracle
from orders.faults import truth
from orders.faults.bodies import Bodies
from orders.faults.chaos import Chaos, Plan
from orders.faults.judge import judge
from orders.faults.load import Load
from orders.faults.result import ANSWER_MS_MAX, Result
from orders.faults.stage import NotWellError, Stage

ACCOUNTS: Final = 8
CLOSE_S: Final = 120.0
WARM_UP_S: Final = 1.0
REPEATED: Final = 100

_clock = SystemClock()
Tell = Callable[[str], None]


def run(plan: Plan, *, seed: int, clients: int, services: Services | None, tell: Tell) -> Result:
    """Run *plan* on a product of its own and return what came of it.

    The journal is `oracle.jsonl` beside the product's data folder.
    """
    begun_ns = _clock.monotonic_ns()
    if services is not None:
        tell("starting Valkey, Kafka and SecantusDB")
        services.start()
        services.kafka.make_topics(settings.ENV.partitions)
    up.prepare(demo=True)
    account_ids, token = workload.seed(ACCOUNTS)
    stage = Stage(services)
    path = settings.ENV.data_dir.with_name("oracle.jsonl")
    try:
        tell("starting the product")
        stage.start()
        stage.product.wait_ready()
        prices = scenarios.last_prices()
        with oracle.Journal(path) as journal:
            chaos = Chaos(stage, journal, account_ids, token, seed)
            bodies = Bodies(seed, prices, account_ids)
            load = Load(stage.port, token, bodies, journal, seed)
            failures = asyncio.run(_break(plan, stage, chaos, load, account_ids, clients, tell))
            tell("draining")
            failures += _drain(stage, account_ids)
            stage.close()
            result = _judged(path, account_ids, stage, chaos, tell)
    finally:
        stage.product.stop()
    result.wrong = failures + result.wrong
    result.right = result.right and not failures
    result.seed = seed
    result.seconds = round((_clock.monotonic_ns() - begun_ns) / NS_PER_S, 1)
    return result


async def _break(
    plan: Plan, stage: Stage, chaos: Chaos, load: Load, account_ids: list[str], clients: int,
    tell: Tell,
) -> list[str]:  # fmt: skip
    """Load the product while the chaos works; settle and close everything afterwards."""
    failures = []
    running = asyncio.create_task(load.run(clients))
    await asyncio.sleep(WARM_UP_S)
    try:
        await asyncio.to_thread(_in_thread, chaos.run, plan, tell)
    except NotWellError as error:
        failures.append(f"not well: {error}")
    except asyncio.CancelledError:
        stage.stopped.set()  # the thread ends with us
        raise
    await asyncio.sleep(WARM_UP_S)
    load.stop()
    await running
    tell("settling what is unknown")
    watching = asyncio.create_task(_watch(stage))
    await load.settle()
    await load.repeat_all(REPEATED)
    await load.close_all(account_ids)
    watching.cancel()
    load.hang_up()
    return failures


async def _watch(stage: Stage) -> None:
    while True:
        stage.watch()
        await asyncio.sleep(0.2)


def _in_thread(work: Callable[..., None], *arguments: object) -> None:
    """Run, and leave no database connection behind in the thread."""
    try:
        work(*arguments)
    finally:
        connections.close_all()


def _drain(stage: Stage, account_ids: list[str]) -> list[str]:
    """Wait until everything is decided and stored and no order is open."""
    store = wiring.store()
    query = OrderQuery(account_ids=tuple(account_ids), statuses=tuple(sorted(OPEN)), limit=10)
    try:
        stage.wait_until_well(account_ids)
        closed = stage.until(lambda: not store.find(query), CLOSE_S)
        stage.end("web")
        stage.end("marketdata")
        scenarios.drain()
    except (NotWellError, TimeoutError) as error:
        return [f"not drained: {error}"]
    return [] if closed else ["orders are still open"]


def _judged(
    path: Path, account_ids: Sequence[str], stage: Stage, chaos: Chaos, tell: Tell
) -> Result:
    tell("reading the store and replaying the log")
    entries = oracle.read(path)
    stories = oracle.stories(entries)
    seen = [entry for entry in entries if isinstance(entry, oracle.Seen)]
    held = truth.gather(wiring.store(), wiring.log(), account_ids)
    poisoned = sum(chaos.poisons.values()) * wiring.log().partitions
    tell("judging")
    verdict = judge(stories, held, seen=seen, poisoned=poisoned)
    answers = [answer for story in stories for answer in story.answers]
    slowest_ms = max((answer.ms for answer in answers), default=0)
    slowest_ms = max(slowest_ms, *(story.silent_ms for story in stories), 0)
    figures = msgspec.to_builtins(verdict)
    wrong = figures.pop("wrong") + _unwell(chaos, slowest_ms)
    recoveries = sorted(stage.recoveries_ms) or [0]
    return Result(
        backend=stage.backend, seed=0, right=verdict.right and not wrong,
        kills=sum(chaos.kills.values()), killed=dict(chaos.kills), points=chaos.points,
        outages=chaos.outages, redis_flushes=chaos.flushes, jumps=chaos.jumps, restores=chaos.restores, poison=poisoned,
        requests=sum(story.tries for story in stories), looks=len(seen),
        answers=dict(sorted(Counter(str(answer.status) for answer in answers).items())),
        commands=held.commands, slowest_ms=slowest_ms, recoveries=len(stage.recoveries_ms),
        recovery_p50_ms=recoveries[len(recoveries) // 2], recovery_max_ms=recoveries[-1],
        deaths=stage.deaths, wrong=wrong, **figures,
    )  # fmt: skip


def _unwell(chaos: Chaos, slowest_ms: int) -> list[str]:
    """Return what was not healthy while something was broken."""
    found = [
        f"{name} was never passed" for name, how in chaos.points.items() if how == "not passed"
    ]
    found += [f"/readyz never named {one.server}" for one in chaos.outages if one.named_ms < 0]
    for one in chaos.outages:
        honest = one.read_status == 200 or (one.read_status == 503 and one.read_outcome)
        if not honest or one.read_ms > ANSWER_MS_MAX:
            found.append(f"without {one.server} a read got {one.read_status} in {one.read_ms} ms")
    if slowest_ms > ANSWER_MS_MAX:
        found.append(f"an answer took {slowest_ms} ms")
    return found

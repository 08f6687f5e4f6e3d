"""manage.py bench_services: what the adapters of the cluster cost, on real servers started here."""

import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser

from oms_project.adapters.clock import NS_PER_S, SystemClock
from oms_project.adapters.ids import SystemIds
from oms_project.adapters.intake import ClaimedIntake, GroupCommit
from oms_project.adapters.logs import open_log
from oms_project.adapters.memory import MemoryIdempotencyStore
from oms_project.adapters.servers import SecantusDb, local_kafka
from oms_project.kernel import ids, rows
from oms_project.kernel.errors import OmsError
from oms_project.kernel.ports import Claim, Log, Record, Submission
from oms_project.kernel.terms import Terms
from oms_project.kernel.words import OrderType, Side, Status, TimeInForce, Topic

PARTITIONS: Final = 2
RECORD_BYTES: Final = 300
IN_FLIGHT: Final = 32
ACCOUNT: Final = "11111111-2222-4333-8444-555555555555"


class Command(BaseCommand):
    help = (
        "Start Kafka and SecantusDB in a folder of their own and measure the adapters on them: "
        "appends by batch size, single submissions through claim and append, and orders stored "
        "as documents. Nothing of a running product is touched.\n\n"
        "Examples:\n  manage.py bench_services\n  manage.py bench_services --seconds 5 --json"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--seconds", type=int, default=3, help="length of each measurement")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *, seconds: int, **options: Any) -> None:
        clock = SystemClock()
        found: list[dict[str, Any]] = []
        with tempfile.TemporaryDirectory(prefix="oms-bench-") as name:
            folder = Path(name)
            try:
                with local_kafka(folder / "kafka") as kafka:
                    kafka.make_topics(PARTITIONS)
                    log = open_log(kafka.url, PARTITIONS, "bench")
                    found += [_appends(log, clock, seconds, size) for size in (1, 16, 256)]
                    found.append(_submissions(log, clock, seconds))
                    log.close()
                with SecantusDb(folder / "documents") as documents:
                    found += list(_documents(documents.url, clock, seconds))
            except OmsError as error:
                raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps({"scenario": "services", "results": found}))
            return
        for row in found:
            self.stdout.write("  ".join(f"{key}={value}" for key, value in row.items()))


def _timed(
    clock: SystemClock, seconds: int, step: Callable[[int], int], what: str
) -> dict[str, Any]:
    """Return rate and latency of *step*, which does one call and returns how much that was."""
    step(0)
    times_ms, count = [], 0
    cpu_s = time.process_time()
    begun_ns = now_ns = clock.monotonic_ns()
    while now_ns - begun_ns < seconds * NS_PER_S:
        count += step(len(times_ms) + 1)
        after_ns = clock.monotonic_ns()
        times_ms.append((after_ns - now_ns) / 1_000_000)
        now_ns = after_ns
    quantiles = statistics.quantiles(times_ms, n=100) if len(times_ms) > 1 else times_ms * 99
    return {
        "what": what,
        "per_s": round(count * NS_PER_S / (now_ns - begun_ns)),
        "p50_ms": round(quantiles[49], 2),
        "p99_ms": round(quantiles[98], 2),
        "client_cpu_us": round((time.process_time() - cpu_s) * 1_000_000 / count),
    }


def _appends(log: Log, clock: SystemClock, seconds: int, size: int) -> dict[str, Any]:
    batch = [Record(n % PARTITIONS, ACCOUNT, bytes(RECORD_BYTES)) for n in range(size)]

    def step(_: int) -> int:
        return len(log.append(Topic.COMMANDS, batch))

    return _timed(clock, seconds, step, f"log append, records of {RECORD_BYTES} bytes, by {size}")


def _submissions(log: Log, clock: SystemClock, seconds: int) -> dict[str, Any]:
    """Single orders as the web role commits them: many callers, one group commit."""
    group = GroupCommit(ClaimedIntake(MemoryIdempotencyStore(), log, clock))
    partition = ids.partition_of(ACCOUNT, PARTITIONS)
    keys = SystemIds()

    def submit() -> Any:
        key = keys.new()
        base = ids.order_id_base(ACCOUNT, "bench", key, 0)
        claim = Claim(ACCOUNT, "bench", key, bytes(32), base, 0)
        return group.submit(Submission(claim, Record(partition, ACCOUNT, bytes(RECORD_BYTES))))

    def step(_: int) -> int:
        waiting = [submit() for _ in range(IN_FLIGHT)]
        return sum(future.result(30).done for future in waiting)

    row = _timed(clock, seconds, step, f"single submissions, {IN_FLIGHT} in flight")
    group.close()
    return row


def _documents(url: str, clock: SystemClock, seconds: int) -> Iterator[dict[str, Any]]:
    # Imported on use: without documents there is no need of their client.
    from orders.adapters.mongo_store import MongoStore

    store = MongoStore(url)
    size = 250

    def fresh(number: int) -> int:
        first = number * size
        store.apply(_changes(number, [_order(first + n) for n in range(size)], []))
        return size

    def updated(number: int) -> int:
        first = number * size
        changed = [_update(first + n) for n in range(size)]
        store.apply(_changes(10**9 + number, [], changed))
        return size

    yield _timed(clock, seconds, fresh, f"orders stored, steps of {size}")
    yield _timed(clock, seconds, updated, f"orders updated, steps of {size}")
    store.close()


def _changes(
    number: int, orders: list[rows.OrderRow], updates: list[rows.OrderUpdate]
) -> rows.Changes:
    chunk = rows.Chunk(ACCOUNT, number * 1000 + 1, number * 1000 + 1000, 0, number, bytes(20_000))
    return rows.Changes(0, number + 1, number, orders, updates, [], [], [], [chunk])


def _order(number: int) -> rows.OrderRow:
    return rows.OrderRow(
        order_id=f"01900000-0000-7000-8000-{number:012d}", account_id=ACCOUNT,
        client_order_id=f"bench-{number}",
        terms=Terms("BTC-USD", Side.BUY, OrderType.LIMIT, TimeInForce.GTC, 1, 1), cap_ticks=0,
        status=Status.FILLED, version=3, last_seq=number + 1, created_ns=number,
        updated_ns=number, actor="bench", first_seq=number + 1, end_seq=number + 1,
    )  # fmt: skip


def _update(number: int) -> rows.OrderUpdate:
    return rows.OrderUpdate(
        f"01900000-0000-7000-8000-{number:012d}", ACCOUNT, Status.FILLED, 1, 1, 0, "", "", False,
        False, 4, 0, number + 2, number,
    )  # fmt: skip

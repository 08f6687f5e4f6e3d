"""The engine and the projector on twins in memory, with a venue that does what it is told.

What survives a crash is the log, the store and the clock; `Rig.start` makes everything else anew.
"""

import threading
from collections.abc import Callable, Iterable, Sequence

from marketdata.domain.prices import SymbolPrices
from oms_project.adapters.clock import FakeClock
from oms_project.adapters.dead_letters import Poison
from oms_project.adapters.ids import SeededIds
from oms_project.adapters.memory import MemoryLog
from oms_project.kernel import ids, wire
from oms_project.kernel import ports as p
from oms_project.kernel.words import Topic
from orders.adapters.memory_store import MemoryStore
from orders.domain import commands as c
from orders.domain import events as e
from orders.engine import Engine
from orders.projector import Projector
from orders.tests.domain import build

NEVER = 10**9


class CrashedError(BaseException):
    """The process ends here: nothing of the product catches it."""


class CrashAt:
    """Stands in for `crash`: ends the process at the nth passage of a point."""

    def __init__(self, name: str, nth: int) -> None:
        self.name, self.left = name, nth
        self.passed: list[str] = []

    def __call__(self, name: str) -> None:
        self.passed.append(name)
        if name == self.name:
            self.left -= 1
            if self.left == 0:
                raise CrashedError(name)


class ScriptedVenue:
    """Says of each order what its script says: (kind, lots) by execution 1, 2, …; "rests" waits.

    Fills are at the order's limit. Like a real one it keeps nothing: `resume` goes on behind the
    executions that are in the log already.
    """

    name = build.VENUE
    full = (("ack", 0), ("fill", 4), ("fill", 6))

    def __init__(self, scripts: dict[str, tuple[tuple[str, int], ...]], *, twice: bool) -> None:
        self._scripts = scripts
        self._twice = twice
        self._due: list[tuple[str, p.Report]] = []
        self._done: dict[str, int] = {}
        self.routed: list[str] = []

    def on_book(self, prices: SymbolPrices, now_ns: int) -> None:
        """It has no book."""

    def route(self, routes: Sequence[p.Route | p.CancelRoute], now_ns: int) -> None:
        for route in routes:
            if isinstance(route, p.CancelRoute):
                self._cancel(route)
            elif route.order_id not in self._done:
                self.routed.append(route.order_id)
                self._work(route)

    def resume(self, routes: Sequence[p.Route], now_ns: int) -> None:
        for route in routes:
            self._done[route.order_id] = route.executions
            self._work(route)

    def reports(self, now_ns: int) -> list[tuple[str, list[p.Report]]]:
        due, self._due = self._due, []
        return [(account_id, [report] * (1 + self._twice)) for account_id, report in due]

    def _work(self, route: p.Route) -> None:
        script = self._scripts.get(route.order_id, self.full)
        for kind, lots in script[route.executions :]:
            if kind == "rests":
                return
            execution = self._done.get(route.order_id, 0) + 1
            self._done[route.order_id] = execution
            self._say(route.account_id, _REPORTS[kind](route, execution, lots))

    def _cancel(self, route: p.CancelRoute) -> None:
        execution = self._done.get(route.order_id, 0) + 1
        self._done[route.order_id] = execution
        kind = p.ReportKind.EXPIRED if route.expires else p.ReportKind.CANCELED
        self._say(route.account_id, p.Report(route.order_id, kind, execution, reason="requested"))

    def _say(self, account_id: str, report: p.Report) -> None:
        self._due.append((account_id, report))


_REPORTS = {
    "ack": lambda r, n, lots: p.Report(r.order_id, p.ReportKind.NEW, n),
    "fill": lambda r, n, lots: p.Report(r.order_id, p.ReportKind.TRADE, n, lots, r.limit_ticks),
    "reject": lambda r, n, lots: p.Report(r.order_id, p.ReportKind.REJECTED, n, reason="why"),
    "cancel": lambda r, n, lots: p.Report(r.order_id, p.ReportKind.CANCELED, n, reason="why"),
}


class MemoryReference:
    """The Reference port as dicts; who has the newer seq or time stays."""

    def __init__(self) -> None:
        self.accounts: dict[str, p.AccountRow] = {}
        self.instruments: dict[str, p.InstrumentRow] = {}

    def apply(
        self, accounts: Sequence[p.AccountRow], instruments: Sequence[p.InstrumentRow]
    ) -> None:
        for account in accounts:
            self.accounts[account.account_id] = account
        for instrument in instruments:
            self.instruments[instrument.symbol] = instrument


class Rig:
    """One product in memory. `scripts`: order id -> what the venue says of it."""

    def __init__(self, *, partitions: int = 1, twice: bool = False) -> None:
        self.log: p.Log = MemoryLog(partitions)
        self.store = MemoryStore()
        self.reference = MemoryReference()
        self.clock = FakeClock(build.BEGIN_NS)
        self.ids = SeededIds(5)
        self.scripts: dict[str, tuple[tuple[str, int], ...]] = {}
        self.twice = twice
        self.stop = threading.Event()
        self.snapshot_commands = NEVER
        self.poison: list[Poison] = []
        self._serial = 0
        self.projector = Projector(self.store, self.reference)
        self._projected: dict[int, int] = {}

    # -------------------------------------------------------------- the engine
    def start(self, venue: p.Venue[SymbolPrices] | None = None) -> Engine:
        """Return an engine that has taken every partition; its venue follows the scripts."""
        engine = self.engine((lambda _: venue) if venue is not None else None)
        for partition in range(self.log.partitions):
            engine.take(partition)
        return engine

    def engine(self, venue_of: Callable[[int], p.Venue[SymbolPrices]] | None = None) -> Engine:
        """Return an engine that has taken nothing yet."""
        return Engine(
            log=self.log, store=self.store, clock=self.clock, ids=self.ids, stop=self.stop,
            venue_of=venue_of or (lambda _: ScriptedVenue(self.scripts, twice=self.twice)), prices=lambda: (),
            snapshot_commands=self.snapshot_commands,
        )  # fmt: skip

    def work(self, engine: Engine, *, records_max: int = 64) -> None:
        """Let the engine handle what is in the log and its venue answer, until nothing moves."""
        moved = True
        while moved:
            for partition in engine.owned:
                self.feed(engine, partition, records_max)
            self.clock.advance_ns(1_000_000)
            engine.tick()
            moved = any(
                self.log.end_offset(Topic.COMMANDS, partition) > owned.book.state.offset
                for partition, owned in engine.owned.items()
            )

    def feed(self, engine: Engine, partition: int = 0, records_max: int = 64) -> None:
        """Let the engine handle what one poll brings; nothing else happens."""
        offset = engine.owned[partition].book.state.offset
        records = self.log.read(Topic.COMMANDS, partition, offset, records_max)
        if records:
            handled = engine.handle(records)
            self.poison += handled.poison
            engine.buried(partition)

    # -------------------------------------------------------------- commands in
    def send(self, *commands: c.Command, account_id: str | None = None) -> None:
        """Append commands, a millisecond apart."""
        for command in commands:
            key = account_id or getattr(command, "account_id", "")
            partitions: Iterable[int] = range(self.log.partitions)
            if key:
                partitions = [ids.partition_of(key, self.log.partitions)]
            self._serial += 1
            self.clock.advance_ns(1_000_000)
            value = wire.seal(
                c.SCHEMA, command, id=f"command-{self._serial}", at_ns=self.clock.now_ns(),
                actor="ann",
            )  # fmt: skip
            self.log.append(Topic.COMMANDS, [p.Record(part, key, value) for part in partitions])

    def open(self, *accounts: str) -> None:
        """List the instruments, set marks, open accounts with funds."""
        self.send(*(c.SetInstrument(one) for one in build.INSTRUMENTS))
        self.send(build.marks(self.clock.now_ns()))
        for account_id in accounts or (build.ACCOUNT,):
            self.send(*build.opening(account_id))

    # -------------------------------------------------------------- what came of it
    def batches(self, partition: int = 0) -> list[e.EventBatch]:
        """Return what stands in oms.events."""
        records = whole_topic(self.log, Topic.EVENTS, partition)
        return [
            wire.read_body(e.decoder, wire.open_envelope(record.value, e.SCHEMA))
            for record in records
        ]

    def told(self, account_id: str = build.ACCOUNT) -> list[e.Event]:
        """Return an account's events, each command's once."""
        partition = ids.partition_of(account_id, self.log.partitions)
        by_command = {batch.offset: batch for batch in self.batches(partition)}
        own = [batch for batch in by_command.values() if batch.stream == account_id]
        return [event for batch in own for event in batch.events]

    def project(self, *, records_max: int = 256) -> None:
        """Let the projector bring the store up to the end of the events."""
        for partition in range(self.log.partitions):
            offset = self.projector.take(partition)
            while records := self.log.read(Topic.EVENTS, partition, offset, records_max):
                handled = self.projector.handle(records)
                self.poison += handled.poison
                if handled.poison:
                    self.projector.buried(partition)
                offset = records[-1].offset + 1


def whole_topic(log: p.Log, topic: str, partition: int) -> list[p.StoredRecord]:
    """Return everything in a partition: a read brings so many bytes only."""
    found: list[p.StoredRecord] = []
    while records := log.read(topic, partition, len(found), NEVER):
        found += records
    return found


def chained(batches: Sequence[e.EventBatch]) -> None:
    """Check that each command's events stand once, follow each other and leave no seq out."""
    prev_offset = -1
    seqs: dict[str, int] = {}
    for batch in batches:
        assert (batch.prev_offset, batch.offset > prev_offset) == (prev_offset, True)
        prev_offset = batch.offset
        assert batch.first_seq == seqs.get(batch.stream, 0) + 1
        seqs[batch.stream] = batch.first_seq + len(batch.events) - 1
        assert batch.events

"""One history: clients, engines, a projector and everything that goes wrong, drawn from a seed.

The laws are checked after every step; what was decided of an order, once told, never changes.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from oms_project.adapters.ids import seeded
from oms_project.kernel import ports as p
from oms_project.kernel import wire
from oms_project.kernel.errors import FencedError, GapError, TransportError
from oms_project.kernel.ids import partition_of
from oms_project.kernel.words import (
    PRICED,
    WAITING,
    AccountState,
    OrderType,
    Side,
    TimeInForce,
    Topic,
)
from orders import replay
from orders.adapters.memory_store import MemoryStore
from orders.domain import commands as c
from orders.domain import events as e
from orders.domain.laws import breaches, stale_indexes
from orders.engine import Engine
from orders.projector import Projector
from orders.tests.domain import build
from orders.tests.domain.build import ACCOUNT, OTHER, TICKS
from orders.tests.rig import Rig, chained, whole_topic
from orders.tests.simulation import settled
from orders.tests.simulation.parts import (
    CrashedError,
    CutLog,
    MeanLog,
    MeanStore,
    MeanVenue,
    Member,
    Weather,
)

ELSEWHERE = "33333333-2222-4333-8444-555555555555"
"""An account that lives in the other of two partitions."""
STEPS = 40
CALM_ROUNDS = 200


class World:
    """Steps are written down, to be read when a seed is repeated."""

    def __init__(self, seed: int) -> None:
        self.dice = seeded(seed)
        self.weather = Weather(self.dice)
        self.partitions = 2 if self.dice.random() < 0.25 else 1
        self.accounts = (ACCOUNT, OTHER if self.partitions == 1 else ELSEWHERE)
        self.looped = self.dice.random() < 0.3
        self.rig = Rig()
        self.log = CutLog(self.partitions)
        self.rig.log = MeanLog(self.log, self.weather)  # type: ignore[assignment]
        self.kept = MemoryStore()
        self.backup = self.kept.backup()
        self.engines: list[Engine] = []
        self.members: list[Member] = []
        self.acting: Engine | None = None
        self.projector: Projector | None = None
        self.at = 0
        self.told = [0] * self.partitions
        self.seen: dict[tuple[int, int], tuple[str, Any]] = {}
        self.batches: dict[tuple[int, int], e.EventBatch] = {}
        self.fates: dict[str, str] = {}
        self.first: dict[tuple[str, str], str] = {}
        self.cancels: dict[str, int] = {}
        self.triggers: dict[str, int] = {}
        self.orders = 0
        self.mark = TICKS
        self.sent: list[p.Record] = []
        self.steps: list[str] = []
        self._quietly(lambda: self.rig.open(*self.accounts))

    def _quietly(self, work: Callable[[], Any]) -> None:
        was, self.weather.calm = self.weather.calm, True
        work()
        self.weather.calm = was

    # -------------------------------------------------------------- a history
    def run(self) -> None:
        """Live through STEPS of trouble, then come to rest and settle accounts."""
        deeds = (
            [self.place] * 6 + [self.cancel] * 2 + [self.cancel_all, self.again, self.again]
            + [self.work] * 12 + [self.tick] * 8 + [self.project] * 6 + [self.start] * 2
            + [self.second, self.die, self.jump, self.snapshot, self.foreign, self.switch]
            + [self.move] * 4
            + ([self.keep, self.restore, self.lose] if self.dice.random() < 0.3 else [])
            + ([self.power_cut] if self.dice.random() < 0.3 else [])
        )  # fmt: skip
        for _ in range(STEPS):
            deed = self.dice.choice(deeds)
            self.steps.append(deed.__name__)
            self.acting = None
            try:
                deed()
            except (CrashedError, TransportError, FencedError) as error:
                self.steps.append(f"  {error!r}")
                if (
                    self.looped
                    and isinstance(error, TransportError)
                    and deed in (self.work, self.tick)
                ):
                    continue  # the loop waits and goes on from what is durable
                if deed not in (self.place, self.cancel, self.cancel_all, self.again):
                    self._gone(deed)
            self.check()
        self.rest()

    def _gone(self, deed: Callable[[], None]) -> None:
        if deed == self.project:
            self.projector = None
        elif self.acting is not None:  # one that dies while it takes over is not among them yet
            at = self.engines.index(self.acting)
            del self.engines[at]
            if self.looped:
                self.members.pop(at).die()

    # -------------------------------------------------------------- clients
    def _send(self, command: c.Command, key: str) -> None:
        self.at += 1
        self.rig.clock.advance_ns(1_000_000)
        value = wire.seal(
            c.SCHEMA, command, id=f"command-{self.at}", at_ns=self.rig.clock.now_ns(), actor="ann"
        )
        partitions = [partition_of(key, self.partitions)] if key else range(self.partitions)
        records = [p.Record(partition, key, value) for partition in partitions]
        self.sent += records
        self.rig.log.append(Topic.COMMANDS, records)

    def place(self) -> None:
        account_id = self.dice.choice(self.accounts)
        orders = []
        for _ in range(self.dice.randint(1, 3)):
            self.orders += 1
            number = self.orders if self.dice.random() < 0.8 else self.dice.randint(1, self.orders)
            orders.append(
                build.new_order(
                    self.orders, client_order_id=f"client-{number}", lots=self.dice.randint(1, 6),
                    symbol=self.dice.choice(("BTC-USD", "BTC-USD", "ETH-USD", "NO-USD")),
                    side=self.dice.choice(tuple(Side)), **self._kind(), **self._times(),
                )
            )  # fmt: skip
        atomic = self.dice.random() < 0.2
        self._send(build.place(*orders, account_id=account_id, atomic=atomic), account_id)

    def _kind(self) -> dict[str, Any]:
        """Most orders go to the venue; some wait for a price first, now and then on the wrong side."""
        dice = self.dice
        kind = dice.choice((*[OrderType.LIMIT] * 6, *OrderType))
        if kind not in WAITING:
            return {"type": OrderType.LIMIT}
        more: dict[str, Any] = {"type": kind, "ticks": TICKS if kind in PRICED else 0}
        if kind is OrderType.TRAILING_STOP:
            return more | dice.choice(({"trail_ticks": dice.randint(1, 40)}, {"trail_bps": 20}))
        return more | {"stop_ticks": self.mark + dice.randint(-40, 40)}

    def _times(self) -> dict[str, Any]:
        """Most orders wait for ever; some end soon, or must leave soon."""
        now_ns, dice = self.rig.clock.now_ns(), self.dice
        soon_ns = now_ns + dice.randint(-2, 30) * 1_000_000
        tif = dice.choice((*[TimeInForce.GTC] * 5, TimeInForce.GTD, TimeInForce.DAY))
        times: dict[str, Any] = {"time_in_force": tif}
        if tif is TimeInForce.GTD:
            times["expires_ns"] = soon_ns
        if dice.random() < 0.1:
            times["deadline_ns"] = soon_ns
        return times

    def cancel(self) -> None:
        if self.orders:
            account_id = self.dice.choice(self.accounts)
            number = self.dice.randint(1, self.orders)
            self._send(build.cancel(number, account_id=account_id), account_id)

    def cancel_all(self) -> None:
        account_id = self.dice.choice(self.accounts)
        self._send(build.cancel(account_id=account_id), account_id)

    def again(self) -> None:
        """A client that had no answer sends the very record again."""
        if self.sent:
            self.rig.log.append(Topic.COMMANDS, [self.dice.choice(self.sent)])

    def move(self) -> None:
        """The market moves; what waits for a price may have it."""
        self.mark = max(TICKS - 200, self.mark + self.dice.randint(-30, 30))
        self._send(build.marks(self.rig.clock.now_ns(), self.mark), "")

    def foreign(self) -> None:
        value = self.dice.choice((b"\xc1", wire.seal("events", c.OpenEpoch(1), id="x", at_ns=1)))
        self.log.append(Topic.COMMANDS, [p.Record(self._partition(), ACCOUNT, value)])

    def switch(self) -> None:
        account_id = self.dice.choice(self.accounts)
        state = self.dice.choice((AccountState.ACTIVE, AccountState.REDUCE_ONLY))
        self._send(build.account(account_id, state), account_id)
        self._send(build.marks(self.rig.clock.now_ns(), self.mark), "")

    # -------------------------------------------------------------- machines
    def _store(self) -> p.OrderStore:
        return MeanStore(self.kept, self.weather)  # type: ignore[return-value]

    def _partition(self) -> int:
        return self.dice.randrange(self.partitions)

    def _crowd_gone(self) -> None:
        for member in self.members:
            member.die()
        self.members.clear()
        self.engines.clear()

    def start(self) -> None:
        """The owner is gone, if there was one; another takes the partitions."""
        self._crowd_gone()
        self.second()

    def second(self) -> None:
        """One more takes them; the one before does not know yet. In a group they are shared out."""
        self.rig.store = self._store()  # type: ignore[assignment]
        if self.looped and len(self.members) == 2:
            return
        engine = self.rig.engine(lambda _: MeanVenue(self.dice, self.weather, self.rig.clock))
        if self.looped:
            self.members.append(Member(self.log, self.weather, self.rig.clock, engine))
        else:
            for partition in range(self.partitions):
                engine.take(partition)
        self.engines.append(engine)
        del self.engines[:-2]

    def _engine(self) -> Engine | None:
        self.acting = self.dice.choice(self.engines) if self.engines else None
        return self.acting

    def work(self) -> None:
        engine = self._engine()
        if engine is not None and self.looped:
            self.members[self.engines.index(engine)].loop.run_once()
        elif engine is not None:
            self.rig.feed(engine, self._partition(), records_max=self.dice.randint(1, 6))

    def tick(self) -> None:
        if self.looped:
            self.work()  # the loop ticks by itself
            return
        engine = self._engine()
        if engine is not None:
            engine.tick()

    def snapshot(self) -> None:
        engine = self._engine()
        if engine is not None and engine.owned:
            engine.snapshot(engine.owned[self.dice.choice(sorted(engine.owned))])

    def die(self) -> None:
        self._crowd_gone()
        self.projector = None

    def jump(self) -> None:
        self.rig.clock.jump_ns(self.dice.choice((-1, 1)) * 3_600 * 10**9)
        self._send(build.marks(self.rig.clock.now_ns(), self.mark), "")

    def project(self) -> None:
        if self.projector is None:
            self.projector = Projector(self._store(), self.rig.reference)
        partition = self._partition()
        offset = self.projector.take(partition)
        end = self.log.end_offset(Topic.EVENTS, partition)
        if offset < end:
            records = self.rig.log.read(Topic.EVENTS, partition, offset, 50)
            try:
                self.projector.handle(records)
            except GapError:  # what is missing is told again further on: not in this poll
                self.projector.lose(partition)

    def keep(self) -> None:
        self.backup = self.kept.backup()

    def restore(self) -> None:
        """Yesterday's store; every process is started anew, as one does."""
        self.die()
        self.kept = self.backup.backup()

    def lose(self) -> None:
        """The store is gone: an empty one takes its place."""
        self.die()
        self.kept = MemoryStore()

    def power_cut(self) -> None:
        """Takes the newest events, which are not synced; never commands, nor what the store has."""
        self.die()
        for partition in range(self.partitions):
            end = self.log.end_offset(Topic.EVENTS, partition)
            shown = self.kept.progress(partition).next_offset
            left = self.dice.randint(min(shown, end), end)
            self.log.cut(Topic.EVENTS, partition, left)
            self.told[partition] = min(self.told[partition], left)

    # -------------------------------------------------------------- laws
    def check(self) -> None:
        """What holds after every step."""
        for engine in self.engines:
            for owned in engine.owned.values():
                broken = [*breaches(owned.book.state), *stale_indexes(owned.book)]
                assert not broken, f"a book breaks its laws: {broken}"
        for partition in range(self.partitions):
            records = whole_topic(self.log, Topic.EVENTS, partition)
            for record in records[self.told[partition] :]:
                self._hear(wire.read_body(e.decoder, wire.open_envelope(record.value, e.SCHEMA)))
            self.told[partition] = len(records)

    def _hear(self, batch: e.EventBatch) -> None:
        told = (batch.stream, msgspec.to_builtins(batch.events))
        at = (batch.partition, batch.offset)
        before = self.seen.setdefault(at, told)
        assert before == told, f"command {at} told twice: {before}, {told}"
        self.batches[at] = batch
        for event in batch.events:
            if isinstance(event, e.OrderRouted | e.OrderHeld | e.OrderDenied):
                self._fate(batch.stream, event)
            if isinstance(event, e.OrderTriggered):
                first = self.triggers.setdefault(event.order_id, batch.offset)
                assert first == batch.offset, f"{event.order_id} triggered twice"
            if isinstance(event, e.OrderCancelRequested):
                first = self.cancels.setdefault(batch.caused_by, batch.offset)
                assert first == batch.offset, f"cancel {batch.caused_by} decided twice"

    def _fate(self, account_id: str, event: e.OrderRouted | e.OrderHeld | e.OrderDenied) -> None:
        fate = type(event).__name__
        known = self.fates.setdefault(event.order_id, fate)
        assert known == fate, f"{event.order_id} was {known}, is {fate}"
        if not isinstance(event, e.OrderDenied):
            key = (account_id, event.client_order_id)
            first = self.first.setdefault(key, event.order_id)
            assert first == event.order_id, f"{key} is two orders: {first}, {event.order_id}"

    # -------------------------------------------------------------- the end
    def rest(self) -> None:
        """Nothing breaks any more: all is decided, told, shown, and the log alone says the same."""
        self.weather.calm = True
        self.die()
        self.start()
        engine = self.engines[-1]
        for account_id in self.accounts:  # what waits for a price may wait for ever
            self._send(build.cancel(account_id=account_id), account_id)
        self._work_off(engine)
        self.check()
        for partition in range(self.partitions):
            told = sorted(at for at in self.batches if at[0] == partition)
            chained([self.batches[at] for at in told])
        settled.all_is_decided(self)
        self._show_all()
        settled.rows_are_the_book(self, engine)
        self.rig.store = self.kept
        for owned in engine.owned.values():
            engine.snapshot(owned)
        outcome = replay.run(self.rig.log, self.rig.store, self.partitions)
        assert (outcome.equal, outcome.compared) == (True, self.partitions), outcome.details

    def _work_off(self, engine: Engine) -> None:
        for _ in range(CALM_ROUNDS):
            ends = self.log.end_offsets(Topic.COMMANDS)
            self.rig.clock.advance_ns(1_000_000)
            if self.looped:
                self.work()
            else:
                for partition in range(self.partitions):
                    self.rig.feed(engine, partition)
                engine.tick()
            done = [engine.owned[partition].book.state.offset for partition in sorted(engine.owned)]
            if ends == self.log.end_offsets(Topic.COMMANDS) == done:
                return
        raise AssertionError("it never comes to rest")

    def _show_all(self) -> None:
        self.projector = None
        ends = self.log.end_offsets(Topic.EVENTS)
        for _ in range(CALM_ROUNDS):
            self.project()
            shown = [self.kept.progress(one).next_offset for one in range(self.partitions)]
            if shown == ends:
                return
        raise AssertionError("the projector never arrives")

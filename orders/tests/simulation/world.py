"""One history: clients, engines, a projector and everything that goes wrong, drawn from a seed.

The laws are checked after every step; what was decided of an order, once told, never changes.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from oms_project.adapters.ids import seeded
from oms_project.adapters.memory import MemoryLog
from oms_project.kernel import ports as p
from oms_project.kernel import wire
from oms_project.kernel.errors import BadRecordError, FencedError, GapError, TransportError
from oms_project.kernel.words import AccountState, OrderType, Side, TimeInForce, Topic
from orders import replay
from orders.adapters.memory_store import MemoryStore
from orders.domain import commands as c
from orders.domain import events as e
from orders.domain.laws import breaches, stale_indexes
from orders.domain.order import status_of
from orders.engine import Engine
from orders.projector import Projector
from orders.tests.domain import build
from orders.tests.domain.build import ACCOUNT, OTHER
from orders.tests.rig import Rig, chained, whole_topic
from orders.tests.simulation.parts import CrashedError, MeanLog, MeanStore, MeanVenue, Weather

ACCOUNTS = (ACCOUNT, OTHER)
STEPS = 40
CALM_ROUNDS = 200


class World:
    """Steps are written down, to be read when a seed is repeated."""

    def __init__(self, seed: int) -> None:
        self.dice = seeded(seed)
        self.weather = Weather(self.dice)
        self.rig = Rig()
        self.log = MemoryLog(1)
        self.rig.log = MeanLog(self.log, self.weather)  # type: ignore[assignment]
        self.kept = MemoryStore()
        self.backup = self.kept.backup()
        self.engines: list[Engine] = []
        self.projector: Projector | None = None
        self.at = 0
        self.told = 0
        self.seen: dict[int, tuple[str, Any]] = {}
        self.batches: dict[int, e.EventBatch] = {}
        self.fates: dict[str, str] = {}
        self.first: dict[tuple[str, str], str] = {}
        self.cancels: dict[str, int] = {}
        self.orders = 0
        self.sent: list[p.Record] = []
        self.steps: list[str] = []
        self._quietly(lambda: self.rig.open(*ACCOUNTS))

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
            + ([self.keep, self.restore] if self.dice.random() < 0.3 else [])
        )  # fmt: skip
        for _ in range(STEPS):
            deed = self.dice.choice(deeds)
            self.steps.append(deed.__name__)
            try:
                deed()
            except (CrashedError, TransportError, FencedError) as error:
                self.steps.append(f"  {error!r}")
                if deed not in (self.place, self.cancel, self.cancel_all, self.again):
                    self._gone(deed)
            self.check()
        self.rest()

    def _gone(self, deed: Callable[[], None]) -> None:
        if deed == self.project:
            self.projector = None
        elif self.engines:
            self.engines.pop()

    # -------------------------------------------------------------- clients
    def _send(self, command: c.Command, key: str) -> None:
        self.at += 1
        self.rig.clock.advance_ns(1_000_000)
        value = wire.seal(
            c.SCHEMA, command, id=f"command-{self.at}", at_ns=self.rig.clock.now_ns(), actor="ann"
        )
        record = p.Record(0, key, value)
        self.sent.append(record)
        self.rig.log.append(Topic.COMMANDS, [record])

    def place(self) -> None:
        account_id = self.dice.choice(ACCOUNTS)
        orders = []
        for _ in range(self.dice.randint(1, 3)):
            self.orders += 1
            number = self.orders if self.dice.random() < 0.8 else self.dice.randint(1, self.orders)
            orders.append(
                build.new_order(
                    self.orders, client_order_id=f"client-{number}", lots=self.dice.randint(1, 6),
                    symbol=self.dice.choice(("BTC-USD", "BTC-USD", "ETH-USD", "NO-USD")),
                    side=self.dice.choice(tuple(Side)), type=OrderType.LIMIT, **self._times(),
                )
            )  # fmt: skip
        atomic = self.dice.random() < 0.2
        self._send(build.place(*orders, account_id=account_id, atomic=atomic), account_id)

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
            account_id = self.dice.choice(ACCOUNTS)
            number = self.dice.randint(1, self.orders)
            self._send(build.cancel(number, account_id=account_id), account_id)

    def cancel_all(self) -> None:
        account_id = self.dice.choice(ACCOUNTS)
        self._send(build.cancel(account_id=account_id), account_id)

    def again(self) -> None:
        """A client that had no answer sends the very record again."""
        if self.sent:
            self.rig.log.append(Topic.COMMANDS, [self.dice.choice(self.sent)])

    def foreign(self) -> None:
        value = self.dice.choice((b"\xc1", wire.seal("events", c.OpenEpoch(1), id="x", at_ns=1)))
        self.log.append(Topic.COMMANDS, [p.Record(0, ACCOUNT, value)])

    def switch(self) -> None:
        account_id = self.dice.choice(ACCOUNTS)
        state = self.dice.choice((AccountState.ACTIVE, AccountState.REDUCE_ONLY))
        self._send(build.account(account_id, state), account_id)
        self._send(build.marks(self.rig.clock.now_ns()), "")

    # -------------------------------------------------------------- machines
    def _store(self) -> p.OrderStore:
        return MeanStore(self.kept, self.weather)  # type: ignore[return-value]

    def start(self) -> None:
        """The owner is gone, if there was one; another takes the partition."""
        self.engines.clear()
        self.second()

    def second(self) -> None:
        """One more takes it; the one before does not know yet."""
        self.rig.store = self._store()  # type: ignore[assignment]
        self.engines.append(self.rig.start(MeanVenue(self.dice, self.weather, self.rig.clock)))
        del self.engines[:-2]

    def _engine(self) -> Engine | None:
        return self.dice.choice(self.engines) if self.engines else None

    def work(self) -> None:
        engine = self._engine()
        if engine is not None:
            self.rig.feed(engine, records_max=self.dice.randint(1, 6))

    def tick(self) -> None:
        engine = self._engine()
        if engine is not None:
            engine.tick()

    def snapshot(self) -> None:
        engine = self._engine()
        if engine is not None:
            engine.snapshot(engine.owned[0])

    def die(self) -> None:
        self.engines.clear()
        self.projector = None

    def jump(self) -> None:
        self.rig.clock.jump_ns(self.dice.choice((-1, 1)) * 3_600 * 10**9)
        self._send(build.marks(self.rig.clock.now_ns()), "")

    def project(self) -> None:
        if self.projector is None:
            self.projector = Projector(self._store(), self.rig.reference)
        offset = self.projector.take(0)
        end = self.log.end_offset(Topic.EVENTS, 0)
        if offset < end:
            records = self.rig.log.read(Topic.EVENTS, 0, offset, 50)
            try:
                self.projector.handle(records)
            except GapError:  # what is missing is told again further on: not in this poll
                self.projector.lose(0)

    def keep(self) -> None:
        self.backup = self.kept.backup()

    def restore(self) -> None:
        """Yesterday's store; every process is started anew, as one does."""
        self.die()
        self.kept = self.backup.backup()

    # -------------------------------------------------------------- laws
    def check(self) -> None:
        """What holds after every step."""
        for engine in self.engines:
            book = engine.owned[0].book
            broken = [*breaches(book.state), *stale_indexes(book)]
            assert not broken, f"a book breaks its laws: {broken}"
        records = whole_topic(self.log, Topic.EVENTS, 0)
        for record in records[self.told :]:
            self._hear(wire.read_body(e.decoder, wire.open_envelope(record.value, e.SCHEMA)))
        self.told = len(records)

    def _hear(self, batch: e.EventBatch) -> None:
        told = (batch.stream, msgspec.to_builtins(batch.events))
        assert self.seen.setdefault(batch.offset, told) == told, (
            f"command {batch.offset} told twice"
        )
        self.batches[batch.offset] = batch
        for event in batch.events:
            if isinstance(event, e.OrderRouted | e.OrderDenied):
                self._fate(batch.stream, event)
            if isinstance(event, e.OrderCancelRequested):
                first = self.cancels.setdefault(batch.caused_by, batch.offset)
                assert first == batch.offset, f"cancel {batch.caused_by} decided twice"

    def _fate(self, account_id: str, event: e.OrderRouted | e.OrderDenied) -> None:
        fate = type(event).__name__
        known = self.fates.setdefault(event.order_id, fate)
        assert known == fate, f"{event.order_id} was {known}, is {fate}"
        if isinstance(event, e.OrderRouted):
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
        for _ in range(CALM_ROUNDS):
            end = self.log.end_offset(Topic.COMMANDS, 0)
            self.rig.feed(engine)
            self.rig.clock.advance_ns(1_000_000)
            engine.tick()
            if end == self.log.end_offset(Topic.COMMANDS, 0) == engine.owned[0].book.state.offset:
                break
        else:
            raise AssertionError("it never comes to rest")
        self.check()
        chained([self.batches[offset] for offset in sorted(self.batches)])
        self._all_is_decided()
        self._show_all()
        self._rows_are_the_book(engine)
        self.rig.store = self.kept
        engine.snapshot(engine.owned[0])
        outcome = replay.run(self.rig.log, self.rig.store, 1)
        assert (outcome.equal, outcome.compared) == (True, 1), outcome.details

    def _show_all(self) -> None:
        self.projector = None
        end = self.log.end_offset(Topic.EVENTS, 0)
        for _ in range(CALM_ROUNDS):
            self.project()
            if self.kept.progress(0).next_offset == end:
                return
        raise AssertionError("the projector never arrives")

    def _all_is_decided(self) -> None:
        for record in whole_topic(self.log, Topic.COMMANDS, 0):
            try:
                envelope = wire.open_envelope(record.value, c.SCHEMA)
            except BadRecordError:
                continue  # a foreign one
            command = wire.read_body(c.decoder, envelope)
            if isinstance(command, c.PlaceOrders):
                for new in command.orders:
                    assert new.order_id in self.fates, f"{new.order_id} was acknowledged and lost"

    def _rows_are_the_book(self, engine: Engine) -> None:
        state = engine.owned[0].book.state
        orders = [order for one in state.accounts.values() for order in one.open.values()]
        assert orders == [], "the calm venue ends what is open"
        for order in state.closed.values():
            row = self.kept.get(order.order_id, [order.account_id])
            assert row is not None
            assert (row.status, row.cum_lots, row.cost, row.fee, row.version) == (
                status_of(order), order.cum_lots, order.cost, order.fee, order.version,
            )  # fmt: skip
        for account_id in ACCOUNTS:
            own = state.accounts[account_id]
            rows = {
                row.symbol: (row.net_lots, row.cost, row.realized)
                for row in self.kept.positions([account_id])
            }
            assert rows == {
                symbol: (one.net_lots, one.cost, one.realized)
                for symbol, one in own.positions.items()
            }
            money = {
                row.asset: (row.free, row.locked, row.fees, row.venue, row.external)
                for row in self.kept.balances([account_id])
            }
            assert money == {
                asset: (one.free, one.locked, one.fees, one.venue, one.external)
                for asset, one in own.balances.items()
            }
        self._trades_add_up(engine)

    def _trades_add_up(self, engine: Engine) -> None:
        """Count all trades ever told, by nobody's books: they are the positions."""
        nets: dict[tuple[str, str], int] = {}
        for batch in self.batches.values():
            for event in batch.events:
                if isinstance(event, e.OrderFilled):
                    key = (batch.stream, event.symbol)
                    lots = event.lots if event.side is Side.BUY else -event.lots
                    nets[key] = nets.get(key, 0) + lots
        books = {
            (account_id, symbol): one.net_lots
            for account_id in ACCOUNTS
            for symbol, one in engine.owned[0].book.state.accounts[account_id].positions.items()
        }
        assert nets == books

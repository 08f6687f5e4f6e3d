"""The engine: one writer a partition. Commands in; events out, durable; then orders to the venue.

Rules of this file:
- It decides nothing: orders/domain does. It moves records and keeps the order of effects:
  events durable → orders to the venue → the venue's reports into the log, as commands.
- Taking a partition is the same at the first start, after a crash and when it changes hands:
  newest snapshot, replay of what is behind it, missing events appended, open orders back at the
  venue. Nothing is remembered but what the log and the store say.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from marketdata.domain.prices import SymbolPrices
from oms_project.adapters.crash import crash
from oms_project.adapters.dead_letters import Poison, by_hand, set_aside
from oms_project.adapters.loop import Handled
from oms_project.kernel import wire
from oms_project.kernel.errors import (
    FencedError,
    LeftAloneError,
    PoisonError,
    TransportError,
)
from oms_project.kernel.ports import (
    CancelRoute,
    Clock,
    Ids,
    Log,
    OrderStore,
    Record,
    Route,
    Snapshot,
    StoredRecord,
    Venue,
)
from oms_project.kernel.words import Topic
from orders.adapters import heads, own_commands
from orders.adapters.client_ids import ClientIds
from orders.domain import commands, events
from orders.domain.book import CLOSED_KEPT, Book, State, state_hash
from orders.domain.decide import Turn, route_of, step
from orders.domain.readable import command_in

GROUP: Final = "oms-engine"
RECORDS_MAX: Final = 4
WAIT_MS: Final = 5
GATHER_MS: Final = 2
REPLAY_RECORDS: Final = 500
SNAPSHOT_AGE_NS: Final = 60 * 1_000_000_000
PROJECTOR_WAIT_S: Final = 0.01
AHEAD_MAX: Final = CLOSED_KEPT // 2

_logger = structlog.get_logger(__name__)

Prices = Callable[[], Sequence[SymbolPrices]]
"""Returns the books that are new since the last call."""


class Owned:
    """A partition while it is ours."""

    __slots__ = ("ahead", "ahead_orders", "asked", "book", "client_ids", "commands", "epoch", "left_alone", "reported", "snapshot_at_ns", "snapshot_offset", "unburied", "venue")  # fmt: skip

    def __init__(
        self, book: Book, client_ids: ClientIds, epoch: int, venue: Venue, now_ns: int
    ) -> None:
        self.book = book
        self.client_ids = client_ids
        self.epoch = epoch
        self.venue = venue
        self.commands = 0
        self.reported = 0
        self.snapshot_at_ns = now_ns
        self.snapshot_offset = book.state.offset
        # (command offset, orders sent and closed by it) not known to be projected yet, their sum
        self.ahead: deque[tuple[int, int]] = deque()
        self.ahead_orders = 0
        # Poison in front of the book that is not in the dead letters: no snapshot may stand behind it
        self.unburied = False
        # Offsets that an operator set aside by hand: whatever they hold, it is not decided
        self.left_alone: set[int] = set()
        self.asked: set[str] = set()  # ids of due commands that are in the log, not decided yet


class Engine:
    """A loop.Handler over oms.commands."""

    def __init__(
        self,
        *,
        log: Log,
        store: OrderStore,
        venue_of: Callable[[int], Venue],
        prices: Prices,
        clock: Clock,
        ids: Ids,
        stop: threading.Event,
        snapshot_commands: int,
    ) -> None:
        self._log = log
        self._store = store
        self._venue_of = venue_of
        self._prices = prices
        self._clock = clock
        self._ids = ids
        self._stop = stop
        self._snapshot_commands = snapshot_commands
        self._books: dict[str, SymbolPrices] = {}
        self.owned: dict[int, Owned] = {}
        # False while commands are decided whose events are not durable yet: no snapshot of that
        self._whole = True
        # Poison met in a replay that is not in the dead letters: we died between the two
        self._unburied: dict[int, list[Poison]] = {}

    # -------------------------------------------------------------- taking and losing

    def take(self, partition: int) -> int:
        """Own *partition* and bring its book up to the end of the log; return the next offset."""
        now_ns = self._clock.now_ns()
        epoch = self._open_epoch(partition)
        emitted = self._last_emitted(partition)
        book = self._newest_book(partition, emitted)
        client_ids = ClientIds(self._store, book)
        owned = Owned(book, client_ids, epoch, self._venue_of(partition), now_ns)
        owned.left_alone = by_hand(self._log, Topic.COMMANDS, partition)
        first = book.state.offset
        self._replay(owned, self._log.end_offset(Topic.COMMANDS, partition), emitted)
        # A store that was lost, or restored, counts from an older epoch than the log has seen:
        # what our venue says would be void.
        if epoch < book.state.epoch:
            while self._store.take_epoch(partition) < book.state.epoch:
                pass
            epoch = owned.epoch = self._open_epoch(partition)
        self._resume(owned)
        self.owned[partition] = owned
        _logger.info(
            "partition_taken", partition=partition, epoch=epoch, replayed=book.state.offset - first,
            open_orders=len(book.open_orders()),
        )  # fmt: skip
        return book.state.offset

    def _open_epoch(self, partition: int) -> int:
        """Become the partition's owner in the store, and say so in the log."""
        epoch = self._store.take_epoch(partition)
        fence = wire.seal(
            commands.SCHEMA, commands.OpenEpoch(epoch), id=self._ids.new(),
            at_ns=self._clock.now_ns(), actor=GROUP,
        )  # fmt: skip
        self._log.append(Topic.COMMANDS, [Record(partition, "", fence)])
        return epoch

    def lose(self, partition: int) -> None:
        """Keep a last snapshot if all is well: the next owner has next to nothing to replay."""
        owned = self.owned.pop(partition, None)
        self._unburied.pop(partition, None)
        if owned is None or not self._whole or owned.unburied:
            return
        if owned.book.state.offset == owned.snapshot_offset:
            return
        try:
            self.snapshot(owned, self._clock.now_ns())
        except (FencedError, TransportError) as error:
            _logger.info("no_last_snapshot", partition=partition, reason=str(error))

    def _newest_book(self, partition: int, emitted: int) -> Book:
        """Return the newest snapshot's book that has no events which are not in the log.

        A power cut may take the newest events, but neither commands nor snapshots.
        """
        for snapshot in self._store.snapshots(partition):
            book = Book.from_bytes(snapshot.state)
            if book.state.event_command <= emitted:
                return book
            _logger.warning("events_lost", partition=partition, snapshot=snapshot.offset)
        return Book(State(partition))

    def _replay(self, owned: Owned, end: int, emitted: int) -> None:
        """Decide again what is behind the snapshot; append only the events that are missing."""
        state = owned.book.state
        poison: list[Poison] = []
        while state.offset < end:
            owned.client_ids.read_more()
            records = self._log.read(Topic.COMMANDS, state.partition, state.offset, REPLAY_RECORDS)
            batches = []
            for record in records:
                try:
                    batch, _ = self._decide(owned, record)
                except PoisonError as error:
                    poison.append(Poison(record, error))
                    continue
                if batch is not None and record.offset > emitted:
                    batches.append(batch)
            self._append_events(batches)
        buried = set_aside(self._log, Topic.COMMANDS, state.partition) if poison else set()
        unburied = [one for one in poison if one.record.offset not in buried]
        self._unburied[state.partition] = unburied
        owned.unburied = bool(unburied)

    def _last_emitted(self, partition: int) -> int:
        """Return the last command whose events, and all before them, are in oms.events, or -1.

        A broker may lose the first part of an append and take the second. What is behind such a
        hole is told again; the projector skips what it then sees twice.
        """
        first = self._log.first_offset(Topic.EVENTS, partition)
        end = self._log.end_offset(Topic.EVENTS, partition)
        progress = self._store.progress(partition)
        if not first <= progress.next_offset <= end:
            # Trimmed behind a new store, or cut off behind an old one: only the newest is known.
            return heads.newest(self._log, partition)
        last, offset = progress.last_command, progress.next_offset
        while offset < end:
            for record in self._log.read(Topic.EVENTS, partition, offset, REPLAY_RECORDS):
                offset = record.offset + 1
                head = heads.head_of(record)
                if head is not None and head.prev_offset == last:
                    last = head.offset
        return last

    def _resume(self, owned: Owned) -> None:
        """Give the venue back what is open; it keeps no truth of its own."""
        now_ns = self._clock.now_ns()
        # Before the first order: a venue without a book refuses whatever comes (no_market).
        self._books.update({prices.symbol: prices for prices in self._prices()})
        for prices in self._books.values():
            owned.venue.on_book(prices, now_ns)  # type: ignore[attr-defined]
        orders = [order for _, order in owned.book.open_orders()]
        owned.venue.resume([route_of(order) for order in orders], now_ns)
        cancels = [
            CancelRoute(order.order_id, order.account_id, order.symbol)
            for order in orders
            if order.pending_cancel
        ]
        owned.venue.route(cancels, now_ns)

    # -------------------------------------------------------------- working

    def handle(self, records: Sequence[StoredRecord]) -> Handled:
        """Decide the records, make their events durable, then let the orders out."""
        poison = [one for met in self._unburied.values() for one in met]
        self._unburied.clear()
        self._whole = False
        batches: list[Record] = []
        routes: list[tuple[Owned, list[Route | CancelRoute]]] = []
        for record in records:
            owned = self.owned[record.partition]
            if owned.ahead_orders >= AHEAD_MAX:
                self._let_out(batches, routes)
                if not self._wait_for_projector(owned):
                    break  # stopping: the next owner goes on at this record
            try:
                batch, turn = self._decide(owned, record)
            except PoisonError as error:
                poison.append(Poison(record, error))
                owned.unburied = True
                continue
            if batch is not None:
                batches.append(batch)
            if turn.routes:
                routes.append((owned, turn.routes))
        self._let_out(batches, routes)
        self._whole = True
        partitions = {record.partition for record in records}
        return Handled({one: self.owned[one].book.state.offset for one in partitions}, poison)

    def buried(self, partition: int) -> None:
        """Snapshots may stand behind what is in the dead letters now."""
        self.owned[partition].unburied = False

    def _let_out(
        self, batches: list[Record], routes: list[tuple[Owned, list[Route | CancelRoute]]]
    ) -> None:
        """Make the events durable, then send the orders; both lists are empty afterwards."""
        crash("engine.before_events")
        self._append_events(batches)
        crash("engine.after_events")
        now_ns = self._clock.now_ns()
        for owned, orders in routes:
            owned.venue.route(orders, now_ns)
        crash("engine.after_route")
        batches.clear()
        routes.clear()

    def tick(self) -> None:
        """Feed the venues, put what they say into the log, keep snapshots."""
        now_ns = self._clock.now_ns()
        fresh = self._prices()
        for prices in fresh:
            self._books[prices.symbol] = prices
        for owned in self.owned.values():
            for prices in fresh:
                owned.venue.on_book(prices, now_ns)  # type: ignore[attr-defined]
            self._append_reports(owned, now_ns)
            self._append_due(owned, now_ns)
            owned.client_ids.read_more()
            self._snapshot_if_due(owned, now_ns)

    def _decide(self, owned: Owned, record: StoredRecord) -> tuple[Record | None, Turn]:
        """Return the record of the command's events (None without any) and its turn.

        Raises:
            PoisonError: the record cannot be read or is impossible; the book did not change.
        """
        book = owned.book
        state = book.state
        assert record.offset == state.offset, f"{record.offset} after {state.offset}"
        state.offset = record.offset + 1
        if record.offset in owned.left_alone:
            raise LeftAloneError("set aside by hand")
        envelope, command = command_in(record, self._log.partitions)
        closed = state.evicted + len(state.closed)
        turn = step(book, envelope.at_ns, command, owned.client_ids.stored(command))
        owned.commands += len(turn.events)
        if not turn.events:
            return None, turn
        account = turn.account
        batch = events.EventBatch(
            state.partition, record.offset, state.event_command, owned.epoch, account.account_id,
            account.seq - len(turn.events) + 1, envelope.at_ns, envelope.actor, envelope.id,
            turn.events,
        )  # fmt: skip
        state.event_command = record.offset
        orders = len(turn.routes) + state.evicted + len(state.closed) - closed
        if orders:
            owned.ahead.append((record.offset, orders))
            owned.ahead_orders += orders
        value = wire.seal(
            events.SCHEMA, batch, id=f"{state.partition}-{record.offset}", at_ns=envelope.at_ns,
            actor=GROUP, trace=envelope.trace,
        )  # fmt: skip
        return Record(state.partition, record.key, value), turn

    def _append_events(self, batches: Sequence[Record]) -> None:
        if batches:
            self._log.append(Topic.EVENTS, batches)

    def _append_reports(self, owned: Owned, now_ns: int) -> None:
        partition = owned.book.state.partition
        records = [
            *own_commands.reported(owned.venue, partition, owned.epoch, owned.reported, now_ns)
        ]
        owned.reported += len(records)
        if records:
            crash("engine.before_reports")
            self._log.append(Topic.COMMANDS, records)
            crash("engine.after_reports")

    def _append_due(self, owned: Owned, now_ns: int) -> None:
        """Append what the book asks for; once, unless this process ends before it is decided."""
        owned.asked, records = own_commands.asked(owned.book, owned.asked, now_ns, actor=GROUP)
        if records:
            self._log.append(Topic.COMMANDS, records)

    def _wait_for_projector(self, owned: Owned) -> bool:
        """Stay so close to the projector that what memory lets go of is stored already.

        False: told to stop before it was near enough.
        """
        while not self._stop.is_set():
            projected = self._store.progress(owned.book.state.partition).last_command
            while owned.ahead and owned.ahead[0][0] <= projected:
                owned.ahead_orders -= owned.ahead.popleft()[1]
            if owned.ahead_orders < AHEAD_MAX:
                return True
            self._stop.wait(PROJECTOR_WAIT_S)
        return False

    def _snapshot_if_due(self, owned: Owned, now_ns: int) -> None:
        if owned.unburied:
            return
        old = owned.commands and now_ns - owned.snapshot_at_ns > SNAPSHOT_AGE_NS
        # Marks have no events, but a night of them must not make the next replay long.
        records = owned.book.state.offset - owned.snapshot_offset
        if old or max(owned.commands, records) >= self._snapshot_commands:
            self.snapshot(owned, now_ns)

    def snapshot(self, owned: Owned, now_ns: int) -> None:
        """Keep the book as it is; FencedError if the partition has a newer owner."""
        state = owned.book.to_bytes()
        partition, offset = owned.book.state.partition, owned.book.state.offset
        crash("engine.before_snapshot")
        self._store.save_snapshot(
            Snapshot(partition, offset, state, state_hash(state), owned.epoch)
        )
        crash("engine.after_snapshot")
        owned.commands = 0
        owned.snapshot_offset = offset
        owned.snapshot_at_ns = now_ns

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
from oms_project.adapters.loop import Poison
from oms_project.kernel import wire
from oms_project.kernel.errors import PoisonError
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
from orders.adapters.lookup import lookup
from orders.domain import commands, events
from orders.domain.book import CLOSED_KEPT, Book, State, state_hash
from orders.domain.decide import Turn, route_of, step

GROUP: Final = "oms-engine"
RECORDS_MAX: Final = 64
WAIT_MS: Final = 5
REPLAY_RECORDS: Final = 500
SNAPSHOT_AGE_NS: Final = 60 * 1_000_000_000
PROJECTOR_WAIT_S: Final = 0.01
AHEAD_MAX: Final = CLOSED_KEPT // 2

_logger = structlog.get_logger(__name__)

Prices = Callable[[], Sequence[SymbolPrices]]
"""Returns the books that are new since the last call."""


class Owned:
    """A partition while it is ours."""

    __slots__ = ("ahead", "ahead_orders", "book", "commands", "epoch", "reported", "snapshot_at_ns", "snapshot_offset", "venue")  # fmt: skip

    def __init__(self, book: Book, epoch: int, venue: Venue, now_ns: int) -> None:
        self.book = book
        self.epoch = epoch
        self.venue = venue
        self.commands = 0
        self.reported = 0
        self.snapshot_at_ns = now_ns
        self.snapshot_offset = book.state.offset
        # (command offset, orders) not known to be projected yet, and the sum of the orders
        self.ahead: deque[tuple[int, int]] = deque()
        self.ahead_orders = 0


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

    # -------------------------------------------------------------- taking and losing

    def take(self, partition: int) -> int:
        """Own *partition* and bring its book up to the end of the log; return the next offset."""
        epoch = self._store.take_epoch(partition)
        now_ns = self._clock.now_ns()
        fence = wire.seal(
            commands.SCHEMA, commands.OpenEpoch(epoch), id=self._ids.new(), at_ns=now_ns,
            actor=GROUP,
        )  # fmt: skip
        self._log.append(Topic.COMMANDS, [Record(partition, "", fence)])
        snapshot = self._store.load_snapshot(partition)
        book = Book.from_bytes(snapshot.state) if snapshot else Book(State(partition))
        owned = Owned(book, epoch, self._venue_of(partition), now_ns)
        first = book.state.offset
        self._replay(owned, self._log.end_offset(Topic.COMMANDS, partition))
        self._resume(owned)
        self.owned[partition] = owned
        _logger.info(
            "partition_taken", partition=partition, epoch=epoch, replayed=book.state.offset - first,
            open_orders=len(book.open_orders()),
        )  # fmt: skip
        return book.state.offset

    def lose(self, partition: int) -> None:
        self.owned.pop(partition, None)

    def _replay(self, owned: Owned, end: int) -> None:
        """Decide again what is behind the snapshot; append only the events that are missing."""
        state = owned.book.state
        emitted = self._last_emitted(state.partition)
        while state.offset < end:
            records = self._log.read(Topic.COMMANDS, state.partition, state.offset, REPLAY_RECORDS)
            batches = []
            for record in records:
                try:
                    batch, _ = self._decide(owned, record)
                except PoisonError as error:
                    _logger.warning("poison_in_replay", offset=record.offset, error=str(error))
                    continue
                if batch is not None and record.offset > emitted:
                    batches.append(batch)
            self._append_events(batches)

    def _last_emitted(self, partition: int) -> int:
        """Return the offset of the last command whose events are in oms.events, or -1."""
        end = self._log.end_offset(Topic.EVENTS, partition)
        if not end:
            return -1
        record = self._log.read(Topic.EVENTS, partition, end - 1, 1)[0]
        envelope = wire.open_envelope(record.value, events.SCHEMA)
        return wire.read_body(events.decoder, envelope).offset

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

    def handle(self, records: Sequence[StoredRecord]) -> Sequence[Poison]:
        """Decide all records, make their events durable, then let the orders out."""
        poison: list[Poison] = []
        batches: list[Record] = []
        routes: list[tuple[Owned, list[Route | CancelRoute]]] = []
        for record in records:
            owned = self.owned[record.partition]
            if owned.ahead_orders >= AHEAD_MAX:
                self._let_out(batches, routes)
                self._wait_for_projector(owned)
            try:
                batch, turn = self._decide(owned, record)
            except PoisonError as error:
                poison.append(Poison(record, error))
                continue
            if batch is not None:
                batches.append(batch)
            if turn.routes:
                routes.append((owned, turn.routes))
        self._let_out(batches, routes)
        return poison

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
        envelope = wire.open_envelope(record.value, commands.SCHEMA)
        command = wire.read_body(commands.decoder, envelope)
        turn = step(book, envelope.at_ns, command, lookup(self._store, book, command))
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
        if turn.routes:
            owned.ahead.append((record.offset, len(turn.events)))
            owned.ahead_orders += len(turn.events)
        value = wire.seal(
            events.SCHEMA, batch, id=f"{state.partition}-{record.offset}", at_ns=envelope.at_ns,
            actor=GROUP, trace=envelope.trace,
        )  # fmt: skip
        return Record(state.partition, record.key, value), turn

    def _append_events(self, batches: Sequence[Record]) -> None:
        if batches:
            self._log.append(Topic.EVENTS, batches)

    def _append_reports(self, owned: Owned, now_ns: int) -> None:
        records = []
        partition = owned.book.state.partition
        for account_id, reports in owned.venue.reports(now_ns):
            owned.reported += 1
            command = commands.VenueReports(account_id, owned.venue.name, owned.epoch, reports)
            value = wire.seal(
                commands.SCHEMA, command, id=f"venue-{partition}-{owned.epoch}-{owned.reported}",
                at_ns=now_ns, actor=f"venue:{owned.venue.name}",
            )  # fmt: skip
            records.append(Record(partition, account_id, value))
        if records:
            crash("engine.before_reports")
            self._log.append(Topic.COMMANDS, records)
            crash("engine.after_reports")

    def _wait_for_projector(self, owned: Owned) -> None:
        """Stay so close to the projector that what memory lets go of is stored already."""
        while not self._stop.is_set():
            projected = self._store.progress(owned.book.state.partition).last_command
            while owned.ahead and owned.ahead[0][0] <= projected:
                owned.ahead_orders -= owned.ahead.popleft()[1]
            if owned.ahead_orders < AHEAD_MAX:
                return
            self._stop.wait(PROJECTOR_WAIT_S)

    def _snapshot_if_due(self, owned: Owned, now_ns: int) -> None:
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

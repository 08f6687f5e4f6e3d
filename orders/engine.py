"""The engine: one writer a partition. Commands in; events out, durable; then orders to the venue.

Rules of this file:
- It decides nothing: orders/domain does. It moves records and keeps the order of effects:
  events durable → orders to the venue → the venue's reports into the log, as commands.
- Taking a partition is the same at the first start, after a crash and when it changes hands:
  newest snapshot, replay of what is behind it, missing events appended, open orders back at the
  venue. Nothing is remembered but what the log and the store say.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from marketdata.domain.prices import SymbolPrices
from oms_project.adapters.crash import crash
from oms_project.adapters.dead_letters import Poison, set_aside
from oms_project.adapters.loop import Handled
from oms_project.kernel import wire
from oms_project.kernel.errors import BadRecordError, FencedError, OldVersionError, TransportError
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
from orders import alerts
from orders.adapters import departure, heads, own_commands
from orders.deciding import Decided, History, decide
from orders.domain import commands, events
from orders.domain.book import Book, State, state_hash
from orders.domain.order import Asked, Life
from orders.domain.route import route_of
from orders.domain.turn import Turn

GROUP: Final = "oms-engine"
RECORDS_MAX: Final = 256
BYTES_MAX: Final = 160 * 1024
"""What a round takes: many single orders, or few batches. The projector works meanwhile on the round
before, so a round that is too large lets it wait, and one that is too small pays for itself."""
WAIT_MS: Final = 5
GATHER_MS: Final = 4
REPLAY_RECORDS: Final = 500
SNAPSHOT_AGE_NS: Final = 60 * 1_000_000_000

_logger = structlog.get_logger(__name__)

Prices = Callable[[], Sequence[SymbolPrices]]
"""Returns the books that are new since the last call."""


class Owned:
    """A partition while it is ours.

    told: events since the last snapshot; asked: ids of what was due and is not decided yet; late:
    what came too late for the venue, and is not in the log yet.
    """

    __slots__ = (
        "asked", "book", "epoch", "history", "late", "reported", "snapshot_at_ns", "snapshot_offset",
        "told", "unburied", "venue",
    )  # fmt: skip

    def __init__(
        self,
        book: Book,
        history: History,
        epoch: int,
        venue: Venue[SymbolPrices],
        monotonic_ns: int,
    ) -> None:
        self.book = book
        self.history = history
        self.epoch = epoch
        self.venue = venue
        self.told = 0
        self.reported = 0
        self.snapshot_at_ns = monotonic_ns
        self.snapshot_offset = book.state.offset
        self.asked: frozenset[str] = frozenset()
        self.late: list[departure.Late] = []
        # Poison in front of the book that is not in the dead letters: no snapshot may stand behind it
        self.unburied = False

    def in_time(
        self, routes: Sequence[Route | CancelRoute], now_ns: int
    ) -> Sequence[Route | CancelRoute]:
        """Return what may still leave at *now_ns*, wall time; the rest is reported."""
        leaving, late = departure.in_time(routes, now_ns)
        self.late += late
        return leaving


class Engine:
    """A loop.Handler over oms.commands.

    Wall time only stamps records. When a report is due and when a snapshot is old is monotonic time,
    so that a clock set back or forth moves nothing.
    """

    def __init__(
        self,
        *,
        log: Log,
        store: OrderStore,
        venue_of: Callable[[int], Venue[SymbolPrices]],
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
        """Own *partition* and bring its book up to the end of the log; return the next offset.

        Raises:
            NewerVersionError, OldVersionError: see orders/deciding.py.
        """
        begun_ns = self._clock.monotonic_ns()
        epoch = self._open_epoch(partition)
        crash("engine.after_epoch")
        emitted = self._last_emitted(partition)
        book = self._newest_book(partition, emitted)
        first = book.state.offset
        history = History(self._log, partition, first, emitted)
        owned = Owned(book, history, epoch, self._venue_of(partition), begun_ns)
        self._replay(owned, self._log.end_offset(Topic.COMMANDS, partition))
        crash("engine.after_replay")
        # A store that was lost, or restored, counts from an older epoch than the log has seen:
        # what our venue says would be void.
        if epoch < book.state.epoch:
            while self._store.take_epoch(partition) < book.state.epoch:
                pass
            owned.epoch = self._open_epoch(partition)
        self._resume(owned)
        crash("engine.after_resume")
        self.owned[partition] = owned
        _logger.info(
            "partition_taken", partition=partition, epoch=owned.epoch,
            replayed=book.state.offset - first, open_orders=len(book.open_orders()),
            ms=(self._clock.monotonic_ns() - begun_ns) // 1_000_000,
        )  # fmt: skip
        return book.state.offset

    def _open_epoch(self, partition: int) -> int:
        """Become the partition's owner in the store, and say so in the log."""
        epoch = self._store.take_epoch(partition)
        crash("engine.before_open_epoch")
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
        crash("engine.before_lose")
        try:
            self.snapshot(owned)
        except (FencedError, TransportError) as error:
            _logger.info("no_last_snapshot", partition=partition, reason=str(error))

    def _newest_book(self, partition: int, emitted: int) -> Book:
        """Return the newest snapshot's book that has no events which are not in the log.

        A power cut may take the newest events, but neither commands nor snapshots. A snapshot that
        cannot be read, or of another version, is one we do without: the log is decided again.
        """
        segments = self._store.segments(partition)
        end = self._log.end_offset(Topic.COMMANDS, partition)
        for snapshot in self._store.snapshots(partition):
            try:
                book = Book.from_bytes(snapshot.state, segments)
            except (BadRecordError, OldVersionError) as error:
                _logger.warning("snapshot_left_out", partition=partition, reason=str(error))
                continue
            if book.state.event_command <= emitted and book.state.offset <= end:
                return book
            _logger.warning("events_lost", partition=partition, snapshot=snapshot.offset)
        return Book(State(partition))

    def _replay(self, owned: Owned, end: int) -> None:
        """Decide again what is behind the snapshot; append only the events that are missing."""
        state = owned.book.state
        emitted = owned.history.emitted
        poison: list[Poison] = []
        while state.offset < end:
            batches = []
            for record in self._log.read(
                Topic.COMMANDS, state.partition, state.offset, REPLAY_RECORDS
            ):
                decided = decide(owned.book, record, self._log.partitions, owned.history)
                if decided.error is not None:
                    poison.append(Poison(record, decided.error))
                if decided.turn.events and record.offset > emitted:
                    batches.append(self._batch(owned, record, decided))
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
        now_ns = self._clock.monotonic_ns()
        # Before the first order: a venue without a book refuses whatever comes (no_market).
        self._books.update({prices.symbol: prices for prices in self._prices()})
        for prices in self._books.values():
            owned.venue.on_book(prices, now_ns)
        orders = [order for _, order in owned.book.open_orders() if order.life is not Life.HELD]
        routes = owned.in_time([route_of(order) for order in orders], self._clock.now_ns())
        owned.venue.resume(routes, now_ns)
        cancels = [
            CancelRoute(
                order.order_id, order.account_id, order.terms.symbol, order.asked is Asked.EXPIRE
            )
            for order in orders
            if order.asked is not Asked.NOTHING
        ]
        owned.venue.route(cancels, now_ns)

    # -------------------------------------------------------------- working

    def handle(self, records: Sequence[StoredRecord]) -> Handled:
        """Decide the records, make their events durable, then let the orders out."""
        poison = [one for met in self._unburied.values() for one in met]
        self._unburied.clear()
        self._whole = False
        batches: list[Record] = []
        routes: list[tuple[Owned, Turn]] = []
        partitions = self._log.partitions
        for record in records:
            owned = self.owned[record.partition]
            decided = decide(owned.book, record, partitions, owned.history)
            if decided.error is not None:
                poison.append(Poison(record, decided.error))
                owned.unburied = True
            turn = decided.turn
            if turn.events:
                batches.append(self._batch(owned, record, decided))
            if turn.routes:
                routes.append((owned, turn))
        crash("engine.before_events")
        self._append_events(batches)
        crash("engine.after_events")
        now_ns = self._clock.monotonic_ns()
        for owned, turn in routes:
            leaving: Sequence[Route | CancelRoute] = turn.routes
            if turn.deadlines:
                leaving = owned.in_time(leaving, self._clock.now_ns())
            owned.venue.route(leaving, now_ns)
        crash("engine.after_route")
        self._whole = True
        mine = {record.partition for record in records}
        return Handled({one: self.owned[one].book.state.offset for one in mine}, poison)

    def buried(self, partition: int) -> None:
        """Snapshots may stand behind what is in the dead letters now."""
        self.owned[partition].unburied = False

    def tick(self) -> None:
        """Feed the venues, put what they say and what is due into the log, keep snapshots."""
        now_ns = self._clock.monotonic_ns()
        fresh = self._prices()
        for prices in fresh:
            self._books[prices.symbol] = prices
        for owned in self.owned.values():
            for prices in fresh:
                owned.venue.on_book(prices, now_ns)
            self._append_reports(owned, now_ns)
            self._append_due(owned)
            self._snapshot_if_due(owned, now_ns)

    def _batch(self, owned: Owned, record: StoredRecord, decided: Decided) -> Record:
        """Return the record of a command's events."""
        turn, state = decided.turn, owned.book.state
        account, told = turn.account, turn.events
        owned.told += len(told)
        alerts.raise_for(account.account_id, told)
        batch = events.EventBatch(
            state.partition, record.offset, turn.event_command, owned.epoch, account.account_id,
            account.seq - len(told) + 1, decided.at_ns, decided.actor, decided.id, told,
        )  # fmt: skip
        value = wire.seal(
            events.SCHEMA, batch, id=f"{state.partition}-{record.offset}", at_ns=decided.at_ns,
            actor=GROUP, trace=decided.trace,
        )  # fmt: skip
        return Record(state.partition, record.key, value)

    def _append_events(self, batches: Sequence[Record]) -> None:
        if batches:
            self._log.append(Topic.EVENTS, batches)

    def _append_reports(self, owned: Owned, monotonic_ns: int) -> None:
        records = [
            *own_commands.reported(
                owned.venue, owned.late, owned.book.state.partition, owned.epoch, owned.reported,
                self._clock.now_ns(), monotonic_ns,
            )
        ]  # fmt: skip
        owned.reported += len(records)
        if records:
            crash("engine.before_reports")
            self._log.append(Topic.COMMANDS, records)
            owned.late.clear()
            crash("engine.after_reports")

    def _append_due(self, owned: Owned) -> None:
        """Append what the book asks for; once, unless this process ends before it is decided."""
        now_ns = self._clock.now_ns()
        owned.asked, records = own_commands.asked(owned.book, owned.asked, now_ns, actor=GROUP)
        if records:
            self._log.append(Topic.COMMANDS, records)

    def _snapshot_if_due(self, owned: Owned, now_ns: int) -> None:
        if owned.unburied:
            return
        old = owned.told and now_ns - owned.snapshot_at_ns > SNAPSHOT_AGE_NS
        # Marks have no events, but a night of them must not make the next replay long.
        records = owned.book.state.offset - owned.snapshot_offset
        if old or max(owned.told, records) >= self._snapshot_commands:
            self.snapshot(owned)

    def snapshot(self, owned: Owned) -> None:
        """Keep the book as it is; FencedError if the partition has a newer owner."""
        book = owned.book
        state = book.to_bytes()
        partition, offset = book.state.partition, book.state.offset
        crash("engine.before_snapshot")
        if book.used.unsaved:
            self._store.save_segments(partition, book.used.unsaved)
        self._store.save_snapshot(
            Snapshot(partition, offset, state, state_hash(state), owned.epoch)
        )
        crash("engine.after_snapshot")
        book.used.unsaved.clear()
        owned.told = 0
        owned.snapshot_offset = offset
        owned.snapshot_at_ns = self._clock.monotonic_ns()

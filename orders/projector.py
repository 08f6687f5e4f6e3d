"""The projector: events in, rows out. Everything that is shown was written here.

Rules of this file:
- An event seen twice changes nothing: whole batches at or below `last_command` are skipped, rows
  are guarded by version or seq besides.
- An event missing before this one (prev_offset), and not told again in the same poll, stops the
  process: a gap is never shown as truth.
- One write a poll and partition (some, if there is much to write): what happened to one order
  within it is one row.
"""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from oms_project.adapters.crash import crash
from oms_project.adapters.dead_letters import Poison
from oms_project.adapters.loop import Handled
from oms_project.kernel import ports as p
from oms_project.kernel import wire
from oms_project.kernel.errors import BadRecordError, GapError, PoisonError
from oms_project.kernel.words import Status
from orders.domain import events as e

GROUP: Final = "oms-projector"
RECORDS_MAX: Final = 512
ORDERS_MAX: Final = 4_000
"""Orders told of in one write, about: a record may have 500, and a transaction must stay small."""
WAIT_MS: Final = 20
GATHER_MS: Final = 5

_json = msgspec.json.Encoder().encode


class Fold:
    """What the events of one partition and poll come to."""

    def __init__(self) -> None:
        self.fresh: dict[str, p.OrderRow] = {}
        self.updates: dict[str, p.OrderUpdate] = {}
        self.steps: list[p.StepRow] = []
        self._here: dict[str, int] = {}  # order -> its last event in this batch, if not in its row
        self.positions: dict[tuple[str, str], p.PositionRow] = {}
        self.balances: dict[tuple[str, str], p.BalanceRow] = {}
        self.accounts: dict[str, p.AccountRow] = {}
        self.instruments: dict[str, p.InstrumentRow] = {}
        self.chunks: list[p.Chunk] = []

    def add(self, batch: e.EventBatch, body: bytes) -> None:
        """Fold one command's events in; *body* is the record as it stands in the log."""
        events = batch.events
        last = len(events) - 1
        for index, event in enumerate(events):
            kind = type(event)
            if kind is e.OrderAccepted and index < last:
                behind = events[index + 1]
                if type(behind) is e.OrderFilled and behind.order_id == event.order_id:
                    continue  # what follows at once says all that this does, and newer
            fold = _FOLDS.get(kind)
            if fold is not None:
                fold(self, batch, event, batch.first_seq + index)
        if self._here:
            stream = batch.stream
            self.steps += [p.StepRow(stream, order, at) for order, at in self._here.items()]
            self._here.clear()
        self.keep(batch, body)

    def keep(self, batch: e.EventBatch, body: bytes) -> None:
        """Keep the events as they were told, for whoever reads the stream."""
        last_seq = batch.first_seq + len(batch.events) - 1
        self.chunks.append(
            p.Chunk(batch.stream, batch.first_seq, last_seq, batch.partition, batch.offset, body)
        )

    def order(
        self, batch: e.EventBatch, event: e._OrderEvent, seq: int
    ) -> p.OrderRow | p.OrderUpdate:
        """Return the row of the event's order with what all order events carry."""
        order_id = event.order_id
        self._here[order_id] = seq
        row = self.fresh.get(order_id) or self.updates.get(order_id)
        if row is None:
            row = self.updates[order_id] = p.OrderUpdate(
                order_id, batch.stream, event.status, event.cum_lots, event.cost, event.fee,
                "", "", False, False, event.version, 0, seq, batch.at_ns,
            )  # fmt: skip
            return row
        row.status = event.status
        row.cum_lots = event.cum_lots
        row.cost = event.cost
        row.fee = event.fee
        row.version = event.version
        row.last_seq = seq
        row.updated_ns = batch.at_ns
        return row

    def ended(self, row: p.OrderRow | p.OrderUpdate) -> None:
        """Note that the event just folded ended the order: one that no order has two of."""
        if not row.end_seq:
            row.end_seq = row.last_seq
            del self._here[row.order_id]

    def noted(self, order_id: str, seq: int) -> None:
        """Note an event that tells of the order and changes nothing of it."""
        self._here[order_id] = seq

    def changes(self, partition: int, next_offset: int, last_command: int) -> p.Changes:
        return p.Changes(
            partition, next_offset, last_command, list(self.fresh.values()),
            list(self.updates.values()), self.steps, list(self.positions.values()),
            list(self.balances.values()), self.chunks,
        )  # fmt: skip


def _routed(fold: Fold, batch: e.EventBatch, event: e.OrderRouted, seq: int) -> None:
    fold.fresh[event.order_id] = p.OrderRow(
        order_id=event.order_id, account_id=batch.stream, client_order_id=event.client_order_id,
        terms=event.terms, cap_ticks=event.cap_ticks, status=Status.NEW, version=1, first_seq=seq,
        last_seq=seq, created_ns=batch.at_ns, updated_ns=batch.at_ns, actor=batch.actor,
    )  # fmt: skip


def _held(fold: Fold, batch: e.EventBatch, event: e.OrderHeld, seq: int) -> None:
    _routed(fold, batch, e.OrderRouted(*msgspec.structs.astuple(event)), seq)
    fold.fresh[event.order_id].status = Status.TRIGGER_PENDING


def _trigger_refused(fold: Fold, batch: e.EventBatch, event: e.TriggerRefused, seq: int) -> None:
    row = fold.order(batch, event, seq)
    row.reason, row.rejected_by = event.reason, "oms"
    fold.ended(row)


def _denied(fold: Fold, batch: e.EventBatch, event: e.OrderDenied, seq: int) -> None:
    fold.fresh[event.order_id] = p.OrderRow(
        order_id=event.order_id, account_id=batch.stream, client_order_id=event.client_order_id,
        terms=event.terms, cap_ticks=0, status=Status.REJECTED, rejected_by="oms",
        reason=event.reason, version=1, first_seq=seq, end_seq=seq, last_seq=seq,
        created_ns=batch.at_ns, updated_ns=batch.at_ns, actor=batch.actor,
    )  # fmt: skip


def _external(fold: Fold, batch: e.EventBatch, event: e.OrderExternal, seq: int) -> None:
    """A row of its own, or the same one grown: what it wants is what has traded."""
    known = fold.fresh.get(event.order_id)
    fold.fresh[event.order_id] = p.OrderRow(
        order_id=event.order_id, account_id=batch.stream, client_order_id=event.client_order_id,
        terms=event.terms, cap_ticks=0, status=Status.FILLED, reason="external",
        version=event.version, first_seq=known.first_seq if known is not None else seq,
        last_seq=seq, created_ns=known.created_ns if known is not None else batch.at_ns,
        updated_ns=batch.at_ns, actor=batch.actor,
    )  # fmt: skip
    fold.steps.append(p.StepRow(batch.stream, event.order_id, seq))


def _moved(fold: Fold, batch: e.EventBatch, event: e._OrderEvent, seq: int) -> None:
    fold.order(batch, event, seq)


def _quarantined(fold: Fold, batch: e.EventBatch, event: e.OrderQuarantined, seq: int) -> None:
    fold.noted(event.order_id, seq)


def _rejected(fold: Fold, batch: e.EventBatch, event: e.OrderRejected, seq: int) -> None:
    _ended(fold, batch, event, seq).rejected_by = "venue"


def _ended(
    fold: Fold, batch: e.EventBatch, event: e._Ended, seq: int
) -> p.OrderRow | p.OrderUpdate:
    row = fold.order(batch, event, seq)
    row.reason = event.reason
    row.late_fill = row.late_fill or event.late
    if event.status is not Status.FILLED and not event.late:
        fold.ended(row)
    return row


def _filled(fold: Fold, batch: e.EventBatch, event: e.OrderFilled, seq: int) -> None:
    row = fold.order(batch, event, seq)
    row.late_fill = row.late_fill or event.late
    row.overfilled = row.overfilled or event.overfilled
    if event.status is Status.FILLED and not (event.late or event.overfilled):
        fold.ended(row)


def _position(fold: Fold, batch: e.EventBatch, event: e.PositionChanged, seq: int) -> None:
    fold.positions[batch.stream, event.symbol] = p.PositionRow(
        batch.stream, event.symbol, event.net_lots, event.cost, event.realized, seq
    )


def _balance(fold: Fold, batch: e.EventBatch, event: e.BalanceChanged, seq: int) -> None:
    fold.balances[batch.stream, event.asset] = p.BalanceRow(
        batch.stream, event.asset, event.free, event.locked, event.fees, event.venue,
        event.external, seq,
    )  # fmt: skip


def _account(fold: Fold, batch: e.EventBatch, event: e.AccountChanged, seq: int) -> None:
    fold.accounts[batch.stream] = p.AccountRow(
        batch.stream, event.name, event.state, _json(event.limits).decode(), seq
    )


def _instrument(fold: Fold, batch: e.EventBatch, event: e.InstrumentChanged, seq: int) -> None:
    instrument = event.instrument
    fold.instruments[instrument.symbol] = p.InstrumentRow(
        instrument.symbol, instrument.state, _json(instrument).decode(), batch.at_ns,
        batch.partition, batch.offset,
    )  # fmt: skip


_FOLDS: Final[dict[type, Callable]] = {
    e.OrderRouted: _routed,
    e.OrderHeld: _held,
    e.OrderTriggered: _moved,
    e.TriggerRefused: _trigger_refused,
    e.OrderDenied: _denied,
    e.OrderAccepted: _moved,
    e.OrderExternal: _external,
    e.OrderRejected: _rejected,
    e.OrderFilled: _filled,
    e.OrderCancelRequested: _moved,
    e.OrderExpiryRequested: _moved,
    e.OrderQuarantined: _quarantined,
    e.OrderCanceled: _ended,
    e.OrderExpired: _ended,
    e.CancelRejected: _moved,
    e.PositionChanged: _position,
    e.BalanceChanged: _balance,
    e.AccountChanged: _account,
    e.InstrumentChanged: _instrument,
}


Taken = tuple[p.StoredRecord, e.EventBatch]


class Behind(msgspec.Struct, frozen=True):
    """Where to go on once the poison is in the dead letters. kept: what is stored of it all the same."""

    offset: int
    last_command: int
    kept: Fold


class Projector:
    """A loop.Handler over oms.events."""

    def __init__(self, store: p.OrderStore, reference: p.Reference) -> None:
        self._store = store
        self._reference = reference
        self._last_command: dict[int, int] = {}
        self._behind_poison: dict[int, Behind] = {}

    def take(self, partition: int) -> int:
        """Go on from where the store is: its progress is written with its rows."""
        progress = self._store.progress(partition)
        self._last_command[partition] = progress.last_command
        self._behind_poison.pop(partition, None)
        return progress.next_offset

    def lose(self, partition: int) -> None:
        self._last_command.pop(partition, None)
        self._behind_poison.pop(partition, None)

    def buried(self, partition: int) -> None:
        """Move behind what was set aside: it is in the dead letters now."""
        behind = self._behind_poison[partition]
        try:
            self._write(partition, behind.kept, behind.offset, behind.last_command)
        except PoisonError:  # not even the stream has a place for it
            self._write(partition, Fold(), behind.offset, behind.last_command)
        del self._behind_poison[partition]

    def tick(self) -> None:
        return None

    def handle(self, records: Sequence[p.StoredRecord]) -> Handled:
        next_offsets: dict[int, int] = {}
        poison: list[Poison] = []
        by_partition: dict[int, list[p.StoredRecord]] = {}
        for record in records:
            by_partition.setdefault(record.partition, []).append(record)
        for partition, own in by_partition.items():
            next_offsets[partition], found = self._project(partition, own)
            poison += found
        return Handled(next_offsets, poison)

    def _project(
        self, partition: int, records: Sequence[p.StoredRecord]
    ) -> tuple[int, list[Poison]]:
        """Return where to go on, and what could not be handled before that."""
        taken, poison = self._taken(partition, records)
        end = records[-1].offset + 1
        fold, last_command = Fold(), self._last_command[partition]
        try:
            for record, batch in taken:
                fold.add(batch, record.value)
                last_command = batch.offset
                if len(fold.fresh) + len(fold.updates) >= ORDERS_MAX:
                    self._write(partition, fold, _settled(poison, record.offset + 1), last_command)
                    fold = Fold()
            self._write(partition, fold, _settled(poison, end), last_command)
        except PoisonError:
            stopped = self._one_by_one(partition, taken, poison)
            if stopped is not None:
                return stopped
        if poison:
            behind = Behind(end, self._last_command[partition], Fold())
            self._behind_poison[partition] = behind
        return end, poison

    def _taken(
        self, partition: int, records: Sequence[p.StoredRecord]
    ) -> tuple[list[Taken], list[Poison]]:
        """Return what is new, read, and what cannot be read.

        Raises:
            GapError: events are missing before some of these.
        """
        taken: list[Taken] = []
        poison: list[Poison] = []
        ahead = last_command = self._last_command[partition]
        for record in records:
            try:
                envelope = wire.open_envelope(record.value, e.SCHEMA)
                batch = wire.read_body(e.decoder, envelope)
            except BadRecordError as error:
                poison.append(Poison(record, error))
                continue
            if batch.offset <= last_command:
                continue  # sent again by an engine that crashed, or by one that was fenced
            if batch.prev_offset != last_command:
                # Half of an append was lost. The engine tells all of it again, further on.
                ahead = max(ahead, batch.offset)
                continue
            taken.append((record, batch))
            last_command = batch.offset
        if ahead > last_command:
            raise GapError(
                f"partition {partition}: events up to command {ahead} came, those behind "
                f"{last_command} did not"
            )
        return taken, poison

    def _one_by_one(
        self, partition: int, taken: Sequence[Taken], poison: list[Poison]
    ) -> tuple[int, list[Poison]] | None:
        """Write the records singly, up to the first with a row that no store can hold; None: all.

        That one is set aside, rows and all; its stream is kept, so that nobody meets a gap.
        """
        for record, batch in taken:
            if batch.offset <= self._last_command[partition]:
                continue  # written before the write that failed
            before = [one for one in poison if one.record.offset < record.offset]
            end = record.offset + 1
            fold = Fold()
            fold.add(batch, record.value)
            try:
                self._write(partition, fold, _settled(before, end), batch.offset)
            except PoisonError as error:
                kept = Fold()
                kept.keep(batch, record.value)
                self._behind_poison[partition] = Behind(end, batch.offset, kept)
                return end, [*before, Poison(record, error)]
        return None

    def _write(self, partition: int, fold: Fold, next_offset: int, last_command: int) -> None:
        crash("projector.before_apply")
        self._reference.apply(list(fold.accounts.values()), list(fold.instruments.values()))
        crash("projector.after_reference")
        self._store.apply(fold.changes(partition, next_offset, last_command))
        crash("projector.after_apply")
        self._last_command[partition] = last_command


def _settled(poison: Sequence[Poison], next_offset: int) -> int:
    """Return where a successor goes on: before the first poison, to meet it again if we die now."""
    return poison[0].record.offset if poison else next_offset

"""The twin of the order store in memory: for tests and trials; keeps every promise but durability."""

import copy
import hashlib
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from oms_project.kernel import ports as p
from oms_project.kernel.errors import FencedError, TransportError, UnstorableError
from oms_project.kernel.rows import SNAPSHOTS_KEPT
from orders.adapters import pages


class MemoryStore:
    """The OrderStore port as dicts. `break_wire` makes every call fail, as a store that is away."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._broken = False
        self._orders: dict[str, p.OrderRow] = {}
        self._steps: set[tuple[str, str, int]] = set()
        self._positions: dict[tuple[str, str], p.PositionRow] = {}
        self._balances: dict[tuple[str, str], p.BalanceRow] = {}
        self._chunks: dict[tuple[int, int], p.Chunk] = {}
        self._progress: dict[int, p.Progress] = {}
        self._epochs: dict[int, int] = {}
        self._segments: dict[int, dict[int, bytes]] = {}
        self._snapshots: dict[int, list[p.Snapshot]] = {}

    def backup(self) -> "MemoryStore":
        """Return a store with all that is here now, and nothing of what follows."""
        twin = MemoryStore()
        with self._lock:
            for name, value in vars(self).items():
                if name != "_lock":
                    setattr(twin, name, copy.deepcopy(value))
        return twin

    def break_wire(self, *, broken: bool) -> None:
        self._broken = broken

    def apply(self, changes: p.Changes) -> None:
        self.ping()
        _must_fit(changes)
        with self._lock:
            for row in changes.orders:
                known = self._orders.get(row.order_id)
                if known is None:
                    self._orders[row.order_id] = msgspec.structs.replace(row)
                elif known.version < row.version:
                    self._orders[row.order_id] = msgspec.structs.replace(
                        row, first_seq=known.first_seq, created_ns=known.created_ns
                    )
            for update in changes.updates:
                self._update(update)
            self._steps.update(msgspec.structs.astuple(step) for step in changes.steps)
            for position in changes.positions:
                _keep_newest(self._positions, (position.account_id, position.symbol), position)
            for balance in changes.balances:
                _keep_newest(self._balances, (balance.account_id, balance.asset), balance)
            for chunk in changes.chunks:
                self._chunks.setdefault((chunk.partition, chunk.offset), chunk)
            if self.progress(changes.partition).next_offset < changes.next_offset:
                self._progress[changes.partition] = p.Progress(
                    changes.partition, changes.next_offset, changes.last_command
                )

    def _update(self, update: p.OrderUpdate) -> None:
        row = self._orders.get(update.order_id)
        if row is None or row.account_id != update.account_id or row.version >= update.version:
            return
        values: dict[str, Any] = msgspec.structs.asdict(update)
        for name in ("rejected_by", "reason", "late_fill", "overfilled"):
            values[name] = values[name] or getattr(row, name)
        values["end_seq"] = row.end_seq or update.end_seq
        self._orders[row.order_id] = msgspec.structs.replace(row, **values)

    def save_segments(self, partition: int, bodies: Mapping[int, bytes]) -> None:
        self.ping()
        with self._lock:
            self._segments[partition] = {**bodies, **self._segments.get(partition, {})}

    def segments(self, partition: int) -> dict[int, bytes]:
        self.ping()
        return dict(self._segments.get(partition, {}))

    def progress(self, partition: int) -> p.Progress:
        self.ping()
        return self._progress.get(partition, p.Progress(partition, 0, -1))

    def get(self, order_id: str, account_ids: Sequence[str]) -> p.OrderRow | None:
        self.ping()
        row = self._orders.get(order_id)
        return row if row is not None and row.account_id in account_ids else None

    def page(self, query: p.OrderQuery) -> p.OrderPage:
        self.ping()
        with self._lock:
            found = [row for row in self._orders.values() if _fits(row, query)]
        found.sort(key=lambda row: row.order_id, reverse=True)
        rows = found[: query.limit]
        return p.OrderPage(rows, rows[-1].order_id if len(found) > len(rows) else None)

    def find(self, query: p.OrderQuery) -> list[p.OrderRow]:
        return pages.whole(self.page, query)

    def steps(self, account_id: str, order_id: str, from_seq: int, limit: int) -> list[int]:
        self.ping()
        with self._lock:
            every = sorted(self._steps)
        return [at for *order, at in every if order == [account_id, order_id] and at >= from_seq][
            :limit
        ]

    def chunks(self, stream: str, from_seq: int, limit: int) -> list[p.Chunk]:
        return [chunk for chunk in self._stream(stream) if chunk.last_seq >= from_seq][:limit]

    def chunks_before(self, stream: str, before_seq: int, limit: int) -> list[p.Chunk]:
        found = [chunk for chunk in self._stream(stream) if chunk.first_seq < before_seq]
        return found[::-1][:limit]

    def chunks_holding(self, stream: str, seqs: Sequence[int]) -> list[p.Chunk]:
        return [
            chunk
            for chunk in self._stream(stream)
            if any(chunk.first_seq <= seq <= chunk.last_seq for seq in seqs)
        ]

    def last_seq(self, stream: str) -> int:
        return max((chunk.last_seq for chunk in self._stream(stream)), default=0)

    def heads(self, partition: int, after_offset: int, limit: int) -> list[tuple[int, str, int]]:
        self.ping()
        with self._lock:
            found = sorted(
                (chunk.offset, chunk.stream, chunk.last_seq)
                for chunk in self._chunks.values()
                if chunk.partition == partition and chunk.offset > after_offset
            )
        return found[:limit]

    def positions(self, account_ids: Sequence[str]) -> list[p.PositionRow]:
        self.ping()
        return [row for key, row in sorted(self._positions.items()) if key[0] in account_ids]

    def balances(self, account_ids: Sequence[str]) -> list[p.BalanceRow]:
        self.ping()
        return [row for key, row in sorted(self._balances.items()) if key[0] in account_ids]

    def take_epoch(self, partition: int) -> int:
        self.ping()
        with self._lock:
            self._epochs[partition] = self._epochs.get(partition, 0) + 1
            return self._epochs[partition]

    def save_snapshot(self, snapshot: p.Snapshot) -> None:
        self.ping()
        with self._lock:
            if self._epochs.get(snapshot.partition) != snapshot.epoch:
                raise FencedError(f"partition {snapshot.partition}: epoch {snapshot.epoch} is old")
            kept = [
                one
                for one in self._snapshots.get(snapshot.partition, [])
                if one.offset != snapshot.offset
            ]
            kept = sorted([snapshot, *kept], key=lambda one: one.offset, reverse=True)
            self._snapshots[snapshot.partition] = kept[:SNAPSHOTS_KEPT]

    def load_snapshot(self, partition: int) -> p.Snapshot | None:
        return next(iter(self.snapshots(partition)), None)

    def snapshots(self, partition: int) -> list[p.Snapshot]:
        self.ping()
        return [
            snapshot
            for snapshot in self._snapshots.get(partition, [])
            if hashlib.sha256(snapshot.state).hexdigest() == snapshot.state_hash
        ]

    def ping(self) -> None:
        if self._broken:
            raise TransportError("store", "the wire is broken")

    def _stream(self, stream: str) -> list[p.Chunk]:
        self.ping()
        with self._lock:
            found = [chunk for chunk in self._chunks.values() if chunk.stream == stream]
        return sorted(found, key=lambda chunk: chunk.first_seq)


def _must_fit(changes: p.Changes) -> None:
    """Raise what the others would: no store holds a number beyond 64 bits."""
    for rows in (changes.orders, changes.updates, changes.positions, changes.balances):
        for row in rows:
            for name in row.__struct_fields__:
                value = getattr(row, name)
                if type(value) is int and not -(2**63) <= value < 2**63:
                    raise UnstorableError(f"store: {name} {value} is beyond 64 bits")


def _keep_newest(rows: dict[Any, Any], key: tuple[str, str], row: Any) -> None:
    known = rows.get(key)
    if known is None or known.seq < row.seq:
        rows[key] = row


def _fits(row: p.OrderRow, query: p.OrderQuery) -> bool:
    before = pages.before(query)
    same = (
        (query.symbol, row.terms.symbol),
        (query.side, row.terms.side),
        (query.client_order_id, row.client_order_id),
    )
    return (
        row.account_id in query.account_ids
        and all(wanted in (None, value) for wanted, value in same)
        and (not query.statuses or row.status in query.statuses)
        and pages.since(query) <= row.order_id
        and (before is None or row.order_id < before)
    )

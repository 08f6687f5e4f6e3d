"""Acknowledged orders that the store does not show yet, read from the end of the log.

A list that left them out would tell a client after a time-out that there is no such order, and invite
it to place another. The log behind the projection is read once: what was looked at is remembered, and
forgotten as soon as the store shows it.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from oms_project.kernel import ids, wire
from oms_project.kernel.errors import (
    BadRecordError,
    GapError,
    NewerVersionError,
    OldVersionError,
    TransportError,
)
from oms_project.kernel.ports import Log, OrderPage, OrderQuery, OrderRow, OrderStore, StoredRecord
from oms_project.kernel.words import Status, Topic
from orders.adapters import pages
from orders.domain import commands

READ_AT_ONCE: Final = 500
PLACED_MAX: Final = 20_000
"""Requests that wait to be shown in one partition; more is an outage."""

Row = Callable[[str, commands.NewOrder, wire.Envelope], OrderRow]


class _Tail:
    """What is acknowledged and not shown of one partition. next_offset: the record to look at next."""

    def __init__(self) -> None:
        self.next_offset = 0
        self.placed: deque[tuple[int, commands.PlaceOrders, wire.Envelope]] = deque()


class Unshown:
    """The tails of all partitions. Safe for any number of threads."""

    def __init__(self, log: Log, store: OrderStore, engine_group: str, row: Row) -> None:
        self._log = log
        self._store = store
        self._engine_group = engine_group
        self._row = row
        self._lock = threading.Lock()
        self._tails: dict[int, _Tail] = {}

    def add(self, query: OrderQuery, page: Callable[[OrderQuery], OrderPage]) -> OrderPage:
        """Return *page* of *query* with what is acknowledged and belongs into it, as NEW.

        Raises:
            TransportError: the log cannot be read, or the projection is too far behind.
        """
        # The log first: what the projection passes meanwhile is in the page, at worst in both.
        waiting = [row for row in self._rows(query.account_ids) if _fits(row, query)]
        found = page(query)
        if not waiting:
            return found
        shown = {row.order_id for row in found.rows}
        rows = found.rows + [
            row
            for row in waiting
            if row.order_id not in shown
            and (found.before_id is None or row.order_id >= found.before_id)
            and self._store.get(row.order_id, (row.account_id,)) is None
        ]
        rows.sort(key=lambda row: row.order_id, reverse=True)
        if len(rows) <= query.limit:
            return OrderPage(rows, found.before_id)
        return OrderPage(rows[: query.limit], rows[query.limit - 1].order_id)

    def _rows(self, account_ids: Sequence[str]) -> list[OrderRow]:
        found = []
        wanted = frozenset(account_ids)
        for partition in {ids.partition_of(one, self._log.partitions) for one in wanted}:
            for _, command, envelope in self._tail(partition):
                if command.account_id in wanted:
                    found += [
                        self._row(command.account_id, one, envelope) for one in command.orders
                    ]
        return found

    def _tail(self, partition: int) -> list[tuple[int, commands.PlaceOrders, wire.Envelope]]:
        """Return what is placed in *partition* behind what is shown, in order."""
        shown = self._store.progress(partition).last_command
        with self._lock:
            tail = self._tails.setdefault(partition, _Tail())
            while tail.placed and tail.placed[0][0] <= shown:
                tail.placed.popleft()
            tail.next_offset = max(tail.next_offset, shown + 1)
            self._read_on(partition, tail)
            return list(tail.placed)

    def _decided(self, partition: int) -> int:
        """Return an offset below which all is shown: a quiet day is a million prices and no order.

        What the engine has committed has its events in the log; are those all shown, so is that.
        """
        decided = self._log.committed(Topic.COMMANDS, self._engine_group).get(partition, 0)
        told = self._log.end_offset(Topic.EVENTS, partition)
        return decided if self._store.progress(partition).next_offset >= told else 0

    def _read_on(self, partition: int, tail: _Tail) -> None:
        jumped = False
        while True:
            try:
                records = self._log.read(Topic.COMMANDS, partition, tail.next_offset, READ_AT_ONCE)
            except GapError:
                first = self._log.first_offset(Topic.COMMANDS, partition)
                if first <= tail.next_offset:
                    return  # the log ends before it: there is nothing that is not shown
                tail.next_offset = first  # trimmed: all of that is shown
                continue
            for record in records:
                self._take(tail, record)
            if not records:
                return
            if len(records) == READ_AT_ONCE and not jumped and not tail.placed:
                jumped = True
                tail.next_offset = max(tail.next_offset, self._decided(partition))
            if len(tail.placed) > PLACED_MAX:
                raise TransportError("store", f"more than {PLACED_MAX} requests are not shown")

    @staticmethod
    def _take(tail: _Tail, record: StoredRecord) -> None:
        tail.next_offset = record.offset + 1
        if not record.key:
            return  # of the whole partition: prices, instruments
        try:
            envelope = wire.open_envelope(record.value, commands.SCHEMA)
            command = wire.read_body(commands.decoder, envelope)
        except (BadRecordError, NewerVersionError, OldVersionError):
            return  # no order that we can tell of
        if isinstance(command, commands.PlaceOrders):
            tail.placed.append((record.offset, command, envelope))


def _fits(row: OrderRow, query: OrderQuery) -> bool:
    below = pages.before(query)
    terms = row.terms
    return (
        query.symbol in (None, terms.symbol)
        and query.side in (None, terms.side)
        and query.client_order_id in (None, row.client_order_id)
        and (not query.statuses or Status.NEW in query.statuses)
        and row.order_id >= pages.since(query)
        and (below is None or row.order_id < below)
    )

"""Owner epochs, snapshots and used ids of the engine in SQL."""

import hashlib
from collections.abc import Iterator, Mapping

import msgspec
from django.db import transaction

from oms_project.kernel.errors import FencedError
from oms_project.kernel.ports import Snapshot
from oms_project.kernel.rows import SNAPSHOTS_KEPT
from orders.adapters.sql_statements import INSERT_SEGMENT
from orders.adapters.sql_wire import SqlWire


class SqlSnapshots:
    """take_epoch, save and load of the OrderStore port."""

    def __init__(self, wire: SqlWire) -> None:
        self._wire = wire

    def take_epoch(self, partition: int) -> int:
        """As OrderStore.take_epoch."""
        with self._wire.errors(), transaction.atomic(using=self._wire.alias):
            cursor = self._wire.connection.cursor()
            cursor.execute(
                'INSERT INTO orders_owner ("partition", epoch) VALUES (%s, 1) '
                'ON CONFLICT ("partition") DO UPDATE SET epoch = orders_owner.epoch + 1',
                (partition,),
            )
            cursor.execute('SELECT epoch FROM orders_owner WHERE "partition" = %s', (partition,))
            return int(cursor.fetchone()[0])

    def save(self, snapshot: Snapshot) -> None:
        """As OrderStore.save_snapshot."""
        with self._wire.errors(), transaction.atomic(using=self._wire.alias):
            cursor = self._wire.connection.cursor()
            # The update takes the row's lock, so that an owner change waits or is seen.
            cursor.execute(
                'UPDATE orders_owner SET epoch = epoch WHERE "partition" = %s AND epoch = %s',
                (snapshot.partition, snapshot.epoch),
            )
            if cursor.rowcount != 1:
                raise FencedError(f"partition {snapshot.partition}: epoch {snapshot.epoch} is old")
            cursor.execute(
                'INSERT INTO orders_snapshot ("partition", "offset", state, state_hash, epoch) '
                "VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
                msgspec.structs.astuple(snapshot),
            )
            cursor.execute(
                'DELETE FROM orders_snapshot WHERE "partition" = %s AND "offset" NOT IN '
                '(SELECT "offset" FROM orders_snapshot WHERE "partition" = %s '
                'ORDER BY "offset" DESC LIMIT %s)',
                (snapshot.partition, snapshot.partition, SNAPSHOTS_KEPT),
            )

    def load(self, partition: int) -> Snapshot | None:
        """As OrderStore.load_snapshot."""
        return next(self._right(partition), None)

    def all(self, partition: int) -> list[Snapshot]:
        """As OrderStore.snapshots."""
        return list(self._right(partition))

    def save_segments(self, partition: int, bodies: Mapping[int, bytes]) -> None:
        """As OrderStore.save_segments."""
        rows = [(partition, number, body) for number, body in bodies.items()]
        with self._wire.writing() as write:
            write(INSERT_SEGMENT, rows)

    def segments(self, partition: int) -> dict[int, bytes]:
        """As OrderStore.segments."""
        rows = self._wire.rows(
            'SELECT "number", body FROM orders_segment WHERE "partition" = %s', partition
        )
        return {number: bytes(body) for number, body in rows}

    def _right(self, partition: int) -> Iterator[Snapshot]:
        rows = self._wire.rows(
            'SELECT "partition", "offset", state, state_hash, epoch FROM orders_snapshot '
            'WHERE "partition" = %s ORDER BY "offset" DESC',
            partition,
        )
        for row in rows:
            state = bytes(row[2])
            if hashlib.sha256(state).hexdigest() == row[3]:
                yield Snapshot(row[0], row[1], state, row[3], row[4])

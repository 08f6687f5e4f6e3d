"""The OrderStore port on the MongoDB protocol (Amazon DocumentDB 5.0, MongoDB), by PyMongo.

Rules of this file:
- No transaction. Every write is of one document, guarded by its version or seq, and means the same
  when it is done twice; progress is written last, so a crash in between repeats the step.
- What is repeated may be folded with what came after it: an insert that meets its document becomes
  a guarded replacement, event seqs are added as a set.
- Rows before chunks: whoever is told of an event finds what it did.
- Only operators on DocumentDB 5.0's list; orders/tests/documentdb.py holds the tests to it.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import msgspec
from pymongo import ASCENDING, DESCENDING, MongoClient, ReplaceOne, UpdateOne
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import BulkWriteError, ConfigurationError, PyMongoError
from pymongo.monitoring import CommandListener
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import ReadPreference
from pymongo.write_concern import WriteConcern

from oms_project.adapters.crash import crash
from oms_project.kernel import ports as p
from oms_project.kernel.errors import TransportError, UnknownOutcomeError
from oms_project.kernel.words import Status
from orders.adapters.mongo_snapshots import MongoSnapshots

DUPLICATE_KEY: Final = 11000
WRITE_MS_MAX: Final = 5_000
PARTITION_BITS: Final = 48
ROWS_MAX: Final = 1_000
DATABASE: Final = "oms"

Document = dict[str, Any]

_asdict = msgspec.structs.asdict
_NOT_SET: Final = {
    "order_id",
    "account_id",
    "event_seqs",
    "rejected_by",
    "reason",
    "late_fill",
    "overfilled",
}


class MongoStore:
    """Orders as documents. The client is made on first use: after a fork."""

    def __init__(self, url: str, *, listeners: Sequence[CommandListener] = ()) -> None:
        self._url = url
        self._listeners = list(listeners)
        self._lock = threading.Lock()
        self._database: Database[Document] | None = None
        self._indexed = False
        self._snapshots = MongoSnapshots(self._db, _reading, _writing)
        self.take_epoch = self._snapshots.take_epoch
        self.save_snapshot = self._snapshots.save
        self.load_snapshot = self._snapshots.load
        self.snapshots = self._snapshots.all

    # -------------------------------------------------------------- writing

    def apply(self, changes: p.Changes) -> None:
        db = self._db()
        if not self._indexed:  # the projector writes first, so they are there before any reader
            self.ensure_indexes()
            self._indexed = True
        with _writing():
            _insert(db.orders, [_order_document(row) for row in changes.orders], "version")
            _bulk(db.orders, [_order_update(row) for row in changes.updates])
            _insert(db.fills, [_fill_document(row) for row in changes.fills])
            _bulk(db.positions, [_newer(row, "symbol") for row in changes.positions])
            _bulk(db.balances, [_newer(row, "asset") for row in changes.balances])
            crash("store.before_commit")
            _insert(db.chunks, [_chunk_document(row) for row in changes.chunks])
            _bulk(db.progress, [_progress(changes)])
        crash("store.after_commit")

    # -------------------------------------------------------------- reading

    def progress(self, partition: int) -> p.Progress:
        with _reading():
            found = self._db().progress.find_one({"_id": partition})
        if found is None:
            return p.Progress(partition, 0, -1)
        return p.Progress(partition, found["next_offset"], found["last_command"])

    def get(self, order_id: str, account_ids: Sequence[str]) -> p.OrderRow | None:
        with _reading():
            found = self._db().orders.find_one({"_id": order_id, **_of(account_ids)})
        return None if found is None else _order_row(found)

    def find(self, query: p.OrderQuery) -> list[p.OrderRow]:
        where = _of(query.account_ids)
        for name, value in (
            ("symbol", query.symbol),
            ("side", query.side),
            ("client_order_id", query.client_order_id),
        ):
            if value is not None:
                where[name] = value
        if query.statuses:
            where["status"] = {"$in": [str(status) for status in query.statuses]}
        created = {"$gte": query.from_ns, "$lt": query.to_ns}
        created = {operator: ns for operator, ns in created.items() if ns is not None}
        if created:
            where["created_ns"] = created
        if query.before_id is not None:
            where["_id"] = {"$lt": query.before_id}
        with _reading():
            found = self._db().orders.find(where).sort("_id", DESCENDING).limit(query.limit)
            return [_order_row(document) for document in found]

    def orders_by_client_id(
        self, account_id: str, ids: Sequence[str]
    ) -> dict[str, tuple[str, int]]:
        known: dict[str, tuple[str, int]] = {}
        for part in _parts(ids):
            where = {"account_id": account_id, "client_order_id": {"$in": part}}
            fields = {"client_order_id": 1, "event_seqs": 1}
            with _reading():
                for found in self._db().orders.find(where, fields):
                    order = (found["_id"], min(found["event_seqs"]))
                    first = known.setdefault(found["client_order_id"], order)
                    if order[1] < first[1]:
                        known[found["client_order_id"]] = order
        return known

    def chunks(self, stream: str, from_seq: int, limit: int) -> list[p.Chunk]:
        where = {"stream": stream, "last_seq": {"$gte": from_seq}}
        with _reading():
            found = self._db().chunks.find(where).sort("last_seq", ASCENDING).limit(limit)
            return [_chunk_row(document) for document in found]

    def chunks_holding(self, stream: str, seqs: Sequence[int]) -> list[p.Chunk]:
        held: list[p.Chunk] = []
        for seq in sorted(seqs):
            if held and seq <= held[-1].last_seq:
                continue
            found = self.chunks(stream, seq, 1)
            if found and found[0].first_seq <= seq:
                held += found
        return held

    def last_seq(self, stream: str) -> int:
        with _reading():
            newest = [("last_seq", DESCENDING)]
            found = self._db().chunks.find_one({"stream": stream}, {"last_seq": 1}, sort=newest)
        return 0 if found is None else int(found["last_seq"])

    def heads(self, partition: int, after_offset: int, limit: int) -> list[tuple[int, str, int]]:
        low = _chunk_id(partition, after_offset)
        where = {"_id": {"$gt": low, "$lt": _chunk_id(partition + 1, 0)}}
        with _reading():
            found = self._db().chunks.find(where, {"stream": 1, "last_seq": 1})
            found = found.sort("_id", ASCENDING).limit(limit)
            first = _chunk_id(partition, 0)
            return [(one["_id"] - first, one["stream"], one["last_seq"]) for one in found]

    def fills(
        self,
        account_ids: Sequence[str],
        *,
        symbol: str | None = None,
        order_id: str | None = None,
        before: tuple[int, str, int] | None = None,
        limit: int = 100,
    ) -> list[p.FillRow]:
        where = _of(account_ids)
        if symbol is not None:
            where["symbol"] = symbol
        if order_id is not None:
            order = self.get(order_id, account_ids)
            if order is None:
                return []
            # The order knows its events, and a fill's _id is its event: no index by order.
            own = [f"{order.account_id}:{event_seq}" for event_seq in order.event_seqs]
            where["_id"] = {"$in": own}
        if before is not None:
            at_ns, account_id, seq = before
            where["$or"] = [
                {"at_ns": {"$lt": at_ns}},
                {"at_ns": at_ns, "account_id": {"$lt": account_id}},
                {"at_ns": at_ns, "account_id": account_id, "seq": {"$lt": seq}},
            ]
        newest = [("at_ns", DESCENDING), ("account_id", DESCENDING), ("seq", DESCENDING)]
        with _reading():
            found = self._db().fills.find(where, {"_id": 0}).sort(newest).limit(limit)
            return [p.FillRow(**document) for document in found]

    def positions(self, account_ids: Sequence[str]) -> list[p.PositionRow]:
        return self._of_accounts("positions", p.PositionRow, account_ids)

    def balances(self, account_ids: Sequence[str]) -> list[p.BalanceRow]:
        return self._of_accounts("balances", p.BalanceRow, account_ids)

    def ping(self) -> None:
        with _reading():
            self._db().client.admin.command("ping")

    # -------------------------------------------------------------- set-up

    def ensure_indexes(self) -> None:
        """Make the indexes; harmless when they are there."""
        db = self._db()
        with _writing():
            db.orders.create_index([("account_id", ASCENDING), ("_id", DESCENDING)])
            db.orders.create_index([("account_id", ASCENDING), ("client_order_id", ASCENDING)])
            db.fills.create_index([("account_id", 1), ("at_ns", -1), ("seq", -1)])
            db.chunks.create_index([("stream", ASCENDING), ("last_seq", ASCENDING)])
            db.snapshot_parts.create_index([("partition", ASCENDING)])

    def close(self) -> None:
        with self._lock:
            database, self._database = self._database, None
        if database is not None:
            database.client.close()

    def _of_accounts(
        self, collection: str, kind: Callable[..., Any], account_ids: Sequence[str]
    ) -> list[Any]:
        with _reading():
            # _id is "account:symbol" or "account:asset".
            found = self._db()[collection].find(_of(account_ids)).sort("_id", ASCENDING)
            return [kind(**{k: v for k, v in row.items() if k != "_id"}) for row in found]

    def _db(self) -> "Database[Document]":
        database = self._database
        if database is None:
            with self._lock:
                if self._database is None:
                    self._database = _open(self._url, self._listeners)
                database = self._database
        return database


def _open(url: str, listeners: list[CommandListener]) -> "Database[Document]":
    """Return the database with the concerns that make an acknowledged write a durable one."""
    client: MongoClient[Document] = MongoClient(
        url,
        connect=False,
        retryWrites=False,  # DocumentDB refuses it before 8.0; our writes may be repeated anyway
        serverSelectionTimeoutMS=3_000,
        connectTimeoutMS=2_000,
        socketTimeoutMS=10_000,
        waitQueueTimeoutMS=3_000,
        event_listeners=listeners,
    )
    try:
        name = client.get_default_database().name
    except ConfigurationError:
        name = DATABASE
    return client.get_database(
        name,
        read_preference=ReadPreference.PRIMARY,
        read_concern=ReadConcern("majority"),
        write_concern=WriteConcern(w="majority", j=True, wtimeout=WRITE_MS_MAX),
    )


@contextmanager
def _reading() -> Iterator[None]:
    try:
        yield
    except PyMongoError as error:
        raise TransportError("store", repr(error)) from error


@contextmanager
def _writing() -> Iterator[None]:
    """Some of the writes may be there, others not: all may be done again."""
    try:
        yield
    except PyMongoError as error:
        raise UnknownOutcomeError("store", repr(error)) from error


# ------------------------------------------------------------------ guarded writes


def _insert(collection: "Collection[Document]", documents: list[Document], guard: str = "") -> None:
    """Insert; one that is there already is replaced if *guard* says that ours is newer."""
    if not documents:
        return
    known = _done(lambda: collection.insert_many(documents, ordered=False))
    if guard:
        again = [documents[index] for index in known]
        _bulk(
            collection,
            [
                ReplaceOne({"_id": document["_id"], guard: {"$lt": document[guard]}}, document)
                for document in again
            ],
        )


def _bulk(collection: "Collection[Document]", writes: list[Any]) -> None:
    """Do *writes* in any order; an upsert that misses a newer document changes nothing."""
    if writes:
        _done(lambda: collection.bulk_write(writes, ordered=False))


def _done(write: Callable[[], object]) -> list[int]:
    """Do *write*; return the indexes of those whose _id was there already."""
    try:
        write()
    except BulkWriteError as error:
        details = error.details or {}
        errors = details.get("writeErrors", [])
        other = [one for one in errors if one.get("code") != DUPLICATE_KEY]
        if other or details.get("writeConcernErrors"):
            raise
        return [one["index"] for one in errors]
    return []


def _order_document(row: p.OrderRow) -> Document:
    document = _asdict(row)
    document["_id"] = document.pop("order_id")
    document["status"] = str(row.status)
    return document


def _order_update(row: p.OrderUpdate) -> UpdateOne:
    facts = {name: value for name, value in _asdict(row).items() if name not in _NOT_SET}
    facts["status"] = str(row.status)
    for name in ("rejected_by", "reason", "late_fill", "overfilled"):
        value = getattr(row, name)
        if value:  # facts are never undone
            facts[name] = value
    where = {"_id": row.order_id, "account_id": row.account_id, "version": {"$lt": row.version}}
    return UpdateOne(
        where, {"$set": facts, "$addToSet": {"event_seqs": {"$each": list(row.event_seqs)}}}
    )


def _fill_document(row: p.FillRow) -> Document:
    document = _asdict(row)
    document["_id"] = f"{row.account_id}:{row.seq}"
    return document


def _newer(row: p.PositionRow | p.BalanceRow, name: str) -> UpdateOne:
    """An upsert that finds a newer row misses it, tries to insert and is told so: no change."""
    key = f"{row.account_id}:{getattr(row, name)}"
    return UpdateOne({"_id": key, "seq": {"$lt": row.seq}}, {"$set": _asdict(row)}, upsert=True)


def _chunk_document(row: p.Chunk) -> Document:
    return {
        "_id": _chunk_id(row.partition, row.offset),
        "stream": row.stream,
        "first_seq": row.first_seq,
        "last_seq": row.last_seq,
        "body": row.body,
    }


def _chunk_id(partition: int, offset: int) -> int:
    """Return an id that sorts by partition, then offset: heads() needs no other index."""
    return (partition << PARTITION_BITS) + offset


def _progress(changes: p.Changes) -> UpdateOne:
    values = {"next_offset": changes.next_offset, "last_command": changes.last_command}
    where = {"_id": changes.partition, "next_offset": {"$lt": changes.next_offset}}
    return UpdateOne(where, {"$set": values}, upsert=True)


# ------------------------------------------------------------------ reading documents


def _of(account_ids: Sequence[str]) -> Document:
    if len(account_ids) == 1:
        return {"account_id": account_ids[0]}
    return {"account_id": {"$in": list(account_ids)}}


def _parts(ids: Sequence[str]) -> Iterable[list[str]]:
    return (list(ids[start : start + ROWS_MAX]) for start in range(0, len(ids), ROWS_MAX))


def _order_row(document: Document) -> p.OrderRow:
    document["order_id"] = document.pop("_id")
    document["status"] = Status(document["status"])
    document["event_seqs"] = tuple(sorted(document["event_seqs"]))
    return p.OrderRow(**document)


def _chunk_row(document: Document) -> p.Chunk:
    partition, offset = divmod(document["_id"], 1 << PARTITION_BITS)
    return p.Chunk(
        document["stream"],
        document["first_seq"],
        document["last_seq"],
        partition,
        offset,
        bytes(document["body"]),
    )

"""The OrderStore port on the MongoDB protocol (Amazon DocumentDB 5.0, MongoDB), by PyMongo.

Rules of this file:
- No transaction. Every write is of one document, guarded by its version or seq, and means the same
  when it is done twice; progress is written last, so a crash in between repeats the step.
- What is repeated may be folded with what came after it: an insert that meets its document becomes
  a guarded replacement.
- Rows before chunks: whoever is told of an event finds what it did.
- Only operators on DocumentDB 5.0's list; orders/tests/documentdb.py holds the tests to it.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from bson.errors import BSONError
from pymongo import ASCENDING, DESCENDING, MongoClient
from pymongo.database import Database
from pymongo.errors import BulkWriteError, ConfigurationError, DocumentTooLarge, PyMongoError
from pymongo.monitoring import CommandListener
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import ReadPreference
from pymongo.write_concern import WriteConcern

from oms_project.adapters.crash import crash
from oms_project.kernel import ports as p
from oms_project.kernel.errors import (
    OldVersionError,
    TransportError,
    UnknownOutcomeError,
    UnstorableError,
)
from orders.adapters import mongo_documents as docs
from orders.adapters import pages
from orders.adapters.mongo_documents import Document
from orders.adapters.mongo_snapshots import MongoSnapshots

WRITE_MS_MAX: Final = 5_000
DATABASE: Final = "oms"
HEADS_AT_ONCE: Final = 500
SCHEMA: Final = 2
"""Of the documents. Raise it when what is stored cannot be read by what stood here before."""


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
            self._must_be_ours()
            self.ensure_indexes()
            self._indexed = True
        with _writing():
            docs.insert(db.orders, [docs.order_document(row) for row in changes.orders], "version")
            docs.bulk(db.orders, [docs.order_update(row) for row in changes.updates])
            docs.insert(db.steps, [docs.step_document(row) for row in changes.steps])
            docs.bulk(db.positions, [docs.newer(row, "symbol") for row in changes.positions])
            docs.bulk(db.balances, [docs.newer(row, "asset") for row in changes.balances])
            crash("store.before_commit")
            docs.insert(db.chunks, [docs.chunk_document(row) for row in changes.chunks])
            docs.bulk(db.progress, [docs.progress_update(changes)])
        crash("store.after_commit")

    # -------------------------------------------------------------- reading

    def save_segments(self, partition: int, bodies: Mapping[int, bytes]) -> None:
        documents = [
            {"_id": docs.chunk_id(partition, number), "body": body}
            for number, body in bodies.items()
        ]
        with _writing():
            docs.insert(self._db().segments, documents)

    def segments(self, partition: int) -> dict[int, bytes]:
        first, end = docs.chunk_id(partition, 0), docs.chunk_id(partition + 1, 0)
        with _reading():
            found = self._db().segments.find({"_id": {"$gte": first, "$lt": end}})
            return {one["_id"] - first: bytes(one["body"]) for one in found}

    def progress(self, partition: int) -> p.Progress:
        with _reading():
            found = self._db().progress.find_one({"_id": partition})
        if found is None:
            return p.Progress(partition, 0, -1)
        return p.Progress(partition, found["next_offset"], found["last_command"])

    def get(self, order_id: str, account_ids: Sequence[str]) -> p.OrderRow | None:
        with _reading():
            found = self._db().orders.find_one({"_id": order_id, **docs.owned_by(account_ids)})
        return None if found is None else docs.order_row(found)

    def page(self, query: p.OrderQuery) -> p.OrderPage:
        def ids_of(account_id: str, scan: int) -> pages.Ids:
            return self._ids(query, account_id, scan)

        return pages.merged(query.limit, query.account_ids, ids_of, self._rows)

    def _ids(self, query: p.OrderQuery, account_id: str, scan: int) -> pages.Ids:
        where, rest = docs.filters(query, account_id, pages.since(query), pages.before(query))
        orders, newest, stop = self._db().orders, [("_id", DESCENDING)], ""
        with _reading():
            if rest and query.client_order_id is None:
                seen = orders.find(where, {"_id": 1}).sort(newest).skip(scan - 1).limit(1)
                stop = next((one["_id"] for one in seen), "")
            if stop:
                where["_id"] = {**where.get("_id", {}), "$gte": stop}
            found = orders.find({**where, **rest}, {"_id": 1}).sort(newest).limit(query.limit + 1)
            ids = [one["_id"] for one in found]
        return ids, "" if len(ids) > query.limit else stop

    def _rows(self, shown: Sequence[tuple[str, str]]) -> list[p.OrderRow]:
        wanted = {"_id": {"$in": [order_id for order_id, _ in shown]}}
        with _reading():
            return [docs.order_row(document) for document in self._db().orders.find(wanted)]

    def find(self, query: p.OrderQuery) -> list[p.OrderRow]:
        return pages.whole(self.page, query)

    def steps(self, account_id: str, order_id: str, from_seq: int, limit: int) -> list[int]:
        where = {"account_id": account_id, "order_id": order_id, "seq": {"$gte": from_seq}}
        with _reading():
            found = self._db().steps.find(where, {"seq": 1}).sort("seq", ASCENDING).limit(limit)
            return [int(one["seq"]) for one in found]

    def chunks(self, stream: str, from_seq: int, limit: int) -> list[p.Chunk]:
        where = {"stream": stream, "last_seq": {"$gte": from_seq}}
        with _reading():
            found = self._db().chunks.find(where).sort("last_seq", ASCENDING).limit(limit)
            return [docs.chunk_row(document) for document in found]

    def chunks_before(self, stream: str, before_seq: int, limit: int) -> list[p.Chunk]:
        # By the index there is: a chunk that ends before it begins before it; one more may hold it.
        with _reading():
            newest = [("last_seq", DESCENDING)]
            where = {"stream": stream, "last_seq": {"$lt": before_seq}}
            found = list(self._db().chunks.find(where).sort(newest).limit(limit))
        rows = [docs.chunk_row(document) for document in found]
        holding = [one for one in self.chunks(stream, before_seq, 1) if one.first_seq < before_seq]
        return [*holding, *rows][:limit]

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
        # Asked a hundred times a second: so one small read says that there is nothing new, and what
        # is new is read by its ids. A range over _id is a scan of all on some servers.
        found: list[tuple[int, str, int]] = []
        newest = self.progress(partition).last_command  # written behind its chunks
        first = docs.chunk_id(partition, 0)
        while after_offset < newest and len(found) < limit:
            upto = min(newest, after_offset + HEADS_AT_ONCE)
            ids = [first + offset for offset in range(after_offset + 1, upto + 1)]
            with _reading():
                some = self._db().chunks.find({"_id": {"$in": ids}}, {"stream": 1, "last_seq": 1})
                heads = [(one["_id"] - first, one["stream"], one["last_seq"]) for one in some]
            found += sorted(heads)
            after_offset = upto
        return found[:limit]

    def positions(self, account_ids: Sequence[str]) -> list[p.PositionRow]:
        return self._of_accounts("positions", p.PositionRow, account_ids)

    def balances(self, account_ids: Sequence[str]) -> list[p.BalanceRow]:
        return self._of_accounts("balances", p.BalanceRow, account_ids)

    def ping(self) -> None:
        with _reading():
            self._db().client.admin.command("ping")

    # -------------------------------------------------------------- set-up

    def _must_be_ours(self) -> None:
        """Leave the mark of this schema, or find it.

        Raises:
            OldVersionError: documents of an earlier version are there.
        """
        db = self._db()
        with _writing():
            if db.schema.find_one({"_id": SCHEMA}) is not None:
                return
            if db.progress.find_one({}) is not None:
                raise OldVersionError(
                    f"The documents in {db.name} were made by an earlier version of Crypto OMS, whose "
                    "orders this one cannot read. Keep them under another name, with the topics of "
                    "the log, and start again with an empty database (ORDER_STORE_URL)."
                )
            docs.insert(db.schema, [{"_id": SCHEMA}])

    def ensure_indexes(self) -> None:
        """Make the indexes; harmless when they are there."""
        db = self._db()
        with _writing():
            db.orders.create_index([("account_id", ASCENDING), ("_id", DESCENDING)])
            db.orders.create_index([("account_id", ASCENDING), ("client_order_id", ASCENDING)])
            db.orders.create_index([(docs.OPEN_OF, ASCENDING)], sparse=True)
            db.steps.create_index([("order_id", ASCENDING), ("seq", ASCENDING)])
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
            found = self._db()[collection].find(docs.owned_by(account_ids)).sort("_id", ASCENDING)
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
    """Some of the writes may be there, others not: all may be done again.

    What no document can hold is another matter: doing it again would end the same.
    """
    try:
        yield
    except (BSONError, OverflowError, UnicodeError, DocumentTooLarge) as error:
        raise UnstorableError(f"store: {error!r}") from error
    except BulkWriteError as error:
        if docs.unstorable(error):
            raise UnstorableError(f"store: {error!r}") from error
        raise UnknownOutcomeError("store", repr(error)) from error
    except PyMongoError as error:
        raise UnknownOutcomeError("store", repr(error)) from error

"""Rows as documents, documents as rows, and the guarded writes of the document store.

A write of this file means the same when it is done twice or late: it inserts what is missing, or
changes what is older. Which index a document is found by says mongo_store.py.
"""

from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from typing import Any, Final

import msgspec
from pymongo import ReplaceOne, UpdateOne
from pymongo.collection import Collection
from pymongo.errors import BulkWriteError

from oms_project.kernel import ports as p
from oms_project.kernel.ids import PARTITION_BITS
from oms_project.kernel.terms import Extras, Terms
from oms_project.kernel.words import OPEN, OrderType, Side, Status, TimeInForce

DUPLICATE_KEY: Final = 11000
_OF_THE_DATA: Final = {2, 9, 14, 121, 10334, 17280}
"""BadValue, FailedToParse, TypeMismatch, a document that fails validation, too large, a key too long."""
WRITES_MAX: Final = 500
"""Writes in one round trip."""

OPEN_OF: Final = "open_of"
"""The account, in orders that are open and in no other: the sparse index of the few among millions."""

Document = dict[str, Any]

_asdict = msgspec.structs.asdict
_WORDS: Final[dict[str, type[StrEnum]]] = {
    "side": Side,
    "type": OrderType,
    "time_in_force": TimeInForce,
    "status": Status,
}
_BEGUN: Final = {"first_seq": 1, "created_ns": 1}
_NOT_SET: Final = {
    "order_id", "account_id", "end_seq", "rejected_by", "reason", "late_fill", "overfilled",
}  # fmt: skip


def insert(collection: "Collection[Document]", documents: list[Document], guard: str = "") -> None:
    """Insert; one that is there already is replaced if *guard* says that ours is newer.

    What says how it began (_BEGUN) stays.
    """
    for part in _parts(documents):
        known = _done(lambda part=part: collection.insert_many(part, ordered=False))
        if not guard:
            continue
        again = [part[index] for index in known]
        there = {"_id": {"$in": [document["_id"] for document in again]}}
        begun = {one.pop("_id"): one for one in collection.find(there, _BEGUN)} if again else {}
        again = [document | begun.get(document["_id"], {}) for document in again]
        bulk(
            collection,
            [
                ReplaceOne({"_id": document["_id"], guard: {"$lt": document[guard]}}, document)
                for document in again
            ],
        )


def bulk(collection: "Collection[Document]", writes: list[Any]) -> None:
    """Do *writes* in any order; an upsert that misses a newer document changes nothing."""
    for part in _parts(writes):
        _done(lambda part=part: collection.bulk_write(part, ordered=False))


def _parts(writes: list[Any]) -> Iterator[list[Any]]:
    """Cut *writes* so that a slow server answers each part within the socket's time.

    One write of all of them that takes too long would be begun again from its start, for ever.
    """
    return (writes[start : start + WRITES_MAX] for start in range(0, len(writes), WRITES_MAX))


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


def unstorable(error: BulkWriteError) -> bool:
    """Tell whether a write was refused for what it says; false for a server in trouble."""
    errors = (error.details or {}).get("writeErrors", [])
    return any(one.get("code") in _OF_THE_DATA for one in errors)


def order_document(row: p.OrderRow) -> Document:
    document = _asdict(row)
    document["_id"] = document.pop("order_id")
    terms = _asdict(document.pop("terms"))  # spelled out: filters look at them
    extras = terms.pop("extras")
    document |= terms
    if extras is not None:
        document["extras"] = _asdict(extras)
    for name, kind in _WORDS.items():
        document[name] = kind(
            document[name]
        ).value  # bson would look for a way to say it, each time
    document["reason"] = str(row.reason)
    if row.status in OPEN:
        document[OPEN_OF] = row.account_id
    return document


def order_update(row: p.OrderUpdate) -> UpdateOne:
    facts = {name: value for name, value in _asdict(row).items() if name not in _NOT_SET}
    facts["status"] = row.status.value
    for name in ("end_seq", "rejected_by", "reason", "late_fill", "overfilled"):
        value = getattr(row, name)
        if value:  # facts are never undone
            facts[name] = str(value) if isinstance(value, str) else value
    where = {"_id": row.order_id, "account_id": row.account_id, "version": {"$lt": row.version}}
    if row.status in OPEN:
        return UpdateOne(where, {"$set": {**facts, OPEN_OF: row.account_id}})
    return UpdateOne(where, {"$set": facts, "$unset": {OPEN_OF: ""}})


def step_document(row: p.StepRow) -> Document:
    return {"_id": f"{row.account_id}:{row.seq}:{row.order_id}", **_asdict(row)}


def newer(row: p.PositionRow | p.BalanceRow, name: str) -> UpdateOne:
    """An upsert that finds a newer row misses it, tries to insert and is told so: no change."""
    key = f"{row.account_id}:{getattr(row, name)}"
    return UpdateOne({"_id": key, "seq": {"$lt": row.seq}}, {"$set": _asdict(row)}, upsert=True)


def chunk_document(row: p.Chunk) -> Document:
    return {
        "_id": chunk_id(row.partition, row.offset),
        "stream": row.stream,
        "first_seq": row.first_seq,
        "last_seq": row.last_seq,
        "body": row.body,
    }


def chunk_id(partition: int, offset: int) -> int:
    """Return an id that sorts by partition, then offset: heads() needs no other index."""
    return (partition << PARTITION_BITS) + offset


def progress_update(changes: p.Changes) -> UpdateOne:
    values = {"next_offset": changes.next_offset, "last_command": changes.last_command}
    where = {"_id": changes.partition, "next_offset": {"$lt": changes.next_offset}}
    return UpdateOne(where, {"$set": values}, upsert=True)


def filters(
    query: p.OrderQuery, account_id: str, since: str, before: str | None
) -> tuple[Document, Document]:
    """Return what an index answers of a list of one account's orders, and the rest."""
    where: Document = {"account_id": account_id}
    rest: Document = {}
    if query.statuses and OPEN.issuperset(query.statuses):
        where = {OPEN_OF: account_id}
    ids = {operator: value for operator, value in (("$gte", since), ("$lt", before)) if value}
    if ids:
        where["_id"] = ids
    if query.client_order_id is not None:
        where["client_order_id"] = query.client_order_id
    for name in ("symbol", "side"):
        if getattr(query, name) is not None:
            rest[name] = getattr(query, name)
    if query.statuses and set(query.statuses) != OPEN:
        rest["status"] = {"$in": [str(status) for status in query.statuses]}
    return where, rest


def owned_by(account_ids: Sequence[str]) -> Document:
    if len(account_ids) == 1:
        return {"account_id": account_ids[0]}
    return {"account_id": {"$in": list(account_ids)}}


def order_row(document: Document) -> p.OrderRow:
    document["order_id"] = document.pop("_id")
    document.pop(OPEN_OF, None)
    document["status"] = Status(document["status"])
    extras = document.pop("extras", None)
    terms = [document.pop(name) for name in Terms.__struct_fields__ if name != "extras"]
    terms.append(extras and Extras(**extras))
    document["terms"] = msgspec.convert(terms, Terms)
    return p.OrderRow(**document)


def chunk_row(document: Document) -> p.Chunk:
    partition, offset = divmod(document["_id"], 1 << PARTITION_BITS)
    return p.Chunk(
        document["stream"],
        document["first_seq"],
        document["last_seq"],
        partition,
        offset,
        bytes(document["body"]),
    )

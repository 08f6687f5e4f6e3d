"""Owner epochs and snapshots of the engine in documents.

The owner's document is the only one that decides: it has the epoch and points to the snapshots.
A snapshot's bytes lie in parts of their own (a document has 16 MiB at most), written first; the
pointer is moved by one update that the epoch guards, so a fenced engine changes nothing.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, Final

from pymongo import ReturnDocument
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from oms_project.kernel.errors import FencedError
from oms_project.kernel.ports import Snapshot
from oms_project.kernel.rows import SNAPSHOTS_KEPT

PART_BYTES: Final = 8 * 1024 * 1024

Document = dict[str, Any]


class MongoSnapshots:
    """take_epoch, save and load of the OrderStore port."""

    def __init__(
        self,
        database: "Callable[[], Database[Document]]",
        reading: Callable[[], AbstractContextManager[None]],
        writing: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._db = database
        self._reading = reading
        self._writing = writing

    def take_epoch(self, partition: int) -> int:
        """As OrderStore.take_epoch."""
        with self._writing():
            try:
                return self._next_epoch(partition)
            except DuplicateKeyError:  # another first owner was faster: now there is a document
                return self._next_epoch(partition)

    def save(self, snapshot: Snapshot) -> None:
        """As OrderStore.save_snapshot."""
        db = self._db()
        with self._writing():
            owner = db.owners.find_one({"_id": snapshot.partition})
            if owner is None or owner["epoch"] != snapshot.epoch:
                raise FencedError(self._fenced(snapshot))
            pointer = self._write_parts(snapshot)
            older = [one for one in owner.get("snapshots", ()) if one["offset"] != snapshot.offset]
            kept = sorted([pointer, *older], key=lambda one: one["offset"], reverse=True)
            kept = kept[:SNAPSHOTS_KEPT]
            moved = db.owners.update_one(
                {"_id": snapshot.partition, "epoch": snapshot.epoch}, {"$set": {"snapshots": kept}}
            )
            if moved.matched_count != 1:
                raise FencedError(self._fenced(snapshot))
            names = [one["name"] for one in kept]
            db.snapshot_parts.delete_many(
                {
                    "partition": snapshot.partition,
                    "epoch": {"$lte": snapshot.epoch},
                    "name": {"$nin": names},
                }
            )

    def load(self, partition: int) -> Snapshot | None:
        """As OrderStore.load_snapshot."""
        with self._reading():
            return next(self._right(partition), None)

    def all(self, partition: int) -> list[Snapshot]:
        """As OrderStore.snapshots."""
        with self._reading():
            return list(self._right(partition))

    def _right(self, partition: int) -> Iterator[Snapshot]:
        db = self._db()
        owner = db.owners.find_one({"_id": partition}) or {}
        for pointer in owner.get("snapshots", ()):
            parts = db.snapshot_parts.find({"partition": partition, "name": pointer["name"]})
            state = b"".join(bytes(part["bytes"]) for part in parts.sort("_id", 1))
            if hashlib.sha256(state).hexdigest() == pointer["state_hash"]:
                yield Snapshot(
                    partition, pointer["offset"], state, pointer["state_hash"], pointer["epoch"]
                )

    def _next_epoch(self, partition: int) -> int:
        owner = self._db().owners.find_one_and_update(
            {"_id": partition},
            {"$inc": {"epoch": 1}},
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
        return int(owner["epoch"])

    def _write_parts(self, snapshot: Snapshot) -> Document:
        name = f"{snapshot.partition}:{snapshot.epoch}:{snapshot.offset}"
        state = snapshot.state
        parts = [state[at : at + PART_BYTES] for at in range(0, len(state), PART_BYTES)] or [b""]
        for number, part in enumerate(parts):
            document = {
                "_id": f"{name}:{number:06d}",
                "partition": snapshot.partition,
                "epoch": snapshot.epoch,
                "name": name,
                "bytes": part,
            }
            self._db().snapshot_parts.replace_one({"_id": document["_id"]}, document, upsert=True)
        return {
            "name": name,
            "offset": snapshot.offset,
            "state_hash": snapshot.state_hash,
            "epoch": snapshot.epoch,
        }

    @staticmethod
    def _fenced(snapshot: Snapshot) -> str:
        return f"partition {snapshot.partition}: epoch {snapshot.epoch} is old"

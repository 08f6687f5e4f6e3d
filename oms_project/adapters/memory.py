"""Twins in memory of the log, the claims and the push: whole and honest, for tests and trials.

They keep every promise of kernel/ports.py except durability, and pass the same contract tests as
the real adapters. The twin of the order store is orders/adapters/memory_store.py.
"""

import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence

from oms_project.kernel import wire
from oms_project.kernel.errors import GapError, TransportError
from oms_project.kernel.ports import Claim, ClaimState, Record, StoredRecord

Key = tuple[str, str, str]


class _Partition:
    """The records of one partition; offset = start + index."""

    __slots__ = ("records", "start")

    def __init__(self) -> None:
        self.start = 0
        self.records: list[StoredRecord] = []

    @property
    def end(self) -> int:
        return self.start + len(self.records)

    def slice(
        self, offset: int, records_max: int, where: str, bytes_max: int = wire.READ_BYTES_MAX
    ) -> list[StoredRecord]:
        if not self.start <= offset <= self.end:
            raise GapError(f"{where}: {offset} is outside {self.start}..{self.end}")
        index = offset - self.start
        found = self.records[index : index + records_max]
        return found[: wire.count_within((record.value for record in found), bytes_max)]


class _Group:
    """The members of a consumer group on a topic, and who owns what."""

    __slots__ = ("committed", "members", "owners")

    def __init__(self) -> None:
        self.members: list[MemorySubscription] = []
        self.owners: dict[int, MemorySubscription] = {}
        self.committed: dict[int, int] = {}


class MemoryLog:
    """The log as lists. Consumer groups live inside the process; threads may share it."""

    def __init__(self, partitions: int) -> None:
        if partitions < 1:
            raise ValueError("a log has at least one partition")
        self.partitions = partitions
        self._changed = threading.Condition(threading.RLock())
        self._parts: dict[tuple[str, int], _Partition] = defaultdict(_Partition)
        self._groups: dict[tuple[str, str], _Group] = defaultdict(_Group)

    def append(self, topic: str, records: Sequence[Record]) -> list[int]:
        for record in records:
            self._check(record.partition)
            wire.check_size(record.value)
        with self._changed:
            offsets = []
            for record in records:
                part = self._parts[topic, record.partition]
                offsets.append(part.end)
                part.records.append(
                    StoredRecord(record.partition, part.end, record.key, record.value)
                )
            self._changed.notify_all()
        return offsets

    def read(self, topic: str, partition: int, offset: int, records_max: int) -> list[StoredRecord]:
        self._check(partition)
        with self._changed:
            return self._parts[topic, partition].slice(offset, records_max, f"{topic}/{partition}")

    def end_offset(self, topic: str, partition: int) -> int:
        self._check(partition)
        with self._changed:
            return self._parts[topic, partition].end

    def end_offsets(self, topic: str) -> list[int]:
        return [self.end_offset(topic, partition) for partition in range(self.partitions)]

    def first_offset(self, topic: str, partition: int) -> int:
        self._check(partition)
        with self._changed:
            return self._parts[topic, partition].start

    def committed(self, topic: str, group: str) -> dict[int, int]:
        with self._changed:
            return dict(self._groups[topic, group].committed)

    def subscribe(self, topic: str, group: str) -> "MemorySubscription":
        with self._changed:
            state = self._groups[topic, group]
            member = MemorySubscription(self, topic, state)
            state.members.append(member)
            self._changed.notify_all()
        return member

    def trim(self, topic: str, partition: int, before: int) -> int:
        self._check(partition)
        with self._changed:
            part = self._parts[topic, partition]
            gone = max(0, min(before, part.end) - part.start)
            del part.records[:gone]
            part.start += gone
        return gone

    def close(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _check(self, partition: int) -> None:
        if not 0 <= partition < self.partitions:
            raise ValueError(f"partition {partition} of {self.partitions}")


class MemorySubscription:
    """A member of a group. A partition changes hands when its old owner polls or closes."""

    def __init__(self, log: MemoryLog, topic: str, group: _Group) -> None:
        self._log = log
        self._topic = topic
        self._group = group
        self._next: dict[int, int | None] = {}

    def poll(
        self, records_max: int, wait_ms: int, bytes_max: int = wire.READ_BYTES_MAX
    ) -> list[StoredRecord]:
        changed = self._log._changed
        with changed:
            self._rebalance()
            records = self._collect(records_max, bytes_max)
            if not records and wait_ms > 0:
                changed.wait_for(self._something, wait_ms / 1000)
                self._rebalance()
                records = self._collect(records_max, bytes_max)
            return records

    def assigned(self) -> frozenset[int]:
        return frozenset(self._next)

    def seek(self, partition: int, offset: int) -> None:
        if partition not in self._next:
            raise ValueError(f"partition {partition} is not assigned")
        self._next[partition] = offset

    def pause(self, partition: int) -> None:
        if partition in self._next:
            self._next[partition] = None

    def commit(self, next_offsets: Mapping[int, int]) -> None:
        with self._log._changed:
            for partition, offset in next_offsets.items():
                if self._group.owners.get(partition) is self:
                    self._group.committed[partition] = offset

    def committed(self, partition: int) -> int | None:
        with self._log._changed:
            return self._group.committed.get(partition)

    def close(self) -> None:
        with self._log._changed:
            if self in self._group.members:
                self._group.members.remove(self)
            self._release(set(self._next))
            self._log._changed.notify_all()

    def _share(self) -> set[int]:
        members = self._group.members
        if self not in members:
            return set()
        rank = members.index(self)
        return set(range(rank, self._log.partitions, len(members)))

    def _release(self, partitions: set[int]) -> None:
        for partition in partitions:
            self._next.pop(partition, None)
            if self._group.owners.get(partition) is self:
                del self._group.owners[partition]

    def _rebalance(self) -> None:
        share = self._share()
        lost = set(self._next) - share
        won = {p for p in share if p not in self._group.owners}
        self._release(lost)
        for partition in won:
            self._group.owners[partition] = self
            self._next[partition] = None
        if lost or won:
            self._log._changed.notify_all()

    def _something(self) -> bool:
        share = self._share()
        if set(self._next) - share or any(p not in self._group.owners for p in share):
            return True
        return any(
            offset is not None and offset != self._log._parts[self._topic, partition].end
            for partition, offset in self._next.items()
        )

    def _collect(self, records_max: int, bytes_max: int) -> list[StoredRecord]:
        records: list[StoredRecord] = []
        for partition, offset in sorted(self._next.items()):
            if offset is None:
                continue
            part = self._log._parts[self._topic, partition]
            where = f"{self._topic}/{partition}"
            found = part.slice(offset, records_max - len(records), where, bytes_max)
            self._next[partition] = offset + len(found)
            records += found
        return records


class MemoryIdempotencyStore:
    """Claims in a dict. `break_wire` makes every call fail, as a database that is away does."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._states: dict[Key, ClaimState] = {}
        self._broken = False

    def break_wire(self, *, broken: bool) -> None:
        self._broken = broken

    def claim(self, claims: Sequence[Claim]) -> list[ClaimState]:
        self.ping()
        states = []
        with self._lock:
            for claim in claims:
                known = self._states.get(_key(claim))
                if known is None:
                    known = ClaimState(claim, fresh=False, done=False, partition=-1, offset=-1)
                    self._states[_key(claim)] = known
                    known = ClaimState(claim, fresh=True, done=False, partition=-1, offset=-1)
                states.append(known)
        return states

    def done(self, claims: Sequence[tuple[Claim, int, int]]) -> None:
        self.ping()
        with self._lock:
            for claim, partition, offset in claims:
                known = self._states.get(_key(claim))
                answer = known.answer if known else None
                kept = known.claim if known else claim
                self._states[_key(claim)] = ClaimState(
                    kept,
                    fresh=False,
                    done=True,
                    partition=partition,
                    offset=offset,
                    answer=answer,
                )

    def settle(self, claim: Claim, status: int, body: bytes) -> None:
        self.ping()
        with self._lock:
            known = self._states.get(_key(claim))
            if known is not None and known.answer is None:
                self._states[_key(claim)] = ClaimState(
                    known.claim,
                    fresh=False,
                    done=known.done,
                    partition=known.partition,
                    offset=known.offset,
                    answer=(status, body),
                )

    def find(self, account_id: str, endpoint: str, key: str) -> ClaimState | None:
        self.ping()
        with self._lock:
            return self._states.get((account_id, endpoint, key))

    def find_by_ids_base(self, ids_base: str) -> ClaimState | None:
        self.ping()
        with self._lock:
            return next((s for s in self._states.values() if s.claim.ids_base == ids_base), None)

    def forget(self, before_ms: int, limit: int) -> int:
        self.ping()
        with self._lock:
            old = [k for k, s in self._states.items() if s.claim.at_ms < before_ms]
            for key in old[:limit]:
                del self._states[key]
        return min(len(old), limit)

    def ping(self) -> None:
        if self._broken:
            raise TransportError("claims", "the wire is broken")


def _key(claim: Claim) -> Key:
    return claim.account_id, claim.endpoint, claim.key


class MemoryPush:
    """Keeps what was published, for a test to look at."""

    def __init__(self) -> None:
        self.published: list[tuple[str, Mapping[str, object]]] = []

    async def publish(self, group: str, message: Mapping[str, object]) -> None:
        self.published.append((group, dict(message)))

"""Every door to the outside, as a Protocol. Each has one contract test class that all adapters pass.

What every adapter promises:
- A method returns only after its effect is durable, or raises. `TransportError`: nothing happened.
  `UnknownOutcomeError`: it may have happened; ask again with the same ids.
- Everything that takes a list takes a batch: one round trip, whatever its length.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar

from oms_project.kernel import wire
from oms_project.kernel.rows import (
    AccountRow,
    BalanceRow,
    CancelRoute,
    Changes,
    Chunk,
    Claim,
    ClaimState,
    FillRow,
    InstrumentRow,
    OrderPage,
    OrderQuery,
    OrderRow,
    OrderUpdate,
    PositionRow,
    Progress,
    Record,
    Report,
    ReportKind,
    Route,
    Snapshot,
    StepRow,
    StoredRecord,
    Submission,
)

__all__ = [
    "AccountRow",
    "BalanceRow",
    "CancelRoute",
    "Changes",
    "Chunk",
    "Claim",
    "ClaimState",
    "Clock",
    "FillRow",
    "IdempotencyStore",
    "Ids",
    "InstrumentRow",
    "Intake",
    "Log",
    "OrderPage",
    "OrderQuery",
    "OrderRow",
    "OrderStore",
    "OrderUpdate",
    "PositionRow",
    "Progress",
    "Push",
    "Record",
    "Reference",
    "Report",
    "ReportKind",
    "Route",
    "Snapshot",
    "StepRow",
    "StoredRecord",
    "Submission",
    "Subscription",
    "Venue",
]


class Subscription(Protocol):
    """One member of a consumer group on one topic. Used by one thread."""

    def poll(
        self, records_max: int, wait_ms: int, bytes_max: int = wire.READ_BYTES_MAX
    ) -> list[StoredRecord]:
        """Return records of assigned partitions in offset order a partition; [] after *wait_ms*.

        Of one partition none behind the record that makes them *bytes_max* bytes or more.
        """

    def assigned(self) -> frozenset[int]:
        """Return the partitions that are this member's now. Changes only inside `poll`.

        A newly assigned partition delivers nothing until `seek` was called for it. One that was
        away in between (somebody else may have owned it) is missing for one poll.
        """

    def seek(self, partition: int, offset: int) -> None:
        """Deliver from *offset* on.

        Raises:
            ValueError: the partition is not assigned.
            GapError (at the next poll): the log was trimmed beyond *offset*, or ends before it
                (it lost records that were durable).
        """

    def pause(self, partition: int) -> None:
        """Deliver nothing of *partition* until it is sought again. It stays ours."""

    def commit(self, next_offsets: Mapping[int, int]) -> None:
        """Tell the group how far the effect is durable: the next offset to read. A hint only.

        A partition that is not ours any more is left alone, without an error.
        """

    def committed(self, partition: int) -> int | None:
        """Return the group's committed next offset, or None if there is none."""

    def close(self) -> None:
        """Leave the group; another member may take the partitions at once."""


class Log(Protocol):
    """Ordered, durable, partitioned records: the truth of the product."""

    partitions: int

    def append(self, topic: str, records: Sequence[Record]) -> list[int]:
        """Append all records, in order, and return their offsets once they are durable.

        Records of one partition are neighbours in the order given only if nobody else appends.
        UnknownOutcomeError: any of them may be in the log, others not.

        Raises:
            ValueError: a partition that does not exist.
            RecordTooLargeError: a record larger than wire.RECORD_BYTES_MAX; nothing was written.
        """

    def read(self, topic: str, partition: int, offset: int, records_max: int) -> list[StoredRecord]:
        """Return up to *records_max* records from *offset* on, without waiting or a group.

        Fewer where they would be more than about wire.READ_BYTES_MAX; [] only at the end of the log.

        Raises:
            GapError: the log was trimmed beyond *offset*, or ends before it (it lost records).
        """

    def end_offset(self, topic: str, partition: int) -> int:
        """Return the offset the next record will get."""

    def end_offsets(self, topic: str) -> list[int]:
        """Return the end offset of every partition, by partition: one question, however many."""

    def first_offset(self, topic: str, partition: int) -> int:
        """Return the oldest offset that can still be read (the end offset if there is none)."""

    def committed(self, topic: str, group: str) -> dict[int, int]:
        """Return where *group* goes on in each partition it ever committed, without joining it."""

    def subscribe(self, topic: str, group: str) -> Subscription:
        """Join *group*: partitions are shared among its live members, each owned by one."""

    def trim(self, topic: str, partition: int, before: int) -> int:
        """Forget records below *before*; return how many went (Kafka: retention does it, 0)."""

    def close(self) -> None: ...


class IdempotencyStore(Protocol):
    """Durable claims. For ever true: one (account, endpoint, key) has one claim."""

    def claim(self, claims: Sequence[Claim]) -> list[ClaimState]:
        """Insert each claim that is not there; return the state of each, in order.

        A claim that existed comes back as it was stored (its fingerprint may differ from yours).
        """

    def done(self, claims: Sequence[tuple[Claim, int, int]]) -> None:
        """Note that each claim's record is in the log at (partition, offset)."""

    def settle(self, claim: Claim, status: int, body: bytes) -> None:
        """Keep the answer that was given, to be given again byte for byte. The first one stays."""

    def find(self, account_id: str, endpoint: str, key: str) -> ClaimState | None:
        """Return the claim of a key, or None: nothing is claimed by asking."""

    def find_by_ids_base(self, ids_base: str) -> ClaimState | None:
        """Return the claim whose ids start with *ids_base*, or None."""

    def forget(self, before_ms: int, limit: int) -> int:
        """Delete up to *limit* claims older than *before_ms*; return how many went."""

    def ping(self) -> None:
        """Raise TransportError if the store does not answer."""


class Intake(Protocol):
    """The durable door: claim and append as one step, a batch of submissions at a time."""

    def commit(self, submissions: Sequence[Submission]) -> list[ClaimState | Exception]:
        """Return a state for each submission: done=True means its record is durable in the log.

        fresh: this call made the claim and wrote the record. Not fresh and the fingerprints
        equal: a replay (state.claim has the ids to answer with; a claim left in flight by a crash
        was driven on here). done=False: another request with this key is in flight.
        An item is an exception (TransportError, UnknownOutcomeError) if that one failed.
        """

    def find(self, account_id: str, endpoint: str, key: str) -> ClaimState | None:
        """As IdempotencyStore: for answering a repeated request as the first time."""

    def find_by_ids_base(self, ids_base: str) -> ClaimState | None:
        """As IdempotencyStore: for reading an order that is not projected yet."""

    def settle(self, claim: Claim, status: int, body: bytes) -> None:
        """As IdempotencyStore."""

    def forget(self, before_ms: int, limit: int) -> int:
        """As IdempotencyStore."""

    def close(self) -> None:
        """Finish what is owed behind answers that were given. Nothing is committed after this."""


class OrderStore(Protocol):
    """What is shown: a projection of oms.events, and the engine's snapshots and epochs."""

    def apply(self, changes: Changes) -> None:
        """Write all changes; writing them again, or older ones, changes nothing."""

    def progress(self, partition: int) -> Progress:
        """Return how far *partition* is projected (0, -1 at the beginning)."""

    def get(self, order_id: str, account_ids: Sequence[str]) -> OrderRow | None:
        """Return the order if one of the accounts owns it."""

    def page(self, query: OrderQuery) -> OrderPage:
        """Return up to query.limit orders, newest first (order_id descending), at a bounded cost."""

    def find(self, query: OrderQuery) -> list[OrderRow]:
        """Return up to query.limit orders, newest first, at whatever cost: no fewer if there are more."""

    def steps(self, account_id: str, order_id: str, from_seq: int, limit: int) -> list[int]:
        """Return the seqs ≥ *from_seq* of the order's steps (StepRow), in order."""

    def chunks(self, stream: str, from_seq: int, limit: int) -> list[Chunk]:
        """Return chunks that hold seqs ≥ *from_seq*, in order."""

    def chunks_before(self, stream: str, before_seq: int, limit: int) -> list[Chunk]:
        """Return chunks that begin before *before_seq*, newest first."""

    def chunks_holding(self, stream: str, seqs: Sequence[int]) -> list[Chunk]:
        """Return the chunks that hold any of *seqs*, in order, each once."""

    def last_seq(self, stream: str) -> int:
        """Return the newest stored account_seq (0 if there is none)."""

    def heads(self, partition: int, after_offset: int, limit: int) -> list[tuple[int, str, int]]:
        """Return (command offset, stream, last_seq) of chunks behind *after_offset*, in order."""

    def positions(self, account_ids: Sequence[str]) -> list[PositionRow]: ...

    def balances(self, account_ids: Sequence[str]) -> list[BalanceRow]: ...

    def take_epoch(self, partition: int) -> int:
        """Make the caller the partition's owner and return its epoch: one more than the last."""

    def save_snapshot(self, snapshot: Snapshot) -> None:
        """Keep the snapshot (and the one before it).

        Raises:
            FencedError: a newer epoch owns the partition.
        """

    def save_segments(self, partition: int, bodies: Mapping[int, bytes]) -> None:
        """Keep segments of used ids, by number. One that is there already stays as it is."""

    def segments(self, partition: int) -> dict[int, bytes]:
        """Return every kept segment of the partition, by number."""

    def load_snapshot(self, partition: int) -> Snapshot | None:
        """Return the newest snapshot whose hash is right, or None."""

    def snapshots(self, partition: int) -> list[Snapshot]:
        """Return the kept snapshots whose hash is right, newest first."""

    def ping(self) -> None:
        """Raise TransportError if the store does not answer."""


class Reference(Protocol):
    """Accounts and instruments as the engine has them in force (Django's own database)."""

    def apply(self, accounts: Sequence[AccountRow], instruments: Sequence[InstrumentRow]) -> None:
        """Write them; an older version (seq, at_ns) changes nothing."""


Prices = TypeVar("Prices", contravariant=True)


class Venue(Protocol[Prices]):
    """Where orders are executed. Its answers come back as commands in the log, never as returns.

    Prices: what it is shown of the market. Every now_ns is monotonic time: a clock that is set never
    holds up a report. A venue is driven by the engine's thread and keeps no truth of its own: after a
    restart it is told with `resume` what is open, and goes on behind the executions it told before.
    """

    name: str

    def on_book(self, symbol_prices: Prices, now_ns: int) -> None:
        """Show it a symbol's newest book."""

    def route(self, routes: Sequence[Route | CancelRoute], now_ns: int) -> None:
        """Send orders and cancels, in order. An order id already known is ignored."""

    def resume(self, routes: Sequence[Route], now_ns: int) -> None:
        """Take back what was open before a restart. executions = 0: it was never acknowledged."""

    def reports(self, now_ns: int) -> list[tuple[str, list[Report]]]:
        """Return (account_id, reports in order) of everything due by *now_ns*, once."""


class Push(Protocol):
    """A hint to everybody who watches: "there is more, up to seq". Losing one loses nothing."""

    async def publish(self, group: str, message: Mapping[str, object]) -> None:
        """Tell *group*.

        Raises:
            TransportError: the hint is lost; go on.
        """


class Clock(Protocol):
    def now_ns(self) -> int:
        """Return nanoseconds since 1970 UTC: what is stamped on records."""

    def monotonic_ns(self) -> int:
        """Return nanoseconds that never go back: for time-outs and rates."""


class Ids(Protocol):
    def new(self) -> str:
        """Return a new unique id (a UUID's text)."""

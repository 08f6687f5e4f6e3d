"""The values that go through the ports: records, claims, rows, routes and reports. Integers inside."""

from collections.abc import Callable
from enum import StrEnum

import msgspec

from oms_project.kernel.numbers import Count, Int64
from oms_project.kernel.terms import Terms
from oms_project.kernel.words import Status


class Record(msgspec.Struct, frozen=True, gc=False):
    """What is appended. key: account id or "" for a record of the whole partition."""

    partition: int
    key: str
    value: bytes


class StoredRecord(msgspec.Struct, frozen=True, gc=False):
    """What is read back. offset: position in its partition, growing, never reused."""

    partition: int
    offset: int
    key: str
    value: bytes


class Claim(msgspec.Struct, frozen=True, gc=False):
    """A request's right to happen once: UNIQUE (account_id, endpoint, key).

    fingerprint: sha256 of the canonical body; ids_base: see kernel/ids.py; at_ms: door's clock.
    """

    account_id: str
    endpoint: str
    key: str
    fingerprint: bytes
    ids_base: str
    at_ms: int


class ClaimState(msgspec.Struct, frozen=True, gc=False):
    """What the store knows of a claim.

    fresh: True only for the caller that made it. done: its record is in the log at
    (partition, offset). answer: the stored answer if one was settled: (HTTP status, body).
    """

    claim: Claim
    fresh: bool
    done: bool
    partition: int
    offset: int
    answer: tuple[int, bytes] | None = None


class Submission(msgspec.Struct, frozen=True, gc=False):
    """A claim and the command record that shall be in the log if, and only if, it is first.

    rebuild: makes the record again with the ids of the stored claim, for a claim that was left
    behind between claim and append (its time, and so its ids, are older than ours). Without it
    such a claim is driven on only by a submission that has the stored ids itself.
    """

    claim: Claim
    record: Record
    rebuild: Callable[[Claim], Record] | None = None

    def again(self, stored: Claim) -> Record | None:
        """Return the record for the claim as it is *stored*, or None if it cannot be made."""
        if self.rebuild is not None:
            return self.rebuild(stored)
        return self.record if self.claim.ids_base == stored.ids_base else None


class OrderRow(msgspec.Struct, kw_only=True, gc=False):
    """One order as it is stored and shown. Integers in ticks, lots and smallest units.

    terms: what the client wants; cap_ticks: the worst price a market order may pay, 0 for a limit;
    cost: Σ lots × ticks of its fills; fee: smallest units of the quote asset, Σ of its fills;
    reason: the code of a refusal or cancel; version: grows with every event of the order;
    first_seq, last_seq: account_seqs of its first and its last event; end_seq: of the one that
    ended it, 0 while there is none; *_ns: nanoseconds since 1970 UTC.
    """

    order_id: str
    account_id: str
    client_order_id: str
    terms: Terms
    cap_ticks: int
    status: Status
    cum_lots: int = 0
    cost: int = 0
    fee: int = 0
    rejected_by: str = ""
    reason: str = ""
    late_fill: bool = False
    overfilled: bool = False
    version: int = 0
    first_seq: int = 0
    end_seq: int = 0
    last_seq: int = 0
    created_ns: int = 0
    updated_ns: int = 0
    actor: str = ""


class OrderUpdate(msgspec.Struct, gc=False):
    """What changed of an order already stored: applied only where version is lower.

    end_seq 0, reason and rejected_by "", late_fill and overfilled False leave what is stored: facts
    are never undone.
    """

    order_id: str
    account_id: str
    status: Status
    cum_lots: int
    cost: int
    fee: int
    rejected_by: str
    reason: str
    late_fill: bool
    overfilled: bool
    version: int
    end_seq: int
    last_seq: int
    updated_ns: int


class StepRow(msgspec.Struct, gc=False):
    """A chunk that has events of the order; seq: of the last of them.

    Its first event and the one that ended it are in its row: there is no step for their chunks, so
    most orders have none. Rows and steps together lead to every event of an order.
    """

    account_id: str
    order_id: str
    seq: int


class FillRow(msgspec.Struct, gc=False):
    """One execution, as it is read off the stream. seq: its account_seq; fee: in the quote asset."""

    account_id: str
    seq: int
    order_id: str
    trade_id: str
    venue: str
    symbol: str
    side: str
    lots: int
    ticks: int
    fee: int
    liquidity: str
    at_ns: int


class PositionRow(msgspec.Struct, gc=False):
    """Net position. cost, realized: ticks × lots. seq: account_seq that made it so."""

    account_id: str
    symbol: str
    net_lots: int
    cost: int
    realized: int
    seq: int


class BalanceRow(msgspec.Struct, gc=False):
    """One asset of one account in smallest units; the five always sum to zero.

    free + locked: the account's; fees: paid to us; venue: owed by the venue's side of the trades;
    external: the other side of deposits and adjustments.
    """

    account_id: str
    asset: str
    free: int
    locked: int
    fees: int
    venue: int
    external: int
    seq: int


class AccountRow(msgspec.Struct, gc=False):
    """An account as the engine has it in force. limits: JSON text of risk.domain.limits.Limits.

    seq: the account_seq of the event that made it so.
    """

    account_id: str
    name: str
    state: str
    limits: str
    seq: int


class InstrumentRow(msgspec.Struct, gc=False):
    """An instrument in force. spec: JSON text of marketdata.domain.instrument.Instrument.

    offset: of the command that made it so (partitions agree on the content, not on the offset).
    """

    symbol: str
    state: str
    spec: str
    at_ns: int
    partition: int
    offset: int


class Chunk(msgspec.Struct, gc=False):
    """The events of one command record as they stand in oms.events; body: the record's value.

    stream: account id or "~partition"; first_seq..last_seq: the account_seqs in it, gap-free.
    """

    stream: str
    first_seq: int
    last_seq: int
    partition: int
    offset: int
    body: bytes


class Changes(msgspec.Struct, gc=False):
    """Everything one projector step writes, for one partition, in one go.

    next_offset: of oms.events, to go on from. last_command: the offset of the last command whose
    events are in here. epoch: of the writer.
    """

    partition: int
    next_offset: int
    last_command: int
    orders: list[OrderRow]
    updates: list[OrderUpdate]
    steps: list[StepRow]
    positions: list[PositionRow]
    balances: list[BalanceRow]
    chunks: list[Chunk]


class Progress(msgspec.Struct, frozen=True, gc=False):
    """How far a partition is projected."""

    partition: int
    next_offset: int
    last_command: int


SNAPSHOTS_KEPT = 2
"""Of a partition, by every store: the one before the newest is there if that is broken."""


class Snapshot(msgspec.Struct, frozen=True, gc=False):
    """The engine's state of a partition after the command at offset - 1.

    state_hash: hex sha256 of state. last_event_command: offset of the last command with events.
    """

    partition: int
    offset: int
    state: bytes
    state_hash: str
    epoch: int


class OrderQuery(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Filters of a list of orders, newest first.

    from_ns, to_ns: by the time in the order's id, to the millisecond: when a door first took it.
    before_id: keyset cursor, exclusive.
    """

    account_ids: tuple[str, ...]
    symbol: str | None = None
    statuses: tuple[Status, ...] = ()
    side: str | None = None
    from_ns: int | None = None
    to_ns: int | None = None
    client_order_id: str | None = None
    before_id: str | None = None
    limit: int = 100


class OrderPage(msgspec.Struct, frozen=True, gc=False):
    """Some orders of a list. before_id: where to go on, None: that was all.

    There may be fewer than were asked for, even none, and more behind: a store looks at so many
    rows for a page and no further.
    """

    rows: list[OrderRow]
    before_id: str | None = None


class Route(msgspec.Struct, frozen=True, gc=False):
    """An order on its way to the venue.

    sign: +1 buy, -1 sell; lots: still open; limit_ticks: never trade beyond (a market order's cap);
    rests: a remainder stays in the book (GTC) instead of being canceled (IOC); all_or_none: FOK;
    executions: how many reports of it are in the log already (0 for a new order); deadline_ns: wall
    time after which it must not be sent any more, 0: never.
    """

    order_id: str
    account_id: str
    symbol: str
    sign: int
    lots: int
    limit_ticks: int
    rests: bool
    all_or_none: bool
    executions: int = 0
    deadline_ns: int = 0


class CancelRoute(msgspec.Struct, frozen=True, gc=False):
    """A request to cancel at the venue. expires: its time is over, so the answer is EXPIRED."""

    order_id: str
    account_id: str
    symbol: str
    expires: bool = False


class ReportKind(StrEnum):
    """FIX ExecType of a venue's report."""

    NEW = "new"
    TRADE = "trade"
    CANCELED = "canceled"
    REJECTED = "rejected"
    EXPIRED = "expired"
    CANCEL_REJECTED = "cancel_rejected"


class Report(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One execution report. execution: 1, 2, … of the order; lots, ticks: of a trade, else 0.

    symbol, sign: of a trade, so that one of an unknown order can be booked; "" and 0 elsewhere.
    """

    order_id: str
    kind: ReportKind
    execution: Count
    lots: Int64 = 0
    ticks: Int64 = 0
    maker: bool = False
    reason: str = ""
    symbol: str = ""
    sign: Int64 = 0

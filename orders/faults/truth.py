"""What the product holds in the end, read from its store and its logs. Judged elsewhere."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from oms_project.adapters.dead_letters import DeadLetter
from oms_project.kernel import wire
from oms_project.kernel.errors import BadRecordError
from oms_project.kernel.ports import FillRow, Log, OrderQuery, OrderRow, OrderStore
from oms_project.kernel.words import Topic
from orders import replay
from orders.adapters import stream
from orders.bench import verify
from orders.domain import events

PAGE: Final = 500
POISON: Final = b"poison "
"""How the bytes begin that the faults put into the log for nobody to read."""
_letters = msgspec.msgpack.Decoder(DeadLetter)


class Stretch(msgspec.Struct):
    """The stored events of one command: seqs first..last of the account's stream."""

    first_seq: int
    last_seq: int
    offset: int
    events: list[events.Event]


class Truth(msgspec.Struct, kw_only=True):
    """By account: orders, event stream, fills, what is wrong with its balances.

    hash: of a replay of the whole log against the newest snapshots, "equal" or what is not;
    undecided: what is behind the snapshots or not stored; poison_found: our poison among the dead
    letters, as "topic/partition/offset"; set_aside: what is there besides. retold: commands that
    were decided otherwise when they were decided again, in words.
    """

    orders: dict[str, list[OrderRow]]
    streams: dict[str, list[Stretch]]
    fills: dict[str, list[FillRow]]
    books: dict[str, list[str]]
    hash: str
    undecided: list[str]
    poison_found: set[str]
    set_aside: list[str]
    retold: list[str] = []
    commands: int = 0


def gather(store: OrderStore, log: Log, account_ids: Sequence[str]) -> Truth:
    """Read everything there is of the accounts, and replay the log from its beginning."""
    outcome = replay.run(log, store, log.partitions)
    poison_found, set_aside = _dead_letters(log)
    orders = {account_id: _orders(store, account_id) for account_id in account_ids}
    details = list(outcome.details)
    if outcome.compared != log.partitions:
        details.append(f"{outcome.compared} of {log.partitions} partitions were compared")
    return Truth(
        orders=orders,
        streams={account_id: _stream(store, account_id) for account_id in account_ids},
        fills={account_id: _fills(store, account_id) for account_id in account_ids},
        books={
            account_id: list(verify.books(store, account_id, signed_lots(rows)))
            for account_id, rows in orders.items()
        },
        hash="equal" if outcome.equal and not details else "; ".join(details),
        undecided=_undecided(store, log),
        poison_found=poison_found,
        set_aside=set_aside,
        retold=list(_retold(log)),
        commands=outcome.commands,
    )


def signed_lots(rows: Sequence[OrderRow]) -> Counter[str]:
    """Return symbol -> lots bought less lots sold."""
    found: Counter[str] = Counter()
    for row in rows:
        found[row.terms.symbol] += row.cum_lots * row.terms.sign
    return found


def _orders(store: OrderStore, account_id: str) -> list[OrderRow]:
    found: list[OrderRow] = []
    before_id: str | None = None
    while True:
        page = store.find(OrderQuery(account_ids=(account_id,), before_id=before_id, limit=PAGE))
        found += page
        if len(page) < PAGE:
            return found
        before_id = page[-1].order_id


def _fills(store: OrderStore, account_id: str) -> list[FillRow]:
    found: list[FillRow] = []
    before: int | None = stream.SEQ_MAX
    while before is not None:
        page = stream.fills_of_account(store, account_id, before=before, limit=PAGE)
        found += page.rows
        before = page.before
    return found


def _stream(store: OrderStore, account_id: str) -> list[Stretch]:
    found: list[Stretch] = []
    after = 0
    while True:
        page = store.chunks(account_id, after + 1, PAGE)
        for chunk in page:
            envelope = wire.open_envelope(chunk.body, events.SCHEMA)
            batch = wire.read_body(events.decoder, envelope)
            found.append(Stretch(chunk.first_seq, chunk.last_seq, chunk.offset, batch.events))
        if len(page) < PAGE:
            return found
        after = page[-1].last_seq


def _undecided(store: OrderStore, log: Log) -> list[str]:
    """Return what the newest snapshots and the projection do not cover."""
    found = []
    for partition in range(log.partitions):
        progress = store.progress(partition)
        snapshot = store.load_snapshot(partition)
        covered = snapshot.offset if snapshot is not None else 0
        if covered <= progress.last_command:
            found.append(f"partition {partition}: snapshot at {covered}, {progress} stored")
        end = log.end_offset(Topic.EVENTS, partition)
        if end != progress.next_offset:
            found.append(f"partition {partition}: {end} events, {progress.next_offset} stored")
    return found


def _retold(log: Log) -> Iterator[str]:
    """Yield the commands whose events stand in the log twice and are not the same.

    An engine that dies behind an append tells them again: whatever happened in between, a restored
    store, another clock, it must come to the same decision. Its epoch may differ.
    """
    for partition in range(log.partitions):
        told: dict[int, events.EventBatch] = {}
        offset = log.first_offset(Topic.EVENTS, partition)
        while records := log.read(Topic.EVENTS, partition, offset, PAGE):
            offset = records[-1].offset + 1
            for record in records:
                try:
                    envelope = wire.open_envelope(record.value, events.SCHEMA)
                    batch = wire.read_body(events.decoder, envelope)
                except BadRecordError:
                    continue  # poison of ours
                first = told.setdefault(batch.offset, batch)
                if msgspec.structs.replace(batch, epoch=first.epoch) != first:
                    yield f"command {partition}/{batch.offset} was decided twice, and not alike"


def _dead_letters(log: Log) -> tuple[set[str], list[str]]:
    """Return the ids of our own poison among the dead letters, and everything else that is there."""
    ours: set[str] = set()
    others: list[str] = []
    for partition in range(log.partitions):
        offset = log.first_offset(Topic.DEADLETTER, partition)
        while records := log.read(Topic.DEADLETTER, partition, offset, PAGE):
            offset = records[-1].offset + 1
            for record in records:
                envelope = wire.open_envelope(record.value, "deadletter")
                letter = wire.read_body(_letters, envelope)
                if letter.value.startswith(POISON):
                    ours.add(envelope.id)
                else:
                    others.append(f"{envelope.id}: {letter.error} {letter.reason}")
    return ours, others

"""Replay: rebuild a partition's state from the log alone and compare it with what was live.

This is the recovery procedure, the disaster drill and the proof of determinism in one.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from oms_project.adapters.clock import NS_PER_S, SystemClock
from oms_project.kernel.ports import Log, OrderStore
from oms_project.kernel.words import Topic
from orders.deciding import History, decide
from orders.domain import commands
from orders.domain.book import Book, State, state_hash
from orders.domain.laws import breaches

RECORDS_MAX: Final = 500


class Outcome(msgspec.Struct):
    """commands: orders, cancels and reports decided again; equal: every hash was the live one."""

    records: int = 0
    commands: int = 0
    seconds: float = 0.0
    compared: int = 0
    equal: bool = True
    details: list[str] = []


def run(
    log: Log,
    store: OrderStore,
    partitions: int,
    progress: Callable[[int, int], None] = lambda done, all: None,
) -> Outcome:
    """Replay every partition from the oldest record there is up to its newest snapshot.

    If the log was trimmed, the start is the oldest kept snapshot instead of nothing.
    """
    outcome = Outcome()
    clock = SystemClock()
    begun_ns = clock.monotonic_ns()
    for partition in range(partitions):
        _partition(log, store, partition, outcome, progress)
    outcome.seconds = (clock.monotonic_ns() - begun_ns) / NS_PER_S
    return outcome


def _partition(
    log: Log,
    store: OrderStore,
    partition: int,
    outcome: Outcome,
    progress: Callable[[int, int], None],
) -> None:
    snapshots = store.snapshots(partition)
    if not snapshots:
        outcome.details.append(f"partition {partition}: no snapshot to compare with yet")
        return
    live, older = snapshots[0], snapshots[-1]
    book = Book(State(partition))
    first = log.first_offset(Topic.COMMANDS, partition)
    if first:
        if not first <= older.offset < live.offset:
            outcome.details.append(
                f"partition {partition}: the log begins at {first}; nothing compared"
            )
            return
        book = Book.from_bytes(older.state, store.segments(partition))
        outcome.details.append(
            f"partition {partition}: the log begins at {first}; compared from the snapshot at "
            f"{older.offset}"
        )
    history = History(log, partition, book.state.offset, emitted=live.offset)
    while book.state.offset < live.offset:
        count = min(RECORDS_MAX, live.offset - book.state.offset)
        for record in log.read(Topic.COMMANDS, partition, book.state.offset, count):
            decided = decide(book, record, log.partitions, history)
            outcome.records += 1
            if decided.command is not None:
                outcome.commands += weight(decided.command)
        progress(book.state.offset, live.offset)
    found = state_hash(book.to_bytes())
    outcome.compared += 1
    if found != live.state_hash:
        outcome.equal = False
        outcome.details.append(f"partition {partition}: {found} replayed, {live.state_hash} live")
    for breach in breaches(book.state):
        outcome.equal = False
        outcome.details.append(f"partition {partition}: {breach}")


def weight(command: commands.Command) -> int:
    """Return how many orders, cancels or reports a command is."""
    match command:
        case commands.PlaceOrders(orders=many) | commands.VenueReports(reports=many):
            return len(many)
        case _:
            return 1

"""What keeps a running machine from filling up: the log is trimmed, old claims are forgotten.

Rules of this file:
- Only what nobody can ask for again goes. When in doubt it stays: a log that is too long costs disk,
  one that is too short stops an engine.
- In small portions: each takes the lock that orders wait for. `over` ends the work early; the next
  run goes on. Doing it twice changes nothing.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from oms_project.kernel.errors import BadRecordError
from oms_project.kernel.ports import Intake, Log, OrderStore
from oms_project.kernel.words import Topic

PORTION: Final = 1_000
CLAIMS_PORTION: Final = 500
PRICES_KEPT: Final = 2_000
PRICES_PARTITION: Final = 0
SNAPSHOTS_NEEDED: Final = 2

Over = Callable[[], bool]


class Trimmed(msgspec.Struct, frozen=True):
    """before: the first offset that is still wanted; records: how many went now."""

    topic: str
    partition: int
    before: int
    records: int


class _Head(msgspec.Struct, array_like=True):
    """The first fields of orders.domain.book.State: the rest of a snapshot stays unread."""

    partition: int
    format: int
    offset: int
    event_command: int


_head = msgspec.msgpack.Decoder(_Head).decode


def first_command_needed(store: OrderStore, partition: int) -> int:
    """Return the oldest command that an engine, the read side or a replay may still ask for.

    An engine begins at the newest snapshot, or at the one before it if that is broken, so nothing
    goes before there are two good ones. A command whose events are not stored yet is needed to show
    its orders, and to make the events again if they were lost with the power.
    """
    snapshots = store.snapshots(partition)
    if len(snapshots) < SNAPSHOTS_NEEDED:
        return 0
    older = snapshots[-1]
    try:
        head = _head(older.state)
    except msgspec.DecodeError as error:
        raise BadRecordError(f"snapshot of partition {partition}: {error}") from error
    last_command = store.progress(partition).last_command
    # Commands without events (marks) never move last_command: ask for the last one that has some.
    return older.offset if last_command >= head.event_command else last_command + 1


def trim_log(log: Log, store: OrderStore, keep_records: int, over: Over) -> list[Trimmed]:
    """Trim every topic and partition behind what is needed, *keep_records* more stay.

    Events are needed from where the projector is. An engine asks only for the newest of them, which
    a log never lets go. Dead letters stay until a person has looked.
    """
    done = []
    for partition in range(log.partitions):
        needed = first_command_needed(store, partition)
        done.append(_trim(log, Topic.COMMANDS, partition, needed - keep_records, over))
        needed = store.progress(partition).next_offset
        done.append(_trim(log, Topic.EVENTS, partition, needed - keep_records, over))
    newest = log.end_offset(Topic.PRICES, PRICES_PARTITION)
    done.append(_trim(log, Topic.PRICES, PRICES_PARTITION, newest - PRICES_KEPT, over))
    return done


def _trim(log: Log, topic: str, partition: int, before: int, over: Over) -> Trimmed:
    gone = 0
    at = log.first_offset(topic, partition)
    while at < before and not over():
        at = min(before, at + PORTION)
        count = log.trim(topic, partition, at)
        gone += count
        if not count:
            break  # Kafka: its own retention does it
    return Trimmed(topic, partition, max(0, before), gone)


def forget_claims(intake: Intake, before_ms: int, over: Over) -> int:
    """Forget the done claims older than *before_ms*; return how many went."""
    gone = 0
    while not over():
        count = intake.forget(before_ms, CLAIMS_PORTION)
        gone += count
        if count < CLAIMS_PORTION:
            break
    return gone

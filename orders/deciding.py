"""One record of oms.commands decided: the same for the live engine and for every replay.

What cannot be read or decided is set aside, and that it was is an event like any other: a replay, by
this version or a later one that could read the record, obeys it.
"""

from typing import Final, NamedTuple

from oms_project.adapters import dead_letters
from oms_project.kernel.errors import LeftAloneError, OldVersionError, PoisonError
from oms_project.kernel.ports import Log, StoredRecord
from oms_project.kernel.words import Topic
from orders.adapters import heads
from orders.domain import apply, commands, readable
from orders.domain.book import Book
from orders.domain.decide import Turn, set_aside, step

REASON_CHARS_MAX: Final = 200


class Decided(NamedTuple):
    """What a record came to. error: it was set aside, and why; command: None then.

    at_ns, actor, id, trace: of its envelope, empty where that could not be read.
    """

    turn: Turn
    command: commands.Command | None
    at_ns: int
    actor: str
    id: str
    trace: str
    error: PoisonError | None = None


class History:
    """What is known of commands that were decided before: which were set aside, and how far.

    emitted: the last command whose events, and all before them, are in oms.events.
    """

    def __init__(self, log: Log, partition: int, offset: int, emitted: int) -> None:
        """Read what happened from command *offset* on."""
        self.emitted = emitted
        self.by_hand = dead_letters.by_hand(log, Topic.COMMANDS, partition)
        self.aside = self.by_hand | {
            one for one in dead_letters.set_aside(log, Topic.COMMANDS, partition) if one >= offset
        }
        if offset <= emitted:
            self.aside |= heads.set_aside(log, partition, offset)


def decide(book: Book, record: StoredRecord, partitions: int, history: History) -> Decided:
    """Decide *record*; the book has changed when this returns.

    Raises:
        NewerVersionError, OldVersionError: another version of the product wrote it, or decided it
            when this one cannot: nobody may go on.
    """
    assert record.offset == book.state.offset, f"{record.offset} after {book.state.offset}"
    apply.advance(book, record.offset)
    at_ns, actor, id, trace = 0, "", f"{record.partition}-{record.offset}", ""
    try:
        if record.offset in history.by_hand:
            raise LeftAloneError("set aside by hand")
        envelope, command = readable.command_in(record, partitions)  # said again in the same words
        if record.offset in history.aside:
            raise LeftAloneError("set aside when it was met")
        at_ns, actor, id, trace = envelope.at_ns, envelope.actor, envelope.id, envelope.trace
        turn = step(book, id, at_ns, command)
    except PoisonError as error:
        if record.offset <= history.emitted and record.offset not in history.aside:
            raise OldVersionError(
                f"command {record.offset} of partition {record.partition} was decided by another "
                f"version of the product; this one cannot: {error}"
            ) from error
        turn = set_aside(book, record.offset, str(error)[:REASON_CHARS_MAX])
        return Decided(_told(book, record, turn), None, at_ns, actor, id, trace, error)
    return Decided(_told(book, record, turn), command, at_ns, actor, id, trace)


def _told(book: Book, record: StoredRecord, turn: Turn) -> Turn:
    if turn.events:
        apply.emit(book, turn.account, record.offset, len(turn.events))
    return turn

"""Dead letters for operators: what was set aside, why, and what a person decided about it.

Rules of this file:
- The topic is a log like the others, so nothing in it is changed: a decision is one more letter,
  about a letter (topic oms.deadletter, key its id, error how it was resolved).
- Only commands can be sent again: they are refused or absorbed if they were done already. An event
  or a price out of its place would stop, or mislead, everybody who reads it.
- A command is sent again with the time of now: risk looks at today's prices, not at those of then.
- Setting a command aside by hand is for one that ends the engine each time: it must lie behind what was
  decided, for a decision is never taken back.
- A pause ends for what stands in the log at that moment: what comes later is judged anew.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from oms_project.adapters.dead_letters import (
    BY_HAND,
    RESUMED,
    SCHEMA,
    DeadLetter,
    Pause,
    Pauses,
    mark,
    read,
)
from oms_project.adapters.dead_letters import letter as letter_of
from oms_project.kernel import wire
from oms_project.kernel.errors import BadRecordError, NewerVersionError, OldVersionError
from oms_project.kernel.ports import Log, Record
from oms_project.kernel.words import Topic
from orders.adapters import heads
from orders.domain import commands

NOTES_MAX: Final = 1_000
WAITING: Final = "waiting"
RETRIED: Final = "retried"
DROPPED: Final = "dropped"


_UNREADABLE = (BadRecordError, NewerVersionError, OldVersionError)


class NotPossibleError(Exception):
    """What was asked cannot be done with this letter; the text says why."""


class Letter(msgspec.Struct, kw_only=True):
    """One record that was set aside. id: its topic/partition/offset; state: what was decided."""

    id: str
    at_ns: int
    topic: str
    partition: int
    offset: int
    key: str
    value: bytes
    error: str
    reason: str
    state: str = WAITING
    by: str = ""
    note: str = ""


def letters(log: Log) -> list[Letter]:
    """Return all letters, oldest first, each once, with what was decided about it."""
    found: dict[str, Letter] = {}
    for partition in range(log.partitions):
        first = log.first_offset(Topic.DEADLETTER, partition)
        for _, envelope, body in read(log, partition, first):
            _take(envelope, body, found)
    return sorted(found.values(), key=lambda letter: (letter.at_ns, letter.id))


def _take(envelope: wire.Envelope, body: DeadLetter, found: dict[str, Letter]) -> None:
    if body.topic == Topic.DEADLETTER:
        letter = found.get(body.key)
        if letter is not None:
            letter.state, letter.by, letter.note = body.error, envelope.actor, body.reason
        return
    if envelope.id not in found:
        found[envelope.id] = Letter(
            id=envelope.id, at_ns=envelope.at_ns, topic=body.topic, partition=body.partition,
            offset=body.offset, key=body.key, value=body.value, error=body.error,
            reason=body.reason,
        )  # fmt: skip


def waiting_in(log: Log, where: str) -> list[Letter]:
    """Return the letters of "topic/partition" that nobody has decided about.

    Raises:
        NotPossibleError: there are none.
    """
    found = [
        letter
        for letter in letters(log)
        if letter.state == WAITING and f"{letter.topic}/{letter.partition}" == where
    ]
    if not found:
        raise NotPossibleError(f"No dead letter of {where} waits for a decision.")
    return found


def find(log: Log, letter_id: str) -> Letter:
    """Return the letter.

    Raises:
        NotPossibleError: there is none of this id.
    """
    for letter in letters(log):
        if letter.id == letter_id:
            return letter
    raise NotPossibleError(f"There is no dead letter {letter_id}.")


def content(letter: Letter) -> str:
    """Return what the record says, as far as it can be read."""
    try:
        envelope = wire.open_envelope(letter.value, commands.SCHEMA)
        command = wire.read_body(commands.decoder, envelope)
    except _UNREADABLE as error:
        return f"{len(letter.value)} bytes that cannot be read: {error}\n{letter.value[:200]!r}"
    return f"{envelope.actor}: {command!r}"


def retry(log: Log, letter: Letter, *, now_ns: int, actor: str) -> int:
    """Send the command again and note it; return its new offset. Twice does no harm, see above.

    Raises:
        NotPossibleError: it is no command, cannot be read, or was decided about already.
    """
    _check_waiting(letter)
    if letter.topic != Topic.COMMANDS:
        raise NotPossibleError(f"Only commands can be sent again, this is of {letter.topic}.")
    try:
        envelope = wire.open_envelope(letter.value, commands.SCHEMA)
        wire.read_body(commands.decoder, envelope)
    except _UNREADABLE as error:
        raise NotPossibleError(f"It still cannot be read: {error}") from error
    again = msgspec.structs.replace(envelope, at_ns=now_ns)
    value = msgspec.msgpack.encode(again)
    offset = log.append(Topic.COMMANDS, [Record(letter.partition, letter.key, value)])[0]
    note = f"sent again at offset {offset}"
    log.append(Topic.DEADLETTER, [_noted(letter, RETRIED, note, now_ns, actor)])
    return offset


def drop(log: Log, letters: Sequence[Letter], *, note: str, now_ns: int, actor: str) -> None:
    """Note that nothing will be done about the letters; thousands of a flood at once.

    Raises:
        NotPossibleError: one was decided about already; nothing was noted.
    """
    for letter in letters:
        _check_waiting(letter)
    for start in range(0, len(letters), NOTES_MAX):
        part = letters[start : start + NOTES_MAX]
        log.append(
            Topic.DEADLETTER, [_noted(letter, DROPPED, note, now_ns, actor) for letter in part]
        )


def set_aside(
    log: Log, topic: str, partition: int, offset: int, *, note: str, now_ns: int, actor: str
) -> Letter:
    """Write a letter about a command that no engine has decided, so that none ever does.

    An engine that runs looks when it takes the partition: restart it.

    Raises:
        NotPossibleError: it is no command, not in the log, or was decided already.
    """
    if topic != Topic.COMMANDS:
        raise NotPossibleError(f"Only commands can be set aside by hand, this is of {topic}.")
    if not 0 <= partition < log.partitions:
        raise NotPossibleError(f"There are partitions 0 to {log.partitions - 1}.")
    first, end = log.first_offset(topic, partition), log.end_offset(topic, partition)
    if not first <= offset < end:
        raise NotPossibleError(f"{topic}/{partition} has offsets {first} to {end - 1}.")
    decided = heads.newest(log, partition)
    if offset <= decided:
        raise NotPossibleError(
            f"The engine has decided up to {decided}; what was decided is never taken back."
        )
    record = log.read(topic, partition, offset, 1)[0]
    about = letter_of(topic, record, BY_HAND, note, now_ns=now_ns, actor=actor)
    log.append(Topic.DEADLETTER, [about])
    return find(log, f"{topic}/{partition}/{offset}")


def pauses(log: Log) -> list[Pause]:
    """Return the partitions that wait because there was too much to set aside."""
    found = Pauses(log)
    found.refresh()
    return found.all()


def resume(log: Log, pause: Pause, *, note: str, now_ns: int, actor: str) -> int:
    """Let what stands in the log be set aside, however much it is; return where that ends."""
    end = log.end_offset(pause.topic, pause.partition)
    mark(
        log, RESUMED, pause.topic, pause.partition, end, reason=note, now_ns=now_ns, actor=actor
    )  # fmt: skip
    return end


def _check_waiting(letter: Letter) -> None:
    if letter.state != WAITING:
        raise NotPossibleError(f"{letter.id} was {letter.state} already by {letter.by}.")


def _noted(letter: Letter, how: str, note: str, now_ns: int, actor: str) -> Record:
    body = DeadLetter(
        topic=Topic.DEADLETTER, partition=letter.partition, offset=letter.offset, key=letter.id,
        value=b"", error=how, reason=note,
    )  # fmt: skip
    value = wire.seal(SCHEMA, body, id=f"{how}:{letter.id}", at_ns=now_ns, actor=actor)
    return Record(letter.partition, letter.key, value)

"""The oracle: what was sent and what was answered, in a file outside the product, synced line by line.

Rules of this file:
- A request stands in the journal before its first byte leaves; an answer before anything is
  concluded from it.
- Nothing is ever changed. What is not here did not happen; what is here did.
"""

import os
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Final, Self

import msgspec


class Kind(StrEnum):
    """What a request is. BAD and REUSE must be refused: the body is illegal, the key another's."""

    SINGLE = "single"
    BATCH = "batch"
    CANCEL = "cancel"
    CANCEL_ALL = "cancel_all"
    BAD = "bad"
    REUSE = "reuse"


PLACES: Final = frozenset({Kind.SINGLE, Kind.BATCH})
REFUSED: Final = frozenset({Kind.BAD, Kind.REUSE})


class Request(msgspec.Struct, tag=True, frozen=True):
    """One request: everything that is sent again when it is repeated.

    client_order_ids: of the orders it makes, in order; cancels: the order it wants canceled.
    """

    number: int
    kind: Kind
    account_id: str
    path: str
    key: str
    body: str
    client_order_ids: tuple[str, ...] = ()
    cancels: str = ""


class Try(msgspec.Struct, tag=True, frozen=True):
    """A request is being sent, the first time or again."""

    number: int


class Answer(msgspec.Struct, tag=True, frozen=True):
    """What came back for a request."""

    number: int
    status: int
    body: str
    ms: int


class Silence(msgspec.Struct, tag=True, frozen=True):
    """Nothing came back: whether it happened is not known."""

    number: int
    why: str
    ms: int


class Seen(msgspec.Struct, tag=True, frozen=True):
    """An order as the product showed it in the middle of the run."""

    account_id: str
    order_id: str
    status: str
    rejected_by: str
    reason: str
    filled: str


class Fault(msgspec.Struct, tag=True, frozen=True):
    """Something was broken on purpose."""

    what: str


Entry = Request | Try | Answer | Silence | Seen | Fault

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Entry).decode


class Journal:
    """Appends entries to a file; each is on the disk when `write` returns."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)

    def write(self, entry: Entry) -> None:
        os.write(self._file, _encode(entry) + b"\n")
        os.fdatasync(self._file)

    def close(self) -> None:
        os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read(path: Path) -> list[Entry]:
    """Return all entries of a journal; a torn last line is not one."""
    lines = path.read_bytes().split(b"\n")
    return [_decode(line) for line in lines[:-1] if line]


# ------------------------------------------------------------------ what answers mean
RETRY_LATER: Final = frozenset({408, 425, 429})
IN_FLIGHT: Final = b'"code":"idempotency_in_flight"'


def is_definite(status: int, body: bytes) -> bool:
    """Tell whether an answer settles its request: it was taken, or refused for good."""
    if status >= 500 or status in RETRY_LATER:
        return False
    return not (status == 409 and IN_FLIGHT in body)


class Story(msgspec.Struct):
    """All that the journal has on one request."""

    request: Request
    tries: int = 0
    answers: list[Answer] = []
    silences: int = 0
    silent_ms: int = 0

    @property
    def definite(self) -> list[Answer]:
        return [one for one in self.answers if is_definite(one.status, one.body.encode())]

    @property
    def taken(self) -> list[Answer]:
        """The answers that say: it is ours now."""
        return [one for one in self.answers if 200 <= one.status < 300]


def stories(entries: Iterable[Entry]) -> list[Story]:
    """Return the journal by request, in the order of their first sending."""
    found: dict[int, Story] = {}
    for entry in entries:
        match entry:
            case Request():
                found[entry.number] = Story(entry)
            case Try():
                found[entry.number].tries += 1
            case Answer():
                found[entry.number].answers.append(entry)
            case Silence():
                story = found[entry.number]
                story.silences += 1
                story.silent_ms = max(story.silent_ms, entry.ms)
            case Seen() | Fault():
                pass
    return list(found.values())

"""Records on the wire: what was sealed is read; whatever else is refused, never half read."""

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oms_project.kernel import wire
from oms_project.kernel.errors import (
    BadRecordError,
    NewerVersionError,
    OldVersionError,
    OmsError,
    PoisonError,
    RecordTooLargeError,
)
from oms_project.tests.examples import examples


class Note(msgspec.Struct, frozen=True, array_like=True, tag=True):
    text: str
    lots: int = 0


class Other(msgspec.Struct, frozen=True, array_like=True, tag=True):
    text: str


decoder = msgspec.msgpack.Decoder(Note)
SEALED = wire.seal("note", Note("hello", 5), id="id-1", at_ns=7, actor="ann", trace="00-ab")


def read(value: bytes, schema: str = "note") -> Note:
    return wire.read_body(decoder, wire.open_envelope(value, schema))


def test_what_was_sealed_is_read() -> None:
    envelope = wire.open_envelope(SEALED, "note")
    assert (envelope.schema, envelope.version, envelope.id) == ("note", wire.VERSION, "id-1")
    assert (envelope.at_ns, envelope.actor, envelope.trace) == (7, "ann", "00-ab")
    assert wire.read_body(decoder, envelope) == Note("hello", 5)


def test_bytes_are_the_same_for_the_same() -> None:
    """A record written again after a crash is the same record."""
    again = wire.seal("note", Note("hello", 5), id="id-1", at_ns=7, actor="ann", trace="00-ab")
    assert again == SEALED


def envelope_of(*fields: object) -> bytes:
    return msgspec.msgpack.encode(fields)


PIT = b"\x91" * 100_000 + b"\x00"
GOOD = ("note", wire.VERSION, "id", 7, "ann", "")
GARBAGE = {
    "nothing": b"",
    "one byte": b"\xc1",
    "text": b"hello",
    "json": b'{"schema": "note"}',
    "a number": envelope_of()[:0] + msgspec.msgpack.encode(7),
    "a map": msgspec.msgpack.encode({"schema": "note"}),
    "too short": envelope_of(*GOOD),
    "wrong type of version": envelope_of("note", "1", *GOOD[2:], ["Note", "x"]),
    "wrong type of time": envelope_of("note", 1, "id", 7.5, "ann", "", ["Note", "x"]),
    "no time": envelope_of("note", 1, "id", None, "ann", "", ["Note", "x"]),
    "another schema": envelope_of("prices", *GOOD[1:], ["Note", "x"]),
    "no schema": envelope_of("", *GOOD[1:], ["Note", "x"]),
    "cut off": SEALED[:-1],
    "more behind it": SEALED + b"\x00",
    "twice": SEALED * 2,
    "body of another type": envelope_of(*GOOD, ["Other", "x"]),
    "body without a tag": envelope_of(*GOOD, ["x"]),
    "body of another shape": envelope_of(*GOOD, {"text": "x"}),
    "body is nil": envelope_of(*GOOD, None),
    "text for a number": envelope_of(*GOOD, ["Note", "x", "5"]),
    "a number with a point": envelope_of(*GOOD, ["Note", "x", 5.5]),
    "broken utf-8 in the envelope": b"\x97\xa4n\xffte" + SEALED[6:],
    "broken utf-8 in the body": SEALED.replace(b"hello", b"h\xffllo"),
    "a pit of lists": PIT,
    "a pit of lists in the body": envelope_of(*GOOD, 0)[:-1] + PIT,
}


@pytest.mark.parametrize("value", GARBAGE.values(), ids=list(GARBAGE))
def test_garbage_is_refused(value: bytes) -> None:
    """As poison, so that it is set aside and the partition goes on."""
    with pytest.raises(BadRecordError) as caught:
        read(value)
    assert isinstance(caught.value, PoisonError)


@pytest.mark.parametrize("version", range(wire.OLDEST, wire.VERSION + 1))
def test_what_an_older_version_wrote_is_read(version: int) -> None:
    """An upgrade keeps the log: what it says has only been added to since."""
    assert read(envelope_of("note", version, *GOOD[2:], ["Note", "x"])) == Note("x")


@pytest.mark.parametrize(
    ("version", "error", "what_to_do"),
    [
        (wire.VERSION + 1, NewerVersionError, "Start the version that wrote it"),
        (wire.OLDEST - 1, OldVersionError, "move the data directory away"),
    ],
)
def test_another_version_is_not_poison(
    version: int, error: type[OmsError], what_to_do: str
) -> None:
    """What another version acknowledged is not skipped: the process ends and says what to do."""
    assert not issubclass(error, PoisonError)
    named = f"^'note' record 'id' has version {version}, this code reads .*{what_to_do}"
    with pytest.raises(error, match=named):
        read(envelope_of("note", version, *GOOD[2:], ["Note", "x"]))


def test_another_schema_is_named() -> None:
    with pytest.raises(BadRecordError, match="'note', not 'command'"):
        wire.open_envelope(SEALED, "command")


def test_fields_added_behind_are_ignored() -> None:
    """Written by newer code of the same version: additive only."""
    assert read(envelope_of(*GOOD, ["Note", "x", 5, "new"], "new")) == Note("x", 5)


def test_fields_not_there_yet_have_their_default() -> None:
    """Written by older code."""
    assert read(envelope_of(*GOOD, ["Note", "x"])) == Note("x", 0)


@given(st.binary(max_size=60))
@examples(80)
def test_no_bytes_break_the_reader(value: bytes) -> None:
    """Read, or refused: never another exception."""
    with pytest.raises(BadRecordError):
        read(value)


@given(st.integers(0, len(SEALED) - 1), st.integers(0, 255))
@examples(80)
def test_no_flipped_byte_breaks_the_reader(at: int, byte: int) -> None:
    """One byte is another: still a note, or refused."""
    value = SEALED[:at] + bytes([byte]) + SEALED[at + 1 :]
    with contextlib.suppress(BadRecordError, NewerVersionError, OldVersionError):
        assert isinstance(read(value), Note)


def test_a_record_is_as_large_as_every_log_takes_and_no_larger() -> None:
    """To the byte; who made it has to cut it up, and is told how large it is."""
    wire.check_size(bytes(wire.RECORD_BYTES_MAX))
    with pytest.raises(RecordTooLargeError, match=f"^{wire.RECORD_BYTES_MAX + 1} bytes"):
        wire.check_size(bytes(wire.RECORD_BYTES_MAX + 1))


def test_what_is_left_out_of_an_envelope_is_empty() -> None:
    envelope = wire.open_envelope(wire.seal("note", Note("x"), id="id-1", at_ns=7), "note")
    assert (envelope.actor, envelope.trace) == ("", "")


@pytest.mark.parametrize(
    ("value", "words"),
    [(b"\xc1", "^not an envelope: "), (envelope_of(*GOOD, ["Other", "x"]), "^bad note body: ")],
)
def test_what_cannot_be_read_is_said(value: bytes, words: str) -> None:
    """It is all that stands in the dead letter about it."""
    with pytest.raises(BadRecordError, match=words):
        read(value)

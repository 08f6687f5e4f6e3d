"""Bytes of the log: one envelope around every record, with the version of all that is in it.

Structs only grow: a field is added at the end, with a default; none is removed, moved or re-used
(ADR 0017). Whatever is added makes a new VERSION, although the old is still read: a process of before
would skip what it does not know, and so decide otherwise. It stops instead, and says what to start.

2: terms, law, events as views. 3: what few orders want besides (terms.Extras), timers (ADR 0018).
"""

from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec

from oms_project.kernel.errors import (
    BadRecordError,
    NewerVersionError,
    OldVersionError,
    RecordTooLargeError,
)
from oms_project.kernel.numbers import Count

T = TypeVar("T")
VERSION = 3
"""What this code writes."""
OLDEST = 2
"""What it still reads. Nothing older is in production, so nothing older is read."""
RECORD_BYTES_MAX = 4 * 1024 * 1024
"""What every log takes in one record, and no log more. Brokers are set up for it (message.max.bytes)."""
READ_BYTES_MAX = 4 * 1024 * 1024
"""About as much is read at once, and always one record: a consumer's memory is bounded by it."""


class Envelope(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One record's value.

    schema: "command", "events", "prices", …; version: of the schema; id: unique, from the door;
    at_ns: the door's clock; actor: who caused it (user, service); trace: W3C traceparent or "";
    body: msgpack of the schema's payload, left unread until somebody needs it.
    """

    schema: str
    version: Count
    id: str
    at_ns: Count
    actor: str
    trace: str
    body: msgspec.Raw


_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that are no msgpack of the type, text that is no UTF-8, a pit of lists."""

_encode = msgspec.msgpack.Encoder().encode
_decode_envelope = msgspec.msgpack.Decoder(Envelope).decode


def seal(
    schema: str, payload: Any, *, id: str, at_ns: int, actor: str = "", trace: str = ""
) -> bytes:
    """Return the bytes of *payload* in an envelope.

    Raises:
        RecordTooLargeError: no log would take them.
    """
    body = msgspec.Raw(_encode(payload))
    value = _encode(Envelope(schema, VERSION, id, at_ns, actor, trace, body))
    check_size(value)
    return value


def count_within(values: Iterable[bytes], bytes_max: int) -> int:
    """Return how many of *values* a read gives: up to the one that makes them *bytes_max* or more."""
    size = count = 0
    for value in values:
        size += len(value)
        count += 1
        if size >= bytes_max:
            break
    return count


def check_size(value: bytes) -> None:
    """Raise RecordTooLargeError if no log takes *value*."""
    if len(value) > RECORD_BYTES_MAX:
        raise RecordTooLargeError(f"{len(value)} bytes in a record, {RECORD_BYTES_MAX} go")


def open_envelope(value: bytes, schema: str) -> Envelope:
    """Return the envelope in *value*, its body unread.

    Raises:
        BadRecordError: not an envelope, or another schema.
        NewerVersionError, OldVersionError: another version of the product wrote it. Neither is
            poison: skipping what another version acknowledged would lose it.
    """
    try:
        envelope = _decode_envelope(value)
    except _UNREADABLE as error:
        raise BadRecordError(f"not an envelope: {error}") from error
    if envelope.schema != schema:
        raise BadRecordError(f"schema {envelope.schema!r}, not {schema!r}")
    if not OLDEST <= envelope.version <= VERSION:
        raise _of_another_version(envelope)
    return envelope


def _of_another_version(envelope: Envelope) -> NewerVersionError | OldVersionError:
    found = f"{envelope.schema!r} record {envelope.id!r} has version {envelope.version}"
    if envelope.version > VERSION:
        return NewerVersionError(
            f"{found}, this code reads {VERSION}. Start the version that wrote it, or a newer one; "
            "nothing was skipped."
        )
    return OldVersionError(
        f"{found}, this code reads none before {OLDEST}. Logs of before are not carried over: move the "
        "data directory away (or use new topics and an empty store) and start again."
    )


def read_body(decoder: "msgspec.msgpack.Decoder[T]", envelope: Envelope) -> T:
    """Return the payload of *envelope*.

    Raises:
        BadRecordError: the body is not what its schema says.
    """
    try:
        return decoder.decode(envelope.body)
    except _UNREADABLE as error:
        raise BadRecordError(f"bad {envelope.schema} body: {error}") from error

"""Where in oms.events the engine is: read from the heads of its records, not from their events."""

from typing import Final

import msgspec
import structlog

from oms_project.kernel import wire
from oms_project.kernel.errors import BadRecordError
from oms_project.kernel.ports import Log, StoredRecord
from oms_project.kernel.words import Topic
from orders.domain import events

PAGE: Final = 500

_heads = msgspec.msgpack.Decoder(events.BatchHead)
_logger = structlog.get_logger(__name__)


def head_of(record: StoredRecord) -> events.BatchHead | None:
    """Return where a record of events belongs; None if it is not ours (it will be set aside)."""
    try:
        return wire.read_body(_heads, wire.open_envelope(record.value, events.SCHEMA))
    except BadRecordError as error:
        _logger.warning("unreadable_event", offset=record.offset, error=str(error))
        return None


def newest(log: Log, partition: int) -> int:
    """Return the command of the newest event, -1 if there is none."""
    first = log.first_offset(Topic.EVENTS, partition)
    for offset in range(log.end_offset(Topic.EVENTS, partition) - 1, first - 1, -1):
        head = head_of(log.read(Topic.EVENTS, partition, offset, 1)[0])
        if head is not None:
            return head.offset
    return -1


def set_aside(log: Log, partition: int, from_command: int) -> set[int]:
    """Return the commands from *from_command* on that were set aside, as the events tell."""
    found: set[int] = set()
    first = log.first_offset(Topic.EVENTS, partition)
    end = log.end_offset(Topic.EVENTS, partition)
    while end > first:
        start = max(first, end - PAGE)
        records = _between(log, partition, start, end)
        for record in records:
            head = head_of(record)
            if head is not None and head.offset >= from_command and head.stream.startswith("~"):
                batch = wire.read_body(
                    events.decoder, wire.open_envelope(record.value, events.SCHEMA)
                )
                found |= {
                    one.offset for one in batch.events if isinstance(one, events.CommandSetAside)
                }
        oldest = next((head for head in map(head_of, records) if head is not None), None)
        if oldest is not None and oldest.offset < from_command:
            break
        end = start
    return found


def _between(log: Log, partition: int, start: int, end: int) -> list[StoredRecord]:
    """Return all records from *start* to *end*: one read may stop earlier, at its limit of bytes."""
    records: list[StoredRecord] = []
    while start < end:
        records += log.read(Topic.EVENTS, partition, start, end - start)
        start = records[-1].offset + 1
    return records

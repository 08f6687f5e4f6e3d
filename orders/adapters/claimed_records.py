"""Where a claim's record lies in the log, when nobody noted it: the process ended before it could."""

from typing import Final

from oms_project.adapters.clock import NS_PER_MS, NS_PER_S
from oms_project.kernel import wire
from oms_project.kernel.errors import BadRecordError, GapError
from oms_project.kernel.ids import partition_of
from oms_project.kernel.ports import Claim, Log, StoredRecord
from oms_project.kernel.words import Topic
from orders.domain import commands

EARLIER_NS: Final = 15 * NS_PER_S
LATER_NS: Final = 60 * NS_PER_S
"""The log is in order of arrival, its stamps are of doors whose clocks differ: look so far around."""
PAGE: Final = 500
READABLE_WITHIN: Final = 100


def record_of(log: Log, claim: Claim) -> StoredRecord | None:
    """Return the command record that was made for *claim*, None if it is not in the log.

    Its stamp is the claim's own time, so a search by halves finds the neighbourhood.
    """
    partition = partition_of(claim.account_id, log.partitions)
    at_ns = claim.at_ms * NS_PER_MS
    wanted = claim.ids_base.encode()
    offset = _first_behind(log, partition, at_ns - EARLIER_NS)
    try:
        while records := log.read(Topic.COMMANDS, partition, offset, PAGE):
            for record in records:
                if wanted in record.value and _id_of(record) == claim.ids_base:
                    return record
            offset = records[-1].offset + 1
            if (_stamp(records[-1]) or 0) > at_ns + LATER_NS:
                return None
    except GapError:
        return None  # trimmed meanwhile: what it did is stored
    return None


def _first_behind(log: Log, partition: int, at_ns: int) -> int:
    """Return about the first offset whose stamp is *at_ns* or later."""
    low, high = (
        log.first_offset(Topic.COMMANDS, partition),
        log.end_offset(Topic.COMMANDS, partition),
    )
    while low < high:
        middle = (low + high) // 2
        stamp = None
        for record in log.read(Topic.COMMANDS, partition, middle, READABLE_WITHIN):
            stamp = _stamp(record)
            if stamp is not None:
                break
        if stamp is not None and stamp < at_ns:
            low = middle + 1
        else:
            high = middle
    return low


def _stamp(record: StoredRecord) -> int | None:
    try:
        return wire.open_envelope(record.value, commands.SCHEMA).at_ns
    except BadRecordError:
        return None


def _id_of(record: StoredRecord) -> str | None:
    try:
        return wire.open_envelope(record.value, commands.SCHEMA).id
    except BadRecordError:
        return None

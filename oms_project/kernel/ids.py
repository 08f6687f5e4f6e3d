"""Ids that can be computed again: from an idempotency key, from an account, from a log position.

Order ids are UUIDv7 built from the claim (RFC 9562 §5.7): 48 bits of the claim's time, then bits of
the hash of (account, endpoint, key), the last 16 bits the index in the batch. The claim is durable,
so a retry computes the same ids; they sort by time, so every index on them grows at its end.
ADR 0004 has the reasons.
"""

import hashlib
import re
import zlib
from typing import Final

PARTITION_BITS: Final = 48
"""Of an integer that sorts by partition, then offset, the lower bits are the offset."""
INDEX_MAX: Final = 0xFFFF
_MS_MAX: Final = 0xFFFF_FFFF_FFFF
CLIENT_ORDER_ID_PATTERN: Final = "[A-Za-z0-9._:-]{1,36}"
ID_PATTERN: Final = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_ID: Final = re.compile(ID_PATTERN)
_SEPARATOR: Final = b"\x1f"


def is_id(text: str) -> bool:
    """Tell whether *text* has the form of an id: a UUID in lower case."""
    return _ID.fullmatch(text) is not None


def order_id_base(account_id: str, endpoint: str, key: str, at_ms: int) -> str:
    """Return the first 32 characters of the ids of one claim; `order_id` adds the index.

    Shape: `tttttttt-tttt-7hhh-yhhh-hhhhhhhh` (t time, h hash, y variant and hash).
    """
    seed = _SEPARATOR.join((account_id.encode(), endpoint.encode(), key.encode()))
    digest = hashlib.sha256(seed).digest()
    bits = int.from_bytes(digest[:8], "big")
    high = bits & 0xFFF
    variant = 0x8000 | (bits >> 12) & 0x3FFF
    low = (bits >> 26) & 0xFFFFFFFF
    return f"{base_since(at_ms)}-7{high:03x}-{variant:04x}-{low:08x}"


def base_since(at_ms: int) -> str:
    """Return the smallest base of that time: bases sort by time."""
    text = f"{min(max(0, at_ms), _MS_MAX):012x}"
    return f"{text[:8]}-{text[8:]}"


CLAIMED_AT: Final = len("tttttttt-tttt-")
"""Where the part of an order id begins that its claim's time has no part in."""


_INDEX_HEX: Final = tuple(f"{index:04x}" for index in range(1024))


def order_id(base: str, index: int) -> str:
    """Return the id of the order at *index* of the claim that *base* was made for."""
    return base + (_INDEX_HEX[index] if index < 1024 else f"{index:04x}")


def first_id(at_ns: int) -> str:
    """Return the smallest id that an order of that millisecond could have."""
    return base_since(at_ns // 1_000_000) + "-0000-0000-000000000000"


def base_of(an_order_id: str) -> str:
    """Return the claim's base of an order id."""
    return an_order_id[:-4]


def index_of(an_order_id: str) -> int:
    """Return the index in its batch of an order id."""
    return int(an_order_id[-4:], 16)


def partition_of(account_id: str, partitions: int) -> int:
    """Return the partition that owns the account. Changing *partitions* re-homes accounts: never."""
    return zlib.crc32(account_id.encode()) % partitions


def stream_of(account_id: str, partition: int) -> str:
    """Return the name of the event stream: the account's own, or the partition's for what has none."""
    return account_id or f"~{partition}"


def trade_id(venue: str, an_order_id: str, execution: int) -> str:
    """Return the simulated venue's trade id: the same for the same execution, after any restart."""
    return f"{venue}-{an_order_id}-{execution}"


def external_order_id(venue: str, venue_order_id: str, behind: int = 0) -> str:
    """Return the id that trades of an order unknown here are booked under (UUIDv8, RFC 9562 §5.8).

    behind: the execution after which a new such order begins, the one before being long over.
    """
    parts = [b"external", venue.encode(), venue_order_id.encode()]
    seed = _SEPARATOR.join([*parts, b"%d" % behind] if behind else parts)
    digest = hashlib.sha256(seed).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-8{digest[12:15]}-8{digest[15:18]}-{digest[18:30]}"

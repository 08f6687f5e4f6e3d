"""Cursors: opaque to clients, checked by us. One belongs to the filters it was made with.

A cursor holds a place, never a right: the accounts come from who asks. So it needs no signature,
only to be refused when it is not one of ours or belongs to another list.
"""

import base64
import binascii
import zlib
from typing import Any, Final, TypeVar

import msgspec

CHARS_MAX: Final = 512
T = TypeVar("T")


class OrderPlace(msgspec.Struct, array_like=True, tag="o"):
    """Behind this order, newest first."""

    filters: int
    before_id: str


class FillPlace(msgspec.Struct, array_like=True, tag="f"):
    """Behind this fill, newest first."""

    filters: int
    seq: int


def filters_of(*values: Any) -> int:
    """Return a mark of the filters, to tell lists apart."""
    return zlib.crc32(repr(values).encode())


def write(place: OrderPlace | FillPlace) -> str:
    """Return the cursor's text."""
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(place)).rstrip(b"=").decode()


def read(text: str, kind: type[T], filters: int) -> T:
    """Return the place in a cursor.

    Raises:
        ValueError: not a cursor of ours, or of a list with other filters.
    """
    try:
        if len(text) > CHARS_MAX:
            raise ValueError("too long")
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        place: Any = msgspec.msgpack.decode(raw, type=kind)
    except (ValueError, binascii.Error, msgspec.MsgspecError) as error:
        raise ValueError("not a cursor of this list") from error
    if place.filters != filters or not 0 <= getattr(place, "seq", 0) < 2**63:
        raise ValueError("a cursor of a list with other filters")
    return place  # type: ignore[no-any-return]

"""The id of a request: the caller's own if it is sane, else a new one. Every answer carries it."""

import re
from typing import Final

from oms_project.adapters.ids import new_uuid

HEADER: Final = "X-Request-ID"
_SANE: Final = re.compile(r"[A-Za-z0-9._-]{8,64}")


def choose(incoming: str | bytes | None) -> str:
    """Return *incoming* if it can stand in a log as it is, else a new id."""
    text = incoming.decode("latin-1") if isinstance(incoming, bytes) else incoming
    if text and _SANE.fullmatch(text):
        return text
    return str(new_uuid())

"""One shape for every error (RFC 9457 application/problem+json), as a value.

Any path can turn it into bytes: a view, the middleware, the ASGI door, a websocket. What others
raise becomes one in rest/problem.py; the codes and what they mean are in codes.py.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from oms_project.codes import CODES, Outcome

CONTENT_TYPE: Final = "application/problem+json"
ERRORS_MAX: Final = 100
"""Entries in one answer: who made more mistakes than that corrects these first."""
TOKEN_CHARS_MAX: Final = 64

_encode = msgspec.json.Encoder().encode
_NO_HEADERS: Final[Mapping[str, str]] = {}


def token(name: str) -> str:
    """Return a key as a token of a JSON pointer (RFC 6901 §3), cut to a bearable length."""
    return name[:TOKEN_CHARS_MAX].replace("~", "~0").replace("/", "~1")


class Entry(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What is wrong with one field. pointer: RFC 6901; index: of the order in a batch."""

    pointer: str
    code: str
    detail: str = ""
    index: int | None = None


class _Body(msgspec.Struct, gc=False):
    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    request_id: str
    retryable: bool
    outcome: str
    errors: tuple[Entry, ...]
    server_time: str | msgspec.UnsetType = msgspec.UNSET


class Problem(msgspec.Struct, frozen=True):
    """An error as a value. outcome: what the request did, if not what its code says.

    server_time: our clock in milliseconds, where the client's is what is wrong.
    """

    code: str
    detail: str = ""
    errors: tuple[Entry, ...] = ()
    headers: Mapping[str, str] = _NO_HEADERS
    outcome: Outcome | None = None
    server_time: str = ""

    @property
    def status(self) -> int:
        return CODES[self.code].status

    def to_bytes(self, instance: str, request_id: str) -> bytes:
        """Return the body. *instance* is the request's path, without its query."""
        known = CODES[self.code]
        return _encode(
            _Body(
                f"/api/meta/errors#{self.code}",
                known.title,
                known.status,
                self.detail or known.title,
                instance,
                self.code,
                request_id,
                known.retryable,
                self.outcome or known.outcome,
                self.errors[:ERRORS_MAX],
                self.server_time or msgspec.UNSET,
            )
        )


NOT_FOUND: Final = Problem("not_found")
"""For what does not exist and for what is somebody else's: the same value, so the same bytes."""

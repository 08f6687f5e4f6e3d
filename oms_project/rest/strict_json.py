"""Strict JSON and strict headers: what every door accepts, as pure functions over bytes.

The REST parser, the lean order path and the websocket read through this file, so they refuse the
same things with the same codes. Rules: UTF-8 without a byte order mark, no key twice in an object,
no NaN or Infinity, at most DEPTH_MAX deep, at most KEYS_MAX keys an object, at most VALUES_MAX values
in all, nothing behind the end.

Rule of this file: every step is linear in the bytes, whatever they are, and what could be slow for
each byte (Python's own loops, objects to allocate) is bounded by a count that is taken first.
"""

import json
import math
import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from oms_project.rest.problem import Entry, Problem

BODY_BYTES_MAX: Final = 1024 * 1024
DEPTH_MAX: Final = 20
KEYS_MAX: Final = 200
VALUES_MAX: Final = 20_000
"""In one body, at any level: some four times what the largest batch holds."""
NAMED_BYTES_MAX: Final = 64 * 1024
"""A key that stands twice is named up to this size: finding it takes a second, slow reading."""
RANGES_MAX: Final = 100
"""Media ranges of an Accept header that are looked at."""

_KEY: Final = re.compile(rb"[\x21-\x7e]{1,255}")
_BLANK: Final = b" \t\r\n"
_UNSTRUCTURED: Final = bytes(byte for byte in range(256) if byte not in b'"{}[]:,')
_CHARSET: Final = re.compile(rb'\s*charset\s*=\s*"?utf-8"?\s*', re.IGNORECASE)
_ANSWERED: Final = frozenset({b"*/*", b"application/*", b"application/json"})
_ANSWERED_TOO: Final = frozenset({b"application/problem+json"})


def _double(text: str) -> float:
    """Return a number with a fraction or exponent. (msgspec's own way takes 10 µs for some.)"""
    number = float(text)
    if math.isinf(number):
        raise ValueError("beyond a double")
    return number


_decode = msgspec.json.Decoder(float_hook=_double).decode


# ------------------------------------------------------------------ bodies
def read(body: bytes) -> Any | Problem:
    """Return the value in *body*, or the problem that names what is wrong with it."""
    if len(body) > BODY_BYTES_MAX:
        return Problem("payload_too_large", f"More than {BODY_BYTES_MAX} bytes.")
    if _values(body) > VALUES_MAX:
        crowded = _crowded(body)
        if crowded is not None:
            return crowded
    try:
        value = _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError):
        return _why_unreadable(body)
    keys = _count_keys(value)
    if isinstance(keys, Problem):
        return keys
    # Every key has one colon behind it. As many colons as keys that are left: none stood twice.
    if keys != body.count(b":") and keys != _structure(body).count(b":"):
        return Problem("duplicate_json_key", _duplicate(body))
    return value


def read_object(body: bytes) -> dict[str, Any] | Problem:
    """Return the object in *body*; a value that is no object is a 422."""
    value = read(body)
    if isinstance(value, dict | Problem):
        return value
    return Problem("validation_error", errors=(Entry("", "wrong_type", "Not a JSON object."),))


def _count_keys(value: Any) -> int | Problem:
    """Return how many keys all objects of *value* hold, walking level by level."""
    keys = 0
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(DEPTH_MAX):
        if not level:
            return keys
        below: list[Any] = []
        for node in level:
            inner: Any = node
            if type(node) is dict:
                keys += len(node)
                if len(node) > KEYS_MAX:
                    return Problem("bad_request", f"More than {KEYS_MAX} keys in one object.")
                inner = node.values()
            below += [item for item in inner if type(item) is dict or type(item) is list]
        level = below
    return Problem("json_too_deep", f"More than {DEPTH_MAX} levels.") if level else keys


class _TwiceError(ValueError):
    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


def _no_key_twice(pairs: list[tuple[str, Any]]) -> None:
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            raise _TwiceError(key)
        seen.add(key)


def _duplicate(body: bytes) -> str:
    """Return which key stands twice in one object of *body*, if that is quickly told."""
    if len(body) > NAMED_BYTES_MAX:
        return ""
    try:
        json.loads(body, object_pairs_hook=_no_key_twice)
    except _TwiceError as error:
        return f"The key {error.key[:64]!r} stands twice."
    return ""


def _why_unreadable(body: bytes) -> Problem:
    """Return the code for bytes that could not be decoded."""
    if not body.strip(_BLANK):
        return Problem("empty_body")
    if body.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        return Problem("invalid_encoding", "A byte order mark is not accepted.")
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return Problem("invalid_encoding", "The body is not UTF-8.")
    if _deep(_structure(body)):
        return Problem("json_too_deep", f"More than {DEPTH_MAX} levels.")
    return Problem("malformed_json")


def _crowded(body: bytes) -> Problem | None:
    """Return what is wrong with a body of so many values, unless that is text inside of strings."""
    structure = _structure(body)
    if _values(structure) <= VALUES_MAX:
        return None
    if _deep(structure):
        return Problem("json_too_deep", f"More than {DEPTH_MAX} levels.")
    return Problem("bad_request", f"More than {VALUES_MAX} values.")


def _values(structure: bytes) -> int:
    """Return how many values there are at least: each begins its object or list, or follows one."""
    return structure.count(b"{") + structure.count(b"[") + structure.count(b",")


def _deep(structure: bytes) -> bool:
    """Tell whether the first brackets of *structure* open more than DEPTH_MAX levels."""
    depth = 0
    for byte in structure.translate(None, b":,")[: 2 * VALUES_MAX]:
        if byte in b"[{":
            depth += 1
            if depth > DEPTH_MAX:
                return True
        else:
            depth -= 1
    return False


def _structure(body: bytes) -> bytes:
    """Return the brackets, colons and commas of *body* that stand outside of its strings.

    No regular expression and no loop of ours: escapes go first, then all that is not structure;
    between two quotes that are left was a string. One that is never closed ends with the body.
    """
    bare = body.replace(rb"\\", b"").replace(rb"\"", b"").translate(None, _UNSTRUCTURED)
    return b"".join(bare.replace(b'""', b"").split(b'"')[::2])


# ------------------------------------------------------------------ headers
# Names are lower-case bytes as in an ASGI scope; `headers_of` makes the mapping.
def headers_of(raw: "list[tuple[bytes, bytes]]") -> dict[bytes, bytes]:
    """Return an ASGI scope's headers as a mapping; one given twice is joined with ", "."""
    headers = dict(raw)
    if len(headers) != len(raw):
        every: dict[bytes, list[bytes]] = {}
        for name, value in raw:
            every.setdefault(name, []).append(value)
        headers = {name: b", ".join(values) for name, values in every.items()}
    return headers


def check_headers(headers: Mapping[bytes, bytes]) -> Problem | None:
    """Return what is wrong with the headers of a request that carries a JSON body."""
    found = headers.get(b"content-type", b"")
    if found != b"application/json" and not _is_json(found):
        return Problem("unsupported_media_type", "Content-Type must be application/json.")
    if headers.get(b"content-encoding"):
        return Problem("unsupported_content_encoding", "Send the body as it is.")
    return check_accept(headers)


def check_accept(headers: Mapping[bytes, bytes]) -> Problem | None:
    """Return not_acceptable if the client takes neither JSON nor anything like it."""
    accept = headers.get(b"accept", b"*/*")
    if accept in _ANSWERED or not accept.strip():
        return None
    if any(map(_takes_json, accept.split(b",", RANGES_MAX)[:RANGES_MAX])):
        return None
    return Problem("not_acceptable", "Accept must allow application/json.")


def check_idempotency_key(headers: Mapping[bytes, bytes]) -> str | Problem:
    """Return the idempotency key of a request that writes; k-1 and "k-1" are one key.

    The quoted form is the header's by its draft RFC (a structured string); so a bare key begins
    with no quote, and nothing is escaped in a quoted one.
    """
    key = headers.get(b"idempotency-key")
    if key is None:
        return Problem("idempotency_key_missing", "Send an Idempotency-Key header.")
    if key.startswith(b'"'):
        inner = key[1:-1]
        key = b"" if not key.endswith(b'"') or b'"' in inner or b"\\" in inner else inner
    if _KEY.fullmatch(key) is None:
        return Problem("idempotency_key_invalid")
    return key.decode("ascii")


def _is_json(content_type: bytes) -> bool:
    kind, *parameters = content_type.split(b";")
    if kind.strip().lower() != b"application/json":
        return False
    return all(_CHARSET.fullmatch(parameter) for parameter in parameters)


def _takes_json(part: bytes) -> bool:
    kind, *parameters = (piece.strip().lower() for piece in part.split(b";"))
    if kind not in _ANSWERED and kind not in _ANSWERED_TOO:
        return False
    quality = next((p[2:] for p in parameters if p.startswith(b"q=")), b"1")
    return quality.strip(b"0.") != b""

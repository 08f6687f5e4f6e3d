"""What a signed request says, and whether it was signed with one of a key's secrets. Pure.

Signed is everything that decides what a request does, byte for byte as it was sent, a line each:
`oms1`, the method, the path with its query, the timestamp, the nonce, the Idempotency-Key, and the
SHA-256 of the body in hex; an empty line for what is not there. The path is the target on the request line, still encoded and in
its order; the timestamp is milliseconds since 1970. The signature is hex: an HMAC-SHA256 with the
secret's text, or Ed25519. Which of the two it must be was settled when the key was made: no field of a
request chooses an algorithm.

Rule of this file: time is an argument, and every check costs the same whatever is wrong.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

VERSION: Final = "oms1"
WINDOW_MS: Final = 5_000
"""So old may a signature be: the way here, and a clock that is behind."""
AHEAD_MS: Final = 1_000
"""So far may the signer's clock be ahead of ours."""
KEY_ID_CHARS_MAX: Final = 40
KEY: Final = b"oms-key"
TIMESTAMP: Final = b"oms-timestamp"
NONCE: Final = b"oms-nonce"
SIGNATURE: Final = b"oms-signature"
IN_PROTOCOL: Final = "signed."
"""How a sub-protocol with all four begins: signed.<key>.<timestamp>.<nonce>.<signature>."""

_EMPTY: Final = hashlib.sha256(b"").hexdigest().encode()
_TIMESTAMP: Final = re.compile(rb"[0-9]{13}")
_NONCE: Final = re.compile(rb"[A-Za-z0-9_-]{8,64}")
_SIGNATURE: Final = re.compile(rb"[0-9a-f]{64}|[0-9a-f]{128}")
_KEY_ID: Final = re.compile(rb"[A-Za-z0-9_]{8,40}")

Secret = bytes | Ed25519PublicKey
"""What is known of a secret: the text an HMAC is made with, or a public key."""


class Signed(NamedTuple):
    """The four fields of a signed request, in their form."""

    key_id: str
    timestamp_ms: int
    nonce: str
    signature: bytes
    stamp: bytes
    """timestamp and nonce as they are signed."""


def is_signed(headers: Mapping[bytes, bytes]) -> bool:
    """Tell whether a request means to be signed: one of the fields is enough to be judged by them."""
    return KEY in headers or SIGNATURE in headers


def fields_of(headers: Mapping[bytes, bytes]) -> Signed | None:
    """Return the fields in *headers*; None: one is missing, stands twice or is out of form."""
    return _fields(
        headers.get(KEY, b""), headers.get(TIMESTAMP, b""), headers.get(NONCE, b""),
        headers.get(SIGNATURE, b""),
    )  # fmt: skip


def fields_in(protocol: str) -> Signed | None:
    """Return the fields in a sub-protocol that begins with IN_PROTOCOL."""
    parts = protocol[len(IN_PROTOCOL) :].encode("latin-1", "replace").split(b".")
    return _fields(*parts) if len(parts) == 4 else None


def _fields(key_id: bytes, timestamp: bytes, nonce: bytes, signature: bytes) -> Signed | None:
    if (
        _KEY_ID.fullmatch(key_id) is None
        or _TIMESTAMP.fullmatch(timestamp) is None
        or _NONCE.fullmatch(nonce) is None
        or _SIGNATURE.fullmatch(signature) is None
    ):
        return None
    stamp = timestamp + b"\n" + nonce
    return Signed(key_id.decode(), int(timestamp), nonce.decode(), signature, stamp)


def is_in_time(signed: Signed, now_ms: int) -> bool:
    """Tell whether a signature is neither too old nor of the future."""
    return -AHEAD_MS <= now_ms - signed.timestamp_ms <= WINDOW_MS


def text(signed: Signed, method: str, target: bytes, key: bytes, body: bytes) -> bytes:
    """Return the text that *signed* must be a signature of. key: the Idempotency-Key as it was sent."""
    digest = hashlib.sha256(body).hexdigest().encode() if body else _EMPTY
    return b"\n".join((VERSION.encode(), method.encode(), target, signed.stamp, key, digest))


def is_by(signed: Signed, secrets: Sequence[Secret], message: bytes) -> bool:
    """Tell whether *message* was signed with one of *secrets*."""
    return any([_is_by(signed.signature, secret, message) for secret in secrets])


def _is_by(signature: bytes, secret: Secret, message: bytes) -> bool:
    if isinstance(secret, bytes):
        made = hmac.digest(secret, message, "sha256").hex().encode()
        return hmac.compare_digest(made, signature)
    try:
        secret.verify(bytes.fromhex(signature.decode()), message)
    except (InvalidSignature, ValueError):
        return False
    return True

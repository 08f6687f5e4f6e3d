"""Signs requests as docs/api.md says, with nothing of the product: what a client would write."""

import hashlib
import hmac
import time
import uuid
from typing import Any, Final

EMPTY: Final = hashlib.sha256(b"").hexdigest()


def fields(
    key_id: str, secret: Any, method: str, target: str, body: bytes = b"", key: str = "",
    **changes: str,
) -> dict[str, str]:  # fmt: skip
    """Return the OMS-* fields; secret: its text, or an Ed25519 private key. changes: another timestamp
    or nonce."""
    timestamp = changes.get("timestamp") or str(time.time_ns() // 1_000_000)  # noqa: TID251
    nonce = changes.get("nonce") or uuid.uuid4().hex  # noqa: TID251
    digest = hashlib.sha256(body).hexdigest()
    text = "\n".join(("oms1", method, target, timestamp, nonce, key, digest)).encode()
    if isinstance(secret, str):
        signature = hmac.new(secret.encode(), text, "sha256").hexdigest()
    else:
        signature = secret.sign(text).hex()
    found = {
        "oms-key": key_id, "oms-timestamp": timestamp, "oms-nonce": nonce, "oms-signature": signature,
    }  # fmt: skip
    return found | ({"idempotency-key": key} if key else {})


def protocol(key_id: str, secret: Any, target: str) -> str:
    """Return the sub-protocol a socket is opened with."""
    found = fields(key_id, secret, "GET", target)
    return ".".join(("signed", *found.values()))

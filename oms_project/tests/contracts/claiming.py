"""Builders of claims and submissions for the contract tests."""

import hashlib

from oms_project.kernel.ids import order_id_base, partition_of
from oms_project.kernel.ports import Claim, Record, Submission
from oms_project.tests.contracts.adapters import PARTITIONS

AT_MS = 1_790_000_000_000
ACCOUNT = "11111111-2222-4333-8444-555555555555"


def a_claim(
    key: str = "key", *, body: str = "body", at_ms: int = AT_MS, endpoint: str = "orders"
) -> Claim:
    return Claim(
        ACCOUNT,
        endpoint,
        key,
        hashlib.sha256(body.encode()).digest(),
        order_id_base(ACCOUNT, endpoint, key, at_ms),
        at_ms,
    )


def a_submission(
    key: str = "key", *, body: str = "body", at_ms: int = AT_MS, endpoint: str = "orders"
) -> Submission:
    """Return a submission whose record says with which ids it was made."""
    claim = a_claim(key, body=body, at_ms=at_ms, endpoint=endpoint)

    def record(stored: Claim) -> Record:
        value = f"{stored.key} {stored.ids_base}".encode()
        return Record(partition_of(ACCOUNT, PARTITIONS), ACCOUNT, value)

    return Submission(claim, record(claim), record)

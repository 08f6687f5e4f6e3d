"""A claim whose place nobody could note is found in the log by its id and its time."""

import pytest

from oms_project.adapters.clock import NS_PER_MS
from oms_project.adapters.memory import MemoryLog
from oms_project.kernel import wire
from oms_project.kernel.ids import order_id_base, partition_of
from oms_project.kernel.ports import Claim, Record
from oms_project.kernel.words import Topic
from orders.adapters.claimed_records import record_of
from orders.domain import commands

ACCOUNT = "11111111-2222-4333-8444-555555555555"
BEGIN_MS = 1_790_000_000_000


def a_claim(key: str, at_ms: int) -> Claim:
    base = order_id_base(ACCOUNT, "orders", key, at_ms)
    return Claim(ACCOUNT, "orders", key, b"f", base, at_ms)


def sealed(claim: Claim) -> Record:
    command = commands.CancelOrders(ACCOUNT, ())
    value = wire.seal(
        commands.SCHEMA, command, id=claim.ids_base, at_ns=claim.at_ms * NS_PER_MS, actor="ann"
    )
    return Record(partition_of(ACCOUNT, 1), ACCOUNT, value)


@pytest.fixture
def log() -> MemoryLog:
    """An hour of commands, one a second; every tenth is garbage, every seventh a second late."""
    log = MemoryLog(1)
    for second in range(3_600):
        late_ms = 1_000 if second % 7 == 0 else 0
        one = sealed(a_claim(f"key-{second}", BEGIN_MS + second * 1_000 - late_ms))
        log.append(Topic.COMMANDS, [one if second % 10 else Record(0, "", b"\xc1")])
    return log


@pytest.mark.parametrize("second", [1, 2, 1_801, 3_599])
def test_a_record_is_found(log: MemoryLog, second: int) -> None:
    late_ms = 1_000 if second % 7 == 0 else 0
    claim = a_claim(f"key-{second}", BEGIN_MS + second * 1_000 - late_ms)
    found = record_of(log, claim)
    assert found is not None
    assert found.offset == second


@pytest.mark.parametrize("second", [-100, 0, 1_801, 3_599, 9_999])
def test_what_never_came_is_not_found(log: MemoryLog, second: int) -> None:
    """Before, between and behind; its id as a text in another record is not it."""
    claim = a_claim("never", BEGIN_MS + second * 1_000)
    mention = commands.CancelOrders(ACCOUNT, (claim.ids_base,))
    at_ns = claim.at_ms * NS_PER_MS
    value = wire.seal(commands.SCHEMA, mention, id="other", at_ns=at_ns, actor="ann")
    log.append(Topic.COMMANDS, [Record(0, ACCOUNT, value)])
    assert record_of(log, claim) is None


def test_a_trimmed_record_is_not_found(log: MemoryLog) -> None:
    claim = a_claim("key-1", BEGIN_MS + 1_000)
    log.trim(Topic.COMMANDS, 0, 2_000)
    assert record_of(log, claim) is None
    assert record_of(MemoryLog(1), claim) is None

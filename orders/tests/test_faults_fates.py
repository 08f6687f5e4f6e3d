"""The judge notices a decision that was taken back: an order acknowledged and decided keeps its fate."""

from typing import Any

import msgspec
import pytest

from oms_project.adapters.memory import MemoryLog
from oms_project.kernel import wire
from oms_project.kernel.ports import Record
from oms_project.kernel.words import Status, Topic
from orders.domain import events as e
from orders.faults.journal import Seen
from orders.faults.judge import Verdict, judge
from orders.faults.truth import _retold
from orders.tests.test_faults_judge import ACCOUNT, ORDER, a_life, a_row, a_truth


def shown(status: str = "FILLED", **changes: str) -> Seen:
    values = {"rejected_by": "", "reason": "", "filled": "5"} | changes
    return Seen(ACCOUNT, ORDER, status, **values)


def verdict_on(*seen: Seen, **row: Any) -> Verdict:
    stored = msgspec.structs.replace(a_row(), **row)
    return judge([], a_truth(orders={ACCOUNT: [stored]}), seen=seen)


def test_a_fate_that_stays_is_right() -> None:
    """Seen on its way, then as it ended."""
    seen = [shown("NEW"), shown("ACCEPTED"), shown("PARTIALLY_FILLED"), shown("FILLED")]
    assert verdict_on(*seen).changed == 0


@pytest.mark.parametrize(
    ("seen", "row"),
    [
        (shown("REJECTED", rejected_by="oms", reason="duplicate_client_order_id"), {}),
        (shown("CANCELED", reason="client"), {}),
        (shown(), {"status": Status.CANCELED}),
        (shown("ACCEPTED"), {"status": Status.REJECTED, "rejected_by": "oms", "reason": "no"}),
        (
            shown("REJECTED", rejected_by="oms", reason="price_collar"),
            {"status": Status.REJECTED, "rejected_by": "oms", "reason": "stale_price"},
        ),
    ],
    ids=["comes back to life", "is filled after all", "is undone", "is refused", "other reason"],
)
def test_a_decision_taken_back_is_found(seen: Seen, row: dict[str, Any]) -> None:
    found = verdict_on(seen, **row)
    assert found.changed == 1
    assert not found.right


def test_an_order_that_was_shown_and_is_gone_is_found() -> None:
    assert judge([], a_truth(orders={ACCOUNT: []}), seen=[shown()]).changed == 1


def test_a_late_fill_is_no_change_of_fate() -> None:
    assert verdict_on(shown("CANCELED", reason="client"), late_fill=True).changed == 0


def batch(offset: int, told: list[e.Event], *, epoch: int = 1) -> Record:
    body = e.EventBatch(0, offset, offset - 1, epoch, ACCOUNT, 1, 7, "ann", f"c-{offset}", told)
    value = wire.seal(e.SCHEMA, body, id=f"0-{offset}", at_ns=7)
    return Record(0, ACCOUNT, value)


def test_a_command_decided_twice_is_decided_alike() -> None:
    """Told again by a later owner is right; another decision is not. Poison is nobody's."""
    log = MemoryLog(1)
    life = a_life()[:2]
    log.append(Topic.EVENTS, [batch(4, life), Record(0, "", b"poison 1"), batch(4, life, epoch=2)])
    assert list(_retold(log)) == []
    log.append(Topic.EVENTS, [batch(4, life[:1], epoch=3)])
    assert list(_retold(log)) == ["command 0/4 was decided twice, and not alike"]

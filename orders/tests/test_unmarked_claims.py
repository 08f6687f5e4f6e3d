"""A 202 was given and its door ended before it could note where the record lies: every door finds it."""

import json

from oms_project.kernel.ports import ClaimState
from oms_project.kernel.words import Status
from orders.entry import plans
from orders.entry.plans import Answer
from orders.tests.door import ANN, MINE, Door, door

__all__ = ("door",)

BODY = {
    "account_id": MINE, "symbol": "BTC-USD", "side": "buy", "type": "limit", "price": "100.05",
    "quantity": "0.5",
}  # fmt: skip


def unmark(door: Door) -> None:
    """Leave the claims as a door does that ends right behind the append."""
    for key, state in door.claims._states.items():
        door.claims._states[key] = ClaimState(state.claim, False, False, -1, -1)


def test_an_order_can_be_read(door: Door) -> None:
    answer = door.commit(door.order(json.dumps(BODY).encode()))
    assert isinstance(answer, Answer)
    unmark(door)
    order_id = json.loads(answer.body)["order_id"]
    row = plans.find_order(door.gateway, ANN, order_id)
    assert (row and row.order_id, row and row.status) == (order_id, Status.NEW)
    door.log.trim("oms.commands", 0, 1)
    door.log.trim("oms.commands", 1, 1)
    assert plans.find_order(door.gateway, ANN, order_id) is None


def test_what_differs_from_the_first_request_is_told(door: Door) -> None:
    door.commit(door.order(json.dumps(BODY).encode()))
    unmark(door)
    other = door.order(json.dumps(BODY | {"quantity": "0.6"}).encode())
    assert isinstance(other, plans.Plan)
    stored = door.gateway.intake.find_by_ids_base(other.submission.claim.ids_base)
    assert stored is not None
    assert door.gateway.differences(other.submission, stored) == ["/quantity"]

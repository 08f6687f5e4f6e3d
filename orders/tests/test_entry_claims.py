"""The claim first: what a key is told again, what a fresh one is refused for, what waiting waits for."""

from typing import Any

import msgspec
import pytest

from marketdata import wiring as market
from marketdata.domain.instrument import Units
from oms_project.kernel import ids
from oms_project.kernel.errors import TransportError, UnknownOutcomeError
from oms_project.kernel.ports import ClaimState
from oms_project.kernel.terms import Terms
from oms_project.kernel.words import InstrumentState, OrderType, Side, Status, TimeInForce
from orders.entry import plans
from orders.entry.plans import Answer, Plan
from orders.tests.contracts.rows import an_order, changes
from orders.tests.door import (
    MINE,
    PARTITIONS,
    UNITS,
    Door,
    door,
    listed,
)
from orders.tests.test_bodies_catalogue import SOON, but, item, many
from orders.tests.test_entry import answered, cancel_body, problem_of

__all__ = ("door",)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Orders are shown with the door's instruments."""
    monkeypatch.setattr(market, "units", UNITS.get)


ID = ids.order_id(ids.order_id_base(MINE, "orders", "old", 1_790_000_000_000), 0)


# ------------------------------------------------------------------ the same key again

REQUESTS = {
    "order": lambda door, **kw: door.order(but(**kw)),
    "batch": lambda door, **kw: door.batch(many(item(**kw))),
    "cancel all": lambda door, **kw: door.cancel_all(cancel_body(**kw)),
}


@pytest.mark.parametrize("request_of", REQUESTS.values(), ids=list(REQUESTS))
def test_a_second_time_is_answered_as_the_first(door: Door, request_of: Any) -> None:
    """Byte for byte, later too; said to be a replay; nothing more is written."""
    first = door.commit(request_of(door))
    door.clock.advance_s(3_600)
    again = door.commit(request_of(door))
    assert isinstance(first, Answer)
    assert isinstance(again, Answer)
    assert (again.status, again.body) == (first.status, first.body)
    assert (first.headers, again.headers) == ({}, {"Idempotent-Replayed": "true"})
    assert door.records() == 1


@pytest.mark.parametrize("request_of", REQUESTS.values(), ids=list(REQUESTS))
def test_another_body_under_the_key_is_refused(door: Door, request_of: Any) -> None:
    door.commit(request_of(door))
    found = problem_of(door.commit(request_of(door, side="sell")))
    assert (found.code, found.status) == ("idempotency_key_reused", 422)
    assert door.records() == 1


def test_the_same_terms_in_other_words_are_the_same_request(door: Door) -> None:
    """A client that writes its numbers another way on the retry has one order, not a refusal."""
    first = answered(door.commit(door.order(but())))
    for words in ({"quantity": "0.500"}, {"price": "100.0500"}, {"time_in_force": "gtc"}):
        assert answered(door.commit(door.order(but(**words)))) == first
    assert door.records() == 1


def test_a_key_is_answered_as_it_was_when_its_time_is_over(door: Door) -> None:
    """An order that was acknowledged is not refused because its end or deadline passed since."""
    soon = {"time_in_force": "gtd", "expires_at": SOON, "deadline": SOON}
    first = answered(door.commit(door.order(but(**soon))))
    door.clock.advance_s(3_600)
    assert answered(door.commit(door.order(but(**soon)))) == first
    fresh = problem_of(door.commit(door.order(but(**soon), idempotency_key="another")))
    assert {entry.code for entry in fresh.errors} == {"in_the_past"}
    assert door.records() == 1


def test_a_key_with_another_end_is_told_what_differs(door: Door) -> None:
    day, later = ({"time_in_force": "gtd", "expires_at": at} for at in (SOON, f"{SOON[:-1]}1Z"))
    door.commit(door.order(but(**day)))
    found = problem_of(door.commit(door.order(but(**later, deadline=SOON))))
    assert [entry.pointer for entry in found.errors] == ["/expires_at", "/deadline"]


def test_a_key_outlives_a_new_version_of_the_product(door: Door) -> None:
    """A version with more terms writes the same ones in other bytes: the claim is compared by them."""
    first = answered(door.commit(door.order(but())))
    (state,) = door.claims._states.values()
    for state in list(door.claims._states.values()):
        key = (state.claim.account_id, state.claim.endpoint, state.claim.key)
        old = msgspec.structs.replace(state.claim, fingerprint=b"of before")
        door.claims._states[key] = msgspec.structs.replace(state, claim=old)
    assert answered(door.commit(door.order(but()))) == first
    assert problem_of(door.commit(door.order(but(side="sell")))).code == "idempotency_key_reused"


def test_no_order_takes_the_id_that_another_chose(door: Door) -> None:
    """Keys are not client_order_ids: batch k never collides with an order whose key is k:0."""
    first = answered(door.commit(door.batch(many(item(), item()), idempotency_key="k")))
    second = answered(door.commit(door.order(but(), idempotency_key="k:0")))
    names = [one["client_order_id"] for one in (*first["orders"], second)]
    assert names == [one["order_id"] for one in (*first["orders"], second)]
    assert len(set(names)) == 3


NOW = {
    "halted": {"state": InstrumentState.HALTED},
    "too small": {"quantity_min_lots": 501},
    "too large": {"quantity_max_lots": 499},
    "worth too little": {"notional_min": 10**5 * 10**8},
    "worth too much": {"notional_max": 1},
}


@pytest.mark.parametrize("changes", NOW.values(), ids=list(NOW))
def test_what_was_acknowledged_is_told_again_whatever_happened_since(
    door: Door, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    """The claim first: only a fresh key is refused for what the instrument is now."""
    requests = (lambda **kw: door.order(but(), **kw), lambda **kw: door.batch(many(item()), **kw))
    first = [answered(door.commit(request())) for request in requests]
    listed_now = Units(listed("BTC-USD", **changes))
    monkeypatch.setattr(market, "known_units", {"BTC-USD": listed_now}.get)
    for request, told in zip(requests, first, strict=True):
        assert answered(door.commit(request())) == told
        fresh = problem_of(door.commit(request(idempotency_key="another")))
        assert fresh.code in ("validation_error", "batch_invalid")
    other = problem_of(door.commit(door.order(but(side="sell"))))
    assert other.code == "idempotency_key_reused"
    assert door.records() == 2


def test_the_same_key_is_another_of_another_endpoint(door: Door) -> None:
    """An order, a batch and a cancel may share one."""
    for request_of in REQUESTS.values():
        answered(door.commit(request_of(door)))
    assert door.records() == 3


def test_what_differs_is_named(door: Door) -> None:
    door.commit(door.order(but()))
    plan = door.order(but(quantity="0.6", side="sell"))
    assert isinstance(plan, Plan)
    (state,) = door.gateway.intake.commit([plan.submission])
    assert isinstance(state, ClaimState)
    found = problem_of(plans.told(door.gateway, plan, state))
    assert found.code == "idempotency_key_reused"
    assert {one.pointer for one in found.errors} == {"/quantity", "/side"}


def test_a_key_in_flight(door: Door) -> None:
    """Claimed by a request that has not written yet: come again, it will be known then."""
    plan = door.order(but())
    assert isinstance(plan, Plan)
    door.claims.claim([plan.submission.claim])
    found = problem_of(door.commit(plan))
    assert (found.code, found.status) == ("idempotency_in_flight", 409)
    assert found.headers == {"Retry-After": "1"}
    door.clock.advance_s(10)
    body = answered(door.commit(door.order(but())))
    assert ids.base_of(body["order_id"]) == plan.submission.claim.ids_base
    assert door.records() == 1


def test_a_kept_answer_is_given_again(door: Door) -> None:
    """What a waiting client was told is told again, not the acknowledgement."""
    plan = door.order(but())
    door.commit(plan)
    assert isinstance(plan, Plan)
    door.gateway.intake.settle(plan.submission.claim, 201, b'{"status":"FILLED"}')
    again = door.commit(door.order(but()))
    assert answered(again, 201) == {"status": "FILLED"}


@pytest.mark.parametrize(
    ("error", "code", "outcome"),
    [
        (TransportError("claims", "away"), "idempotency_store_unavailable", "none"),
        (TransportError("log", "away"), "durable_log_unavailable", "none"),
        (UnknownOutcomeError("log", "no answer"), "durable_log_unavailable", "unknown"),
    ],
)
def test_a_broken_wire_is_told_with_its_outcome(error: Exception, code: str, outcome: str) -> None:
    found = plans.failed(error)
    assert (found.code, found.status, found.outcome) == (code, 503, outcome)
    assert found.headers == {"Retry-After": "1"}


def test_a_bug_is_not_told_as_a_broken_wire() -> None:
    with pytest.raises(ZeroDivisionError):
        plans.failed(ZeroDivisionError())


# ------------------------------------------------------------------ waiting for a command's end


def decided(plan: object, door: Door) -> Any:
    """Commit; return how to ask whether the command's end is shown."""
    assert isinstance(plan, Plan)
    (state,) = door.gateway.intake.commit([plan.submission])
    assert isinstance(state, ClaimState)
    assert plan.decided is not None
    return lambda: plan.decided(state)


def show(door: Door, order_id: str, last_command: int, **facts: Any) -> None:
    """Project the order as it is after the command at *last_command* of its partition."""
    row = an_order(1, **{"order_id": order_id, "account_id": MINE} | facts)
    change = changes(last_command + 1, orders=[row])
    partition = ids.partition_of(MINE, PARTITIONS)
    at = {"partition": partition, "last_command": last_command}
    door.store.apply(msgspec.structs.replace(change, **at))


def test_an_order_that_rests_is_decided_when_the_venue_has_it(door: Door, shown: None) -> None:
    plan = door.order(but())
    ask = decided(plan, door)
    order_id = ids.order_id(plan.submission.claim.ids_base, 0)  # type: ignore[union-attr]
    assert ask() is None
    show(door, order_id, 0, status=Status.NEW, version=1)
    assert ask() is None
    show(door, order_id, 1, status=Status.ACCEPTED, version=2)
    assert answered(ask(), 201)["status"] == "ACCEPTED"


def test_an_order_that_cannot_rest_is_decided_when_it_is_over(door: Door, shown: None) -> None:
    """Nobody waits for a market order to learn that the venue has it."""
    plan = door.order(but(time_in_force="ioc"))
    ask = decided(plan, door)
    order_id = ids.order_id(plan.submission.claim.ids_base, 0)  # type: ignore[union-attr]
    terms = Terms("BTC-USD", Side.BUY, OrderType.LIMIT, TimeInForce.IOC, 500, 2_001)
    for version, status in enumerate((Status.NEW, Status.ACCEPTED, Status.PARTIALLY_FILLED)):
        show(door, order_id, version, status=status, version=version, terms=terms)
        assert ask() is None
    show(door, order_id, 9, status=Status.CANCELED, version=9, terms=terms)
    assert answered(ask(), 201)["status"] == "CANCELED"


@pytest.mark.parametrize("end", [Status.CANCELED, Status.FILLED, Status.ACCEPTED])
def test_a_cancel_is_waited_for_to_its_own_end(door: Door, shown: None, end: Status) -> None:
    """CANCELED, FILLED, or open again because it was rejected: never the state before it."""
    show(door, ID, -1, status=Status.ACCEPTED, version=1)
    ask = decided(door.cancel(ID), door)
    assert ask() is None
    show(door, ID, 0, status=Status.PENDING_CANCEL, version=2)
    assert ask() is None
    show(door, ID, 1, status=end, version=3)
    assert answered(ask(), 200)["status"] == end

"""Order entry without a server: plans, what they commit, and what the client is told of it."""

import json
import uuid
from typing import Any

import pytest

from oms_project.kernel import ids, wire
from oms_project.kernel.ports import OrderRow
from oms_project.kernel.terms import Terms
from oms_project.kernel.words import OrderType, Side, Status, TimeInForce, Topic
from oms_project.rest.problem import NOT_FOUND, Problem
from orders.domain import commands as c
from orders.entry import plans
from orders.entry.plans import Answer, Plan
from orders.tests.contracts.rows import an_order, changes
from orders.tests.door import (
    ANN,
    MINE,
    OTHERS,
    PARTITIONS,
    READ_ONLY,
    Door,
    a_header,
    door,
)
from orders.tests.test_bodies_catalogue import but, item, many

__all__ = ("door",)


ID = ids.order_id(ids.order_id_base(MINE, "orders", "old", 1_790_000_000_000), 0)


def commands(door: Door) -> list[tuple[wire.Envelope, c.Command]]:
    """Return what stands in oms.commands."""
    found = []
    for partition in range(PARTITIONS):
        for record in door.log.read(Topic.COMMANDS, partition, 0, 1_000):
            envelope = wire.open_envelope(record.value, c.SCHEMA)
            found.append((envelope, wire.read_body(c.decoder, envelope)))
    return found


def answered(answer: object, status: int = 202) -> dict[str, Any]:
    assert isinstance(answer, Answer), answer
    assert answer.status == status
    return json.loads(answer.body)


def problem_of(found: object) -> Problem:
    assert isinstance(found, Problem), found
    return found


# ------------------------------------------------------------------ orders


def test_an_order_is_written_and_acknowledged(door: Door) -> None:
    """One record of its account's partition, with the id that the client is told."""
    body = answered(door.commit(door.order(but(), traceparent="00-abc")))
    ((envelope, command),) = commands(door)
    assert isinstance(command, c.PlaceOrders)
    (order,) = command.orders
    assert body == {"order_id": order.order_id, "client_order_id": order.order_id, "status": "NEW"}
    assert uuid.UUID(order.order_id).version == 7
    assert (command.account_id, command.atomic) == (MINE, False)
    assert (envelope.actor, envelope.trace, envelope.at_ns) == (
        ANN.actor,
        "00-abc",
        door.clock.now_ns(),
    )
    assert envelope.id == ids.base_of(order.order_id)
    partition = ids.partition_of(MINE, PARTITIONS)
    assert door.log.end_offset(Topic.COMMANDS, partition) == 1


def test_a_batch_is_one_record(door: Door) -> None:
    """Answered in the order sent, ids in a row."""
    body = answered(
        door.commit(door.batch(many(item(), item(client_order_id="own"), mode="atomic")))
    )
    ((_, command),) = commands(door)
    assert isinstance(command, c.PlaceOrders)
    assert command.atomic is True
    assert [one["order_id"] for one in body["orders"]] == [o.order_id for o in command.orders]
    first = body["orders"][0]["order_id"]
    assert [one["client_order_id"] for one in body["orders"]] == [first, "own"]
    assert [ids.index_of(one["order_id"]) for one in body["orders"]] == [0, 1]


def test_planning_writes_nothing(door: Door) -> None:
    """Only the commit does."""
    assert isinstance(door.order(but()), Plan)
    assert isinstance(door.batch(many(item())), Plan)
    assert isinstance(door.cancel_all(cancel_body()), Plan)
    assert door.untouched()


def cancel_body(**changes: Any) -> bytes:
    return json.dumps({"account_id": MINE} | changes).encode()


# ------------------------------------------------------------------ who may

ACCOUNTS = [
    (OTHERS, "not_found"),
    ("no account at all", "not_found"),
    ("", "not_found"),
    ("x" * 1_000, "not_found"),
    (MINE.upper().replace("5", "A"), "not_found"),
    (READ_ONLY, "permission_denied"),
]


@pytest.mark.parametrize(("account_id", "code"), ACCOUNTS)
def test_an_account_that_is_not_ones_own(door: Door, account_id: str, code: str) -> None:
    """It does not exist, in the same bytes whoever's it is; one's own may be for reading only."""
    found = [
        problem_of(door.order(but(account_id=account_id))),
        problem_of(door.batch(many(item(), account_id=account_id))),
        problem_of(door.cancel_all(cancel_body(account_id=account_id))),
    ]
    assert {one.code for one in found} == {code}
    assert all(one is NOT_FOUND for one in found) is (code == "not_found")
    assert door.untouched()


def test_whose_it_is_is_told_before_what_is_wrong(door: Door) -> None:
    """A stranger learns nothing; what cannot be read at all is the same for all accounts."""
    for account_id in (OTHERS, "nobody's"):
        wrong = {"account_id": account_id, "symbol": "X", "quantity": "-1"}
        assert door.order(but(**wrong)) is NOT_FOUND
        assert door.batch(many(item(symbol="X"), account_id=account_id)) is NOT_FOUND
        found = problem_of(door.order(but(account_id=account_id, side="up")))
        assert found.code == "validation_error"


# ------------------------------------------------------------------ headers

HEADERS = [
    ({"idempotency_key": ""}, "idempotency_key_missing"),
    ({"idempotency_key": " "}, "idempotency_key_invalid"),
    ({"idempotency_key": "a b"}, "idempotency_key_invalid"),
    ({"idempotency_key": "ä"}, "idempotency_key_invalid"),
    ({"idempotency_key": "x" * 256}, "idempotency_key_invalid"),
    ({"idempotency_key": "a\tb"}, "idempotency_key_invalid"),
    ({"content_type": ""}, "unsupported_media_type"),
    ({"content_type": "text/plain"}, "unsupported_media_type"),
    ({"content_type": "application/json; charset=latin-1"}, "unsupported_media_type"),
    ({"content_encoding": "gzip"}, "unsupported_content_encoding"),
    ({"accept": "text/html"}, "not_acceptable"),
]


@pytest.mark.parametrize(("headers", "code"), HEADERS)
def test_headers_that_are_wrong(door: Door, headers: dict[str, str], code: str) -> None:
    """At every door, before the body is looked at."""
    for found in (
        door.order(b"garbage", **headers),
        door.batch(b"garbage", **headers),
        door.cancel_all(b"garbage", **headers),
        door.cancel(ID, b"{}", **headers),
    ):
        assert problem_of(found).code == code
    assert door.untouched()


@pytest.mark.parametrize(
    "key", ["x", "x" * 255, "!~\"'{}:", "00000000-0000-0000-0000-000000000000"]
)
def test_keys_that_are_right(door: Door, key: str) -> None:
    answered(door.commit(door.order(but(), idempotency_key=key)))
    (claim,) = door.claims._states
    assert claim[2] == key


def test_the_quoted_form_of_a_key_is_the_key(door: Door) -> None:
    """The header is a quoted string by its draft RFC: a client that follows it retries one order."""
    first = answered(door.commit(door.order(but(), idempotency_key="k-1")))
    assert answered(door.commit(door.order(but(), idempotency_key='"k-1"'))) == first
    assert door.records() == 1
    for odd in ('"', '""', '"k-1', '"k"1"', '"k\\"'):
        found = problem_of(door.order(but(), idempotency_key=odd))
        assert found.code == "idempotency_key_invalid", odd


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        ("", 0.0), ("wait=5", 5.0), ("wait=0", 0.0), ("respond-async, wait=3", 3.0),
        ("WAIT=2", 2.0), ("wait=99999", 10.0), ("wait=-1", 0.0), ("wait=1.5", 0.0),
        ("wait=", 0.0), ("wait", 0.0), ("waiter=5", 0.0), ("wait=" + "9" * 5_000, 10.0),
    ],
)  # fmt: skip
def test_how_long_a_client_waits(prefer: str, seconds: float) -> None:
    assert plans.wait_of(a_header(prefer=prefer)) == seconds


# ------------------------------------------------------------------ cancels


def a_row(**facts: Any) -> OrderRow:
    return an_order(1, **{"order_id": ID, "account_id": MINE} | facts)


def stored(door: Door, **facts: Any) -> None:
    door.store.apply(changes(1, orders=[a_row(**facts)]))


def test_a_cancel_of_an_open_order(door: Door) -> None:
    stored(door, status=Status.ACCEPTED)
    body = answered(door.commit(door.cancel(ID)))
    assert body == {"status": "PENDING_CANCEL", "order_id": ID}
    ((_, command),) = commands(door)
    assert command == c.CancelOrders(MINE, (ID,))


def test_a_cancel_of_an_order_that_is_not_projected_yet(door: Door) -> None:
    """Acknowledged a moment ago: the claim knows it."""
    order_id = answered(door.commit(door.order(but())))["order_id"]
    body = answered(door.commit(door.cancel(order_id)))
    assert body["order_id"] == order_id
    assert [type(command) for _, command in commands(door)] == [c.PlaceOrders, c.CancelOrders]


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"status": Status.FILLED}, "invalid_state_transition"),
        ({"status": Status.REJECTED}, "invalid_state_transition"),
        ({"status": Status.EXPIRED}, "invalid_state_transition"),
        ({"account_id": OTHERS}, "not_found"),
        ({"account_id": READ_ONLY}, "permission_denied"),
    ],
)
def test_a_cancel_that_is_refused(door: Door, facts: dict[str, Any], code: str) -> None:
    stored(door, **facts)
    plan = door.cancel(ID)
    found = door.commit(plan) if isinstance(plan, Plan) else plan
    assert problem_of(found).code == code
    assert door.untouched()


def test_a_cancel_of_nothing_and_of_anothers_are_the_same(door: Door) -> None:
    """Byte for byte, whatever the id looks like."""
    stored(door, account_id=OTHERS)
    for order_id in (ID, ID[:-1] + "9", "x", "", "x" * 5_000, "\x00"):
        assert door.cancel(order_id) is NOT_FOUND


def test_a_cancel_of_a_canceled_order_is_answered(door: Door) -> None:
    """It is what was wanted; nothing is written."""
    stored(door, status=Status.CANCELED)
    assert answered(door.commit(door.cancel(ID)), 200) == {"status": "CANCELED", "order_id": ID}
    assert door.untouched()


@pytest.mark.parametrize("end", [Status.FILLED, Status.CANCELED])
def test_a_repeated_cancel_is_answered_as_the_first_time(door: Door, end: Status) -> None:
    """Whatever has become of the order since."""
    stored(door, status=Status.ACCEPTED)
    first = door.commit(door.cancel(ID))
    door.store.apply(changes(2, orders=[a_row(status=end, version=9)]))
    again = door.commit(door.cancel(ID))
    assert isinstance(first, Answer)
    assert isinstance(again, Answer)
    assert (again.status, again.body) == (first.status, first.body)
    assert again.headers == {"Idempotent-Replayed": "true"}
    assert door.records() == 1


@pytest.mark.parametrize(
    ("body", "code"),
    [(b"[]", "validation_error"), (b'{"x": 1}', "validation_error"), (b"{", "malformed_json"),
     (b'{"a": 1, "a": 1}', "duplicate_json_key")],
)  # fmt: skip
def test_a_cancel_takes_no_fields(door: Door, body: bytes, code: str) -> None:
    stored(door)
    assert problem_of(door.cancel(ID, body)).code == code
    assert isinstance(door.cancel(ID, b" {} "), Plan)


@pytest.mark.parametrize(
    ("fields", "command"),
    [
        ({}, c.CancelOrders(MINE, ())),
        ({"symbol": "BTC-USD"}, c.CancelOrders(MINE, (), "BTC-USD")),
        ({"side": "sell"}, c.CancelOrders(MINE, (), "", "sell")),
        ({"symbol": "OLD-USD", "side": "buy"}, c.CancelOrders(MINE, (), "OLD-USD", "buy")),
    ],
)
def test_cancel_all(door: Door, fields: dict[str, str], command: c.Command) -> None:
    """A symbol that is not traded any more may still have open orders."""
    body = answered(door.commit(door.cancel_all(cancel_body(**fields))))
    assert body == {"status": "PENDING_CANCEL", "account_id": MINE}
    assert [told for _, told in commands(door)] == [command]


@pytest.mark.parametrize(
    ("body", "code", "pointers"),
    [
        (b"", "empty_body", []),
        (b"[]", "validation_error", [""]),
        (b"{}", "validation_error", ["/account_id"]),
        (cancel_body(account_id=5), "validation_error", ["/account_id"]),
        (cancel_body(symbol="DOGE-USD"), "validation_error", ["/symbol"]),
        (cancel_body(symbol=None), "validation_error", ["/symbol"]),
        (cancel_body(side="BUY"), "validation_error", ["/side"]),
        (cancel_body(order_ids=[]), "validation_error", ["/order_ids"]),
        (b'{"account_id": "a", "account_id": "b"}', "duplicate_json_key", []),
    ],
)
def test_a_bad_cancel_all(door: Door, body: bytes, code: str, pointers: list[str]) -> None:
    found = problem_of(door.cancel_all(body))
    assert (found.code, [one.pointer for one in found.errors]) == (code, pointers)
    assert door.untouched()


# ------------------------------------------------------------------ reading what was just sent


def test_an_order_can_be_read_before_it_is_projected(door: Door) -> None:
    order_id = answered(door.commit(door.order(but())))["order_id"]
    row = plans.find_order(door.gateway, ANN, order_id)
    wanted = Terms("BTC-USD", Side.BUY, OrderType.LIMIT, TimeInForce.GTC, 500, 2_001)
    assert (row and row.terms, row and row.status) == (wanted, Status.NEW)
    assert plans.find_order(door.gateway, ANN, ids.order_id(ids.base_of(order_id), 1)) is None


def test_anothers_order_cannot_be_read_before_it_is_projected(door: Door) -> None:
    order_id = answered(door.commit(door.order(but())))["order_id"]
    assert door.gateway.pending_order(order_id, [OTHERS]) is None
    assert door.gateway.pending_order(order_id, []) is None

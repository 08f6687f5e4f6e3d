"""/ws/orders: the snapshot, gap-free events, and resuming."""

import json
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from asgiref.sync import sync_to_async

from oms_project.kernel.errors import TransportError
from orders import wiring
from orders.domain import events as e
from orders.tests.room import Room, a_room, another_account
from orders.tests.world import accepted, fill, new_id, routed
from orders.ws import orders as feed
from orders.ws import stream

pytestmark = pytest.mark.django_db(databases=["default", "store"], transaction=True)


@pytest.fixture
async def room(transactional_db: None) -> AsyncIterator[Room]:
    async with a_room() as made:
        yield made


async def test_snapshot_then_events(room: Room) -> None:
    """What is true, and then every change, with the order as it is after it."""
    resting = routed()
    seq = await room.tell(resting)
    found = await room.socket()
    head = await found.subscribe(room.account)
    assert head == {
        "op": "subscribed", "channel": "orders", "account_id": room.account, "seq": seq,
    }  # fmt: skip
    snapshot = await found.hear("snapshot")
    assert snapshot["seq"] == seq
    assert [order["order_id"] for order in snapshot["orders"]] == [resting.order_id]
    assert {"positions", "balances", "fills"} < set(snapshot)

    await room.tell(accepted(resting))
    await room.tell(*fill(resting, 10, version=3))
    await room.push()
    events = [await found.hear("event") for _ in range(4)]
    assert [event["seq"] for event in events] == [2, 3, 4, 5]
    assert [event["event"]["type"] for event in events] == [
        "OrderAccepted", "OrderFilled", "PositionChanged", "BalanceChanged",
    ]  # fmt: skip
    assert [event["order"]["status"] for event in events[:2]] == ["ACCEPTED", "FILLED"]
    assert events[1]["order"]["filled_quantity"] == "0.001"
    assert "order" not in events[2]
    assert (
        await sync_to_async(wiring.read_side().order)(resting.order_id, [room.account])
        == (events[1]["order"])
    )


async def test_an_order_of_an_unknown_symbol_silences_nothing(room: Room) -> None:
    """It is told in lots and ticks, and what comes after it is told too."""
    found = await room.socket()
    await found.subscribe(room.account)
    await found.hear("snapshot")
    terms = msgspec.structs.replace(routed().terms, symbol="DOGE-USD")
    await room.tell(e.OrderDenied(new_id(), "doge", terms, "unknown_symbol"))
    await room.tell(routed())
    await room.push()
    events = [await found.hear("event") for _ in range(2)]
    assert [event["order"]["symbol"] for event in events] == ["DOGE-USD", "BTC-USD"]
    assert events[0]["order"]["quantity"] == "10"


async def test_a_lost_push_loses_nothing(room: Room, monkeypatch: Any) -> None:
    """Nobody pushes: the poll finds it."""
    monkeypatch.setattr(feed, "POLL_S", 0.05)
    found = await room.socket()
    await found.subscribe(room.account)
    await found.hear("snapshot")
    await room.tell(routed())
    assert (await found.hear("event"))["seq"] == 1


async def test_resume_without_gaps(room: Room) -> None:
    """Cut off again and again while orders come in: each event once, in order."""
    seen: list[int] = []
    orders = [routed() for _ in range(12)]
    for number, order in enumerate(orders):
        await room.tell(order, accepted(order))
        if number % 3:
            continue
        found = await room.socket()
        await found.subscribe(room.account, from_seq=len(seen) + 1)
        for _ in range(2 * (number + 1) - len(seen) - 1):  # leave one unread: it was never seen
            seen.append((await found.hear("event"))["seq"])
        await found.made.disconnect()
    found = await room.socket()
    await found.subscribe(room.account, from_seq=len(seen) + 1)
    while len(seen) < 24:
        seen.append((await found.hear("event"))["seq"])
    assert seen == list(range(1, 25))


async def test_resume_inside_a_batch(room: Room) -> None:
    """A seq in the middle of one command's events is a place like any other."""
    orders = [routed() for _ in range(5)]
    await room.tell(*orders)
    found = await room.socket()
    assert (await found.subscribe(room.account, from_seq=3))["seq"] == 2
    assert [(await found.hear("event"))["seq"] for _ in range(3)] == [3, 4, 5]


async def test_the_state_rebuilt_from_events_is_the_stored_one(room: Room) -> None:
    """A client that folds `order` by order_id ends where REST is."""
    found = await room.socket()
    await found.subscribe(room.account)
    await found.hear("snapshot")
    orders = [routed() for _ in range(20)]
    last = await room.tell(*orders)
    for order in orders:
        last = await room.tell(accepted(order))
    for order in orders[::2]:
        last = await room.tell(*fill(order, 10, version=3))
    rebuilt: dict[str, Any] = {}
    seq = 0
    while seq < last:
        event = await found.hear("event")
        assert event["seq"] == seq + 1
        seq = event["seq"]
        if "order" in event:
            rebuilt[event["order"]["order_id"]] = event["order"]
    reader = wiring.read_side()
    for order in orders:
        stored = await sync_to_async(reader.order)(order.order_id, [room.account])
        assert rebuilt[order.order_id] == stored


async def test_too_old_and_too_new(room: Room, monkeypatch: Any) -> None:
    """Who cannot be served from there is told to take a snapshot, and can."""
    monkeypatch.setattr(stream, "RESUME_EVENTS_MAX", 3)
    for _ in range(6):
        await room.tell(routed())
    found = await room.socket()
    for from_seq in (1, 3, 8):
        answer = await found.subscribe(room.account, from_seq=from_seq)
        assert (answer["op"], answer["code"]) == ("error", "snapshot_required")
        assert answer["account_id"] == room.account
    assert (await found.subscribe(room.account, from_seq=4))["op"] == "subscribed"
    for seq in (4, 5, 6):
        assert (await found.hear("event"))["seq"] == seq
    assert (await found.subscribe(room.account))["op"] == "subscribed"
    await found.hear("snapshot")


async def test_unsubscribe(room: Room) -> None:
    """Nothing more comes of an account that was left; the others go on."""
    second = await another_account(room)
    found = await room.socket()
    for account_id in (room.account, second):
        await found.subscribe(account_id)
        await found.hear("snapshot")
    await found.say(op="unsubscribe", account_id=room.account)
    await found.hear("unsubscribed")
    await room.tell(routed())
    await sync_to_async(room.world.tell)(second, routed())
    await room.push()
    assert (await found.hear("event"))["account_id"] == second


async def test_slices(room: Room, monkeypatch: Any) -> None:
    """However small the slices, and wherever they cut a batch: each event once, in order."""
    monkeypatch.setattr(stream, "SLICE_BYTES", 1)
    found = await room.socket()
    await found.subscribe(room.account)
    await found.hear("snapshot")
    orders = [routed() for _ in range(7)]
    await room.tell(*orders)
    await room.tell(*(accepted(order) for order in orders))
    await room.push()
    events = [await found.hear("event") for _ in range(14)]
    assert [event["seq"] for event in events] == list(range(1, 15))
    assert [event["order"]["status"] for event in events] == ["NEW"] * 7 + ["ACCEPTED"] * 7


async def test_a_slice_holds_what_it_says(room: Room) -> None:
    """What one socket holds is bounded in bytes, not in events."""
    await room.tell(*(routed() for _ in range(500)))
    one = stream.Stream(wiring.read_side(), room.account)
    await sync_to_async(one.open)(1, None)
    frames = await sync_to_async(one.news)()
    assert 0 < len(frames) < 500
    assert sum(map(len, frames)) < stream.SLICE_BYTES + max(map(len, frames))


async def test_an_error_behind_what_was_made_loses_nothing(room: Room, monkeypatch: Any) -> None:
    """An instrument that is not known yet stops a stream before its event, not before others."""
    await room.tell(routed(), routed())
    one = stream.Stream(wiring.read_side(), room.account)
    await sync_to_async(one.open)(1, None)
    shown = stream.shown_event
    calls = 0

    def show(*args: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls in (2, 3):
            raise TransportError("instruments", "away")
        return shown(*args)

    monkeypatch.setattr(stream, "shown_event", show)
    told = await sync_to_async(one.news)()
    with pytest.raises(TransportError):
        await sync_to_async(one.news)()
    told += await sync_to_async(one.news)()
    assert [json.loads(frame)["seq"] for frame in told] == [1, 2]
    assert all(json.loads(frame)["order"] for frame in told)

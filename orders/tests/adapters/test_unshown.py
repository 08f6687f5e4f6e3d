"""Lists contain what was acknowledged, also while nobody has decided or shown it."""

from typing import Any

import pytest

from oms_project.kernel import ids
from oms_project.kernel.errors import TransportError
from oms_project.kernel.ports import OrderQuery, OrderRow, Record
from oms_project.kernel.words import Status, Topic
from orders.adapters import unshown as module
from orders.adapters.unshown import Unshown
from orders.engine import GROUP
from orders.entry.plans import Answer
from orders.services import ENGINE_GROUP
from orders.tests.door import MINE, OTHERS, PARTITIONS, Door, door
from orders.tests.test_bodies_catalogue import but, item, many
from orders.tests.test_entry import answered
from orders.tests.test_entry_claims import show

__all__ = ("door",)


def place(door: Door, key: str, **terms: Any) -> str:
    order_id: str = answered(door.commit(door.order(but(**terms), idempotency_key=key)))["order_id"]
    return order_id


def listed(door: Door, **filters: Any) -> list[OrderRow]:
    query = OrderQuery(**{"account_ids": (MINE,), **filters})
    return door.gateway.unshown.add(query, door.store.page).rows


def ids_of(rows: list[OrderRow]) -> list[str]:
    return [row.order_id for row in rows]


def test_an_acknowledged_order_is_in_the_list(door: Door) -> None:
    """Newest first, as NEW: a client that lost the answer finds it by any filter that fits."""
    first = place(door, "a", client_order_id="mine")
    door.clock.advance_s(1)
    second = place(door, "b", side="sell")
    assert ids_of(listed(door)) == [second, first]
    assert {row.status for row in listed(door)} == {Status.NEW}
    assert ids_of(listed(door, client_order_id="mine")) == [first]
    assert ids_of(listed(door, side="sell", symbol="BTC-USD")) == [second]
    assert ids_of(listed(door, statuses=(Status.NEW, Status.FILLED))) == [second, first]
    assert ids_of(listed(door, to_ns=door.clock.now_ns() - 500_000_000)) == [first]
    for nothing in (
        {"client_order_id": "other"}, {"symbol": "ETH-USD"}, {"statuses": (Status.FILLED,)},
        {"account_ids": (OTHERS,)}, {"before_id": first}, {"from_ns": door.clock.now_ns() + 10**9},
    ):  # fmt: skip
        assert listed(door, **nothing) == [], nothing


def test_what_is_shown_is_told_once_and_as_it_is(door: Door) -> None:
    """The projection passes it: the stored order, and no ghost of it under another status."""
    first = place(door, "a")
    assert ids_of(listed(door)) == [first]
    show(door, first, -1, status=Status.FILLED, version=3)  # the order is there, its command is not
    assert [row.status for row in listed(door)] == [Status.FILLED]
    assert listed(door, statuses=(Status.NEW,)) == []
    show(door, first, 0, status=Status.FILLED, version=3)
    assert [row.status for row in listed(door)] == [Status.FILLED]
    second = place(door, "b")
    assert set(ids_of(listed(door))) == {first, second}


def test_the_engine_is_called_what_it_is() -> None:
    """The door knows the engine's group by name only."""
    assert ENGINE_GROUP == GROUP


def test_a_page_has_no_more_than_its_limit_and_loses_none(door: Door) -> None:
    """Pages of what is shown and what is not are one list."""
    shown = []
    for number in range(3):
        shown.append(place(door, f"s{number}"))
        door.clock.advance_s(1)
    for number, order_id in enumerate(shown):
        show(door, order_id, number, status=Status.ACCEPTED, version=2)
    door.clock.advance_s(1)
    answer = door.commit(door.batch(many(*[item()] * 4)))
    assert isinstance(answer, Answer)
    found: list[str] = []
    before_id = None
    for _ in range(10):
        query = OrderQuery(account_ids=(MINE,), limit=2, before_id=before_id)
        page = door.gateway.unshown.add(query, door.store.page)
        assert len(page.rows) <= 2
        found += ids_of(page.rows)
        before_id = page.before_id
        if before_id is None:
            break
    batch = [one["order_id"] for one in answered(answer)["orders"]]
    assert found == sorted([*shown, *batch], reverse=True)


def test_what_is_no_order_is_passed_over(door: Door) -> None:
    """Prices, cancels and poison stand between orders."""
    partition = ids.partition_of(MINE, PARTITIONS)
    door.log.append(
        Topic.COMMANDS, [Record(partition, MINE, b"poison"), Record(partition, "", b"")]
    )
    order_id = place(door, "a")
    assert isinstance(door.commit(door.cancel(order_id)), Answer)
    assert ids_of(listed(door)) == [order_id]


def test_a_log_that_ends_before_what_is_shown_has_nothing_more(door: Door) -> None:
    """A restored log: what the store shows is all there is."""
    order_id = ids.order_id(ids.order_id_base(MINE, "orders", "old", 1_790_000_000_000), 0)
    show(door, order_id, 40, status=Status.ACCEPTED, version=2)
    assert ids_of(listed(door)) == [order_id]


def test_a_projection_too_far_behind_is_said(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """503: a list that may lack acknowledged orders is none."""
    monkeypatch.setattr(module, "PLACED_MAX", 3)
    monkeypatch.setattr(module, "READ_AT_ONCE", 2)
    for number in range(8):
        place(door, f"k{number}")
    with pytest.raises(TransportError):
        listed(door)


def test_the_log_is_read_once(door: Door) -> None:
    """Each list reads only what came since the last one."""
    reads: list[int] = []
    read = door.log.read

    def counted(topic: str, partition: int, offset: int, most: int) -> Any:
        found = read(topic, partition, offset, most)
        reads.append(len(found))
        return found

    door.log.read = counted  # type: ignore[method-assign]
    tails = Unshown(door.log, door.store, ENGINE_GROUP, door.gateway.unshown._row)
    place(door, "a")
    query = OrderQuery(account_ids=(MINE,))
    for _ in range(3):
        assert len(tails.add(query, door.store.page).rows) == 1
    assert sum(reads) == 1


def test_a_quiet_day_of_prices_is_not_read(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """Far behind, only what the engine has not decided is read, not all since the last order."""
    monkeypatch.setattr(module, "READ_AT_ONCE", 10)
    partition = ids.partition_of(MINE, PARTITIONS)
    door.log.append(Topic.COMMANDS, [Record(partition, "", b"a price")] * 50)
    group = door.log.subscribe(Topic.COMMANDS, ENGINE_GROUP)
    group.poll(1, 0)
    group.commit({partition: 50})
    group.close()
    order_id = place(door, "a")
    read = door.log.read
    looked_at: list[int] = []

    def noted(topic: str, part: int, offset: int, most: int) -> Any:
        found = read(topic, part, offset, most)
        looked_at.extend(record.offset for record in found)
        return found

    door.log.read = noted  # type: ignore[method-assign]
    assert ids_of(listed(door)) == [order_id]
    assert looked_at == [*range(10), 50]

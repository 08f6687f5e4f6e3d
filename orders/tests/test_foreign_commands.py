"""What a foreign or faulty producer writes into oms.commands: set aside, the next record is handled."""

from typing import Any

import msgspec
import pytest

from oms_project.kernel import wire
from oms_project.kernel.errors import BadRecordError
from oms_project.kernel.ids import partition_of
from oms_project.kernel.ports import Record
from oms_project.kernel.words import Status, Topic
from orders import replay
from orders.domain import commands as c
from orders.domain.book import Book
from orders.domain.laws import breaches
from orders.domain.order import status_of
from orders.tests.domain import build
from orders.tests.domain.build import ACCOUNT, order_id_of
from orders.tests.rig import Rig

PARTITIONS = 2
HOME = partition_of(ACCOUNT, PARTITIONS)
BEYOND = 2**63


def sealed(command: Any, *, at_ns: int = build.BEGIN_NS) -> bytes:
    body = msgspec.Raw(msgspec.msgpack.encode(command))
    return msgspec.msgpack.encode(wire.Envelope(c.SCHEMA, wire.VERSION, "x", at_ns, "a", "", body))


def an_order(**changes: Any) -> c.PlaceOrders:
    return build.place(build.new_order(1, **changes))


FOREIGN = {
    "another's key": (HOME, "somebody", sealed(an_order())),
    "no key": (HOME, "", sealed(an_order())),
    "no account": (HOME, "", sealed(msgspec.structs.replace(an_order(), account_id=""))),
    "the partition's own stream": (
        HOME, f"~{HOME}", sealed(msgspec.structs.replace(an_order(), account_id=f"~{HOME}")),
    ),
    "another partition": (1 - HOME, ACCOUNT, sealed(an_order())),
    "a key on marks": (HOME, ACCOUNT, sealed(build.marks(build.BEGIN_NS))),
    "lots beyond 64 bits": (HOME, ACCOUNT, sealed(an_order(lots=BEYOND))),
    "lots beyond msgpack": (HOME, ACCOUNT, sealed(an_order()).replace(b"\x0a", b"\xc7\x09\x01" + bytes(9))),
    "a time beyond 64 bits": (HOME, ACCOUNT, sealed(an_order(), at_ns=2 * BEYOND - 1)),
    "a time before time": (HOME, ACCOUNT, sealed(an_order(), at_ns=-1)),
    "a limit beyond 64 bits": (
        HOME, ACCOUNT, sealed(["SetAccount", ACCOUNT, "A", "ACTIVE", {"max_order_value": BEYOND}]),
    ),
    "credit beyond 64 bits": (HOME, ACCOUNT, sealed(build.credit("USD", BEYOND, "x"))),
    "an epoch beyond 64 bits": (HOME, "", sealed(c.OpenEpoch(BEYOND))),
    "a report beyond 64 bits": (
        HOME, ACCOUNT, sealed(["VenueReports", ACCOUNT, "SIM", 1, [["x", "TRADE", BEYOND]]]),
    ),
    "501 orders": (
        HOME, ACCOUNT, sealed(build.place(*(build.new_order(n) for n in range(1, 502)))),
    ),
    "too many cancels": (
        HOME, ACCOUNT, sealed(c.CancelOrders(ACCOUNT, ("x",) * (c.CANCELS_MAX + 1))),
    ),
    "no known kind": (HOME, ACCOUNT, sealed(["__test__", 1])),
}  # fmt: skip


def books(book: Book) -> bytes:
    """Return everything of accounts, orders and prices that a command may change."""
    state = book.state
    accounts = {k: v for k, v in state.accounts.items() if not k.startswith("~")}
    return msgspec.msgpack.encode([accounts, state.closed, state.instruments, state.marks])


@pytest.mark.parametrize("foreign", FOREIGN.values(), ids=list(FOREIGN))
def test_a_foreign_command_is_set_aside(foreign: tuple[int, str, bytes]) -> None:
    """Nobody's account, order or money comes of it, and the order behind it is filled."""
    partition, key, value = foreign
    rig = Rig(partitions=PARTITIONS)
    rig.open()
    engine = rig.start()
    rig.work(engine)
    before = [books(engine.owned[one].book) for one in range(PARTITIONS)]
    (offset,) = rig.log.append(Topic.COMMANDS, [Record(partition, key, value)])
    for one in range(PARTITIONS):
        rig.feed(engine, one)
    (item,) = rig.poison
    assert isinstance(item.error, BadRecordError)
    assert (item.record.partition, item.record.offset) == (partition, offset)
    for one in range(PARTITIONS):
        assert books(engine.owned[one].book) == before[one]
    assert engine.owned[partition].book.state.set_aside == 1
    rig.send(build.place(build.new_order(2)))
    rig.work(engine)
    state = engine.owned[HOME].book.state
    assert status_of(state.closed[order_id_of(2)]) is Status.FILLED
    assert breaches(state) == []
    rig.project()
    assert rig.store.get(order_id_of(2), (ACCOUNT,)) is not None
    assert rig.store.get(order_id_of(1), (ACCOUNT,)) is None
    for one in range(PARTITIONS):
        engine.snapshot(engine.owned[one])
    assert replay.run(rig.log, rig.store, PARTITIONS).equal


def test_our_own_commands_are_not_foreign() -> None:
    """Every kind, as the doors, the feed and the engine write it."""
    rig = Rig(partitions=PARTITIONS)
    rig.open()
    engine = rig.start()
    rig.send(build.place(build.new_order(1)), build.cancel(1), build.cancel())
    rig.work(engine)
    assert rig.poison == []

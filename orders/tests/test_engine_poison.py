"""What nobody can read or decide: set aside, told, obeyed ever after; and other versions' records."""

import msgspec
import pytest

from oms_project.adapters.memory import MemoryLog
from oms_project.kernel import ids, wire
from oms_project.kernel.errors import (
    BadRecordError,
    NewerVersionError,
    OldVersionError,
)
from oms_project.kernel.ports import Record, StoredRecord
from oms_project.kernel.words import Status, Topic
from orders.domain import commands as c
from orders.domain import events as e
from orders.domain import readable
from orders.domain.order import status_of
from orders.tests.day import whole
from orders.tests.domain import build
from orders.tests.domain.build import ACCOUNT, OTHER, order_id_of
from orders.tests.rig import Rig


def sealed(command: object, **changes: object) -> bytes:
    return wire.seal(c.SCHEMA, command, **{"id": "x", "at_ns": 1, **changes})  # type: ignore[arg-type]


def a_place(lots: int, ticks: int = 1) -> list[object]:
    """An order as a foreign producer may write it: no struct of ours checks it."""
    terms = ["BTC-USD", "buy", "limit", "gtc", lots, ticks, 0]
    return ["PlaceOrders", ACCOUNT, [["order", "client", terms]], False]


GARBAGE = {
    "bytes": b"\xc1",
    "another schema": wire.seal("events", c.OpenEpoch(1), id="x", at_ns=1),
    "no command": sealed({"x": 1}),
    "of no known kind": sealed(["MakeCoffee", ACCOUNT]),
    "lots beyond 64 bits": sealed(a_place(2**63)),
    "a price beyond 64 bits": sealed(a_place(1, 2**64 - 1)),
    "lots below zero": sealed(a_place(-5)),
    "a time beyond 64 bits": sealed(build.cancel(1), at_ns=2**64 - 1),
    "another account's": sealed(build.place(build.new_order(), account_id=OTHER)),
    "nobody's": sealed(build.place(build.new_order(), account_id="")),
    "the partition's own": sealed(build.place(build.new_order(), account_id="~0")),
}


@pytest.mark.parametrize("value", GARBAGE.values(), ids=list(GARBAGE))
def test_poison_is_set_aside_and_told(value: bytes) -> None:
    """The records around it are handled, nothing of it is in the book, also after a restart."""
    rig = Rig()
    rig.open()
    engine = rig.start()
    rig.work(engine)
    state = engine.owned[0].book.state
    before = msgspec.msgpack.encode([state.accounts[ACCOUNT], state.closed, state.instruments])
    rig.log.append(Topic.COMMANDS, [Record(0, ACCOUNT, value)])
    offset = state.offset
    rig.work(engine)
    (item,) = rig.poison
    assert isinstance(item.error, BadRecordError)
    assert item.record.value == value
    after = msgspec.msgpack.encode([state.accounts[ACCOUNT], state.closed, state.instruments])
    assert after == before
    (told,) = [event for event in rig.told("~0") if isinstance(event, e.CommandSetAside)]
    assert (told.offset, state.set_aside) == (offset, 1)
    rig.send(build.place(build.new_order()))
    rig.work(engine)
    assert status_of(state.closed[order_id_of(1)]) is Status.FILLED
    whole(rig, engine)
    again = rig.start()
    assert again.owned[0].book.state.accounts[ACCOUNT] == state.accounts[ACCOUNT]


def test_a_command_of_another_partition_is_set_aside() -> None:
    """It would make a second account of the same name, with books of its own."""
    rig = Rig(partitions=2)
    rig.open()
    home = ids.partition_of(ACCOUNT, 2)
    value = sealed(build.place(build.new_order()))
    rig.log.append(Topic.COMMANDS, [Record(1 - home, ACCOUNT, value)])
    engine = rig.start()
    rig.work(engine)
    assert ACCOUNT not in engine.owned[1 - home].book.state.accounts
    assert engine.owned[1 - home].book.state.set_aside == 1


def test_a_newer_command_stops_the_engine_and_is_not_lost() -> None:
    """It was acknowledged by a newer door; skipping it would lose it. The message says what to do."""
    rig = Rig()
    rig.open()
    engine = rig.start()
    rig.work(engine)
    newer = msgspec.msgpack.encode([c.SCHEMA, 99, "x", 1, "", "", ["OpenEpoch", 1]])
    rig.log.append(Topic.COMMANDS, [Record(0, ACCOUNT, newer)])
    offset = engine.owned[0].book.state.offset
    with pytest.raises(NewerVersionError, match="Start the version that wrote it"):
        rig.feed(engine)
    engine.lose(0)
    with pytest.raises(NewerVersionError):
        rig.start()
    assert rig.store.load_snapshot(0) is None
    assert rig.log.read(Topic.COMMANDS, 0, offset, 1)[0].value == newer


def test_a_log_of_before_is_refused_with_what_to_do() -> None:
    rig = Rig()
    older = msgspec.msgpack.encode([c.SCHEMA, 1, "x", 1, "", "", ["OpenEpoch", 1]])
    rig.log.append(Topic.COMMANDS, [Record(0, ACCOUNT, older)])
    with pytest.raises(OldVersionError, match="move the data directory away"):
        rig.start()


def test_what_was_set_aside_stays_so_for_who_could_decide_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An event tells that it was; a later version that can read the command obeys it."""
    rig = Rig()
    rig.open()
    engine = rig.start()
    rig.work(engine)
    rig.send(build.place(build.new_order(1)))
    with monkeypatch.context() as an_older_version:
        an_older_version.setattr(readable, "why_foreign", lambda *_: "this version cannot")
        rig.feed(engine)
    rig.send(build.place(build.new_order(2)))
    rig.work(engine)
    again = rig.start()
    rig.work(again)
    for one in (engine, again):
        closed = one.owned[0].book.state.closed
        assert (order_id_of(1) in closed, order_id_of(2) in closed) == (False, True)
        assert one.owned[0].book.state.set_aside == 1
    whole(rig, again)


def test_what_was_decided_is_not_set_aside_by_who_cannot_read_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its events are told: a version that can not decide it again stops and says so."""
    rig = Rig()
    rig.open()
    rig.send(build.place(build.new_order(1)))
    engine = rig.start()
    rig.work(engine)
    monkeypatch.setattr(readable, "why_foreign", lambda *_: "this version cannot")
    with pytest.raises(OldVersionError, match="decided by another version"):
        rig.start()


class ShortReads(MemoryLog):
    """A log whose reads stop early, as those of Kafka do at their limit of bytes."""

    def read(self, topic: str, partition: int, offset: int, records_max: int) -> list[StoredRecord]:
        return super().read(topic, partition, offset, min(records_max, 2))


def test_what_was_set_aside_is_found_by_short_reads() -> None:
    """Else a restart takes it for another version's doing, and the engine stays down."""
    rig = Rig()
    rig.log = ShortReads(1)
    rig.open()
    engine = rig.start()
    rig.log.append(Topic.COMMANDS, [Record(0, ACCOUNT, b"\xc1")])
    rig.work(engine)
    for number in range(1, 8):
        rig.send(build.place(build.new_order(number)))
    rig.work(engine)
    assert rig.start().owned[0].book.state.set_aside == 1

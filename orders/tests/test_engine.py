"""The engine on twins in memory: orders in, events out once, whatever breaks in between."""

import msgspec
import pytest

from oms_project.kernel import wire
from oms_project.kernel.errors import (
    BadRecordError,
    FencedError,
    IllegalTransitionError,
)
from oms_project.kernel.ports import Record
from oms_project.kernel.words import Status, Topic
from orders import engine as engine_module
from orders.domain import commands as c
from orders.domain import events as e
from orders.domain.order import status_of
from orders.engine import Engine
from orders.tests.day import RESTS, a_day, ends_of, live, stories, whole
from orders.tests.domain import build
from orders.tests.domain.build import ACCOUNT, OTHER, order_id_of
from orders.tests.rig import CrashAt, CrashedError, Rig

POINTS = [
    "engine.before_events", "engine.after_events", "engine.after_route", "engine.before_reports",
    "engine.after_reports", "engine.before_snapshot", "engine.after_snapshot",
]  # fmt: skip


@pytest.fixture(scope="module")
def undisturbed() -> list[e.Event]:
    """What the account is told when nothing breaks."""
    rig = Rig()
    day = a_day(rig)
    rig.open()
    live(rig, day)
    return rig.told()


def test_a_day_without_trouble(undisturbed: list[e.Event]) -> None:
    """The statuses in the end, the poison set aside, the events in a chain."""
    rig = Rig()
    day = a_day(rig)
    rig.open()
    engine = live(rig, day)
    book = engine.owned[0].book
    shown = {
        int(order.order_id[-12:], 16): status_of(order) for order in book.state.closed.values()
    }
    assert shown == {
        1: Status.FILLED, 2: Status.CANCELED, 3: Status.CANCELED, 4: Status.REJECTED,
        5: Status.CANCELED, 6: Status.REJECTED, 7: Status.REJECTED, 8: Status.FILLED,
    }  # fmt: skip
    assert book.open_orders() == []
    assert [type(item.error) for item in rig.poison] == [IllegalTransitionError]
    assert rig.told() == undisturbed
    whole(rig, engine)


@pytest.mark.parametrize("nth", [1, 2, 3])
@pytest.mark.parametrize("point", POINTS)
def test_a_crash_at_each_step(
    point: str, nth: int, undisturbed: list[e.Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever takes over ends where an undisturbed day ends: each order's same events, once."""
    rig = Rig()
    rig.snapshot_commands = 5
    day = a_day(rig)
    rig.open()
    crash = CrashAt(point, nth)
    monkeypatch.setattr(engine_module, "crash", crash)
    engine: Engine | None = None
    for commands in day:
        rig.send(*commands)
        try:
            engine = engine or rig.start()
            rig.work(engine)
        except CrashedError:
            engine = rig.start()
            rig.work(engine)
    assert crash.left <= 0, f"{point} was passed {crash.passed.count(point)} times"
    assert engine is not None
    assert stories(rig.told()) == stories(undisturbed)
    whole(rig, engine)


@pytest.mark.parametrize("cut", range(1, 13))
def test_a_crash_behind_any_record(cut: int, undisturbed: list[e.Event]) -> None:
    """The engine vanishes between two polls, its venue's unsaid words with it."""
    rig = Rig()
    day = [command for part in a_day(rig) for command in part]
    rig.open()
    rig.send(*day)
    engine = rig.start()
    records = rig.log.read(Topic.COMMANDS, 0, engine.owned[0].book.state.offset, cut)
    engine.handle(records)
    engine = rig.start()
    rig.work(engine)
    assert ends_of(rig.told()) == ends_of(undisturbed)
    whole(rig, engine)


def test_a_venue_that_says_everything_twice(undisturbed: list[e.Event]) -> None:
    rig = Rig(twice=True)
    day = a_day(rig)
    rig.open()
    engine = live(rig, day)
    assert rig.told() == undisturbed
    assert engine.owned[0].book.state.absorbed > 10
    whole(rig, engine)


def test_one_record_a_poll_or_all_at_once(undisturbed: list[e.Event]) -> None:
    """How records are cut into polls changes nothing of a quiet day."""
    for records_max in (1, 2, 500):
        rig = Rig()
        day = a_day(rig)
        rig.open()
        engine = rig.start()
        for commands in day:
            rig.send(*commands)
            rig.work(engine, records_max=records_max)
        assert ends_of(rig.told()) == ends_of(undisturbed)
        whole(rig, engine)


# ------------------------------------------------------------------ poison


GARBAGE = {
    "bytes": b"\xc1",
    "another schema": wire.seal("events", c.OpenEpoch(1), id="x", at_ns=1),
    "no command": wire.seal(c.SCHEMA, {"x": 1}, id="x", at_ns=1),
    "newer": msgspec.msgpack.encode([c.SCHEMA, 99, "x", 1, "", "", ["OpenEpoch", 1]]),
    "a tick that changes": wire.seal(
        c.SCHEMA, c.SetInstrument(build.an_instrument(lot_size="1")), id="x", at_ns=1
    ),
    "an impossible tick": wire.seal(
        c.SCHEMA, c.SetInstrument(build.an_instrument("X-USD", tick_size="0")), id="x", at_ns=1
    ),
    "more money than there is": wire.seal(
        c.SCHEMA, build.credit("EUR", 10**18 + 1, "typo"), id="x", at_ns=1
    ),
}


@pytest.mark.parametrize("value", GARBAGE.values(), ids=list(GARBAGE))
def test_poison_is_set_aside(value: bytes) -> None:
    """The records around it are handled, nothing of it is in the book, also after a restart."""
    rig = Rig()
    rig.open()
    engine = rig.start()
    rig.work(engine)
    before = msgspec.msgpack.decode(engine.owned[0].book.to_bytes())[2:]
    rig.log.append(Topic.COMMANDS, [Record(0, ACCOUNT, value)])
    rig.work(engine)
    (item,) = rig.poison
    assert isinstance(item.error, BadRecordError | IllegalTransitionError)
    assert item.record.value == value
    assert msgspec.msgpack.decode(engine.owned[0].book.to_bytes())[2:] == before
    rig.send(build.place(build.new_order()))
    rig.work(engine)
    assert status_of(engine.owned[0].book.state.closed[order_id_of(1)]) is Status.FILLED
    whole(rig, engine)
    again = rig.start()
    assert (
        again.owned[0].book.state.accounts[ACCOUNT]
        == (engine.owned[0].book.state.accounts[ACCOUNT])
    )


# ------------------------------------------------------------------ owners


def test_a_fenced_owner_changes_nothing() -> None:
    """It may still speak, in the log and to the store; its word is void and its snapshot refused."""
    rig = Rig()
    rig.scripts = {order_id_of(1): RESTS}
    rig.open()
    rig.send(build.place(build.new_order(1), build.new_order(2)))
    old = rig.start()
    rig.feed(old)
    new = rig.start()
    rig.work(new)
    assert status_of(new.owned[0].book.state.closed[order_id_of(2)]) is Status.FILLED
    told = rig.told()
    absorbed = new.owned[0].book.state.absorbed
    old.tick()  # its venue's reports of both orders
    rig.work(new)
    assert new.owned[0].book.state.absorbed > absorbed
    assert rig.told() == told
    with pytest.raises(FencedError):
        old.snapshot(old.owned[0], rig.clock.now_ns())
    whole(rig, new)


def test_a_fenced_owner_tells_only_what_is_true() -> None:
    """Both decide the same records; the second telling is the same and is skipped."""
    rig = Rig()
    rig.open()
    old = rig.start()
    rig.work(old)
    new = rig.start()
    rig.send(build.place(build.new_order()))
    rig.feed(new)
    rig.feed(old)
    told: dict[int, list[list[e.Event]]] = {}
    for batch in rig.batches():
        told.setdefault(batch.offset, []).append(list(batch.events))
    twice = [events for events in told.values() if len(events) == 2]
    assert twice
    assert all(first == second for first, second in twice)
    rig.work(new)
    rig.project()
    row = rig.store.get(order_id_of(1), [ACCOUNT])
    assert row is not None
    assert row.status is Status.FILLED
    steps = rig.store.steps(ACCOUNT, row.order_id, 0, 100)
    assert len({row.first_seq, *steps, row.end_seq}) == row.version


def test_a_partition_that_was_lost_is_not_written() -> None:
    rig = Rig(partitions=2)
    rig.open(ACCOUNT, OTHER)
    engine = rig.start()
    rig.work(engine)
    engine.lose(1)
    before = rig.log.end_offset(Topic.COMMANDS, 1)
    engine.tick()
    assert (set(engine.owned), rig.log.end_offset(Topic.COMMANDS, 1)) == ({0}, before)


def test_partitions_live_beside_each_other() -> None:
    """Each account's orders are in its own partition's log, events and state."""
    rig = Rig(partitions=4)
    accounts = [f"{n}0000000-2222-4333-8444-555555555555" for n in range(1, 9)]
    rig.open(*accounts)
    for number, account_id in enumerate(accounts, 1):
        rig.send(build.place(build.new_order(number), account_id=account_id))
    engine = rig.start()
    rig.work(engine)
    for partition in range(4):
        whole(rig, engine, partition)
    for number, account_id in enumerate(accounts, 1):
        row = rig.store.get(order_id_of(number), [account_id])
        assert row is not None
        assert row.status is Status.FILLED

"""The engine on twins in memory: orders in, events out once, whatever breaks in between."""

import pytest

from marketdata.domain.venue import SimulatedVenue
from marketdata.tests.build import symbol_prices
from oms_project.adapters.ids import seeded
from oms_project.kernel import wire
from oms_project.kernel.errors import (
    BadRecordError,
    FencedError,
)
from oms_project.kernel.words import AccountState, Status, Topic
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
    assert [type(item.error) for item in rig.poison] == [BadRecordError]
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


# ------------------------------------------------------------------ the read side, the clock


def test_no_command_waits_for_the_read_side() -> None:
    """The projector is away and so is the store: orders, cancels and fills are decided all the same."""
    rig = Rig()
    rig.scripts = {order_id_of(1): RESTS}
    rig.open()
    engine = rig.start()
    rig.work(engine)
    rig.store.break_wire(broken=True)
    rig.send(build.place(build.new_order(1), build.new_order(2)))
    rig.work(engine)
    rig.send(build.cancel(1), build.account(state=AccountState.HALTED))
    rig.work(engine)
    state = engine.owned[0].book.state
    assert status_of(state.closed[order_id_of(1)]) is Status.CANCELED
    assert status_of(state.closed[order_id_of(2)]) is Status.FILLED
    assert state.accounts[ACCOUNT].state is AccountState.HALTED
    rig.store.break_wire(broken=False)
    whole(rig, engine)


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_that_is_set_holds_up_no_report(hours: int) -> None:
    """Reports are due by monotonic time: an hour back or forth moves nothing but stamps."""
    rig = Rig()
    rig.open()
    venue = SimulatedVenue(seeded(1), latency_min_ms=5, latency_max_ms=5)
    engine = rig.start(venue)
    venue.on_book(symbol_prices(asks=((9_999, 100),)), rig.clock.monotonic_ns())
    rig.send(build.place(build.new_order(1)))
    rig.feed(engine)
    rig.clock.jump_ns(hours * 3_600 * 10**9)
    rig.clock.advance_ns(10_000_000)
    engine.tick()
    rig.feed(engine)
    assert status_of(engine.owned[0].book.state.closed[order_id_of(1)]) is Status.FILLED


# ------------------------------------------------------------------ many at once


def test_a_cancel_of_all_and_its_reports_come_in_records_of_a_bearable_size(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However many orders are open: no command makes, and no venue tells, more than so many at once."""
    monkeypatch.setattr(c, "CANCELS_MAX", 50)
    monkeypatch.setattr(c, "REPORTS_MAX", 30)
    rig = Rig()
    rig.scripts = {order_id_of(n): RESTS for n in range(1, 401)}
    rig.open()
    engine = rig.start()
    for start in range(1, 401, 100):
        rig.send(build.place(*[build.new_order(n, lots=1) for n in range(start, start + 100)]))
    rig.work(engine)
    rig.send(build.cancel())
    rig.work(engine)
    assert engine.owned[0].book.open_orders() == []
    assert max(len(batch.events) for batch in rig.batches()) <= 202
    commands = [
        wire.read_body(c.decoder, wire.open_envelope(record.value, c.SCHEMA))
        for record in rig.log.read(Topic.COMMANDS, 0, 0, 10_000)
    ]
    assert sum(isinstance(one, c.CancelOrders) for one in commands) == 8
    reports = [len(one.reports) for one in commands if isinstance(one, c.VenueReports)]
    assert max(reports) <= 30
    whole(rig, engine)


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
        old.snapshot(old.owned[0])
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

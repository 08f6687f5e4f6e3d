"""The engine after broken wires, restarts and power cuts, and with a memory that lets go."""

from collections.abc import Sequence

import msgspec
import pytest

from oms_project.kernel.errors import (
    BadRecordError,
    GapError,
    OldVersionError,
    TransportError,
    UnknownOutcomeError,
)
from oms_project.kernel.ports import Record
from oms_project.kernel.words import Status, Topic
from orders import replay
from orders.adapters.memory_store import MemoryStore
from orders.domain import apply, used
from orders.domain import events as e
from orders.domain.book import Book, state_hash
from orders.domain.laws import breaches
from orders.domain.order import status_of
from orders.engine import SNAPSHOT_AGE_NS, Engine
from orders.projector import Projector
from orders.tests.day import PART, RESTS, a_day, ends_of, live, whole
from orders.tests.domain import build
from orders.tests.domain.build import ACCOUNT, order_id_of
from orders.tests.rig import Rig, chained


@pytest.fixture(scope="module")
def undisturbed() -> list[e.Event]:
    """What the account is told when nothing breaks."""
    rig = Rig()
    day = a_day(rig)
    rig.open()
    live(rig, day)
    return rig.told()


# ------------------------------------------------------------------ broken wires


class BrokenLog:
    """A log whose append to a topic fails once, before or after the records are in it."""

    def __init__(self, rig: Rig, topic: str, *, written: bool) -> None:
        self._inner = rig.log
        self._topic, self._written = topic, written
        self.broken = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)

    def append(self, topic: str, records: Sequence[Record]) -> list[int]:
        if topic != self._topic or self.broken:
            return self._inner.append(topic, records)
        self.broken += 1
        if not self._written:
            raise TransportError("log", "away")
        self._inner.append(topic, records)
        raise UnknownOutcomeError("log", "no answer")


@pytest.mark.parametrize("written", [True, False])
@pytest.mark.parametrize("topic", [Topic.EVENTS, Topic.COMMANDS])
def test_a_wire_that_breaks(topic: str, written: bool, undisturbed: list[e.Event]) -> None:
    """Taken again, as the loop does: no event is told twice, none is missing."""
    rig = Rig()
    day = a_day(rig)
    rig.open()
    engine = rig.start()
    rig.work(engine)
    inner = rig.log
    broken = BrokenLog(rig, topic, written=written)
    engine._log = rig.log = broken  # type: ignore[assignment]
    for commands in day:
        engine._log = rig.log = inner
        rig.send(*commands)
        engine._log = rig.log = broken  # type: ignore[assignment]
        try:
            rig.work(engine)
        except TransportError:
            engine.take(0)
            rig.work(engine)
    assert broken.broken == 1
    rig.log = inner
    assert ends_of(rig.told()) == ends_of(undisturbed)
    whole(rig, engine)


# ------------------------------------------------------------------ snapshots


def test_a_snapshot_is_kept_when_it_is_due() -> None:
    """After so many records (events or none), or when the last one is a minute old."""
    rig = Rig()
    rig.open()
    rig.snapshot_commands = 200
    engine = rig.start()
    rig.work(engine)
    assert rig.store.load_snapshot(0) is None
    rig.clock.advance_ns(SNAPSHOT_AGE_NS + 1)
    engine.tick()
    first = rig.store.load_snapshot(0)
    assert first is not None
    rig.clock.advance_ns(SNAPSHOT_AGE_NS + 1)
    engine.tick()  # nothing has happened since: nothing to keep
    assert rig.store.load_snapshot(0) == first
    rig.send(*(build.marks(rig.clock.now_ns()) for _ in range(200)))
    rig.work(engine, records_max=1)
    second = rig.store.load_snapshot(0)
    assert second is not None
    assert second.offset == first.offset + 200
    assert state_hash(second.state) == second.state_hash


def test_a_start_goes_on_from_the_snapshot() -> None:
    """The log in front of it may be gone."""
    rig = Rig()
    day = a_day(rig)
    rig.open()
    engine = live(rig, day[:2])
    rig.project()
    engine.snapshot(engine.owned[0])
    offset = engine.owned[0].book.state.offset
    rig.log.trim(Topic.COMMANDS, 0, offset)
    again = live(rig, day[2:], rig.start())
    assert status_of(again.owned[0].book.state.closed[order_id_of(8)]) is Status.FILLED
    chained(rig.batches())
    outcome = replay.run(rig.log, rig.store, 1)
    assert (outcome.compared, outcome.equal) == (0, True)
    assert "the log begins at" in outcome.details[0]


def test_without_a_snapshot_a_trimmed_log_is_not_started_from() -> None:
    rig = Rig()
    rig.open()
    rig.work(rig.start())
    rig.log.trim(Topic.COMMANDS, 0, 3)
    with pytest.raises(GapError):
        rig.start()


def test_events_that_a_power_cut_took_are_told_again() -> None:
    """The snapshot is newer than the newest event left: an older one, or the beginning, is used."""
    rig = Rig()
    day = a_day(rig)
    rig.open()
    engine = live(rig, day[:1])
    engine.snapshot(engine.owned[0])
    live(rig, day[1:], engine)
    engine.snapshot(engine.owned[0])
    told = rig.told()
    part = rig.log._parts[Topic.EVENTS, 0]  # type: ignore[attr-defined]
    for left in (len(part.records) - 1, 3, 0):
        del part.records[left:]
        again = rig.start()
        rig.work(again)
        assert rig.told() == told
        chained(rig.batches())
        assert breaches(again.owned[0].book.state) == []


def test_replay_finds_a_state_that_is_not_the_logs() -> None:
    """One unit too many in a snapshot is another hash, and books that do not sum to zero."""
    rig = Rig()
    rig.open()
    engine = rig.start()
    rig.work(engine)
    owned = engine.owned[0]
    owned.book.state.accounts[ACCOUNT].balances["USD"].free += 1
    engine.snapshot(owned)
    outcome = replay.run(rig.log, rig.store, 1)
    assert (outcome.compared, outcome.equal) == (1, False)
    assert "replayed" in outcome.details[0]


def test_replay_counts_and_tells_its_progress() -> None:
    rig = Rig()
    day = a_day(rig)
    rig.open()
    engine = live(rig, day)
    assert replay.run(rig.log, rig.store, 1).details == [
        "partition 0: no snapshot to compare with yet"
    ]
    rig.project()
    engine.snapshot(engine.owned[0])
    steps: list[tuple[int, int]] = []
    outcome = replay.run(
        rig.log, rig.store, 1, lambda done, everything: steps.append((done, everything))
    )
    assert steps[-1] == (rig.log.end_offset(Topic.COMMANDS, 0),) * 2
    assert outcome.records == steps[-1][0]
    assert outcome.commands > 8


# ------------------------------------------------------------------ memory that lets go


@pytest.fixture
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep four to six closed orders in memory; what is let go of fills segments of five."""
    monkeypatch.setattr(apply, "CLOSED_KEPT", 4)
    monkeypatch.setattr(apply, "EVICTED_AT_ONCE", 2)
    monkeypatch.setattr(used, "SEGMENT_PAIRS", 5)


def a_forgetful_rig(orders: int) -> tuple[Rig, Engine]:
    rig = Rig()
    rig.open()
    engine = rig.start()
    for number in range(1, orders + 1):
        rig.send(build.place(build.new_order(number)))
        rig.work(engine)
    return rig, engine


@pytest.mark.usefixtures("forgetful")
def test_a_client_order_id_is_taken_for_ever() -> None:
    """Also when memory has let go of it, and a snapshot brought it back: no store is asked."""
    rig, engine = a_forgetful_rig(15)
    state = engine.owned[0].book.state
    assert order_id_of(1) not in state.closed
    assert "client-1" not in state.accounts[ACCOUNT].names
    engine.lose(0)
    engine = rig.start()
    rig.send(build.place(build.new_order(101, client_order_id="client-1")))
    rig.send(build.place(build.new_order(102, client_order_id="client-14")))
    rig.work(engine)
    denied = [event for event in rig.told() if isinstance(event, e.OrderDenied)]
    assert [(x.order_id, x.reason) for x in denied] == [
        (order_id_of(101), "duplicate_client_order_id"),
        (order_id_of(102), "duplicate_client_order_id"),
    ]
    whole(rig, engine)


@pytest.mark.usefixtures("forgetful")
def test_an_order_sent_again_after_memory_let_go_is_not_a_second_order() -> None:
    rig, engine = a_forgetful_rig(15)
    told = rig.told()
    rig.send(build.place(build.new_order(1)), build.place(build.new_order(15)))
    rig.work(engine)
    assert rig.told() == told


FATES = ["lost", "restored", "whole"]


def after(rig: Rig, store: str, backup: MemoryStore) -> Engine:
    """Return the engine that starts behind this *store*: gone, as it was long ago, or all there."""
    if store != "whole":
        rig.store = backup if store == "restored" else MemoryStore()
        rig.projector = Projector(rig.store, rig.reference)
    return rig.start()


@pytest.mark.usefixtures("forgetful")
@pytest.mark.parametrize("store", FATES)
def test_no_acknowledged_order_changes_its_fate(store: str) -> None:
    """Whatever became of the store, and wherever the projector is: the log decides as it did."""
    rig, engine = a_forgetful_rig(15)
    rig.project()
    engine.snapshot(engine.owned[0])
    backup = rig.store.backup()
    for number in range(16, 40):
        rig.send(build.place(build.new_order(number)))
    rig.work(engine)
    rig.send(build.place(build.new_order(101, client_order_id="client-1")))
    rig.work(engine)  # nothing of it is projected
    told = rig.told()
    again = after(rig, store, backup)
    rig.work(again)
    assert rig.told() == told
    assert status_of(again.owned[0].book.state.closed[order_id_of(101)]) is Status.REJECTED
    for own in (engine, again):
        own.owned[0].book.state.epoch = own.owned[0].book.state.offset = 0
    assert again.owned[0].book.to_bytes() == engine.owned[0].book.to_bytes()


@pytest.mark.parametrize("store", FATES)
def test_no_fate_changes_behind_more_orders_than_memory_keeps(store: str) -> None:
    """The same with the constants as they are shipped, and 44,000 orders undecided at the start."""
    rig = Rig()
    rig.open()
    rig.work(rig.start())
    backup = rig.store.backup()
    for start in range(0, 44_000, 500):
        orders = [build.new_order(start + n, symbol="NO-USD") for n in range(1, 501)]
        rig.send(build.place(*orders))
    rig.send(build.place(build.new_order(99_999, client_order_id="client-7")))
    engine = rig.start()
    rig.work(engine)
    told = rig.told()[-1]
    assert isinstance(told, e.OrderDenied)
    assert told.reason == "duplicate_client_order_id"
    again = after(rig, store, backup)
    book = again.owned[0].book
    assert status_of(book.state.closed[order_id_of(99_999)]) is Status.REJECTED
    for own in (engine, again):
        own.owned[0].book.state.epoch = own.owned[0].book.state.offset = 0
    assert book.to_bytes() == engine.owned[0].book.to_bytes()


@pytest.mark.usefixtures("forgetful")
def test_a_snapshot_without_its_segments_is_left_out() -> None:
    """A store that lost a part: the older snapshot, or the log, says the same."""
    rig, engine = a_forgetful_rig(15)
    engine.snapshot(engine.owned[0])
    rig.store._segments[0].popitem()
    again = rig.start()
    rig.work(again)
    for own in (engine, again):
        own.owned[0].book.state.epoch = own.owned[0].book.state.offset = 0
    assert again.owned[0].book.to_bytes() == engine.owned[0].book.to_bytes()


# ------------------------------------------------------------------ the venue after a restart


def test_open_orders_go_on_at_the_venue() -> None:
    """Where they were: acknowledged and part filled; what it never saw is sent."""
    rig = Rig()
    rig.scripts = {order_id_of(1): RESTS, order_id_of(2): PART}
    rig.open()
    engine = rig.start()
    rig.send(build.place(build.new_order(1), build.new_order(2)))
    rig.work(engine)
    rig.scripts = {
        order_id_of(1): (("ack", 0), ("fill", 10)),
        order_id_of(2): (("ack", 0), ("fill", 4), ("fill", 6)),
    }
    again = rig.start()
    rig.work(again)
    closed = again.owned[0].book.state.closed
    for number in (1, 2):
        assert status_of(closed[order_id_of(number)]) is Status.FILLED
        assert closed[order_id_of(number)].late_fill is False
    whole(rig, again)


def test_a_cancel_on_its_way_is_sent_again() -> None:
    """Asked before the crash, answered after it."""
    rig = Rig()
    rig.scripts = {order_id_of(1): RESTS}
    rig.open()
    engine = rig.start()
    rig.send(build.place(build.new_order(1)))
    rig.work(engine)
    rig.send(build.cancel(1))
    rig.feed(engine)  # decided and routed; the venue's answer is lost
    again = rig.start()
    assert status_of(again.owned[0].book.open_orders()[0][1]) is Status.PENDING_CANCEL
    rig.work(again)
    assert status_of(again.owned[0].book.state.closed[order_id_of(1)]) is Status.CANCELED
    whole(rig, again)


def test_a_snapshot_in_bytes_is_the_book() -> None:
    rig = Rig()
    day = a_day(rig)
    rig.open()
    engine = live(rig, day)
    book = engine.owned[0].book
    assert Book.from_bytes(book.to_bytes()).to_bytes() == book.to_bytes()
    with pytest.raises(BadRecordError):
        Book.from_bytes(b"\xc1 not a state")
    with pytest.raises(OldVersionError):
        Book.from_bytes(msgspec.msgpack.encode([0, 1, 2, 3]))

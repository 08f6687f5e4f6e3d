"""What the faults have found, as small cases: each was a loss, a stop or a doubled letter once."""

import threading
from collections.abc import Sequence
from typing import Any

import pytest
from pymongo import ReplaceOne
from pymongo.errors import BulkWriteError

from marketdata.domain.prices import SymbolPrices
from marketdata.domain.venue import SimulatedVenue
from oms_project.adapters.clock import FakeClock
from oms_project.adapters.dead_letters import DeadLetters, Poison, set_aside
from oms_project.adapters.ids import SeededIds, seeded
from oms_project.adapters.memory import MemoryLog
from oms_project.kernel import wire
from oms_project.kernel.errors import GapError, TransportError, UnknownOutcomeError
from oms_project.kernel.ports import AccountRow, InstrumentRow, Record
from oms_project.kernel.words import AccountState, Topic
from orders.adapters import mongo_documents as docs
from orders.adapters.memory_store import MemoryStore
from orders.domain import commands
from orders.engine import Engine
from orders.entry import plans
from orders.projector import Projector
from risk.domain.limits import Limits

ACCOUNT = "5b0e7c1a-0001-4a6e-9c11-a1fa00000001"


class FussyLog(MemoryLog):
    """A log whose events topic can be taken away, or lose the first part of one append."""

    events_away = False
    loses_first = 0

    def append(self, topic: str, records: Sequence[Record]) -> list[int]:
        if topic == Topic.EVENTS and self.events_away:
            raise TransportError("log", "away")
        if topic == Topic.EVENTS and self.loses_first:
            left, self.loses_first = records[self.loses_first :], 0
            super().append(topic, left)
            raise UnknownOutcomeError("log", "the first batch is lost, the second is there")
        return super().append(topic, records)


class NoReference:
    """The Reference port, for nobody to look at."""

    def apply(self, accounts: Sequence[AccountRow], listed: Sequence[InstrumentRow]) -> None:
        return None


@pytest.fixture
def log() -> FussyLog:
    return FussyLog(1)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def an_engine(log: MemoryLog, store: MemoryStore) -> Engine:
    def no_prices() -> Sequence[SymbolPrices]:
        return ()

    return Engine(
        log=log, store=store, venue_of=lambda _: SimulatedVenue(seeded(1)), prices=no_prices,
        clock=FakeClock(), ids=SeededIds(1), stop=threading.Event(), snapshot_commands=10**6,
    )  # fmt: skip


def open_account(log: MemoryLog, name: str) -> None:
    command = commands.SetAccount(ACCOUNT, name, AccountState.ACTIVE, Limits())
    value = wire.seal(commands.SCHEMA, command, id=name, at_ns=1)
    log.append(Topic.COMMANDS, [Record(0, ACCOUNT, value)])


def poison(log: MemoryLog, topic: Topic = Topic.COMMANDS) -> int:
    return log.append(topic, [Record(0, "", b"poison")])[0]


def handle_all(engine: Engine, log: MemoryLog, offset: int) -> list[Poison]:
    return list(engine.handle(log.read(Topic.COMMANDS, 0, offset, 1_000)).poison)


# ------------------------------------------------------------------ the last snapshot
def test_an_engine_that_leaves_keeps_a_snapshot_of_all_it_did(
    log: FussyLog, store: MemoryStore
) -> None:
    engine = an_engine(log, store)
    offset = engine.take(0)
    open_account(log, "Alpha")
    handle_all(engine, log, offset)
    engine.lose(0)
    snapshot = store.load_snapshot(0)
    assert snapshot is not None
    assert snapshot.offset == log.end_offset(Topic.COMMANDS, 0)


def test_no_snapshot_holds_what_has_no_events(log: FussyLog, store: MemoryStore) -> None:
    """Its commands are decided in memory and their events are nowhere: the next owner must decide."""
    engine = an_engine(log, store)
    offset = engine.take(0)
    open_account(log, "Alpha")
    log.events_away = True
    with pytest.raises(TransportError):
        handle_all(engine, log, offset)
    engine.lose(0)
    assert store.load_snapshot(0) is None
    log.events_away = False
    an_engine(log, store).take(0)
    assert log.end_offset(Topic.EVENTS, 0) == 1


def test_a_fenced_engine_leaves_in_silence(log: FussyLog, store: MemoryStore) -> None:
    engine = an_engine(log, store)
    engine.take(0)
    an_engine(log, store).take(0)
    engine.lose(0)
    assert store.load_snapshot(0) is None


# ------------------------------------------------------------------ poison
def test_poison_of_an_engine_that_died_is_still_set_aside(
    log: FussyLog, store: MemoryStore
) -> None:
    """It died after it had handled the records and before the dead letter: replay meets it again."""
    first = an_engine(log, store)
    offset = first.take(0)
    bad = poison(log)
    assert [one.record.offset for one in handle_all(first, log, offset)] == [bad]

    second = an_engine(log, store)
    offset = second.take(0)
    open_account(log, "Alpha")
    found = handle_all(second, log, offset)
    assert [one.record.offset for one in found] == [bad]

    DeadLetters(log, Topic.COMMANDS, FakeClock(), actor="test").put(0, found)
    assert set_aside(log, Topic.COMMANDS, 0) == {bad}
    third = an_engine(log, store)
    offset = third.take(0)
    open_account(log, "Beta")
    assert handle_all(third, log, offset) == []


def test_an_unreadable_event_does_not_keep_the_engine_from_starting(
    log: FussyLog, store: MemoryStore
) -> None:
    """Its last own event is the one before; nothing is told twice."""
    engine = an_engine(log, store)
    offset = engine.take(0)
    open_account(log, "Alpha")
    handle_all(engine, log, offset)
    poison(log, Topic.EVENTS)
    events = log.end_offset(Topic.EVENTS, 0)
    an_engine(log, store).take(0)
    assert log.end_offset(Topic.EVENTS, 0) == events


def test_a_projector_stays_before_poison_until_it_is_set_aside(
    log: FussyLog, store: MemoryStore
) -> None:
    engine = an_engine(log, store)
    offset = engine.take(0)
    bad = poison(log, Topic.EVENTS)
    open_account(log, "Alpha")
    handle_all(engine, log, offset)

    projector = Projector(store, NoReference())
    assert projector.take(0) == 0
    assert len(projector.handle(log.read(Topic.EVENTS, 0, 0, 10)).poison) == 1
    assert store.last_seq(ACCOUNT) == 1
    assert store.progress(0).next_offset == bad

    again = Projector(store, NoReference())  # the first one died here
    assert [one.record.offset for one in again.handle(_rest(log, again)).poison] == [bad]
    again.buried(0)
    assert store.progress(0).next_offset == log.end_offset(Topic.EVENTS, 0)
    assert store.last_seq(ACCOUNT) == 1


# ------------------------------------------------------------------ half an append
def test_events_behind_a_hole_are_told_again(log: FussyLog, store: MemoryStore) -> None:
    """A broker took the second batch of an append and lost the first: nobody is stuck for ever."""
    projector = Projector(store, NoReference())
    projector.take(0)
    engine = an_engine(log, store)
    offset = engine.take(0)
    for name in ("Alpha", "Beta", "Gamma"):
        open_account(log, name)
    log.loses_first = 2
    with pytest.raises(UnknownOutcomeError):
        handle_all(engine, log, offset)
    with pytest.raises(GapError):
        projector.handle(log.read(Topic.EVENTS, 0, 0, 10))
    assert store.last_seq(ACCOUNT) == 0

    engine.take(0)  # as the loop does after a broken wire
    projector.handle(_rest(log, projector))
    assert store.last_seq(ACCOUNT) == 3
    assert store.progress(0).next_offset == log.end_offset(Topic.EVENTS, 0)


def _rest(log: MemoryLog, projector: Projector) -> list:
    return log.read(Topic.EVENTS, 0, projector.take(0), 10)


# ------------------------------------------------------------------ a store that is slow
class SlowCollection:
    """Remembers how much it was given at once; knows every third document already."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.replaced: list[Any] = []

    def insert_many(self, documents: list[dict[str, Any]], *, ordered: bool) -> None:
        self.sizes.append(len(documents))
        known = [index for index, one in enumerate(documents) if one["_id"] % 3 == 0]
        errors = [{"index": index, "code": docs.DUPLICATE_KEY} for index in known]
        raise BulkWriteError({"writeErrors": errors})

    def find(self, where: dict[str, Any], _: dict[str, int]) -> list[dict[str, Any]]:
        """How those it knows began: one answer to so many at once, too."""
        self.sizes.append(len(where["_id"]["$in"]))
        return []

    def bulk_write(self, writes: list[Any], *, ordered: bool) -> None:
        self.sizes.append(len(writes))
        self.replaced += writes


def test_no_write_to_the_store_grows_beyond_what_it_answers_in_time() -> None:
    """One that does is begun again from its start, for ever."""
    found = SlowCollection()
    many: Any = [{"_id": number, "version": 1} for number in range(2 * docs.WRITES_MAX + 1)]
    docs.insert(found, many, "version")  # type: ignore[arg-type]
    assert max(found.sizes) == docs.WRITES_MAX
    guarded = [
        ReplaceOne({"_id": n, "version": {"$lt": 1}}, many[n]) for n in range(0, len(many), 3)
    ]
    assert found.replaced == guarded


# ------------------------------------------------------------------ a log that stalls
def test_a_commit_that_takes_too_long_is_an_honest_503() -> None:
    """It may yet be written: the client asks again with the same key."""
    found = plans.failed(TimeoutError())
    assert (found.status, found.code) == (503, "durable_log_unavailable")
    assert found.outcome == "unknown"
    assert found.headers == {"Retry-After": "1"}

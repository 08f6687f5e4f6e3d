"""Ten thousand unreadable commands in a row, with the limits that are shipped: none vanishes."""

import threading
from collections.abc import Sequence

import pytest

from oms_project.adapters.dead_letters import (
    PER_MINUTE_MAX,
    RESUMED,
    Pauses,
    mark,
    set_aside,
)
from oms_project.adapters.loop import PAUSE_LOOK_NS, Loop
from oms_project.adapters.memory import MemoryLog
from oms_project.kernel.errors import TransportError
from oms_project.kernel.ports import Record
from oms_project.kernel.words import Status, Topic
from orders.domain.order import Order, status_of
from orders.engine import GROUP, RECORDS_MAX, Engine
from orders.tests.domain import build
from orders.tests.domain.build import ACCOUNT, order_id_of
from orders.tests.rig import Rig, ScriptedVenue

FLOOD = 10_000


class Engines:
    """Engines one after the other on one log, as a supervisor starts them."""

    def __init__(self, log: MemoryLog | None = None) -> None:
        self.rig = Rig()
        self.closed: dict[str, Order] = {}
        if log is not None:
            self.rig.log = log
        self.rig.open()

    def start(self) -> tuple[Engine, Loop]:
        rig = self.rig
        engine = Engine(
            log=rig.log, store=rig.store, clock=rig.clock, ids=rig.ids, stop=threading.Event(),
            venue_of=lambda _: ScriptedVenue({}, twice=False), prices=lambda: (),
            snapshot_commands=100,
        )  # fmt: skip
        loop = Loop(
            rig.log, Topic.COMMANDS, GROUP, engine, rig.clock, records_max=RECORDS_MAX, wait_ms=0
        )
        return engine, loop

    def flood(self, records: int) -> range:
        """Put *records* unreadable ones into the log; return their offsets."""
        offsets = self.rig.log.append(Topic.COMMANDS, [Record(0, ACCOUNT, b"\xc1")] * records)
        return range(offsets[0], offsets[-1] + 1)

    def life(self, rounds: int = 400) -> None:
        """Let one engine work and be stopped."""
        engine, loop = self.start()
        for _ in range(rounds):
            loop.run_once()
            self.rig.clock.advance_ns(PAUSE_LOOK_NS // 100)
        self.closed = dict(engine.owned[0].book.state.closed)
        loop.close()

    def paused(self) -> list[int]:
        found = Pauses(self.rig.log)
        found.refresh()
        return [pause.offset for pause in found.all()]


@pytest.mark.parametrize("running", [True, False], ids=["while it runs", "while it is down"])
def test_ten_thousand_unreadable_commands(running: bool) -> None:
    """The engine sets 1,000 aside and waits, however often it is started; an operator lets it go on."""
    engines = Engines()
    rig = engines.rig
    if running:
        engines.life(3)
    flood = engines.flood(FLOOD)
    rig.send(build.place(build.new_order(1)))
    for _ in range(3):
        engines.life()
        rig.clock.advance_s(3_600)
    assert set_aside(rig.log, Topic.COMMANDS, 0) == set(flood[:PER_MINUTE_MAX])
    assert engines.paused() == [flood[PER_MINUTE_MAX]]
    snapshot = rig.store.load_snapshot(0)
    assert snapshot is None or snapshot.offset <= flood[PER_MINUTE_MAX]

    end = rig.log.end_offset(Topic.COMMANDS, 0)
    mark(rig.log, RESUMED, Topic.COMMANDS, 0, end, reason="", now_ns=1, actor="olga")
    engines.life(1_000)
    assert set_aside(rig.log, Topic.COMMANDS, 0) == set(flood)
    assert engines.paused() == []
    assert status_of(engines.closed[order_id_of(1)]) is Status.FILLED


class AwayLog(MemoryLog):
    """A log that takes no dead letters while it is away."""

    away = True

    def append(self, topic: str, records: Sequence[Record]) -> list[int]:
        if topic == Topic.DEADLETTER and self.away:
            raise TransportError("log", "away")
        return super().append(topic, records)


def test_an_engine_that_is_stopped_keeps_no_snapshot_behind_unburied_poison() -> None:
    """The dead letters are away and the process ends: the next one meets the record again."""
    log = AwayLog(1)
    engines = Engines(log)
    engines.life(3)
    _, loop = engines.start()
    loop.run_once()
    (bad,) = engines.flood(1)
    with pytest.raises(TransportError):
        loop.run_once()
    loop.close()
    snapshot = engines.rig.store.load_snapshot(0)
    assert snapshot is None or snapshot.offset <= bad
    log.away = False
    engines.life(3)
    assert set_aside(log, Topic.COMMANDS, 0) == {bad}
    snapshot = engines.rig.store.load_snapshot(0)
    assert snapshot is not None
    assert snapshot.offset > bad

"""What is due by time, through the engine: commands in the log, whatever breaks in between."""

import pytest

from marketdata.domain.venue import SimulatedVenue
from marketdata.tests.build import symbol_prices
from oms_project.adapters.ids import seeded
from oms_project.kernel import wire
from oms_project.kernel.words import Status, Topic
from orders import engine as engine_module
from orders import replay
from orders.domain import commands as c
from orders.domain import events as e
from orders.domain.order import status_of
from orders.engine import Engine
from orders.tests.domain import build
from orders.tests.domain.build import ACCOUNT, HOUR_NS, order_id_of
from orders.tests.rig import CrashAt, CrashedError, Rig, whole_topic

RESTS = (("ack", 0), ("rests", 0))


def a_rig(*orders: c.NewOrder) -> Rig:
    """Return a product in memory to which these orders were sent; at the venue they rest."""
    rig = Rig()
    rig.open()
    rig.scripts = {one.order_id: RESTS for one in orders}
    rig.send(build.place(*orders))
    return rig


def status(engine: Engine, number: int = 1) -> Status:
    state = engine.owned[0].book.state
    open_orders = state.accounts[ACCOUNT].open
    return status_of(open_orders.get(order_id_of(number)) or state.closed[order_id_of(number)])


def wakes(rig: Rig) -> int:
    """Count the commands that time put into the log."""
    records = whole_topic(rig.log, Topic.COMMANDS, 0)
    envelopes = [wire.open_envelope(record.value, c.SCHEMA) for record in records]
    commands = [wire.read_body(c.decoder, one) for one in envelopes]
    return sum(isinstance(one, c.WakeOrders) for one in commands)


def soon(rig_now_ns: int = build.BEGIN_NS) -> int:
    return rig_now_ns + HOUR_NS


def test_a_gtd_order_expires_at_the_simulated_venue() -> None:
    """Through the venue that the product runs with; replay of the log alone gives the same state."""
    rig = Rig()
    rig.open()
    venue = SimulatedVenue(seeded(1))
    engine = rig.start(venue)
    venue.on_book(symbol_prices("BTC-USD", bids=((9_000, 5),), asks=((11_000, 5),)), 0)
    rig.send(build.place(build.a_timed_order(expires_ns=soon())))
    rig.work(engine)
    assert status(engine) is Status.ACCEPTED
    assert wakes(rig) == 0
    rig.clock.advance_ns(HOUR_NS)
    rig.work(engine)
    assert (status(engine), wakes(rig)) == (Status.EXPIRED, 1)
    kinds = [type(one).__name__ for one in rig.told() if isinstance(one, e._OrderEvent)]
    assert kinds == ["OrderAccepted", "OrderExpiryRequested", "OrderExpired"]
    engine.snapshot(engine.owned[0])
    outcome = replay.run(rig.log, rig.store, 1)
    assert (outcome.equal, outcome.compared) == (True, 1)


def test_what_is_due_is_asked_for_once_while_it_is_not_decided() -> None:
    rig = a_rig(build.a_timed_order(expires_ns=soon()))
    engine = rig.start()
    rig.work(engine)
    rig.clock.advance_ns(HOUR_NS)
    for _ in range(5):
        engine.tick()
    assert wakes(rig) == 1


@pytest.mark.parametrize(
    "point", ["engine.before_events", "engine.after_events", "engine.after_route"]
)
def test_a_crash_while_its_time_is_over_loses_no_end(
    point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever takes the partition next asks the venue again, and says how it shall end."""
    rig = a_rig(build.a_timed_order(expires_ns=soon()))
    engine = rig.start()
    rig.work(engine)
    rig.clock.advance_ns(HOUR_NS)
    monkeypatch.setattr(engine_module, "crash", CrashAt(point, 1))
    with pytest.raises(CrashedError):
        rig.work(engine)
    monkeypatch.undo()
    engine = rig.start()
    rig.work(engine)
    assert status(engine) is Status.EXPIRED
    assert wakes(rig) == 1


def test_an_order_that_waited_beyond_its_deadline_never_leaves() -> None:
    """The engine was away: what was acknowledged is decided, told as expired, and not sent."""
    rig = a_rig(build.new_order(1, deadline_ns=soon()), build.new_order(2))
    rig.clock.advance_ns(HOUR_NS)
    rig.send(build.marks(rig.clock.now_ns()))
    engine = rig.start()
    rig.work(engine)
    accepted = [one.order_id for one in rig.told() if isinstance(one, e.OrderAccepted)]
    assert accepted == [order_id_of(2)]
    assert status(engine) is Status.EXPIRED
    (end,) = [one for one in rig.told() if isinstance(one, e.OrderExpired)]
    assert end.reason == "deadline_passed"
    assert engine.owned[0].book.state.accounts[ACCOUNT].balances["USD"].locked > 0  # of the other


def test_a_crash_before_an_order_left_does_not_send_it_late(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Decided in time, and still here when the next owner looks: its deadline counts then."""
    rig = a_rig()
    engine = rig.start()
    rig.scripts[order_id_of(1)] = RESTS
    rig.send(build.place(build.new_order(1, deadline_ns=soon())))
    monkeypatch.setattr(engine_module, "crash", CrashAt("engine.after_events", 1))
    with pytest.raises(CrashedError):
        rig.feed(engine)
    monkeypatch.undo()
    rig.clock.advance_ns(HOUR_NS)
    engine = rig.start()
    rig.work(engine)
    assert not any(isinstance(one, e.OrderAccepted) for one in rig.told())
    assert status(engine) is Status.EXPIRED


def test_an_order_decided_late_in_a_living_engine_never_leaves() -> None:
    """No restart in between: the record was read an hour after a door took the order."""
    rig = a_rig()
    engine = rig.start()
    rig.send(build.place(build.new_order(1, deadline_ns=soon()), build.new_order(2)))
    rig.clock.advance_ns(HOUR_NS)
    rig.work(engine)
    assert engine.owned[0].venue.routed == [order_id_of(2)]  # type: ignore[attr-defined]
    assert status(engine) is Status.EXPIRED


def test_an_order_in_time_is_sent_again_after_a_crash_whatever_the_clock_says() -> None:
    """The venue has said something of it: it left before its deadline."""
    rig = a_rig(build.new_order(1, deadline_ns=soon()))
    engine = rig.start()
    rig.work(engine)
    assert status(engine) is Status.ACCEPTED
    rig.clock.advance_ns(2 * HOUR_NS)
    engine = rig.start()
    rig.work(engine)
    assert status(engine) is Status.ACCEPTED

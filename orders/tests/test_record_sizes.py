"""No record grows beyond what a log takes, whatever an account has open and a venue says at once."""

from collections.abc import Iterator

import pytest

from oms_project.kernel import ports as p
from oms_project.kernel import wire
from oms_project.kernel.words import OPEN, Status, TimeInForce, Topic
from orders.domain import commands as c
from orders.domain.laws import breaches
from orders.domain.order import status_of
from orders.engine import Engine
from orders.tests.domain import build
from orders.tests.domain.build import ACCOUNT
from orders.tests.rig import NEVER, Rig, ScriptedVenue, chained

CANCELED = 60_000
REPORTED = 70_000


class AtOnce(ScriptedVenue):
    """Says nothing until `speaks`, then everything of an account in one go."""

    speaks = True

    def reports(self, now_ns: int) -> list[tuple[str, list[p.Report]]]:
        if not self.speaks:
            return []
        by_account: dict[str, list[p.Report]] = {}
        for account_id, said in super().reports(now_ns):
            by_account.setdefault(account_id, []).extend(said)
        return list(by_account.items())


@pytest.fixture
def venue(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[AtOnce]]:
    """The venue of every engine that is started."""
    monkeypatch.setattr("orders.tests.rig.ScriptedVenue", AtOnce)
    monkeypatch.setattr(AtOnce, "speaks", True)
    return AtOnce


def with_open_orders(count: int) -> tuple[Rig, Engine]:
    """Return a product in which one account has *count* orders; the venue acknowledges them."""
    rig = Rig()
    rig.open()
    engine = rig.start()
    rig.work(engine)
    for first in range(1, count, c.ORDERS_MAX):
        orders = [
            build.new_order(n, lots=1, time_in_force=TimeInForce.GTC)
            for n in range(first, first + c.ORDERS_MAX)
        ]
        rig.send(c.PlaceOrders(ACCOUNT, orders))
        rig.feed(engine)
        rig.project()
    assert len(engine.owned[0].book.open_orders()) == count
    return rig, engine


def work(rig: Rig, engine: Engine) -> None:
    """Let engine, venue and projector go on, a record at a time, until nothing moves."""
    book = engine.owned[0].book
    while True:
        while book.state.offset < rig.log.end_offset(Topic.COMMANDS, 0):
            rig.project()
            rig.feed(engine, records_max=1)
        rig.clock.advance_ns(1_000_000)
        engine.tick()
        if book.state.offset == rig.log.end_offset(Topic.COMMANDS, 0):
            return


def sizes(rig: Rig, topic: Topic) -> list[int]:
    found, offset = [], 0
    while records := rig.log.read(topic, 0, offset, NEVER):
        offset = records[-1].offset + 1
        found += [len(record.value) for record in records]
    return found


def test_an_account_cancels_sixty_thousand_orders(
    venue: type[AtOnce], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In parts; an order that came after the request is left alone, a restart in between loses none."""
    monkeypatch.setattr(venue, "full", (("ack", 0),))
    rig, engine = with_open_orders(CANCELED)
    rig.send(c.CancelOrders(ACCOUNT, ()))
    rig.send(build.place(build.new_order(CANCELED + 1, lots=1)))
    rig.feed(engine, records_max=1)
    assert list(engine.owned[0].book.canceling) == [ACCOUNT]
    engine = rig.start()  # the first one died before it had asked for the rest
    work(rig, engine)
    left = engine.owned[0].book.state.accounts[ACCOUNT].open
    assert list(left) == [build.order_id_of(CANCELED + 1)]
    assert not engine.owned[0].book.canceling
    assert max(sizes(rig, Topic.EVENTS)) < wire.RECORD_BYTES_MAX // 2
    assert breaches(engine.owned[0].book.state) == []
    chained(rig.batches())


def test_seventy_thousand_reports_at_once(
    venue: type[AtOnce], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a venue was away: in parts, in order, none missing."""
    monkeypatch.setattr(venue, "full", (("ack", 0), ("fill", 1)))
    venue.speaks = False
    rig, engine = with_open_orders(REPORTED)
    venue.speaks = True
    work(rig, engine)
    closed = engine.owned[0].book.state.closed
    assert engine.owned[0].book.open_orders() == []
    assert {status_of(order) for order in closed.values()} == {Status.FILLED}
    assert max(sizes(rig, Topic.COMMANDS)) < wire.RECORD_BYTES_MAX // 2
    assert max(sizes(rig, Topic.EVENTS)) < wire.RECORD_BYTES_MAX // 2
    assert not OPEN & {status_of(order) for order in closed.values()}

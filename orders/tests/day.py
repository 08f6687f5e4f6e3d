"""A day at the rig: what is sent, what the venue says, and what must be true when it is quiet."""

from collections.abc import Sequence

from oms_project.kernel.words import Side
from orders import replay
from orders.domain import commands as c
from orders.domain import events as e
from orders.domain.laws import breaches
from orders.domain.order import status_of
from orders.engine import Engine
from orders.tests.domain import build
from orders.tests.domain.build import order_id_of
from orders.tests.rig import Rig, chained

RESTS = (("ack", 0), ("rests", 0))
PART = (("ack", 0), ("fill", 4), ("rests", 0))


def a_day(rig: Rig) -> list[list[c.Command]]:
    """Return what is sent, in parts: orders that fill, rest, are denied and canceled; poison too."""
    rig.scripts = {
        order_id_of(2): PART,
        order_id_of(3): (("ack", 0), ("fill", 4), ("cancel", 0)),
        order_id_of(4): (("reject", 0),),
        order_id_of(5): RESTS,
        order_id_of(8): (("fill", 10),),
    }
    return [
        [build.place(build.new_order(1), build.new_order(2), build.new_order(3))],
        [
            build.place(build.new_order(4), build.new_order(5, side=Side.SELL)),
            c.SetInstrument(build.an_instrument(tick_size="0.1")),
            build.place(build.new_order(99), account_id=""),  # of nobody: poison
            build.cancel(2),
        ],
        [
            build.place(build.new_order(6, symbol="NO-USD"), build.new_order(7, lots=10**7)),
            build.credit("USD", 500, "more"),
            build.cancel(5),
            build.place(build.new_order(8, symbol="ETH-USD")),
        ],
    ]


def live(rig: Rig, day: Sequence[Sequence[c.Command]], engine: Engine | None = None) -> Engine:
    engine = engine or rig.start()
    for commands in day:
        rig.send(*commands)
        rig.work(engine)
    return engine


def whole(rig: Rig, engine: Engine, partition: int = 0) -> None:
    """Check what must hold at every quiet moment: books, chain of events, rows, replay."""
    book = engine.owned[partition].book
    assert breaches(book.state) == []
    chained(rig.batches(partition))
    rig.project()
    for order in [*book.state.closed.values(), *(order for _, order in book.open_orders())]:
        row = rig.store.get(order.order_id, [order.account_id])
        assert row is not None
        assert (row.status, row.cum_lots, row.cost, row.fee, row.version) == (
            status_of(order), order.cum_lots, order.cost, order.fee, order.version,
        )  # fmt: skip
    for owned in engine.owned.values():
        engine.snapshot(owned)
    outcome = replay.run(rig.log, rig.store, rig.log.partitions)
    assert (outcome.equal, outcome.details) == (True, [])


def stories(told: Sequence[e.Event]) -> tuple[dict[str, list[e.Event]], dict[str, object]]:
    """Return each order's events, and how all ends: orders may be worked in another order."""
    by_order: dict[str, list[e.Event]] = {}
    for event in told:
        if hasattr(event, "order_id"):
            by_order.setdefault(event.order_id, []).append(event)
    return by_order, ends_of(told)


def ends_of(told: Sequence[e.Event]) -> dict[str, object]:
    """Return each order's, asset's and position's last word."""
    ends: dict[str, object] = {}
    for event in told:
        if isinstance(event, e.BalanceChanged):
            ends[event.asset] = event
        elif isinstance(event, e.PositionChanged):
            ends[event.symbol] = event
        elif isinstance(event, e._OrderEvent):
            ends[event.order_id] = (event.status, event.cum_lots, event.cost, event.fee)
    return ends

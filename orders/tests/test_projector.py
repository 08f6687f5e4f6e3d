"""The projector: rows are the fold of the events, however they are cut, repeated or broken off."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oms_project.kernel import ids, wire
from oms_project.kernel import ports as p
from oms_project.kernel.errors import (
    GapError,
    IllegalTransitionError,
    TransportError,
)
from oms_project.kernel.words import AccountState, Status, Topic
from oms_project.tests.examples import examples
from orders.adapters import stream
from orders.adapters.memory_store import MemoryStore
from orders.domain import commands as c
from orders.domain import events as e
from orders.domain.book import Balance
from orders.domain.order import status_of
from orders.engine import Engine
from orders.projector import Projector
from orders.tests.day import a_day, live
from orders.tests.domain import build
from orders.tests.domain.build import ACCOUNT, order_id_of
from orders.tests.domain.script import ACCOUNTS, Action, Player, scripts
from orders.tests.rig import MemoryReference, Rig

EVERYTHING = p.OrderQuery(account_ids=ACCOUNTS, limit=10_000)


class Shown:
    """A store, the reference and a projector over them."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.reference = MemoryReference()
        self.projector = Projector(self.store, self.reference)
        self.projector.take(0)

    def rows(self) -> tuple[object, ...]:
        """Return all that is stored, to be compared."""
        return (
            self.store.find(EVERYTHING),
            [stream.fills_of_account(self.store, one, limit=10_000) for one in ACCOUNTS],
            self.store.positions(ACCOUNTS),
            self.store.balances(ACCOUNTS),
            [self.store.chunks(one, 0, 10_000) for one in (*ACCOUNTS, "~0")],
            self.reference.accounts,
            self.reference.instruments,
            self.store.progress(0),
        )


def a_log(engine: Engine | None = None) -> tuple[Rig, list[p.StoredRecord]]:
    """Return a day's rig and what stands in its oms.events."""
    rig = Rig()
    day = a_day(rig)
    rig.open()
    live(rig, day, engine)
    return rig, rig.log.read(Topic.EVENTS, 0, 0, 10_000)


def rows_of(records: Sequence[p.StoredRecord], size: int = 10_000) -> tuple[object, ...]:
    shown = Shown()
    for start in range(0, len(records), size):
        assert shown.projector.handle(records[start : start + size]).poison == []
    return shown.rows()


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_how_records_are_cut_changes_nothing(size: int) -> None:
    """One write a poll: what happened to an order within it is one row, the same row."""
    _, records = a_log()
    assert rows_of(records, size) == rows_of(records)


@given(scripts, st.lists(st.integers(1, 6), min_size=1, max_size=12))
@examples(60)
def test_rows_are_the_state(script: list[Action], sizes: list[int]) -> None:
    """Whatever happened, in polls of any size: rows say what the book says."""
    player = Player()
    for action in script:
        player.play(action)
    rig = Rig()
    rig.send(*(c.SetInstrument(one) for one in build.INSTRUMENTS))
    for _, at_ns, command in player.desk.commands:
        rig.clock.jump_ns(at_ns - 1_000_000 - rig.clock.now_ns())
        rig.send(command)
    engine = rig.start()
    records = rig.log.read(Topic.EVENTS, 0, 0, 10_000)
    shown = Shown()
    while records:
        size = sizes.pop() if sizes else 50
        shown.projector.handle(records[:size])
        records = records[size:]
    _same(shown, engine)


def _moves(store: MemoryStore, row: p.OrderRow) -> list[tuple[int, int]]:
    """Return (version, seq) of the order's events, found as the read side finds them."""
    steps = store.steps(row.account_id, row.order_id, 0, 10_000)
    places = {row.first_seq, row.end_seq or row.last_seq, row.last_seq, *steps}
    return [
        (getattr(event, "version", 1), seq)
        for chunk in store.chunks_holding(row.account_id, sorted(places))
        for seq, event in enumerate(
            wire.read_body(e.decoder, wire.open_envelope(chunk.body, e.SCHEMA)).events,
            chunk.first_seq,
        )
        if getattr(event, "order_id", None) == row.order_id
        and not isinstance(event, e.OrderQuarantined)
        and getattr(event, "version", 1)
    ]


def _same(shown: Shown, engine: Engine) -> None:
    state = engine.owned[0].book.state
    opened = [order for _, order in engine.owned[0].book.open_orders()]
    orders = {order.order_id: order for order in (*opened, *state.closed.values())}
    rows = {row.order_id: row for row in shown.store.find(EVERYTHING)}
    assert rows.keys() == orders.keys()
    for order_id, row in rows.items():
        order = orders[order_id]
        assert (row.status, row.cum_lots, row.cost, row.fee) == (
            status_of(order), order.cum_lots, order.cost, order.fee,
        )  # fmt: skip
        assert (row.late_fill, row.overfilled) == (order.late_fill, order.overfilled)
        assert (row.reason, row.rejected_by, row.version) == (
            order.reason, order.rejected_by, order.version,
        )  # fmt: skip
        assert row.terms == order.terms
        moves = _moves(shown.store, row)
        assert [version for version, _ in moves] == list(range(1, row.version + 1))
        assert (row.first_seq, row.last_seq) == (moves[0][1], moves[-1][1])
        fills = stream.fills_of_order(shown.store, row, limit=1_000).rows
        booked = {
            ids.trade_id(build.VENUE, order_id, n): (fill.lots, fill.ticks)
            for n, fill in order.fills.items()
        }
        assert {fill.trade_id: (fill.lots, fill.ticks) for fill in fills} == booked
        assert sum(fill.fee for fill in fills) == order.fee
    for account_id in ACCOUNTS:
        account = state.accounts[account_id]
        for position in shown.store.positions([account_id]):
            own = account.positions[position.symbol]
            assert (position.net_lots, position.cost, position.realized) == (
                own.net_lots, own.cost, own.realized,
            )  # fmt: skip
        balances = {row.asset: row for row in shown.store.balances([account_id])}
        untold = account.balances.keys() - balances.keys()
        assert all(account.balances[asset] == Balance() for asset in untold)
        for asset, row in balances.items():
            b = account.balances[asset]
            assert (row.free, row.locked, row.fees, row.venue, row.external) == (
                b.free, b.locked, b.fees, b.venue, b.external,
            )  # fmt: skip
        assert shown.reference.accounts[account_id].state == account.state
        assert shown.store.last_seq(account_id) == account.seq


def test_chunks_are_the_records_as_they_stand() -> None:
    """Gap-free by account; what a stream resumes from is the log's own bytes."""
    _, records = a_log()
    shown = Shown()
    shown.projector.handle(records)
    bodies = {record.value for record in records}
    seq = 0
    for chunk in shown.store.chunks(ACCOUNT, 0, 1_000):
        assert chunk.body in bodies
        assert chunk.first_seq == seq + 1
        seq = chunk.last_seq
    assert seq == shown.store.last_seq(ACCOUNT) > 40


# ------------------------------------------------------------------ again and again


def moved(records: Sequence[p.StoredRecord], first: int) -> list[p.StoredRecord]:
    """Return the records at offsets from *first* on."""
    return [
        p.StoredRecord(record.partition, offset, record.key, record.value)
        for offset, record in enumerate(records, first)
    ]


@pytest.mark.parametrize("repeat", [slice(0, 5), slice(3, None), slice(-1, None), slice(0, None)])
def test_events_told_again_are_skipped(repeat: slice) -> None:
    """By an engine that crashed behind the append, or by one that was fenced."""
    _, records = a_log()
    straight = Shown()
    straight.projector.handle(records)
    shown = Shown()
    shown.projector.handle(records)
    shown.projector.handle(moved(records[repeat], len(records)))
    assert shown.rows()[:-1] == straight.rows()[:-1]
    assert shown.store.progress(0).next_offset == len(records) + len(records[repeat])
    assert shown.store.progress(0).last_command == straight.store.progress(0).last_command


def test_told_again_within_one_poll() -> None:
    _, records = a_log()
    doubled = [record for record in records for _ in range(2)]
    shown = Shown()
    shown.projector.handle(moved(doubled, 0))
    assert shown.rows()[:-1] == rows_of(records)[:-1]


def test_a_projector_goes_on_where_the_store_is() -> None:
    """Taken again after a crash: its progress came with its rows."""
    _, records = a_log()
    shown = Shown()
    for number in range(0, len(records), 4):
        fresh = Projector(shown.store, shown.reference)
        offset = fresh.take(0)
        assert offset == number
        fresh.handle(records[offset : offset + 4])
    assert shown.rows() == rows_of(records)


def test_a_replaced_projector_may_write_what_it_had_in_hand() -> None:
    """Both wrote the same and more: rows are right, progress does not go back."""
    _, records = a_log()
    shown = Shown()
    slow = Projector(shown.store, shown.reference)
    slow.take(0)
    shown.projector.handle(records[:9])
    shown.projector.handle(records[9:])
    slow.handle(records[:12])
    assert shown.rows() == rows_of(records)


# ------------------------------------------------------------------ what must stop it


@pytest.mark.parametrize("missing", [0, 1, 7, -2])
def test_a_missing_event_stops_it(missing: int) -> None:
    """Nothing of that poll is stored, not even what came before the gap; asked again, it stops again."""
    _, records = a_log()
    broken = [record for record in records if record is not records[missing]]
    shown = Shown()
    before = shown.rows()
    for _ in range(2):
        with pytest.raises(GapError):
            shown.projector.handle(broken)
        assert shown.rows() == before
    assert shown.projector.handle(records).poison == []
    assert shown.rows() == rows_of(records)


def test_a_store_that_is_away_loses_nothing() -> None:
    """The poll fails, the loop takes the partition again, the same records come again."""
    _, records = a_log()
    shown = Shown()
    shown.projector.handle(records[:5])
    shown.store.break_wire(broken=True)
    with pytest.raises(TransportError):
        shown.projector.handle(records[5:])
    shown.store.break_wire(broken=False)
    assert shown.projector.take(0) == 5
    shown.projector.handle(records[5:])
    assert shown.rows() == rows_of(records)


def test_partitions_in_one_poll_are_kept_apart() -> None:
    rig = Rig(partitions=2)
    rig.open(*ACCOUNTS)
    rig.work(rig.start())
    shown = Shown()
    shown.projector.take(1)
    records = [r for part in (0, 1) for r in rig.log.read(Topic.EVENTS, part, 0, 1_000)]
    assert shown.projector.handle(records).poison == []
    ends = [rig.log.end_offset(Topic.EVENTS, part) for part in (0, 1)]
    assert [shown.store.progress(part).next_offset for part in (0, 1)] == ends
    shown.projector.lose(1)
    with pytest.raises(KeyError):
        shown.projector.handle([r for r in records if r.partition == 1])


# ------------------------------------------------------------------ single rows


def test_an_order_denied_and_one_filled_as_they_are_read() -> None:
    """The fields that events carry in other words than rows."""
    rig, records = a_log()
    shown = Shown()
    shown.projector.handle(records)
    denied = shown.store.get(order_id_of(6), [ACCOUNT])
    filled = shown.store.get(order_id_of(1), [ACCOUNT])
    refused = shown.store.get(order_id_of(4), [ACCOUNT])
    assert denied is not None
    assert filled is not None
    assert refused is not None
    assert (denied.rejected_by, denied.reason) == ("oms", "unknown_symbol")
    assert (refused.rejected_by, refused.reason) == ("venue", "why")
    assert (filled.rejected_by, filled.reason, filled.actor) == ("", "", "ann")
    assert filled.created_ns < filled.updated_ns <= rig.clock.now_ns()
    (last, first) = stream.fills_of_order(shown.store, filled).rows
    assert (first.lots, last.lots, first.liquidity) == (4, 6, "taker")


def test_reference_data_is_the_newest() -> None:
    rig = Rig()
    rig.open()
    rig.send(build.account(state=AccountState.REDUCE_ONLY))
    rig.send(c.SetInstrument(build.an_instrument(quantity_max_lots=7)))
    rig.work(rig.start())
    rig.project()
    assert rig.reference.accounts[ACCOUNT].state == AccountState.REDUCE_ONLY
    assert '"quantity_max_lots":7' in rig.reference.instruments["BTC-USD"].spec


def test_a_cancel_of_an_unknown_order_makes_no_row() -> None:
    rig = Rig()
    rig.open()
    rig.send(build.cancel(77))
    rig.work(rig.start())
    rig.project()
    assert rig.store.get(order_id_of(77), [ACCOUNT]) is None
    assert not any(isinstance(event, e.CancelRejected) for event in rig.told())


def test_poison_commands_leave_no_gap() -> None:
    """A command that was set aside has no events; the chain skips it."""
    rig = Rig()
    rig.open()
    rig.send(c.SetInstrument(build.an_instrument(tick_size="0.1")))
    rig.send(build.place(build.new_order()))
    rig.work(rig.start())
    assert [type(item.error) for item in rig.poison] == [IllegalTransitionError] or not rig.poison
    rig.project()
    row = rig.store.get(order_id_of(1), [ACCOUNT])
    assert row is not None
    assert row.status is Status.FILLED

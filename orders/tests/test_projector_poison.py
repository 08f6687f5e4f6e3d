"""The projector and what it cannot read or store: set aside, and the rest is shown. And how much it
stores at once.
"""

import msgspec
import pytest

from oms_project.kernel import ports as p
from oms_project.kernel import wire
from oms_project.kernel.errors import BadRecordError, GapError, UnstorableError
from orders import projector
from orders.adapters.memory_store import MemoryStore
from orders.domain import events as e
from orders.tests.domain.build import ACCOUNT
from orders.tests.test_projector import EVERYTHING, Shown, a_log, moved, rows_of


def test_a_record_it_cannot_read_stops_it_at_the_next() -> None:
    """Set aside; the events behind it say that something is missing."""
    _, records = a_log()
    broken = list(records)
    broken[5] = p.StoredRecord(0, 5, ACCOUNT, b"\xc1")
    shown = Shown()
    (poison,) = shown.projector.handle(broken[:6]).poison
    assert isinstance(poison.error, BadRecordError)
    assert shown.store.progress(0).next_offset == 5  # should it die before the dead letter is out
    shown.projector.buried(0)
    assert shown.store.progress(0).next_offset == 6
    with pytest.raises(GapError):
        shown.projector.handle(broken[6:])


def test_foreign_bytes_between_the_events_are_set_aside() -> None:
    """They were nobody's events: nothing is missing behind them."""
    _, records = a_log()
    foreign = wire.seal("prices", ["x"], id="x", at_ns=1)
    mixed = [*records[:4], p.StoredRecord(0, 4, "", foreign), *records[4:]]
    shown = Shown()
    poison = shown.projector.handle(moved(mixed, 0)).poison
    assert [item.record.value for item in poison] == [foreign]
    assert shown.rows()[:-1] == rows_of(records)[:-1]


def beyond(record: p.StoredRecord) -> p.StoredRecord:
    """Return the record told at a time that no store can hold."""
    envelope = wire.open_envelope(record.value, e.SCHEMA)
    batch = msgspec.structs.replace(wire.read_body(e.decoder, envelope), at_ns=2**63)
    value = wire.seal(e.SCHEMA, batch, id=envelope.id, at_ns=1)
    return p.StoredRecord(record.partition, record.offset, record.key, value)


@pytest.mark.parametrize("size", [1, 4, 100])
def test_an_event_that_cannot_be_stored_is_set_aside(size: int) -> None:
    """With its rows; what comes before and after it is shown, and its stream has no gap."""
    _, records = a_log()
    place = next(
        index for index, record in enumerate(records) if b"OrderRouted" in record.value
    )  # fmt: skip
    mixed = [beyond(one) if index == place else one for index, one in enumerate(records)]
    shown = Shown()
    letters = []
    offset = 0
    while offset < len(mixed):
        handled = shown.projector.handle(mixed[offset : offset + size])
        offset = handled.next_offsets[0]
        if handled.poison:
            letters += handled.poison
            # Should it die before the dead letter is out, it is met again.
            assert shown.store.progress(0).next_offset == place
            assert shown.projector.take(0) == place
            again = shown.projector.handle(mixed[place : place + size])
            assert [one.record.offset for one in again.poison] == [place]
            shown.projector.buried(0)
    assert [one.record.offset for one in letters] == [place]
    assert isinstance(letters[0].error, UnstorableError)
    assert shown.store.progress(0).next_offset == len(mixed)
    seqs = [(one.first_seq, one.last_seq) for one in shown.store.chunks(ACCOUNT, 0, 10_000)]
    whole = Shown()
    whole.projector.handle(records)
    assert seqs == [(one.first_seq, one.last_seq) for one in whole.store.chunks(ACCOUNT, 0, 10_000)]
    assert shown.store.positions([ACCOUNT]) == whole.store.positions([ACCOUNT])
    rows, every = shown.store.find(EVERYTHING), whole.store.find(EVERYTHING)
    assert 0 < len(rows) < len(every)


def test_many_that_cannot_be_stored_lose_no_other() -> None:
    """Each comes by itself: its letter, then the next."""
    _, records = a_log()
    mixed = [beyond(one) if b"OrderRouted" in one.value else one for one in records]
    shown = Shown()
    offset, letters = 0, 0
    while offset < len(mixed):
        handled = shown.projector.handle(mixed[offset:])
        offset = handled.next_offsets[0]
        letters += len(handled.poison)
        if handled.poison:
            shown.projector.buried(0)
    assert letters == sum(b"OrderRouted" in one.value for one in records)
    assert shown.store.progress(0).next_offset == len(mixed)


class Counting(MemoryStore):
    """Notes how many orders each write has."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def apply(self, changes: p.Changes) -> None:
        self.sizes.append(len(changes.orders) + len(changes.updates))
        super().apply(changes)


def test_a_write_is_bounded_by_orders(monkeypatch: pytest.MonkeyPatch) -> None:
    """A poll of many records is stored in some writes; what is shown is the same, also half way."""
    _, records = a_log()
    monkeypatch.setattr(projector, "ORDERS_MAX", 2)
    shown = Shown()
    counting = shown.store = Counting()
    shown.projector = projector.Projector(shown.store, shown.reference)
    shown.projector.take(0)
    assert shown.projector.handle(records).poison == []
    most = max(record.value.count(b"OrderRouted") for record in records)
    assert len(counting.sizes) > 2
    assert max(counting.sizes) <= 2 + most
    assert shown.rows()[0] == rows_of(records)[0]
    assert shown.store.progress(0).next_offset == len(records)


class RefusesMany(MemoryStore):
    """Refuses a write of more than one record, as a server with a limit of its own might."""

    def apply(self, changes: p.Changes) -> None:
        if len(changes.chunks) > 1:
            raise UnstorableError("store: too much at once")
        super().apply(changes)


def test_what_only_together_cannot_be_stored_is_stored_singly() -> None:
    """Nothing of it is poison; foreign bytes among it still are."""
    _, records = a_log()
    foreign = wire.seal("prices", ["x"], id="x", at_ns=1)
    mixed = moved([*records[:4], p.StoredRecord(0, 4, "", foreign), *records[4:]], 0)
    shown = Shown()
    shown.store = RefusesMany()
    shown.projector = projector.Projector(shown.store, shown.reference)
    shown.projector.take(0)
    handled = shown.projector.handle(mixed)
    assert [one.record.value for one in handled.poison] == [foreign]
    assert handled.next_offsets == {0: len(mixed)}
    shown.projector.buried(0)
    assert shown.store.progress(0).next_offset == len(mixed)
    assert shown.rows()[:-1] == rows_of(records)[:-1]

"""What every OrderStore promises the engine: epochs that fence, snapshots that are whole."""

import hashlib

import pytest

from oms_project.kernel import ports as p
from oms_project.kernel.errors import FencedError
from orders.tests.contracts.stores import StoreCase


def a_snapshot(offset: int, epoch: int, state: bytes = b"state") -> p.Snapshot:
    return p.Snapshot(0, offset, state, hashlib.sha256(state).hexdigest(), epoch)


def test_an_epoch_is_one_more_than_the_last(case: StoreCase, store: p.OrderStore) -> None:
    """Whoever took it, and each partition for itself."""
    assert [store.take_epoch(0), case.open().take_epoch(0), store.take_epoch(0)] == [1, 2, 3]
    assert store.take_epoch(1) == 1


def test_the_newest_snapshot_is_loaded(case: StoreCase, store: p.OrderStore) -> None:
    epoch = store.take_epoch(0)
    for offset in (10, 20, 30):
        store.save_snapshot(a_snapshot(offset, epoch, f"at {offset}".encode()))
    newest = a_snapshot(30, epoch, b"at 30")
    assert case.open().load_snapshot(0) == newest
    assert store.snapshots(0) == [newest, a_snapshot(20, epoch, b"at 20")]
    assert store.load_snapshot(1) is None
    assert store.snapshots(1) == []


def test_a_broken_snapshot_falls_back(store: p.OrderStore) -> None:
    """The one before it is kept for that."""
    epoch = store.take_epoch(0)
    store.save_snapshot(a_snapshot(10, epoch))
    store.save_snapshot(p.Snapshot(0, 20, b"flipped bits", "0" * 64, epoch))
    assert store.load_snapshot(0) == a_snapshot(10, epoch)


def test_kept_snapshots_are_two_and_right(store: p.OrderStore) -> None:
    """The log is trimmed behind the older one, so a broken one must not count."""
    assert store.snapshots(0) == []
    epoch = store.take_epoch(0)
    for offset in (10, 20, 30):
        store.save_snapshot(a_snapshot(offset, epoch, f"at {offset}".encode()))
    assert [one.offset for one in store.snapshots(0)] == [30, 20]
    store.save_snapshot(p.Snapshot(0, 40, b"flipped bits", "0" * 64, epoch))
    assert [one.offset for one in store.snapshots(0)] == [30]


def test_a_large_snapshot(store: p.OrderStore) -> None:
    """A book may be larger than a document can be."""
    state = bytes(range(256)) * 4096 * 20
    epoch = store.take_epoch(0)
    store.save_snapshot(a_snapshot(10, epoch, state))
    assert store.load_snapshot(0) == a_snapshot(10, epoch, state)


def test_an_old_owner_is_fenced(case: StoreCase, store: p.OrderStore) -> None:
    """It is told, and what the new owner saved stays."""
    old = store.take_epoch(0)
    store.save_snapshot(a_snapshot(10, old))
    new = case.open().take_epoch(0)
    with pytest.raises(FencedError):
        store.save_snapshot(a_snapshot(20, old))
    assert store.load_snapshot(0) == a_snapshot(10, old)
    store.save_snapshot(a_snapshot(15, new))
    with pytest.raises(FencedError):
        store.save_snapshot(a_snapshot(30, old))
    assert store.load_snapshot(0) == a_snapshot(15, new)

"""One venue's book: absolute sizes, the diff-depth procedure, the checksum."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketdata.domain.book import ChecksumSync, DepthSync, Diff, Pair, VenueBook, checksum

BIDS = ((99, 5), (98, 4))
ASKS = ((101, 5), (102, 4))
prices = st.integers(1, 60)
updates = st.lists(st.tuples(prices, st.integers(0, 9)), max_size=8)


def a_diff(first: int, last: int, bids: Sequence[Pair] = (), asks: Sequence[Pair] = ()) -> Diff:
    return Diff(first, last, tuple(bids), tuple(asks))


def test_update_sets_and_removes_sizes() -> None:
    """A size replaces what was there; 0 removes; removing what is not there is nothing."""
    book = VenueBook()
    book.load(BIDS, ASKS)
    book.update([(99, 0), (97, 8), (50, 0)], [(101, 1)])
    assert book.top_bids(9) == [(98, 4), (97, 8)]
    assert book.top_asks(9) == [(101, 1), (102, 4)]
    assert (book.best_bid(), book.best_ask()) == (98, 101)


def test_empty_book_has_no_best_and_is_not_crossed() -> None:
    book = VenueBook()
    assert (book.best_bid(), book.best_ask(), book.is_crossed()) == (None, None, False)


@given(st.lists(st.tuples(updates, updates), max_size=20), st.integers(1, 5))
def test_book_equals_a_plain_map_cut_to_its_depth(steps: list, depth: int) -> None:
    """Whatever the updates, what is left is the newest size at each price, best *depth* kept."""
    book = VenueBook(depth)
    plain: dict[int, int] = {}
    for bids, asks in steps:
        book.update(bids, asks)
        for price, size in bids:
            plain[price] = size
        plain = {price: size for price, size in plain.items() if size}
        plain = dict(sorted(plain.items(), reverse=True)[:depth])
        assert dict(book.top_bids(99)) == plain
        assert book.top_bids(99) == sorted(plain.items(), reverse=True)
        assert len(book.asks) <= depth
        assert all(book.asks.values())


def test_diffs_before_the_snapshot_are_buffered_then_applied() -> None:
    """The procedure's way: drop what the snapshot has, apply the rest in order."""
    sync = DepthSync()
    assert sync.needs_snapshot
    sync.on_diff(a_diff(8, 10, bids=[(99, 1)]))  # in the snapshot already
    sync.on_diff(a_diff(11, 12, bids=[(99, 6)]))
    assert sync.on_snapshot(10, BIDS, ASKS)
    assert sync.book.bids == {99: 6, 98: 4}
    assert sync.last_id == 12


def test_a_diff_reaching_over_the_snapshot_is_applied() -> None:
    """U <= lastUpdateId + 1 <= u is how the first event may lie."""
    sync = DepthSync()
    sync.on_diff(a_diff(8, 12, asks=[(101, 0)]))
    assert sync.on_snapshot(10, BIDS, ASKS)
    assert sync.book.best_ask() == 102


def test_a_snapshot_older_than_the_buffer_does_not_join() -> None:
    """With a hole between snapshot and first diff the book stays out until a newer snapshot."""
    sync = DepthSync()
    sync.on_diff(a_diff(20, 21))
    assert not sync.on_snapshot(10, BIDS, ASKS)
    assert sync.book.bids == {}
    assert sync.on_snapshot(19, BIDS, ASKS)
    assert sync.last_id == 21


def test_a_gap_empties_the_book_until_the_next_snapshot() -> None:
    """Nothing after a gap is shown; what came meanwhile is not lost."""
    sync = DepthSync()
    sync.on_snapshot(10, BIDS, ASKS)
    assert sync.on_diff(a_diff(11, 11, bids=[(97, 1)]))
    assert not sync.on_diff(a_diff(13, 13, bids=[(96, 2)]))
    assert (sync.book.bids, sync.gaps, sync.needs_snapshot) == ({}, 1, True)
    sync.on_diff(a_diff(14, 14, bids=[(95, 3)]))
    assert sync.on_snapshot(12, BIDS, ASKS)
    assert sync.book.bids == {99: 5, 98: 4, 96: 2, 95: 3}


def test_duplicates_and_old_snapshots_change_nothing() -> None:
    sync = DepthSync()
    sync.on_snapshot(10, BIDS, ASKS)
    sync.on_diff(a_diff(11, 12, bids=[(99, 7)]))
    assert sync.on_diff(a_diff(11, 12, bids=[(99, 1)]))
    assert sync.on_snapshot(11, [(1, 1)], [])
    assert sync.book.bids == {99: 7, 98: 4}


def test_a_buffer_that_overflowed_refuses_a_snapshot_it_cannot_join() -> None:
    sync = DepthSync(buffer_max=2)
    for number in range(11, 16):
        sync.on_diff(a_diff(number, number))
    assert not sync.on_snapshot(10, BIDS, ASKS)
    assert sync.on_snapshot(13, BIDS, ASKS)


@given(st.data())
def test_any_stream_ends_in_the_venues_book_or_in_none(data: st.DataObject) -> None:
    """Diffs lost, doubled or late: a live book is always exactly the venue's, at its last id."""
    steps = data.draw(st.lists(st.tuples(updates, updates), min_size=1, max_size=15))
    venue = VenueBook()
    states = [({}, {})]
    for bids, asks in steps:
        venue.update(bids, asks)
        states.append((dict(venue.bids), dict(venue.asks)))
    sync = DepthSync()
    events = data.draw(st.lists(st.integers(0, len(steps)), max_size=40))
    for at in events:
        if data.draw(st.booleans()) or at == 0:
            sync.on_snapshot(at, states[at][0].items(), states[at][1].items())
        else:
            sync.on_diff(a_diff(at, at, *steps[at - 1]))
        if sync.live:
            assert (sync.book.bids, sync.book.asks) == states[sync.last_id]
        else:
            assert sync.book.bids == {}
            assert sync.book.asks == {}


def test_checksum_is_the_one_kraken_documents() -> None:
    """The example of Kraken's guide: 0.05005 0.00000500 ... gives 974947235."""
    asks = [(5005 + 5 * step, 500) for step in range(10)]
    bids = [(5000 - 5 * step, 500) for step in range(11) if step != 3]  # there is no 0.04985
    assert checksum(bids, asks) == 974947235


def test_a_wrong_checksum_empties_the_book_until_a_snapshot() -> None:
    sync = ChecksumSync(depth_max=10)
    assert not sync.on_update([(99, 1)], [], None), "no snapshot yet"
    sync.on_snapshot(BIDS, ASKS)
    after = [(99, 7), (98, 4)]
    assert sync.on_update([(99, 7)], [], checksum(after, ASKS))
    assert not sync.on_update([(99, 8)], [], 1)
    assert (sync.book.bids, sync.mismatches) == ({}, 1)
    assert sync.on_snapshot(BIDS, ASKS)


def test_levels_pushed_out_of_the_subscribed_depth_do_not_come_back() -> None:
    """Kraken: a level below the depth is not updated any more, so it must be forgotten."""
    sync = ChecksumSync(depth_max=2)
    sync.on_snapshot(BIDS, ASKS)
    sync.on_update([(100, 1)], [], checksum([(100, 1), (99, 5)], ASKS))
    assert sync.live
    sync.on_update([(100, 0)], [], None)
    assert sync.book.top_bids(9) == [(99, 5)]


@pytest.mark.parametrize(
    ("bid", "ask", "crossed"), [(99, 101, False), (100, 100, True), (101, 99, True)]
)
def test_crossed(bid: int, ask: int, crossed: bool) -> None:
    book = VenueBook()
    book.load([(bid, 1)], [(ask, 1)])
    assert book.is_crossed() is crossed


def test_a_book_counts_what_it_went_through() -> None:
    """A first snapshot is no resync; each after a gap or a wrong checksum is one."""
    depth = DepthSync()
    depth.on_snapshot(10, BIDS, ASKS)
    assert (depth.gaps, depth.resyncs) == (0, 0)
    depth.on_diff(a_diff(13, 14))
    depth.on_snapshot(14, BIDS, ASKS)
    assert (depth.gaps, depth.resyncs) == (1, 1)
    checked = ChecksumSync(10)
    checked.on_snapshot(BIDS, ASKS)
    checked.on_update([], [], checksum(BIDS, ASKS))
    assert (checked.checked, checked.mismatches, checked.resyncs) == (1, 0, 0)
    checked.on_update([(97, 1)], [], 1)
    checked.lose()
    checked.on_snapshot(BIDS, ASKS)
    checked.lose()
    assert (checked.checked, checked.mismatches, checked.gaps, checked.resyncs) == (2, 1, 1, 1)
    assert checked.book.bids == {}

"""What every OrderStore promises: what is applied, once, and what is read back of it."""

import msgspec

from oms_project.kernel import ports as p
from oms_project.kernel.words import OrderType, Side, Status, TimeInForce
from orders.tests.contracts.rows import (
    ACCOUNT,
    AT_NS,
    OTHER,
    a_balance,
    a_chunk,
    a_position,
    a_step,
    an_order,
    an_update,
    changes,
    order_id,
)
from orders.tests.contracts.stores import StoreCase


def everything() -> p.Changes:
    """One step that has something of each kind."""
    return changes(
        3,
        orders=[an_order(1), an_order(2, account_id=OTHER)],
        updates=[an_update(1)],
        steps=[a_step(101), a_step(102)],
        positions=[a_position(101)],
        balances=[a_balance(101)],
        chunks=[a_chunk(7, 1, 1), a_chunk(8, 101, 103)],
    )


def seen(store: p.OrderStore) -> tuple[object, ...]:
    """Return all that can be read back, to be compared."""
    both = (ACCOUNT, OTHER)
    return (
        store.find(p.OrderQuery(account_ids=both)),
        store.positions(both),
        store.balances(both),
        store.chunks(ACCOUNT, 0, 100),
        store.heads(0, -1, 100),
        store.steps(ACCOUNT, order_id(1), 0, 100),
        store.progress(0),
    )


def test_an_empty_store(store: p.OrderStore) -> None:
    """Nothing is there, and asking is no error."""
    assert seen(store) == ([], [], [], [], [], [], p.Progress(0, 0, -1))
    assert store.get(order_id(1), [ACCOUNT]) is None
    assert store.last_seq(ACCOUNT) == 0
    assert store.load_snapshot(0) is None
    store.ping()


def test_what_is_applied_is_read_back(case: StoreCase, store: p.OrderStore) -> None:
    """Every field, by another client too."""
    store.apply(everything())
    order = msgspec.structs.replace(
        an_order(1), status=Status.PARTIALLY_FILLED, cum_lots=4, cost=8_000_000, fee=12, version=3,
        first_seq=1, last_seq=102, updated_ns=AT_NS + 500,
    )  # fmt: skip
    assert seen(case.open()) == (
        [an_order(2, account_id=OTHER), order],
        [a_position(101)],
        [a_balance(101)],
        [a_chunk(7, 1, 1), a_chunk(8, 101, 103)],
        [(7, ACCOUNT, 1), (8, ACCOUNT, 103)],
        [101, 102],
        p.Progress(0, 3, 30),
    )
    found = store.get(order.order_id, [ACCOUNT])
    assert found is not None
    terms = found.terms
    words = [type(word) for word in (terms.side, terms.type, terms.time_in_force, found.status)]
    assert words == [Side, OrderType, TimeInForce, Status]


def test_applying_again_changes_nothing(store: p.OrderStore) -> None:
    """A projector that crashed before its progress was kept does the step again."""
    store.apply(everything())
    before = seen(store)
    store.apply(everything())
    assert seen(store) == before


def test_older_changes_change_nothing(store: p.OrderStore) -> None:
    """A projector that slept through a change of owner writes what is known already."""
    older = everything()
    store.apply(older)
    store.apply(
        changes(
            9,
            updates=[an_update(1, version=4, status=Status.FILLED, cum_lots=10, end_seq=104)],
            positions=[a_position(104, net_lots=10)],
            balances=[a_balance(104, free=1)],
        )
    )
    before = seen(store)
    store.apply(older)
    assert seen(store) == before
    assert store.progress(0) == p.Progress(0, 9, 90)


def test_a_step_folded_with_the_next_is_whole(store: p.OrderStore) -> None:
    """After a crash the same events may come in a larger step: none is lost, none counted twice."""
    store.apply(changes(1, updates=[], orders=[an_order(1), an_order(2)]))
    store.apply(changes(1, updates=[an_update(1, version=2)], steps=[a_step(101)]))
    # order 2 is told as new again, with what came later; order 1's event is among others
    filled = an_order(2, version=5, status=Status.FILLED, cum_lots=10, end_seq=8, last_seq=8)
    later = an_update(1, version=3)
    store.apply(changes(2, orders=[filled], updates=[later], steps=[a_step(101), a_step(102)]))
    found = store.get(order_id(1), [ACCOUNT])
    assert found is not None
    assert (found.version, found.first_seq, found.last_seq) == (3, 1, 102)
    assert store.steps(ACCOUNT, order_id(1), 0, 10) == [101, 102]
    assert store.get(order_id(2), [ACCOUNT]) == filled
    assert store.progress(0).next_offset == 2


def test_facts_are_never_undone(store: p.OrderStore) -> None:
    """A reason, a venue's refusal, a late fill stay; an empty field says nothing new."""
    store.apply(changes(1, orders=[an_order(1)]))
    told = an_update(
        1, version=2, status=Status.CANCELED, rejected_by="venue", reason="expired",
        late_fill=True, overfilled=True,
    )  # fmt: skip
    store.apply(changes(2, updates=[told]))
    store.apply(changes(3, updates=[an_update(1, version=3, status=Status.CANCELED)]))
    found = store.get(order_id(1), [ACCOUNT])
    assert found is not None
    assert (found.rejected_by, found.reason) == ("venue", "expired")
    assert (found.late_fill, found.overfilled, found.version) == (True, True, 3)


def test_an_order_told_anew_keeps_how_it_began(store: p.OrderStore) -> None:
    """An external order grows with each trade of it; it was made once."""
    store.apply(changes(1, orders=[an_order(1)]))
    grown = an_order(1, version=2, first_seq=7, created_ns=9_000, lots=20, last_seq=7)
    store.apply(changes(2, orders=[grown]))
    row = store.get(order_id(1), [ACCOUNT])
    assert row is not None
    first = an_order(1)
    assert (row.first_seq, row.created_ns) == (first.first_seq, first.created_ns)
    assert (row.version, row.terms.lots, row.last_seq) == (2, 20, 7)


def test_an_update_of_another_accounts_order_changes_nothing(store: p.OrderStore) -> None:
    store.apply(changes(1, orders=[an_order(1)]))
    store.apply(changes(2, updates=[an_update(1, account_id=OTHER)]))
    assert store.get(order_id(1), [ACCOUNT]) == an_order(1)


def test_an_order_is_read_by_its_owner_only(store: p.OrderStore) -> None:
    """Another account's order is no order."""
    store.apply(changes(1, orders=[an_order(1)]))
    assert store.get(order_id(1), [OTHER, ACCOUNT]) == an_order(1)
    assert store.get(order_id(1), [OTHER]) is None
    assert store.get(order_id(1), []) is None
    assert store.find(p.OrderQuery(account_ids=(OTHER,))) == []
    assert store.find(p.OrderQuery(account_ids=())) == []


def test_steps_lead_to_an_orders_events(store: p.OrderStore) -> None:
    """Its own, in order, from a seq on, a page at a time; noted twice they are there once."""
    steps = [a_step(seq) for seq in (104, 101, 102, 101)]
    others = [a_step(103, order_id=order_id(2)), a_step(105, account_id=OTHER)]
    store.apply(changes(1, steps=[*steps, *others]))
    store.apply(changes(2, steps=steps))
    assert store.steps(ACCOUNT, order_id(1), 0, 10) == [101, 102, 104]
    assert store.steps(ACCOUNT, order_id(1), 102, 1) == [102]
    assert store.steps(ACCOUNT, order_id(1), 105, 10) == []
    assert store.steps(ACCOUNT, order_id(9), 0, 10) == []


def test_an_order_ends_once(store: p.OrderStore) -> None:
    """What comes after the end, a late fill, moves its last event and not its end."""
    store.apply(changes(1, orders=[an_order(1)]))
    ended = an_update(1, version=2, status=Status.CANCELED, end_seq=50, last_seq=50)
    store.apply(changes(2, updates=[ended]))
    late = an_update(1, version=3, status=Status.CANCELED, late_fill=True, last_seq=60)
    store.apply(changes(3, updates=[late]))
    found = store.get(order_id(1), [ACCOUNT])
    assert found is not None
    assert (found.first_seq, found.end_seq, found.last_seq) == (1, 50, 60)


def test_chunks_go_on_from_a_seq(store: p.OrderStore) -> None:
    """The chunk that holds the seq comes first; a limit ends the page."""
    chunks = [a_chunk(1, 1, 3), a_chunk(2, 4, 4), a_chunk(5, 5, 9)]
    store.apply(changes(1, chunks=[*chunks, a_chunk(3, 1, 2, stream=OTHER)]))
    assert store.chunks(ACCOUNT, 0, 10) == chunks
    assert store.chunks(ACCOUNT, 2, 10) == chunks
    assert store.chunks(ACCOUNT, 4, 1) == [chunks[1]]
    assert store.chunks(ACCOUNT, 7, 10) == [chunks[2]]
    assert store.chunks(ACCOUNT, 10, 10) == []
    assert store.last_seq(ACCOUNT) == 9
    assert store.last_seq(OTHER) == 2


def test_chunks_go_back_from_a_seq(store: p.OrderStore) -> None:
    """The chunk that holds the seq before it comes first, then the older ones."""
    chunks = [a_chunk(1, 1, 3), a_chunk(2, 4, 4), a_chunk(5, 5, 9)]
    store.apply(changes(1, chunks=[*chunks, a_chunk(3, 1, 2, stream=OTHER)]))
    newest = chunks[::-1]
    assert store.chunks_before(ACCOUNT, 2**63 - 1, 10) == newest
    assert store.chunks_before(ACCOUNT, 10, 2) == newest[:2]
    assert store.chunks_before(ACCOUNT, 8, 10) == newest
    assert store.chunks_before(ACCOUNT, 9, 1) == newest[:1]
    assert store.chunks_before(ACCOUNT, 5, 10) == newest[1:]
    assert store.chunks_before(ACCOUNT, 2, 10) == newest[2:]
    assert store.chunks_before(ACCOUNT, 1, 10) == []
    assert store.chunks_before("nobody", 5, 10) == []


def test_chunks_holding_seqs(store: p.OrderStore) -> None:
    """Each once, in order; a seq that nobody holds is nothing."""
    chunks = [a_chunk(1, 1, 3), a_chunk(2, 4, 4), a_chunk(5, 7, 9)]
    store.apply(changes(1, chunks=chunks))
    assert store.chunks_holding(ACCOUNT, [8, 1, 2, 9]) == [chunks[0], chunks[2]]
    assert store.chunks_holding(ACCOUNT, [5, 99]) == []
    assert store.chunks_holding(ACCOUNT, []) == []


def test_heads_tell_what_is_new_of_a_partition(store: p.OrderStore) -> None:
    chunks = [a_chunk(0, 1, 3), a_chunk(2, 1, 2, stream="~0"), a_chunk(5, 4, 4)]
    store.apply(changes(1, chunks=chunks))
    other = a_chunk(1, 1, 1, stream=OTHER, partition=1)
    store.apply(changes(1, partition=1, chunks=[other]))
    assert store.heads(0, -1, 10) == [(0, ACCOUNT, 3), (2, "~0", 2), (5, ACCOUNT, 4)]
    assert store.heads(0, 0, 1) == [(2, "~0", 2)]
    assert store.heads(0, 5, 10) == []
    assert store.heads(1, -1, 10) == [(1, OTHER, 1)]


def test_positions_and_balances_are_of_accounts(store: p.OrderStore) -> None:
    positions = [a_position(symbol="ETH-USD"), a_position(), a_position(account_id=OTHER)]
    balances = [a_balance(asset="USD"), a_balance(asset="BTC"), a_balance(account_id=OTHER)]
    store.apply(changes(1, positions=positions, balances=balances))
    assert store.positions([ACCOUNT]) == [positions[1], positions[0]]
    assert store.positions([OTHER, ACCOUNT]) == [positions[1], positions[0], positions[2]]
    assert store.balances([ACCOUNT]) == [balances[1], balances[0]]
    assert store.positions([]) == store.balances([]) == []

"""What every OrderStore promises."""

import hashlib
from collections.abc import Iterator

import msgspec
import pytest

from oms_project.kernel import ports as p
from oms_project.kernel.errors import FencedError, PoisonError
from oms_project.kernel.words import OrderType, Side, Status, TimeInForce
from orders.tests.contracts.rows import (
    ACCOUNT,
    AT_NS,
    OTHER,
    a_balance,
    a_chunk,
    a_fill,
    a_position,
    an_order,
    an_update,
    changes,
    order_id,
)
from orders.tests.contracts.stores import StoreCase, each_store


@pytest.fixture(params=each_store())
def case(request: pytest.FixtureRequest) -> Iterator[StoreCase]:
    with request.param(request) as case:
        yield case


@pytest.fixture
def store(case: StoreCase) -> p.OrderStore:
    return case.open()


def everything() -> p.Changes:
    """One step that has something of each kind."""
    return changes(
        3,
        orders=[an_order(1), an_order(2, account_id=OTHER)],
        updates=[an_update(1)],
        fills=[a_fill(101)],
        positions=[a_position(101)],
        balances=[a_balance(101)],
        chunks=[a_chunk(7, 1, 1), a_chunk(8, 101, 103)],
    )


def seen(store: p.OrderStore) -> tuple[object, ...]:
    """Return all that can be read back, to be compared."""
    both = (ACCOUNT, OTHER)
    return (
        store.find(p.OrderQuery(account_ids=both)),
        store.fills(both),
        store.positions(both),
        store.balances(both),
        store.chunks(ACCOUNT, 0, 100),
        store.heads(0, -1, 100),
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
        last_seq=102, updated_ns=AT_NS + 500, event_seqs=(1, 101, 102),
    )  # fmt: skip
    assert seen(case.open()) == (
        [an_order(2, account_id=OTHER), order],
        [a_fill(101)],
        [a_position(101)],
        [a_balance(101)],
        [a_chunk(7, 1, 1), a_chunk(8, 101, 103)],
        [(7, ACCOUNT, 1), (8, ACCOUNT, 103)],
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
            updates=[an_update(1, version=4, status=Status.FILLED, cum_lots=10, event_seqs=(104,))],
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
    store.apply(changes(1, updates=[an_update(1, version=2, event_seqs=(101,))]))
    # order 2 is told as new again, with what came later; order 1's event is among others
    filled = an_order(2, version=5, status=Status.FILLED, cum_lots=10, event_seqs=(2, 7, 8))
    later = an_update(1, version=3, event_seqs=(101, 102))
    store.apply(changes(2, orders=[filled], updates=[later]))
    found = store.get(order_id(1), [ACCOUNT])
    assert found is not None
    assert (found.version, found.event_seqs) == (3, (1, 101, 102))
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


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ({}, [5, 4, 3, 2, 1]),
        ({"limit": 2}, [5, 4]),
        ({"before_id": order_id(4), "limit": 2}, [3, 2]),
        ({"symbol": "ETH-USD"}, [2]),
        ({"side": "sell"}, [3]),
        ({"statuses": (Status.FILLED, Status.NEW)}, [5, 4, 3, 2]),
        ({"statuses": (Status.CANCELED,)}, [1]),
        ({"statuses": (Status.NEW, Status.ACCEPTED), "symbol": "ETH-USD"}, [2]),
        ({"from_ns": AT_NS + 2, "to_ns": AT_NS + 4}, [3, 2]),
        ({"client_order_id": "c4"}, [4]),
        ({"client_order_id": "c9"}, []),
        ({"account_ids": (ACCOUNT, OTHER), "limit": 3}, [6, 5, 4]),
    ],
)
def test_orders_are_found(store: p.OrderStore, query: dict, numbers: list[int]) -> None:
    """By every filter, newest first, a page at a time."""
    orders = [
        an_order(1, status=Status.CANCELED),
        an_order(2, symbol="ETH-USD"),
        an_order(3, side=Side.SELL),
        an_order(4),
        an_order(5, status=Status.FILLED),
        an_order(6, account_id=OTHER),
    ]
    store.apply(changes(1, orders=orders))
    found = store.find(p.OrderQuery(**{"account_ids": (ACCOUNT,), **query}))
    assert [row.order_id for row in found] == [order_id(number) for number in numbers]


def test_orders_by_client_id(store: p.OrderStore) -> None:
    """The first of an account's orders with that id, whatever became of the second."""
    orders = [
        an_order(1, client_order_id="mine"),
        an_order(2, client_order_id="mine", status=Status.REJECTED),
        an_order(3),
        an_order(4, client_order_id="mine", account_id=OTHER),
    ]
    store.apply(changes(1, orders=orders))
    found = store.orders_by_client_id(ACCOUNT, ["mine", "c3", "nobody's"])
    assert found == {"mine": (order_id(1), 1), "c3": (order_id(3), 3)}
    assert store.orders_by_client_id(ACCOUNT, []) == {}
    assert len(store.orders_by_client_id(ACCOUNT, [f"c{n}" for n in range(2_500)])) == 1


def test_the_first_order_of_a_client_id_is_the_first_in_the_log(store: p.OrderStore) -> None:
    """A claim driven on late has an older id than what was decided before it."""
    orders = [
        an_order(7, client_order_id="mine", event_seqs=(3, 9)),
        an_order(2, client_order_id="mine", event_seqs=(5,), status=Status.REJECTED),
        an_order(9, client_order_id="mine", event_seqs=(4,), status=Status.REJECTED),
    ]
    store.apply(changes(1, orders=orders))
    assert store.orders_by_client_id(ACCOUNT, ["mine"]) == {"mine": (order_id(7), 3)}


def test_client_order_ids_come_in_pages(store: p.OrderStore) -> None:
    """Each account its own, in order, behind the last one of the page before."""
    names = ["b", "a", "d", "c"]
    orders = [an_order(n, client_order_id=name) for n, name in enumerate(names, 1)]
    store.apply(changes(1, orders=[*orders, an_order(9, client_order_id="e", account_id=OTHER)]))
    assert store.client_order_ids(ACCOUNT, "", 3) == ["a", "b", "c"]
    assert store.client_order_ids(ACCOUNT, "c", 3) == ["d"]
    assert store.client_order_ids(ACCOUNT, "d", 3) == []


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


def test_fills_are_paged_newest_first(store: p.OrderStore) -> None:
    """Over several accounts, by symbol, by order; *before* is exclusive."""
    fills = [
        a_fill(101),
        a_fill(102, symbol="ETH-USD", order_id=order_id(2)),
        a_fill(103),
        a_fill(102, account_id=OTHER),
    ]
    orders = [an_order(1, event_seqs=(1, 101, 103)), an_order(2, event_seqs=(2, 102))]
    store.apply(changes(1, orders=orders, fills=fills))
    both = (ACCOUNT, OTHER)
    place = [(fill.account_id, fill.seq) for fill in store.fills(both)]
    assert place == [(ACCOUNT, 103), (OTHER, 102), (ACCOUNT, 102), (ACCOUNT, 101)]
    assert store.fills(both, limit=1) == [fills[2]]
    assert store.fills(both, before=(AT_NS + 102, OTHER, 102)) == [fills[1], fills[0]]
    assert store.fills([ACCOUNT], symbol="ETH-USD") == [fills[1]]
    assert store.fills([ACCOUNT], order_id=order_id(1)) == [fills[2], fills[0]]
    assert store.fills([OTHER], order_id=order_id(1), symbol="ETH-USD") == []
    assert store.fills([]) == []


LONG = "n" * 150
TEXTS = [LONG, "'\"; DROP TABLE orders_order; --", "żółć 漢字 \U0001f680", "%s", "\\", " ", ""]


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_is_kept_as_it_was_told(store: p.OrderStore, text: str) -> None:
    """Whatever its length and letters: the log has it already, so there must be a place for it."""
    order = an_order(1, client_order_id=text, reason=text, actor=f"user:7:{text}")
    fill = a_fill(trade_id=text, venue=text)
    store.apply(changes(1, orders=[order], fills=[fill]))
    assert store.get(order_id(1), [ACCOUNT]) == order
    assert store.find(p.OrderQuery(account_ids=(ACCOUNT,), client_order_id=text)) == [order]
    assert store.fills([ACCOUNT]) == [fill]


def test_a_nul_in_a_text_stops_nothing(store: p.OrderStore) -> None:
    """PostgreSQL has none in a text; elsewhere it stays. Asking with one finds what has one."""
    order = an_order(1, client_order_id="a\0b", actor="user:7:\0")
    store.apply(changes(1, orders=[order, an_order(2)]))
    (found,) = store.find(p.OrderQuery(account_ids=(ACCOUNT,), client_order_id="a\0b"))
    assert found.client_order_id in ("a\0b", "a\ufffdb")
    assert store.get("\0", [ACCOUNT]) is None
    assert store.get(order_id(2), ["\0", ACCOUNT]) == an_order(2)


@pytest.mark.parametrize("number", [2**63 - 1, -(2**63), 2**53 + 1])
def test_a_number_of_64_bits_is_kept(store: p.OrderStore, number: int) -> None:
    order = an_order(1, cost=number, fee=number, created_ns=number, updated_ns=number)
    fill, position = a_fill(lots=number, ticks=number), a_position(cost=number)
    balance = a_balance(free=number, external=-1 - number)
    step = changes(1, orders=[order], fills=[fill], positions=[position], balances=[balance])
    store.apply(step)
    assert store.get(order_id(1), [ACCOUNT]) == order
    assert store.fills([ACCOUNT]) == [fill]
    assert (store.positions([ACCOUNT]), store.balances([ACCOUNT])) == ([position], [balance])


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 2**64, 10**30])
@pytest.mark.parametrize(
    "row", [{"orders": [1]}, {"updates": [1]}, {"fills": [1]}, {"balances": [1]}]
)
def test_a_number_beyond_64_bits_is_poison(store: p.OrderStore, number: int, row: dict) -> None:
    """Not a broken wire, which would be waited out for ever; the next step finds it all right."""
    bad = {
        "orders": [an_order(2, cost=number)], "updates": [an_update(1, cost=number)],
        "fills": [a_fill(fee=number)], "balances": [a_balance(free=number)],
    }  # fmt: skip
    store.apply(changes(1, orders=[an_order(1)]))
    with pytest.raises(PoisonError):
        store.apply(changes(2, **{name: bad[name] for name in row}))
    assert store.progress(0).next_offset == 1
    assert store.get(order_id(1), [ACCOUNT]) == an_order(1)
    store.apply(changes(2, orders=[an_order(3)]))
    assert store.get(order_id(3), [ACCOUNT]) == an_order(3)


@pytest.mark.parametrize("page", [1, 2, 3, 7])
def test_no_fill_is_lost_between_pages(store: p.OrderStore, page: int) -> None:
    """Also where time went back: the engine moved to a host that is behind, a clock was set."""
    times = {1: 50, 2: 10, 3: 40, 4: 40, 5: 20, 6: 60, 7: 5}
    fills = [a_fill(seq, at_ns=AT_NS + at) for seq, at in times.items()]
    fills += [a_fill(seq, account_id=OTHER, at_ns=AT_NS + at) for seq, at in ((1, 40), (2, 39))]
    store.apply(changes(1, fills=fills))
    seen: list[tuple[int, str, int]] = []
    while True:
        before = seen[-1] if seen else None
        found = store.fills((ACCOUNT, OTHER), before=before, limit=page)
        if not found:
            break
        seen += [(fill.at_ns, fill.account_id, fill.seq) for fill in found]
    every = [(fill.at_ns, fill.account_id, fill.seq) for fill in fills]
    assert seen == sorted(every, reverse=True)


def test_positions_and_balances_are_of_accounts(store: p.OrderStore) -> None:
    positions = [a_position(symbol="ETH-USD"), a_position(), a_position(account_id=OTHER)]
    balances = [a_balance(asset="USD"), a_balance(asset="BTC"), a_balance(account_id=OTHER)]
    store.apply(changes(1, positions=positions, balances=balances))
    assert store.positions([ACCOUNT]) == [positions[1], positions[0]]
    assert store.positions([OTHER, ACCOUNT]) == [positions[1], positions[0], positions[2]]
    assert store.balances([ACCOUNT]) == [balances[1], balances[0]]
    assert store.positions([]) == store.balances([]) == []


# ------------------------------------------------------------------ epochs and snapshots


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

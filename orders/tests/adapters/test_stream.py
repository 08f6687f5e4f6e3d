"""Fills are read off the stream: each once, newest first, whatever clocks said and however it is cut."""

from collections.abc import Sequence

import msgspec
import pytest

from oms_project.kernel import ports as p
from oms_project.kernel import wire
from oms_project.kernel.words import Side, Status
from orders.adapters import stream
from orders.adapters.memory_store import MemoryStore
from orders.domain import events as e
from orders.tests.contracts.rows import ACCOUNT, AT_NS, OTHER, an_order, changes, order_id

BTC, ETH = "BTC-USD", "ETH-USD"


def a_fill(number: int, symbol: str = BTC, lots: int = 1) -> e.OrderFilled:
    """Build a trade of the order *number*."""
    return e.OrderFilled(
        order_id(number), Status.PARTIALLY_FILLED, 2, lots, lots, 3, symbol, Side.SELL, "SIM",
        number, lots, 100, True, 3, False, False,
    )  # fmt: skip


def moved(symbol: str = BTC) -> e.PositionChanged:
    return e.PositionChanged(symbol, 1, 1, 1)


def told(
    *batches: Sequence[e.Event], account_id: str = ACCOUNT, at: Sequence[int] = ()
) -> MemoryStore:
    """Return a store with these batches of one account, told at AT_NS + *at*."""
    store = MemoryStore()
    chunks = []
    seq = 1
    for offset, events in enumerate(batches):
        at_ns = AT_NS + (at[offset] if at else offset)
        batch = e.EventBatch(
            0, offset, offset - 1, 1, account_id, seq, at_ns, "ann", "c", list(events)
        )
        body = wire.seal(e.SCHEMA, batch, id="x", at_ns=at_ns)
        chunks.append(p.Chunk(account_id, seq, seq + len(events) - 1, 0, offset, body))
        seq += len(events)
    store.apply(changes(len(batches), chunks=chunks))
    return store


def pages(store: MemoryStore, limit: int, **asked: object) -> list[int]:
    """Return the seqs of all pages, one behind the other."""
    seen: list[int] = []
    before: int | None = stream.SEQ_MAX
    while before is not None:
        page = stream.fills_of_account(store, ACCOUNT, before=before, limit=limit, **asked)
        assert len(page.rows) <= limit
        assert page.before is None or page.before < before
        seen += [row.seq for row in page.rows]
        before = page.before
    return seen


def test_a_fill_as_it_is_read() -> None:
    store = told([moved()], [moved(), a_fill(7, lots=4)])
    assert stream.fills_of_account(store, ACCOUNT).rows == [
        p.FillRow(
            ACCOUNT,
            3,
            order_id(7),
            f"SIM-{order_id(7)}-7",
            "SIM",
            BTC,
            "sell",
            4,
            100,
            3,
            "maker",
            AT_NS + 1,
        )
    ]
    assert stream.fills_of_account(store, OTHER) == stream.FillPage([])


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 100])
def test_no_fill_is_lost_between_pages(limit: int) -> None:
    """Also where time went back: the engine moved to a host that is behind, a clock was set."""
    store = told(
        [a_fill(1), a_fill(2)], [moved()], [a_fill(3)], [a_fill(4), moved(), a_fill(5)], [moved()],
        at=[50, 60, 10, 40, 5],
    )  # fmt: skip
    assert pages(store, limit) == [7, 5, 4, 2, 1]


def test_fills_of_a_symbol_and_behind_a_seq() -> None:
    store = told([a_fill(1), a_fill(2, ETH)], [moved(ETH), a_fill(3)], [a_fill(4, ETH)])
    assert pages(store, 1, symbol=ETH) == [5, 2]
    assert pages(store, 10, symbol="SOL-USD") == []
    assert pages(store, 10, after=2) == [5, 4]
    assert pages(store, 10, after=5) == []


@pytest.mark.parametrize(("chunks", "events"), [(1, 1_000), (3, 1_000), (1_000, 4)])
def test_a_page_looks_no_further_than_it_may(
    chunks: int, events: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is short, and the next one goes on: a rare symbol costs pages, never a page."""
    monkeypatch.setattr(stream, "CHUNKS_MAX", chunks)
    monkeypatch.setattr(stream, "EVENTS_MAX", events)
    store = told(*([a_fill(n, ETH if n % 7 == 0 else BTC)] for n in range(1, 30)))
    assert pages(store, 5, symbol=ETH) == [28, 21, 14, 7]
    assert pages(store, 5) == list(range(29, 0, -1))
    page = stream.fills_of_account(store, ACCOUNT, limit=1_000)
    assert len(page.rows) <= max(chunks, events) if chunks < 29 else len(page.rows) == events


@pytest.mark.parametrize("limit", [1, 2, 10])
def test_fills_of_an_order(limit: int) -> None:
    """Those in the chunks that its row and its steps lead to; of others in them, none."""
    store = told(
        [moved()], [a_fill(1), a_fill(2), a_fill(1)], [a_fill(2)], [a_fill(1)], [a_fill(2)]
    )
    row = an_order(1, first_seq=1, end_seq=6, last_seq=6)
    store.apply(changes(9, steps=[p.StepRow(ACCOUNT, order_id(1), 4)]))
    seen: list[int] = []
    before: int | None = stream.SEQ_MAX
    while before is not None:
        page = stream.fills_of_order(store, row, before=before, limit=limit)
        seen += [one.seq for one in page.rows]
        before = page.before
    assert seen == [6, 4, 2]
    nothing = msgspec.structs.replace(row, order_id=order_id(9), first_seq=0, end_seq=0, last_seq=0)
    assert stream.fills_of_order(store, nothing) == stream.FillPage([])

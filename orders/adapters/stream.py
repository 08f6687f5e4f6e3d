"""An account's stream, opened: chunks as events, and what is read off them instead of being stored twice.

A fill is an event. A list of fills is a walk back through the stream, so it has one order (the
account's own) whatever clocks said, and a fill costs the store nothing beside its event.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from oms_project.kernel import wire
from oms_project.kernel.ids import trade_id
from oms_project.kernel.numbers import INT64_MAX
from oms_project.kernel.ports import Chunk, FillRow, OrderRow, OrderStore
from oms_project.kernel.words import Liquidity
from orders.domain import events as e

SEQ_MAX: Final = INT64_MAX
CHUNKS_MAX: Final = 400
BYTES_MAX: Final = 4 * 1024 * 1024
EVENTS_MAX: Final = 20_000
"""Chunks and bytes read, and events decoded, for one page; what is behind is behind its cursor."""
CHUNKS_FIRST: Final = 4
CHUNKS_AT_ONCE: Final = 64
STEPS_MAX: Final = 1_000_000
_FILLED: Final = e.OrderFilled.__name__.encode()


class Story(msgspec.Struct, frozen=True):
    """One chunk, decoded: its events stand at first_seq, first_seq + 1, …"""

    batch: e.EventBatch
    first_seq: int
    last_seq: int


class FillPage(msgspec.Struct, frozen=True):
    """Some fills, newest first. before: the seq to go on before, None: that was all."""

    rows: list[FillRow]
    before: int | None = None


def open_chunk(chunk: Chunk) -> Story:
    """Return the events of a stored chunk.

    Raises:
        BadRecordError: what is stored is not what the engine wrote.
    """
    envelope = wire.open_envelope(chunk.body, e.SCHEMA)
    return Story(wire.read_body(e.decoder, envelope), chunk.first_seq, chunk.last_seq)


def places(store: OrderStore, row: OrderRow, from_seq: int, limit: int) -> list[int]:
    """Return one seq in each chunk with events of the order from *from_seq* on, in order."""
    known = {row.first_seq, row.end_seq, row.last_seq}
    steps = store.steps(row.account_id, row.order_id, from_seq, limit)
    return sorted({*(seq for seq in known if seq and seq >= from_seq), *steps})


def fills_of_account(
    store: OrderStore,
    account_id: str,
    *,
    symbol: str | None = None,
    before: int = SEQ_MAX,
    after: int = 0,
    limit: int = 100,
) -> FillPage:
    """Return fills with seqs between *after* and *before* (both exclusive).

    There may be fewer than *limit* and more behind: so many chunks are looked at, and no further.
    """
    found: list[FillRow] = []
    chunks = events = size = 0
    wanted = CHUNKS_FIRST
    while True:
        some = store.chunks_before(account_id, before, wanted)
        for chunk in some:
            if chunk.last_seq <= after:
                return FillPage(found)
            if _may_have(chunk, symbol):
                events += chunk.last_seq - chunk.first_seq + 1
                found += [
                    row
                    for row in _fills(chunk)
                    if after < row.seq < before and symbol in (None, row.symbol)
                ]
            if len(found) > limit:
                return FillPage(found[:limit], found[limit - 1].seq)
            before = chunk.first_seq
            chunks += 1
            size += len(chunk.body)
            if chunks >= CHUNKS_MAX or size >= BYTES_MAX or events >= EVENTS_MAX:
                return FillPage(found, before)
        if len(some) < wanted:
            return FillPage(found)
        wanted = min(2 * wanted, CHUNKS_AT_ONCE)


def fills_of_order(
    store: OrderStore, row: OrderRow, *, before: int = SEQ_MAX, limit: int = 100
) -> FillPage:
    """Return the order's fills, as `fills_of_account` does."""
    found: list[FillRow] = []
    first_seq = SEQ_MAX
    for seq in reversed(places(store, row, 0, STEPS_MAX)):
        if seq >= first_seq:
            continue
        for chunk in store.chunks_holding(row.account_id, [seq]):
            first_seq = chunk.first_seq
            if first_seq < before:
                fills = _fills(chunk)
                found += [one for one in fills if one.order_id == row.order_id and one.seq < before]
        if len(found) > limit:
            return FillPage(found[:limit], found[limit - 1].seq)
    return FillPage(found)


def _may_have(chunk: Chunk, symbol: str | None) -> bool:
    """Tell whether there can be such a fill in it, without decoding it."""
    return _FILLED in chunk.body and (symbol is None or symbol.encode() in chunk.body)


def _fills(chunk: Chunk) -> Iterator[FillRow]:
    """Yield the fills in a chunk, newest first."""
    if _FILLED not in chunk.body:
        return
    batch = open_chunk(chunk).batch
    for index in range(len(batch.events) - 1, -1, -1):
        event = batch.events[index]
        if type(event) is e.OrderFilled:
            liquidity = Liquidity.MAKER if event.maker else Liquidity.TAKER
            yield FillRow(
                batch.stream, batch.first_seq + index, event.order_id,
                trade_id(event.venue, event.order_id, event.execution), event.venue,
                event.symbol, event.side.value, event.lots, event.ticks, event.fill_fee,
                liquidity.value, batch.at_ns,
            )  # fmt: skip

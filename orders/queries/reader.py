"""The read side: what is stored, as the API shows it. Changes nothing, decides nothing.

Rules of this file: the accounts a caller may see come in as an argument, always; what is not theirs
is as if it were not there. Every read is of the store, which runs a moment behind the log.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from marketdata import wiring as market
from marketdata.domain.instrument import Instrument, Units
from oms_project.access import accounts as accounts_table
from oms_project.kernel.errors import TransportError
from oms_project.kernel.ports import FillRow, OrderPage, OrderQuery, OrderRow, OrderStore
from oms_project.kernel.words import OPEN, Role, Status
from orders.adapters import stream
from orders.adapters.stream import FillPage, Story, open_chunk
from orders.domain import events as e
from orders.queries import cursors, shapes
from orders.queries.shapes import Value
from risk.domain.limits import Limits

EVENTS_MAX: Final = 500
SNAPSHOT_ORDERS_MAX: Final = 1_000
SNAPSHOT_FILLS: Final = 50
SNAPSHOT_TRIES: Final = 3

Pending = Callable[[str, Sequence[str]], OrderRow | None]
PageOf = Callable[[OrderQuery], OrderPage]
Unshown = Callable[[OrderQuery, PageOf], OrderPage]


class Queries:
    """Reads of one process. Safe for any number of threads."""

    def __init__(
        self, store: OrderStore, pending: Pending | None = None, unshown: Unshown | None = None
    ) -> None:
        self.store = store
        self._pending = pending
        self._unshown = unshown

    # -------------------------------------------------------------- orders
    def order_row(self, order_id: str, account_ids: Sequence[str]) -> OrderRow | None:
        """Return the order, also one that is acknowledged but not stored yet."""
        row = self.store.get(order_id, account_ids)
        if row is not None or self._pending is None:
            return row
        row = self._pending(order_id, account_ids)
        # It may have been stored between the two looks: what is stored is the newer truth.
        return self.store.get(order_id, account_ids) or row if row is not None else None

    def order(self, order_id: str, account_ids: Sequence[str]) -> Value | None:
        """Return the order as the API shows it, None if it is not one of these accounts'."""
        row = self.order_row(order_id, account_ids)
        return None if row is None else self.shown(row)

    def shown(self, row: OrderRow) -> Value:
        return shown_order(row)

    def orders(self, query: OrderQuery, cursor: str = "") -> Value:
        """Return one page and the cursor of the next (null: that was all).

        What is acknowledged and not stored yet is in it, as NEW.

        A page may have fewer than query.limit, even none, and more behind its cursor.

        Raises:
            ValueError: a cursor of another list.
        """
        mark = cursors.filters_of(msgspec.structs.replace(query, before_id=None, limit=0))
        if cursor:
            place = cursors.read(cursor, cursors.OrderPlace, mark)
            query = msgspec.structs.replace(query, before_id=place.before_id)
        read = self.store.page
        page = read(query) if self._unshown is None else self._unshown(query, read)
        following = cursors.OrderPlace(mark, page.before_id) if page.before_id else None
        return {
            "orders": shown_orders(page.rows),
            "next_cursor": cursors.write(following) if following else None,
        }

    def events(
        self, order_id: str, account_ids: Sequence[str], *, from_seq: int = 0, limit: int
    ) -> Value | None:
        """Return the order's own events from *from_seq* on; next_seq: where to go on, or null."""
        row = self.order_row(order_id, account_ids)
        if row is None:
            return None
        found: list[tuple[int, Value]] = []
        for seq in stream.places(self.store, row, from_seq, limit + 1):
            if len(found) > limit:
                break
            if found and seq <= found[-1][0]:
                continue
            for chunk in self.store.chunks_holding(row.account_id, [seq]):
                found += _own_events(open_chunk(chunk), order_id, from_seq)
        following = found[limit][0] if len(found) > limit else None
        shown = [value for _, value in found[:limit]]
        return {"order_id": order_id, "events": shown, "next_seq": following}

    # -------------------------------------------------------------- fills
    def fills(
        self, account_id: str, *, symbol: str | None = None, cursor: str = "", limit: int = 100
    ) -> Value:
        """Return one page of the account's fills, newest first, as `orders` does.

        Raises:
            ValueError: a cursor of another list.
        """
        mark = cursors.filters_of(account_id, symbol)
        before = _before(cursor, mark)
        page = stream.fills_of_account(
            self.store, account_id, symbol=symbol, before=before, limit=limit
        )
        return _fill_page(page, mark)

    def order_fills(
        self, order_id: str, account_ids: Sequence[str], *, cursor: str = "", limit: int = 100
    ) -> Value | None:
        """Return one page of the order's fills likewise, None if it is not one of these accounts'.

        Raises:
            ValueError: a cursor of another list.
        """
        row = self.order_row(order_id, account_ids)
        if row is None:
            return None
        mark = cursors.filters_of(order_id)
        before = _before(cursor, mark)
        return _fill_page(stream.fills_of_order(self.store, row, before=before, limit=limit), mark)

    # -------------------------------------------------------------- accounts
    def accounts(self, roles: Mapping[str, Role]) -> list[Value]:
        """Return the accounts of somebody with these roles, by name."""
        return [
            {
                "account_id": row.account_id,
                "name": row.name,
                "state": row.state,
                "role": roles[row.account_id],
            }
            for row in accounts_table.load(tuple(roles))
        ]

    def account(self, account_id: str, role: Role) -> Value | None:
        """Return one account with its limits and the newest seq that is stored."""
        rows = accounts_table.load((account_id,))
        if not rows:
            return None
        row = rows[0]
        found = msgspec.json.decode(row.limits, type=Limits)
        return {
            "account_id": row.account_id,
            "name": row.name,
            "state": row.state,
            "role": role,
            "limits": shapes.limits(found),
            "last_seq": self.store.last_seq(account_id),
        }

    def positions(self, account_id: str) -> list[Value]:
        """Return the positions, each at what it could be closed at now."""
        return [
            shapes.position(row, units_of(row.symbol), mark_ticks(row.symbol, row.net_lots))
            for row in self.store.positions((account_id,))
        ]

    def balances(self, account_id: str) -> list[Value]:
        return [shapes.balance(row) for row in self.store.balances((account_id,))]

    # -------------------------------------------------------------- streams
    def snapshot(self, account_id: str) -> tuple[int, Value, list[OrderRow]]:
        """Return (seq, what is true at it, the open orders' rows).

        Rows may be newer than the seq if the account is busy: events that follow are then behind
        what was shown, and say so by their version and account_seq.
        """
        seq = self.store.last_seq(account_id)
        for _ in range(SNAPSHOT_TRIES):
            query = OrderQuery(
                account_ids=(account_id,), statuses=tuple(OPEN), limit=SNAPSHOT_ORDERS_MAX + 1
            )
            rows = self.store.find(query)
            value: Value = {
                "orders": shown_orders(rows[:SNAPSHOT_ORDERS_MAX]),
                "orders_truncated": len(rows) > SNAPSHOT_ORDERS_MAX,
                "positions": self.positions(account_id),
                "balances": self.balances(account_id),
                "fills": self.fills(account_id, limit=SNAPSHOT_FILLS)["fills"],
            }
            after = self.store.last_seq(account_id)
            if after == seq:
                break
            seq, before = after, seq
        else:
            seq = before  # never quiet: begin with the events of the last look
        return seq, value, rows[:SNAPSHOT_ORDERS_MAX]


def _before(cursor: str, mark: int) -> int:
    return cursors.read(cursor, cursors.FillPlace, mark).seq if cursor else stream.SEQ_MAX


def _fill_page(page: FillPage, mark: int) -> Value:
    following = None if page.before is None else cursors.FillPlace(mark, page.before)
    return {
        "fills": [_fill(row) for row in page.rows],
        "next_cursor": cursors.write(following) if following else None,
    }


def _own_events(story: Story, order_id: str, from_seq: int) -> list[tuple[int, Value]]:
    """Return the events of the order in *story*, each with its seq."""
    return [
        (seq, shown_event(story.batch, seq - story.first_seq))
        for seq, event in enumerate(story.batch.events, story.first_seq)
        if getattr(event, "order_id", None) == order_id and seq >= from_seq
    ]


def units_of(symbol: str) -> Units:
    """Return the instrument's arithmetic.

    Raises:
        TransportError: it is not known here yet, so no number of it can be shown right.
    """
    found = market.units(symbol)
    if found is None:
        market.forget_instruments()
        found = market.units(symbol)
    if found is None:
        raise TransportError("instruments", f"{symbol} is not known here yet")
    return found


def raw_units(symbol: str) -> Units:
    """Return an arithmetic for what has none: a lot is shown as 1, a tick as 1."""
    base, _, quote = symbol.partition("-")
    return Units(Instrument(symbol=symbol, base=base, quote=quote, tick_size="1", lot_size="1"))


def shown_order(row: OrderRow) -> Value:
    """Return the order as it is shown.

    One that was refused may name a symbol that never was: then in lots and ticks, as it was told.
    One such order in a list must not keep the others from being shown.
    """
    return shown_orders([row])[0]


def shown_orders(rows: Sequence[OrderRow]) -> list[Value]:
    """Return the orders as they are shown; a symbol nobody knows is looked for once."""
    units: dict[tuple[str, bool], Units] = {}
    found = []
    for row in rows:
        told = (row.terms.symbol, row.status is Status.REJECTED)
        if told not in units:
            units[told] = _units_of_told(*told)
        found.append(shapes.order(row, units[told]))
    return found


def shown_event(batch: e.EventBatch, index: int) -> Value:
    """Return the event at *index* as it is shown; of a refused order as `shown_order` says."""
    refused = type(batch.events[index]) is e.OrderDenied
    return shapes.event(batch, index, lambda symbol: _units_of_told(symbol, refused))


def _units_of_told(symbol: str, refused: bool) -> Units:
    try:
        return units_of(symbol)
    except TransportError:
        if not refused:
            raise
        return raw_units(symbol)


def mark_ticks(symbol: str, net_lots: int) -> int:
    """Return what a position could be closed at: the bid if long, the ask if short; 0: unknown."""
    if not net_lots:
        return 0
    view = market.view()
    seen = view.current(symbol)
    if seen is None or view.broken or view.is_stale(symbol):
        return 0
    levels = seen.prices.bids if net_lots > 0 else seen.prices.asks
    return levels[0].ticks if levels else 0


def _fill(row: FillRow) -> dict[str, Any]:
    return shapes.fill(row, units_of(row.symbol))

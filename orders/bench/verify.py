"""Does the store hold what was acknowledged, and do the books add up? No figure without this."""

from collections import Counter
from collections.abc import Iterable

import msgspec

from marketdata import wiring as market
from oms_project.kernel.ports import OrderStore
from oms_project.kernel.words import OPEN, Status

PAGE = 500


class Verdict(msgspec.Struct):
    """What was found. statuses: of the acknowledged orders; wrong: everything that is not right."""

    checked: int
    statuses: dict[str, int]
    wrong: list[str]

    @property
    def right(self) -> bool:
        return not self.wrong


def check(store: OrderStore, acknowledged: dict[str, list[str]], *, closed: bool = True) -> Verdict:
    """Compare *acknowledged* (account id -> order ids) and the account's books with the store.

    closed: every order must have come to its end.
    """
    statuses: Counter[str] = Counter()
    wrong: list[str] = []
    checked = 0
    for account_id, order_ids in acknowledged.items():
        twice = len(order_ids) - len(set(order_ids))
        if twice:
            wrong.append(f"{account_id}: {twice} order ids were acknowledged twice")
        filled: Counter[str] = Counter()
        for order_id in order_ids:
            row = store.get(order_id, (account_id,))
            checked += 1
            if row is None:
                wrong.append(f"{order_id} was acknowledged and is not stored")
                continue
            statuses[row.status] += 1
            if closed and row.status in OPEN:
                wrong.append(f"{order_id} is still {row.status}")
            if row.cum_lots > row.terms.lots:
                wrong.append(f"{order_id} is overfilled")
            if row.status is Status.FILLED and row.cum_lots != row.terms.lots:
                wrong.append(f"{order_id} says FILLED at {row.cum_lots} of {row.terms.lots}")
            filled[row.terms.symbol] += row.cum_lots * row.terms.sign
        wrong += books(store, account_id, filled if closed else None)
    return Verdict(checked, dict(statuses), wrong[:20])


def books(store: OrderStore, account_id: str, filled: Counter[str] | None) -> Iterable[str]:
    """Yield what is wrong with an account's books; *filled*: signed lots of all of its orders."""
    traded: Counter[str] = Counter()
    for position in store.positions((account_id,)):
        if filled is not None and position.net_lots != filled[position.symbol]:
            yield (
                f"{account_id} {position.symbol}: position {position.net_lots}, "
                f"fills {filled[position.symbol]}"
            )
        units = market.units(position.symbol)
        if units is not None:
            traded[units.instrument.base] += position.net_lots * units.lot_units
    for b in store.balances((account_id,)):
        total = b.free + b.locked + b.fees + b.venue + b.external
        if total:
            yield f"{account_id} {b.asset}: sums to {total}, not 0"
        if filled is not None and b.locked:
            yield f"{account_id} {b.asset}: {b.locked} locked and nothing open"
        if b.asset in traded and -b.venue != traded[b.asset]:
            yield f"{account_id} {b.asset}: venue {b.venue}, positions {traded[b.asset]}"

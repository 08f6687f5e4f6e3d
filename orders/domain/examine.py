"""What the rules look at, gathered from the book: an order's case (risk/domain/rules.py)."""

from oms_project.kernel.terms import Terms
from orders.domain.book import Account, Book
from risk.domain.rules import Case


class Taken:
    """What the orders of an atomic batch would take before the next one is examined.

    paid, got: asset -> smallest units held, and that may come; lots: (symbol, sign) -> lots pending.
    """

    __slots__ = ("got", "lots", "orders", "paid")

    def __init__(self) -> None:
        self.paid: dict[str, int] = {}
        self.got: dict[str, int] = {}
        self.lots: dict[tuple[str, int], int] = {}
        self.orders = 0

    def take(self, case: Case) -> None:
        instrument, terms = case.instrument, case.terms
        pays, gets = instrument.quote, instrument.base
        if terms.sign < 0:
            pays, gets = gets, pays
        self.paid[pays] = self.paid.get(pays, 0) + case.hold
        self.got[gets] = self.got.get(gets, 0) + case.brings
        key = terms.symbol, terms.sign
        self.lots[key] = self.lots.get(key, 0) + terms.lots
        self.orders += 1


_NOTHING = Taken()


def case_of(
    book: Book, account: Account, terms: Terms, at_ns: int, taken: Taken = _NOTHING
) -> Case:
    """Return the case of an order, as if what is *taken* was locked already."""
    symbol, sign = terms.symbol, terms.sign
    lane = book.lane(account, symbol)
    free = coming = reducible = 0
    if lane is not None:
        pays, gets = lane.quote_asset, lane.base_asset
        balance = lane.quote
        if sign < 0:
            pays, gets = gets, pays
            balance = lane.base
        free = balance.free - taken.paid.get(pays, 0)
        coming = lane.coming_units(sign) + taken.got.get(gets, 0)
        reducible = lane.reducible_lots(sign, taken.lots.get((symbol, sign), 0))
    return Case(
        terms=terms,
        now_ns=at_ns,
        account_state=account.state,
        limits=account.limits,
        open_orders=len(account.open) + taken.orders,
        reducible_lots=reducible,
        free=free,
        coming_units=coming,
        units=book.units.get(symbol),
        mark=book.state.marks.get(symbol),
    )

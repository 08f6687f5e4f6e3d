"""The invariants of a book, checked after the fact: by tests, the simulation, `check_invariants`."""

from marketdata.domain.instrument import SUM_MAX
from orders.domain.book import Account, Book, State
from orders.domain.lanes import Lane
from orders.domain.order import Order


def breaches(state: State) -> list[str]:
    """Return every broken invariant in words; an empty list is the only good answer."""
    found = []
    for account in state.accounts.values():
        for order in account.open.values():
            if order.closed:
                found.append(f"{account.account_id}: {order.order_id} is closed and still open")
        found += _money(state, account)
    orders = [order for one in state.accounts.values() for order in one.open.values()]
    for order in [*orders, *state.closed.values()]:
        found += _facts(order)
    return found


def _money(state: State, account: Account) -> list[str]:
    """Assets sum to zero, holds are what orders hold, free is not below zero unless it had to be."""
    found = []
    holds: dict[str, int] = {}
    for order in account.open.values():
        instrument = state.instruments[order.terms.symbol]
        asset = instrument.quote if order.sign > 0 else instrument.base
        holds[asset] = holds.get(asset, 0) + order.hold
    for asset, balance in account.balances.items():
        if balance.total():
            found.append(f"{account.account_id}: {asset} sums to {balance.total()}, not 0")
        if balance.locked != holds.get(asset, 0):
            found.append(
                f"{account.account_id}: {asset} locks {balance.locked}, "
                f"its orders hold {holds.get(asset, 0)}"
            )
        if abs(balance.venue) > SUM_MAX or abs(balance.fees) > SUM_MAX:
            found.append(f"{account.account_id}: {asset} is beyond what fits")
    return found


def _facts(order: Order) -> list[str]:
    """An order's sums are those of its fills; a hold is of what is open."""
    found = []
    fills = order.fills.values()
    if order.cum_lots != sum(fill.lots for fill in fills):
        found.append(f"{order.order_id}: {order.cum_lots} lots, its fills say otherwise")
    if order.cost != sum(fill.lots * fill.ticks for fill in fills):
        found.append(f"{order.order_id}: cost {order.cost}, its fills say otherwise")
    if order.closed and order.hold:
        found.append(f"{order.order_id}: closed, and holds {order.hold}")
    return found


def stale_indexes(book: Book) -> list[str]:
    """Return what a book rebuilt from its state would index otherwise; [] is the only good answer."""
    book.settle()
    again = Book(book.state, book.used.bodies())
    found = []
    if again.canceling.keys() != book.canceling.keys():
        found.append(f"canceling: {list(book.canceling)}, rebuilt {list(again.canceling)}")
    if again.timers.at != book.timers.at:
        found.append(f"timers: {book.timers.at}, rebuilt {again.timers.at}")
    if again.fired.keys() != book.fired.keys() or _waiting(again) != _waiting(book):
        found.append(f"triggers: {_waiting(book)}, rebuilt {_waiting(again)}")
    for account_id, lanes in book.lanes.items():
        for symbol, lane in lanes.items():
            rebuilt = again.lanes.get(account_id, {}).get(symbol)
            if _pending(lane) != (_pending(rebuilt) if rebuilt is not None else (0, 0)):
                found.append(f"{account_id} {symbol}: {_pending(lane)} pending")
            if lane.base is not lane.account.balances.get(lane.base_asset):
                found.append(f"{account_id} {symbol}: a balance that is not the account's")
            if lane.position is not lane.account.positions.get(symbol):
                found.append(f"{account_id} {symbol}: a position that is not the account's")
    if len(again.used) != len(book.used):
        found.append(f"used: {len(book.used)}, rebuilt {len(again.used)}")
    return found


def _waiting(book: Book) -> dict[str, set[str]]:
    return {symbol: set(one.live) for symbol, one in book.triggers.items() if one.live}


def _pending(lane: Lane) -> tuple[int, int]:
    return lane.buy_lots, lane.sell_lots

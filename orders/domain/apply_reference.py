"""Reference data, prices and money by hand change the book. See apply.py."""

from marketdata.domain.instrument import Instrument, Units
from marketdata.domain.mark import Mark
from oms_project.kernel.words import AccountState
from orders.domain import events as e
from orders.domain.apply import use
from orders.domain.apply_held import fire
from orders.domain.book import Account, Book
from risk.domain.limits import Limits


def set_mark(book: Book, mark: Mark) -> None:
    book.state.marks[mark.symbol] = mark
    if book.triggers:
        fire(book, mark.symbol, mark.ticks)


def set_instrument(book: Book, instrument: Instrument, version: int) -> e.InstrumentChanged:
    symbol = instrument.symbol
    units = Units(instrument)
    book.state.instruments[symbol] = instrument
    book.state.versions[symbol] = version
    book.units[symbol] = units
    for lanes in book.lanes.values():
        lane = lanes.get(symbol)
        if lane is not None:
            lane.list_again(units)
    return e.InstrumentChanged(instrument, version)


def set_account(
    book: Book, account: Account, name: str, state: AccountState, limits: Limits, version: int,
    reason: str = "",
) -> e.AccountChanged:  # fmt: skip
    account.name = name
    account.state = state
    account.limits = limits
    account.version = version
    for lane in book.lanes.get(account.account_id, {}).values():
        lane.gate = None
    return e.AccountChanged(name, state, limits, version, reason)


def adjust(
    book: Book, account: Account, adjustment_id: str, asset: str, units: int, reason: str
) -> e.BalanceAdjusted:
    balance = account.balance(asset)
    balance.free += units
    balance.external -= units
    use(book, "adjustment", account.account_id + adjustment_id)
    return e.BalanceAdjusted(adjustment_id, asset, units, reason)


def open_epoch(book: Book, epoch: int) -> None:
    book.state.epoch = max(book.state.epoch, epoch)

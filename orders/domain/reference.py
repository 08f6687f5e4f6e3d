"""Reference data, money by hand, marks and epochs: commands that are not about orders."""

from marketdata.domain.instrument import UNITS_MAX, Instrument, Units
from marketdata.domain.mark import SetMarks
from orders.domain import apply_reference as apply
from orders.domain import events as e
from orders.domain.commands import AdjustBalance, OpenEpoch, SetAccount, SetInstrument
from orders.domain.turn import Turn
from orders.domain.used import other_key
from risk.domain.rules import Reason

_UNITS = ("base", "quote", "tick_size", "lot_size")


def set_marks(turn: Turn, command: SetMarks) -> None:
    """Prices change what the next order may do; nobody else needs an event of it."""
    for mark in command.marks:
        apply.set_mark(turn.book, mark)


def set_instrument(turn: Turn, command: SetInstrument) -> None:
    """List or change an instrument. A change that is older than what is in force is refused."""
    state = turn.book.state
    instrument = command.instrument
    symbol = instrument.symbol
    listed = state.instruments.get(symbol)
    current = state.versions.get(symbol, 0)
    if listed == instrument:
        return
    reason = _why_not(listed, instrument)
    if not reason and command.version and command.version <= current:
        reason = "version_conflict"
    if reason:
        turn.tell(e.ChangeRefused("instrument", symbol, command.version, current, reason))
        return
    turn.tell(apply.set_instrument(turn.book, instrument, command.version or current + 1))


def _why_not(listed: Instrument | None, wanted: Instrument) -> str:
    """Return why an instrument cannot be listed so, "" if it can."""
    if listed is not None and any(getattr(listed, u) != getattr(wanted, u) for u in _UNITS):
        # open orders and positions are counted in the listed ticks and lots
        return "units_never_change"
    try:
        Units(wanted)
    except ValueError:
        return "impossible_units"
    return ""


def set_account(turn: Turn, command: SetAccount) -> None:
    """Open or change an account. A change that is older than what is in force is refused."""
    account = turn.account
    wanted = (command.name, command.state, command.limits)
    if wanted == (account.name, account.state, account.limits) and account.seq:
        return
    if command.version and command.version <= account.version:
        turn.tell(
            e.ChangeRefused(
                "account", account.account_id, command.version, account.version, "version_conflict"
            )
        )
        return
    version = command.version or account.version + 1
    turn.tell(apply.set_account(turn.book, account, *wanted, version, command.reason))


def adjust(turn: Turn, command: AdjustBalance) -> None:
    """Credit or debit, once an id. More than is free cannot be taken, more than fits not given."""
    book, account = turn.book, turn.account
    if other_key("adjustment", account.account_id + command.adjustment_id) in book.used:
        return
    balance = account.balances.get(command.asset)
    free, external = (balance.free, balance.external) if balance is not None else (0, 0)
    reason, used, limit = "", 0, 0
    if command.units < 0 and -command.units > free:
        reason, used, limit = Reason.INSUFFICIENT_BALANCE.value, -command.units, free
    elif abs(external - command.units) > UNITS_MAX:
        reason, used, limit = Reason.MAX_BALANCE.value, abs(external - command.units), UNITS_MAX
    if reason:
        turn.tell(
            e.AdjustmentRefused(
                command.adjustment_id, command.asset, command.units, reason, used, limit
            )
        )
        return
    turn.tell(
        apply.adjust(
            book, account, command.adjustment_id, command.asset, command.units, command.reason
        )
    )
    turn.balances[command.asset] = account.balance(command.asset)


def open_epoch(turn: Turn, command: OpenEpoch) -> None:
    apply.open_epoch(turn.book, command.epoch)

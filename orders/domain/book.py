"""The engine's state of one partition: accounts, orders, instruments, marks; its bytes and hash.

Only orders/domain/apply.py changes it. Everything in it is a function of the command log.
"""

import hashlib
from typing import Final

import msgspec

from marketdata.domain.instrument import Instrument, Units
from marketdata.domain.mark import Mark
from oms_project.kernel.errors import BadRecordError
from oms_project.kernel.words import AccountState
from orders.domain.order import Order
from risk.domain.limits import Limits
from risk.domain.position import Position

CLOSED_KEPT: Final = 20_000
"""Closed orders a partition keeps in memory: for late reports and client_order_id, newest last.

The engine never runs further ahead of the projector than this, so what is let go is stored.
"""
EVICTED_AT_ONCE: Final = 2_000
"""Orders let go in one go: taking the first of a dict is only cheap if many go at once."""


class Balance(msgspec.Struct, array_like=True, gc=False):
    """One asset of one account in smallest units. The five sum to zero, always."""

    free: int = 0
    locked: int = 0
    fees: int = 0
    venue: int = 0
    external: int = 0

    def total(self) -> int:
        return self.free + self.locked + self.fees + self.venue + self.external


class Account(msgspec.Struct, array_like=True):
    """One account: the unit of risk, of ordering and of `account_seq`.

    open: order id -> order, oldest first; client_ids: client_order_id -> order id of every order
    in memory; adjustments: ids already booked; to_cancel: the rest of a cancel of more orders than
    one command may ask for, see due.py.
    """

    account_id: str
    name: str
    state: AccountState = AccountState.ACTIVE
    limits: Limits = Limits()
    seq: int = 0
    balances: dict[str, Balance] = {}
    positions: dict[str, Position] = {}
    open: dict[str, Order] = {}
    client_ids: dict[str, str] = {}
    adjustments: dict[str, None] = {}
    to_cancel: dict[str, None] = {}

    def balance(self, asset: str) -> Balance:
        found = self.balances.get(asset)
        if found is None:
            found = self.balances[asset] = Balance()
        return found

    def position(self, symbol: str) -> Position:
        found = self.positions.get(symbol)
        if found is None:
            found = self.positions[symbol] = Position()
        return found

    def reducible_lots(self, symbol: str, sign: int) -> int:
        """Return how many lots an order of this side may have and only reduce the position."""
        position = self.positions.get(symbol)
        if position is None or position.net_lots * sign >= 0:
            return 0
        pending = sum(
            order.leaves
            for order in self.open.values()
            if order.symbol == symbol and order.sign == sign
        )
        return max(0, abs(position.net_lots) - pending)


class State(msgspec.Struct, array_like=True):
    """What a snapshot holds, in the order it came to be (so that equal histories hash equal).

    offset: of the next command; event_command: of the last command that had events; seq: of the
    partition's own stream; closed: the newest CLOSED_KEPT closed orders; evicted: how many were
    let go; absorbed, quarantined: reports that changed nothing.
    """

    partition: int
    offset: int = 0
    event_command: int = -1
    epoch: int = 0
    seq: int = 0
    accounts: dict[str, Account] = {}
    closed: dict[str, Order] = {}
    evicted: int = 0
    absorbed: int = 0
    quarantined: int = 0
    instruments: dict[str, Instrument] = {}
    marks: dict[str, Mark] = {}


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(State).decode


class Book:
    """A partition's state and what is worked out from it (units by symbol)."""

    __slots__ = ("state", "units")

    def __init__(self, state: State) -> None:
        self.state = state
        self.units = {symbol: Units(instrument) for symbol, instrument in state.instruments.items()}

    def to_bytes(self) -> bytes:
        """Return the state's bytes: equal histories give equal bytes."""
        return _encode(self.state)

    @classmethod
    def from_bytes(cls, data: bytes) -> "Book":
        """Return the book of a snapshot.

        Raises:
            BadRecordError: the bytes are not a state.
        """
        try:
            return cls(_decode(data))
        except msgspec.DecodeError as error:
            raise BadRecordError(f"snapshot: {error}") from error

    def sweeps(self) -> list[Account]:
        """Return the accounts whose cancel of all orders is not through."""
        return [account for account in self.state.accounts.values() if account.to_cancel]

    def open_orders(self) -> list[tuple[str, Order]]:
        """Return (account id, order) of everything open, oldest first an account."""
        return [
            (account.account_id, order)
            for account in self.state.accounts.values()
            for order in account.open.values()
        ]


def state_hash(state: bytes) -> str:
    """Return the hex sha256 of a book's bytes."""
    return hashlib.sha256(state).hexdigest()


def breaches(state: State) -> list[str]:
    """Return every broken invariant in words; an empty list is the only good answer."""
    found = []
    for account in state.accounts.values():
        holds: dict[str, int] = {}
        for order in account.open.values():
            base, quote = _assets(state, order.symbol)
            asset = quote if order.sign > 0 else base
            holds[asset] = holds.get(asset, 0) + order.hold
            if order.closed:
                found.append(f"{account.account_id}: {order.order_id} is closed and still open")
        for asset, balance in account.balances.items():
            if balance.total():
                found.append(f"{account.account_id}: {asset} sums to {balance.total()}, not 0")
            if balance.locked != holds.get(asset, 0):
                found.append(
                    f"{account.account_id}: {asset} locks {balance.locked}, "
                    f"its orders hold {holds.get(asset, 0)}"
                )
    return found


def _assets(state: State, symbol: str) -> tuple[str, str]:
    instrument = state.instruments[symbol]
    return instrument.base, instrument.quote

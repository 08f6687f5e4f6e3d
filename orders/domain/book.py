"""The engine's state of one partition: accounts, orders, instruments, marks; its bytes and hash.

Only orders/domain/apply*.py write to it. Everything in it is a function of the command log. What can
be worked out from it (`Book`: units, lanes, the look-up of used ids) is never stored.
"""

import hashlib
from collections.abc import Mapping
from typing import Final

import msgspec

from marketdata.domain.instrument import Instrument, Units
from marketdata.domain.mark import Mark
from oms_project.kernel.errors import BadRecordError, OldVersionError
from oms_project.kernel.words import AccountState
from orders.domain.lanes import Lane
from orders.domain.order import Asked, Life, Order
from orders.domain.timers import Timers
from orders.domain.triggers import Triggers
from orders.domain.used import Used, UsedIds, account_hash
from risk.domain.limits import Limits
from risk.domain.position import Position

FORMAT: Final = 5
"""Of a snapshot's bytes. One of another format is not read: the log is decided again."""
CLOSED_KEPT: Final = 20_000
"""Closed orders a partition keeps in memory, newest last: for late reports of them."""
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

    open: order id -> order, oldest first; names: lasting name (used.py) -> order id of every order
    in memory; canceling: ids that a request to cancel more than one command may has still to reach,
    by that request's id, oldest first; again: when the venue is asked again to end an order whose
    time is over, by its id, if it said no; fired: orders whose price is there and which are still to
    be sent, in that order, with the mark that did it.
    """

    account_id: str
    name: str
    state: AccountState = AccountState.ACTIVE
    limits: Limits = Limits()
    version: int = 0
    seq: int = 0
    balances: dict[str, Balance] = {}
    positions: dict[str, Position] = {}
    open: dict[str, Order] = {}
    names: dict[str, str] = {}
    canceling: dict[str, list[str]] = {}
    again: dict[str, int] = {}
    fired: dict[str, int] = {}

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


class State(msgspec.Struct, array_like=True):
    """What a snapshot holds, in the order it came to be (so that equal histories hash equal).

    offset: of the next command; event_command: of the last command that had events; closed: the
    newest CLOSED_KEPT closed orders; evicted: how many were let go; absorbed, quarantined: reports
    that changed nothing; set_aside: commands that were; versions: of instruments.
    """

    partition: int
    format: int = FORMAT
    offset: int = 0
    event_command: int = -1
    epoch: int = 0
    accounts: dict[str, Account] = {}
    closed: dict[str, Order] = {}
    evicted: int = 0
    absorbed: int = 0
    quarantined: int = 0
    set_aside: int = 0
    instruments: dict[str, Instrument] = {}
    versions: dict[str, int] = {}
    marks: dict[str, Mark] = {}
    used: Used = msgspec.field(default_factory=Used)


class _Head(msgspec.Struct, array_like=True):
    partition: int
    format: int


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(State).decode
_decode_head = msgspec.msgpack.Decoder(_Head).decode


class Book:
    """A partition's state and its indexes: units by symbol, lanes by account and symbol, used ids.

    canceling: accounts with a request that is not through yet; timers: what has a time; fired: accounts
    with orders to be sent because their price is there (all: orders/domain/due.py); triggers: what
    waits for a price, by symbol.
    """

    __slots__ = (
        "canceling", "fired", "hashes", "lanes", "state", "timers", "triggers", "units", "used",
    )  # fmt: skip

    def __init__(self, state: State, segments: Mapping[int, bytes] | None = None) -> None:
        """*segments*: bodies of those the state names.

        Raises:
            KeyError, ValueError: one is missing or wrong.
        """
        self.state = state
        self.units = {symbol: Units(instrument) for symbol, instrument in state.instruments.items()}
        self.lanes: dict[str, dict[str, Lane]] = {}
        self.hashes: dict[str, int] = {}
        self.used = UsedIds(state.used, dict(segments or {}))
        self.canceling: dict[str, None] = {}
        self.timers = Timers()
        self.triggers: dict[str, Triggers] = {}
        self.fired: dict[str, None] = {}
        for account in state.accounts.values():
            if account.canceling:
                self.canceling[account.account_id] = None
            if account.fired:
                self.fired[account.account_id] = None
            for order in account.open.values():
                lane = self.lane(account, order.terms.symbol)
                assert lane is not None, "an open order's instrument is listed"
                lane.pend(order.sign, order.leaves)
                if order.terms.extras is not None:
                    self.follow(account, order)

    def follow(self, account: Account, order: Order) -> None:
        """Index an order by what it waits for now: nothing, once it is closed or asked to end."""
        at_ns = account.again.get(order.order_id) or order.terms.expires_ns
        if not at_ns or order.closed or order.asked is not Asked.NOTHING:
            self.timers.drop(account.account_id, order.order_id)
        else:
            self.timers.set(account.account_id, order.order_id, at_ns)
        symbol = order.terms.symbol
        waits = order.life is Life.HELD and not order.closed
        if waits and order.order_id not in account.fired:
            self.triggers.setdefault(symbol, Triggers()).add(order)
        elif symbol in self.triggers:
            self.triggers[symbol].drop(order.order_id)

    def unfire(self, account: Account, order_id: str) -> None:
        """It was sent, or it ended: its price does not matter any more."""
        if account.fired.pop(order_id, None) is not None and not account.fired:
            self.fired.pop(account.account_id, None)

    def settle(self) -> None:
        """Bring into the orders what their index knows better: equal histories give equal bytes."""
        for triggers in self.triggers.values():
            triggers.settle()

    def lane(self, account: Account, symbol: str) -> Lane | None:
        """Return the account's lane of a symbol, None if that is not listed."""
        lanes = self.lanes.get(account.account_id)
        if lanes is None:
            lanes = self.lanes[account.account_id] = {}
        lane = lanes.get(symbol)
        if lane is None:
            units = self.units.get(symbol)
            if units is None:
                return None
            lane = lanes[symbol] = Lane(account, units)
        return lane

    def hash_of(self, account_id: str) -> int:
        """Return what an account's client_order_ids are hashed with."""
        found = self.hashes.get(account_id)
        if found is None:
            found = self.hashes[account_id] = account_hash(account_id)
        return found

    def to_bytes(self) -> bytes:
        """Return the state's bytes: equal histories give equal bytes."""
        self.settle()
        return _encode(self.state)

    @classmethod
    def from_bytes(cls, data: bytes, segments: Mapping[int, bytes] | None = None) -> "Book":
        """Return the book of a snapshot.

        Raises:
            BadRecordError: the bytes are not a state, or a segment it names is missing or wrong.
            OldVersionError: another version of the product wrote them.
        """
        try:
            head = _decode_head(data)
            if head.format != FORMAT:
                raise OldVersionError(f"a snapshot of format {head.format}, this code has {FORMAT}")
            return cls(_decode(data), segments)
        except (msgspec.DecodeError, KeyError, ValueError) as error:
            raise BadRecordError(f"snapshot: {error}") from error

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

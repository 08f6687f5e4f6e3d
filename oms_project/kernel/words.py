"""The words every app shares, as FIX and the exchanges use them."""

from enum import StrEnum
from typing import Final


class Topic(StrEnum):
    """The log's topics. Every one has the same number of partitions."""

    COMMANDS = "oms.commands"
    EVENTS = "oms.events"
    VENUE = "oms.venue"
    PRICES = "oms.prices"
    DEADLETTER = "oms.deadletter"


class Side(StrEnum):
    BUY = "buy"
    SELL = "sell"


class OrderType(StrEnum):
    LIMIT = "limit"
    MARKET = "market"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"
    TAKE_PROFIT = "take_profit"
    TAKE_PROFIT_LIMIT = "take_profit_limit"
    TRAILING_STOP = "trailing_stop"


PRICED: Final = frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT, OrderType.TAKE_PROFIT_LIMIT})
"""Types with a limit price; the others trade at the market."""
WAITING: Final = frozenset(OrderType) - {OrderType.LIMIT, OrderType.MARKET}
"""Types that wait here for a price, and go to the venue when it is there."""
TAKING: Final = frozenset({OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_LIMIT})
"""Of those, the ones that wait for a better price than now; the others wait for a worse one."""


class TimeInForce(StrEnum):
    GTC = "gtc"
    IOC = "ioc"
    FOK = "fok"
    GTD = "gtd"
    DAY = "day"


RESTING: Final = frozenset({TimeInForce.GTC, TimeInForce.GTD, TimeInForce.DAY})
"""What may wait in the market; all others are over at once."""
TIMED: Final = frozenset({TimeInForce.GTD, TimeInForce.DAY})
"""What ends by itself when its time is over."""


class Status(StrEnum):
    """What an order shows. Computed from its facts (orders/domain/order.py), never set."""

    NEW = "NEW"
    TRIGGER_PENDING = "TRIGGER_PENDING"
    ACCEPTED = "ACCEPTED"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    PENDING_CANCEL = "PENDING_CANCEL"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"


OPEN: Final = frozenset(
    {
        Status.NEW, Status.TRIGGER_PENDING, Status.ACCEPTED, Status.PARTIALLY_FILLED,
        Status.PENDING_CANCEL,
    }
)  # fmt: skip
CLOSED: Final = frozenset(Status) - OPEN


class AccountState(StrEnum):
    """What an account may do. A fill is booked in every state: it already happened."""

    ACTIVE = "ACTIVE"
    REDUCE_ONLY = "REDUCE_ONLY"
    CANCEL_ONLY = "CANCEL_ONLY"
    HALTED = "HALTED"


class InstrumentState(StrEnum):
    TRADING = "TRADING"
    HALTED = "HALTED"
    DELISTED = "DELISTED"


class Role(StrEnum):
    """What a member may do with an account (viewer reads, trader trades)."""

    VIEWER = "viewer"
    TRADER = "trader"


class Liquidity(StrEnum):
    MAKER = "maker"
    TAKER = "taker"

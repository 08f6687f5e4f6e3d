"""What the client wants of an order: the one list of its terms.

Held by the command, the events, the order and its row. Only the reader of a body, the columns of a
store and the shape that is shown name its fields again.
"""

from enum import IntFlag
from typing import Final

import msgspec

from oms_project.kernel.numbers import Count
from oms_project.kernel.words import OrderType, Side, TimeInForce

_BUY: Final = Side.BUY  # a member's name is looked up slowly: once is enough for the hot path


class Flag(IntFlag):
    """What may be ticked besides (FIX ExecInst).

    REDUCE_ONLY: the order may make the position smaller, never larger or of the other sign.
    """

    NONE = 0
    REDUCE_ONLY = 1


class Terms(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An order's terms; an amendment makes new ones. ticks: limit price, 0 for a market order.

    A field is added at the end, with a default; every field is written into the log, so that a
    changed default never rewrites history. flags: Flag, as its integer.
    """

    symbol: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    lots: Count
    ticks: Count = 0
    flags: Count = 0

    @property
    def sign(self) -> int:
        """+1 buy, -1 sell."""
        return 1 if self.side is _BUY else -1

    @property
    def reduce_only(self) -> bool:
        return bool(self.flags & Flag.REDUCE_ONLY)

"""What the client wants of an order: the one list of its terms.

Held by the command, the events, the order and its row. Only the reader of a body, the columns of a
store and the shape that is shown name its fields again.
"""

from enum import IntFlag
from typing import Final

import msgspec

from oms_project.kernel.numbers import Count
from oms_project.kernel.words import PRICED, TAKING, WAITING, OrderType, Side, TimeInForce

_BUY: Final = Side.BUY  # a member's name is looked up slowly: once is enough for the hot path


class Flag(IntFlag):
    """What may be ticked besides (FIX ExecInst).

    REDUCE_ONLY: the order may make the position smaller, never larger or of the other sign.
    """

    NONE = 0
    REDUCE_ONLY = 1


class Extras(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What few orders want besides. expires_ns: when a GTD or DAY order ends; deadline_ns: after it
    the order must not be sent to the venue any more; stop_ticks: the mark at which it is sent, of a
    trailing one the first such; trail_ticks, trail_bps: how far behind the best mark since it was
    taken, as an amount or in hundredths of a percent. 0: nothing of the kind is wanted.
    """

    expires_ns: Count = 0
    deadline_ns: Count = 0
    stop_ticks: Count = 0
    trail_ticks: Count = 0
    trail_bps: Count = 0


class Terms(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An order's terms; an amendment makes new ones. ticks: limit price, 0 for a market order.

    A field is added at the end, with a default; every field is written into the log, so that a
    changed default never rewrites history. flags: Flag, as its integer; extras: None for the plain
    order, which must not pay for what it does not use (ADR 0018).
    """

    symbol: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    lots: Count
    ticks: Count = 0
    flags: Count = 0
    extras: Extras | None = None

    @property
    def sign(self) -> int:
        """+1 buy, -1 sell."""
        return 1 if self.side is _BUY else -1

    @property
    def reduce_only(self) -> bool:
        return bool(self.flags & Flag.REDUCE_ONLY)

    @property
    def expires_ns(self) -> int:
        return self.extras.expires_ns if self.extras is not None else 0

    @property
    def deadline_ns(self) -> int:
        return self.extras.deadline_ns if self.extras is not None else 0

    @property
    def stop_ticks(self) -> int:
        return self.extras.stop_ticks if self.extras is not None else 0

    @property
    def trails(self) -> bool:
        return self.type is OrderType.TRAILING_STOP

    @property
    def fires_above(self) -> bool:
        """It waits for a mark at or above its stop; else for one at or below."""
        return (self.sign > 0) is (self.type not in TAKING)

    def fires_at(self, mark_ticks: int) -> bool:
        """Tell whether it would be sent at this mark."""
        if self.type not in WAITING:
            return False
        stop_ticks = self.stop_ticks
        return mark_ticks >= stop_ticks if self.fires_above else mark_ticks <= stop_ticks

    def as_sent(self, lots: int) -> "Terms":
        """Return what the venue gets of it once its price is there: a limit or a market order."""
        kind = OrderType.LIMIT if self.type in PRICED else OrderType.MARKET
        return msgspec.structs.replace(self, type=kind, lots=lots)

    def having(self, **changes: int) -> "Terms":
        """Return the terms with other extras."""
        extras = msgspec.structs.replace(self.extras or NO_EXTRAS, **changes)
        return msgspec.structs.replace(self, extras=None if extras == NO_EXTRAS else extras)


NO_EXTRAS: Final = Extras()

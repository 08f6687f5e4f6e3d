"""An order's facts, and the one function that says what they show.

Facts only accumulate, so duplicated, late or reordered reports end in the same state. What may
happen to an order is orders/domain/law.py; only orders/domain/apply*.py write to one.
"""

from enum import IntEnum, StrEnum
from typing import Final

import msgspec

from oms_project.kernel.terms import Terms
from oms_project.kernel.words import Status


class Life(IntEnum):
    """Where the order is: refused by us, on its way, at the venue, ended; HELD: here, until its price is."""

    DENIED = 0
    SENT = 1
    LIVE = 2
    OVER = 3
    HELD = 4


class Filled(IntEnum):
    NONE = 0
    SOME = 1
    ALL = 2


class Asked(IntEnum):
    """The request that is open at the venue: at most one. EXPIRE: a cancel, because its time is over."""

    NOTHING = 0
    CANCEL = 1
    EXPIRE = 2


DENIED: Final = Life.DENIED
SENT: Final = Life.SENT
LIVE: Final = Life.LIVE
OVER: Final = Life.OVER
HELD: Final = Life.HELD
_NONE, _SOME, _ALL = Filled
"""Members by a name of the module's: looking one up in its class costs as much as a dict."""


class End(StrEnum):
    """How the venue ended it; EXTERNAL: it never was an order of ours."""

    NONE = ""
    CANCELED = "canceled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    EXTERNAL = "external"


class Fill(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One trade of the order. rate_ppm: the fee's rate."""

    lots: int
    ticks: int
    rate_ppm: int


class Order(msgspec.Struct, array_like=True, gc=False):
    """One order's facts, in memory and in snapshots.

    worst_ticks: what the hold was worked out with; hold: smallest units locked now;
    taker_ppm, maker_ppm: the rates when it was accepted, which are the rates of all its fills;
    cum_lots, cost (Σ lots × ticks): sums over fills; fee: charged so far; fee_rest: what rounding
    up charged beyond the rates, in 1/PPM of a smallest unit; fills: by execution number;
    executions, last_fill: highest execution number seen, and of a fill; end_execution: of the
    venue's end (0: none); cancel_reject: of the newest cancel reject; reason: of the end or denial;
    peak_ticks: the best mark that a trailing one has seen (in a snapshot: orders/domain/triggers.py).
    """

    order_id: str
    account_id: str
    client_order_id: str
    terms: Terms
    sign: int
    worst_ticks: int
    hold: int
    taker_ppm: int
    maker_ppm: int
    life: Life = Life.SENT
    asked: Asked = Asked.NOTHING
    end: End = End.NONE
    reason: str = ""
    cum_lots: int = 0
    cost: int = 0
    fee: int = 0
    fee_rest: int = 0
    executions: int = 0
    last_fill: int = 0
    end_execution: int = 0
    cancel_reject: int = 0
    version: int = 1
    fills: dict[int, Fill] = {}
    peak_ticks: int = 0

    @property
    def filled(self) -> Filled:
        cum_lots = self.cum_lots
        if not cum_lots:
            return _NONE
        return _ALL if cum_lots >= self.terms.lots else _SOME

    @property
    def closed(self) -> bool:
        """Nothing more is expected of it: ended, denied or filled."""
        life = self.life
        return life is OVER or life is DENIED or self.cum_lots >= self.terms.lots

    @property
    def leaves(self) -> int:
        """Lots still open: 0 once closed."""
        return 0 if self.closed else self.terms.lots - self.cum_lots

    @property
    def late_fill(self) -> bool:
        """A fill the venue made after it had said that the order was over, or that it refused."""
        return 0 < self.end_execution < self.last_fill or (
            self.life is DENIED and self.cum_lots > 0
        )

    @property
    def overfilled(self) -> bool:
        return self.cum_lots > self.terms.lots

    @property
    def contradicted(self) -> bool:
        """Traded although it was refused, or never sent: somebody must look, whatever came first."""
        refused = self.end is End.REJECTED or self.life is DENIED or self.life is HELD
        return refused and self.cum_lots > 0

    @property
    def rejected_by(self) -> str:
        if self.life is Life.DENIED:
            return "oms"
        return "venue" if self.end is End.REJECTED else ""


_ENDED = {
    End.CANCELED: Status.CANCELED,
    End.EXPIRED: Status.EXPIRED,
    End.REJECTED: Status.REJECTED,
    End.EXTERNAL: Status.FILLED,
}


def status_of(order: Order) -> Status:
    """Return what the order shows: the highest that applies (FIX 4.4 OrdStatus precedence).

    A complete fill is FILLED, whatever else was asked or said of the order (B.1.c, ADR 0015): facts
    do not depend on the order in which they came, so neither does the status.
    """
    cum_lots = order.cum_lots
    if cum_lots >= order.terms.lots:
        return _FILLED
    life = order.life
    if life is OVER:
        return _ENDED[order.end]
    if life is DENIED:
        return Status.REJECTED
    if order.asked:
        return Status.PENDING_CANCEL
    if cum_lots:
        return _PARTIALLY_FILLED
    if life is LIVE:
        return _ACCEPTED
    return Status.TRIGGER_PENDING if life is HELD else Status.NEW


_FILLED: Final = Status.FILLED
_PARTIALLY_FILLED: Final = Status.PARTIALLY_FILLED
_ACCEPTED: Final = Status.ACCEPTED

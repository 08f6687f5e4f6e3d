"""The order state machine: facts, the status computed from them, and the table of legal moves.

Rules for this file:
1. Facts only accumulate, so duplicated, late or reordered reports end in the same state.
2. Status is never stored or set; `status_of` computes it, FIX precedence.
3. Every (status, move) pair has a row; what is not APPLY or ABSORB is QUARANTINE: set aside for a
   person, never dropped, never applied by half.

WARNING: the diagram in docs/order-states.md and /api/meta/order-states are made from MOVES; after a
change run `manage.py docs_generate`.
"""

from enum import StrEnum
from typing import Final

import msgspec

from oms_project.kernel.words import OrderType, Side, Status, TimeInForce

CANCELED: Final = "canceled"
REJECTED: Final = "rejected"
EXPIRED: Final = "expired"


class Order(msgspec.Struct, array_like=True, gc=False):
    """One order's facts, in memory and in snapshots.

    sign: +1 buy, -1 sell; worst_ticks: what the hold was worked out with; hold: smallest units
    locked now; cost: Σ lots × ticks; fee: charged so far;
    fee_rest: what rounding up charged beyond the rates, in 1/PPM of a smallest unit;
    fills: trade id -> (lots, ticks); executions: the highest execution number seen;
    last_fill, end_execution: execution numbers of the newest fill and of the venue's end (0: none);
    cancel_reject: of the newest cancel reject; terminal: "" or how it ended; rejected_by: "" | oms | venue.
    """

    order_id: str
    account_id: str
    client_order_id: str
    symbol: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    sign: int
    lots: int
    ticks: int
    worst_ticks: int
    hold: int
    cum_lots: int = 0
    cost: int = 0
    fee: int = 0
    fee_rest: int = 0
    accepted: bool = False
    pending_cancel: bool = False
    terminal: str = ""
    rejected_by: str = ""
    reason: str = ""
    executions: int = 0
    last_fill: int = 0
    end_execution: int = 0
    version: int = 0
    fills: dict[str, tuple[int, int]] = {}
    cancel_reject: int = 0

    @property
    def leaves(self) -> int:
        """Lots still open: 0 once closed."""
        return 0 if self.terminal or self.cum_lots >= self.lots else self.lots - self.cum_lots

    @property
    def closed(self) -> bool:
        return bool(self.terminal) or self.cum_lots >= self.lots

    @property
    def late_fill(self) -> bool:
        """A fill the venue made after it had said that the order was over."""
        return 0 < self.end_execution < self.last_fill

    @property
    def overfilled(self) -> bool:
        return self.cum_lots > self.lots


def status_of(order: Order) -> Status:
    """Return what the order shows: the highest that applies (FIX 4.4 OrdStatus precedence).

    A complete fill is FILLED even while a cancel is pending: the cancel came too late (B.1.c).
    """
    if order.cum_lots >= order.lots:
        return Status.FILLED
    terminal = order.terminal
    if not terminal:
        if order.pending_cancel:
            return Status.PENDING_CANCEL
        if order.cum_lots:
            return Status.PARTIALLY_FILLED
        return Status.ACCEPTED if order.accepted else Status.NEW
    if terminal == CANCELED:
        return Status.CANCELED
    return Status.EXPIRED if terminal == EXPIRED else Status.REJECTED


class Move(StrEnum):
    """What can happen to an order once it was routed."""

    ACK = "venue acknowledges"
    FILL = "venue reports a trade"
    CANCELED = "venue reports canceled"
    REJECTED = "venue rejects"
    CANCEL_REQUEST = "client asks to cancel"
    CANCEL_REJECTED = "venue rejects the cancel"


class Outcome(StrEnum):
    APPLY = "apply"
    ABSORB = "absorb"
    REFUSE = "refuse"
    QUARANTINE = "quarantine"


S, M, O = Status, Move, Outcome  # so that a row of the table fits a line  # noqa: E741
MOVES: Final[dict[Status, dict[Move, tuple[Outcome, str]]]] = {
    S.NEW: {
        M.ACK: (O.APPLY, "to ACCEPTED"),
        M.FILL: (O.APPLY, "a fill may overtake the acknowledgement"),
        M.CANCELED: (O.APPLY, "canceled before it was acknowledged (B.1.d)"),
        M.REJECTED: (O.APPLY, "the venue's own refusal"),
        M.CANCEL_REQUEST: (O.APPLY, "to PENDING_CANCEL; the cancel follows the order (B.1.e)"),
        M.CANCEL_REJECTED: (O.ABSORB, "nothing was asked: a late answer to a resolved cancel"),
    },
    S.ACCEPTED: {
        M.ACK: (O.ABSORB, "sent again"),
        M.FILL: (O.APPLY, "to PARTIALLY_FILLED or FILLED"),
        M.CANCELED: (O.APPLY, "IOC and market remainders, unsolicited cancels"),
        M.REJECTED: (O.APPLY, "a venue may take back its acknowledgement"),
        M.CANCEL_REQUEST: (O.APPLY, "to PENDING_CANCEL"),
        M.CANCEL_REJECTED: (O.ABSORB, "a late answer to a resolved cancel"),
    },
    S.PARTIALLY_FILLED: {
        M.ACK: (O.APPLY, "acknowledgement after a fill: a fact, the status stays the higher one"),
        M.FILL: (O.APPLY, "to FILLED when complete"),
        M.CANCELED: (O.APPLY, "the rest is canceled, the fills stay"),
        M.REJECTED: (O.QUARANTINE, "rejected after a trade: the venue contradicts itself"),
        M.CANCEL_REQUEST: (O.APPLY, "to PENDING_CANCEL"),
        M.CANCEL_REJECTED: (O.ABSORB, "a late answer to a resolved cancel"),
    },
    S.PENDING_CANCEL: {
        M.ACK: (O.APPLY, "acknowledgement and cancel crossed: a fact, nothing shows"),
        M.FILL: (O.APPLY, "stays PENDING_CANCEL (B.1.b), or FILLED when complete (B.1.c)"),
        M.CANCELED: (O.APPLY, "the cancel was in time"),
        M.REJECTED: (O.APPLY, "never was at the venue: there is nothing to cancel"),
        M.CANCEL_REQUEST: (O.ABSORB, "asked already; idempotent"),
        M.CANCEL_REJECTED: (O.APPLY, "back to what the facts say"),
    },
    S.FILLED: {
        M.ACK: (O.APPLY, "acknowledgement after the fill: a fact, nothing shows"),
        M.FILL: (O.APPLY, "an overfill: booked as it happened, account to REDUCE_ONLY"),
        M.CANCELED: (O.APPLY, "crossed with the last fill; nothing is left to cancel"),
        M.REJECTED: (O.QUARANTINE, "rejected after a complete trade"),
        M.CANCEL_REQUEST: (O.REFUSE, "too late"),
        M.CANCEL_REJECTED: (O.ABSORB, "the cancel came too late (B.1.c)"),
    },
    S.CANCELED: {
        M.ACK: (O.APPLY, "ack and cancel crossed: a fact, nothing shows"),
        M.FILL: (O.APPLY, "a fill is never dropped: cash and position move, late_fill is shown"),
        M.CANCELED: (O.ABSORB, "sent again"),
        M.REJECTED: (O.ABSORB, "it is over either way"),
        M.CANCEL_REQUEST: (O.REFUSE, "it is canceled already"),
        M.CANCEL_REJECTED: (O.ABSORB, "a second cancel found nothing"),
    },
    S.EXPIRED: {
        M.ACK: (O.APPLY, "ack and expiry crossed: a fact, nothing shows"),
        M.FILL: (O.APPLY, "a fill is never dropped: cash and position move, late_fill is shown"),
        M.CANCELED: (O.ABSORB, "it is over either way"),
        M.REJECTED: (O.ABSORB, "it is over either way"),
        M.CANCEL_REQUEST: (O.REFUSE, "it is over"),
        M.CANCEL_REJECTED: (O.ABSORB, "the cancel found nothing"),
    },
    S.REJECTED: {
        M.ACK: (O.ABSORB, "an acknowledgement that was overtaken by the rejection"),
        M.FILL: (O.QUARANTINE, "a trade of a rejected order: a person must look"),
        M.CANCELED: (O.ABSORB, "it is over either way"),
        M.REJECTED: (O.ABSORB, "sent again"),
        M.CANCEL_REQUEST: (O.REFUSE, "it is over"),
        M.CANCEL_REJECTED: (O.ABSORB, "the cancel found nothing"),
    },
}  # fmt: skip


def status_with(order: Order, cum_lots: int) -> Status:
    """Return what *order* will show once *cum_lots* are filled."""
    if cum_lots >= order.lots:
        return Status.FILLED
    if order.terminal:
        return status_of(order)
    return Status.PENDING_CANCEL if order.pending_cancel else Status.PARTIALLY_FILLED


def outcome_of(order: Order, move: Move) -> Outcome:
    """Return what *move* does to *order* now."""
    return MOVES[status_of(order)][move][0]

"""The order law: facts so far × what happens now → what it does, as two tables.

Rules for this file:
1. Every outcome stands in a row. No `if` about an order's state belongs anywhere else.
2. A row is found by facts (LAW), or by the request that is open (REQUEST), never by the status shown.
3. Every pair has a row; what fits none of APPLY, ABSORB, REFUSE is SET_ASIDE for a person: never
   dropped, never applied by half.

Clauses are those of FIX 4.4 volume 4, appendix D (order state change matrices).
WARNING: docs/order-states.md and /api/meta/order-states are made from these tables; after a change
run `manage.py docs_generate`.
"""

from enum import IntEnum, StrEnum
from typing import Final, NamedTuple

from oms_project.kernel.ports import Report, ReportKind
from orders.domain.order import Asked, Filled, Life, Order


class Kind(IntEnum):
    """What can happen to an order that exists. The value is its column in a row of LAW."""

    ACK = 0
    TRADE = 1
    TRADE_AGAIN = 2
    TRADE_OTHER = 3
    TRADE_IMPOSSIBLE = 4
    CANCELED = 5
    EXPIRED = 6
    REJECTED = 7
    END_AGAIN = 8
    CANCEL_ASKED = 9
    CANCEL_REFUSED = 10
    CANCEL_REFUSED_AGAIN = 11
    COMPLETED = 12
    EXPIRY_DUE = 13
    TRIGGERED = 14


WORDS: Final[dict[Kind, str]] = {
    Kind.ACK: "venue acknowledges",
    Kind.TRADE: "venue reports a trade",
    Kind.TRADE_AGAIN: "venue reports the same trade again",
    Kind.TRADE_OTHER: "venue reports another trade under a known number",
    Kind.TRADE_IMPOSSIBLE: "venue reports a trade that cannot be",
    Kind.CANCELED: "venue reports canceled",
    Kind.EXPIRED: "venue reports expired",
    Kind.REJECTED: "venue rejects",
    Kind.END_AGAIN: "venue reports an end again, or a later one",
    Kind.CANCEL_ASKED: "client asks to cancel",
    Kind.CANCEL_REFUSED: "venue rejects the cancel",
    Kind.CANCEL_REFUSED_AGAIN: "venue rejects an earlier cancel again",
    Kind.COMPLETED: "the last fill arrives while a request is open",
    Kind.EXPIRY_DUE: "its time is over",
    Kind.TRIGGERED: "its price is there",
}


class Outcome(StrEnum):
    APPLY = "apply"
    ABSORB = "absorb"
    REFUSE = "refuse"
    SET_ASIDE = "set aside"
    BY_REQUEST = "by the open request"


class Row(NamedTuple):
    """outcome; reason: why, and the code of a REFUSE or SET_ASIDE; clause: of FIX 4.4 vol. 4, app. D."""

    outcome: Outcome
    reason: str
    clause: str = ""
    code: str = ""


def _apply(reason: str, clause: str = "") -> Row:
    return Row(Outcome.APPLY, reason, clause)


def _absorb(reason: str, clause: str = "") -> Row:
    return Row(Outcome.ABSORB, reason, clause)


def _refuse(code: str, reason: str, clause: str = "") -> Row:
    return Row(Outcome.REFUSE, reason, clause, code)


def _set_aside(code: str, reason: str) -> Row:
    return Row(Outcome.SET_ASIDE, reason, "", code)


_BY_REQUEST: Final = Row(Outcome.BY_REQUEST, "see the open request")
_AGAIN: Final = _absorb("sent again: the same number, the same trade")
_OTHER: Final = _set_aside("trade_mismatch", "two trades of one number: one of them is wrong")
_IMPOSSIBLE: Final = _set_aside("impossible_trade", "no sum that holds could come of it")
_LATE_ANSWER: Final = _absorb("nothing is asked any more: a late answer")
_END_AGAIN: Final = _absorb("it is over already; the end that the venue numbered first stands")
_NOT_OVER: Final = _set_aside("unknown_end", "an end again, of an order that has not ended")
_NO_REQUEST: Final = _absorb("nothing was asked")
_NOT_HELD: Final = _absorb("it does not wait any more")
_NEVER_SENT: Final = _set_aside("never_sent", "the venue tells of what it never got")
_TIME_AFTER_END: Final = _absorb("it ended before its time was over")
_LATE: Final = _apply("a fill is never dropped: cash and position move, late_fill is shown")
_EARLIER: Final = _apply("an end that the venue numbered before the one we know")

# Columns in the order of Kind.
_Rows = tuple[Row, ...]
LAW: Final[dict[tuple[Life, Filled], _Rows]] = {
    (Life.SENT, Filled.NONE): (
        _apply("to ACCEPTED", "A.1.a"),
        _apply("a fill may overtake the acknowledgement"),
        _AGAIN, _OTHER, _IMPOSSIBLE,
        _apply("canceled before it was acknowledged", "B.1.d"),
        _apply("expired before it was acknowledged"),
        _apply("the venue's own refusal", "A.1.b"),
        _NOT_OVER, _BY_REQUEST, _BY_REQUEST, _LATE_ANSWER, _BY_REQUEST, _BY_REQUEST,
        _NOT_HELD,
    ),
    (Life.SENT, Filled.SOME): (
        _apply("acknowledgement after a fill: a fact, the status stays the higher one"),
        _apply("to FILLED when complete"),
        _AGAIN, _OTHER, _IMPOSSIBLE,
        _apply("the rest is canceled, the fills stay"),
        _apply("the rest is expired, the fills stay"),
        _apply("rejected after a trade: over, the fills stay, the account may only reduce"),
        _NOT_OVER, _BY_REQUEST, _BY_REQUEST, _LATE_ANSWER, _BY_REQUEST, _BY_REQUEST,
        _NOT_HELD,
    ),
    (Life.SENT, Filled.ALL): (
        _apply("acknowledgement after the last fill: a fact, nothing shows"),
        _apply("an overfill: booked as it happened, the account may only reduce"),
        _AGAIN, _OTHER, _IMPOSSIBLE,
        _apply("crossed with the last fill; nothing is left to cancel", "B.1.c"),
        _apply("crossed with the last fill; nothing is left to expire"),
        _apply("rejected after a complete trade: the account may only reduce"),
        _NOT_OVER, _refuse("too_late", "it is filled", "B.1.c"), _BY_REQUEST, _LATE_ANSWER,
        _BY_REQUEST, _TIME_AFTER_END, _NOT_HELD,
    ),
    (Life.LIVE, Filled.NONE): (
        _absorb("sent again"),
        _apply("to PARTIALLY_FILLED or FILLED", "A.1.a"),
        _AGAIN, _OTHER, _IMPOSSIBLE,
        _apply("asked for, IOC and market remainders, unsolicited", "B.1.a"),
        _apply("its time is over", "A.1.d"),
        _apply("a venue may take back its acknowledgement"),
        _NOT_OVER, _BY_REQUEST, _BY_REQUEST, _LATE_ANSWER, _BY_REQUEST, _BY_REQUEST,
        _NOT_HELD,
    ),
    (Life.LIVE, Filled.SOME): (
        _absorb("sent again"),
        _apply("stays PENDING_CANCEL while a cancel is open; FILLED when complete", "B.1.b"),
        _AGAIN, _OTHER, _IMPOSSIBLE,
        _apply("the rest is canceled, the fills stay", "B.1.b"),
        _apply("the rest is expired, the fills stay"),
        _apply("rejected after a trade: over, the fills stay, the account may only reduce"),
        _NOT_OVER, _BY_REQUEST, _BY_REQUEST, _LATE_ANSWER, _BY_REQUEST, _BY_REQUEST,
        _NOT_HELD,
    ),
    (Life.LIVE, Filled.ALL): (
        _absorb("sent again"),
        _apply("an overfill: booked as it happened, the account may only reduce"),
        _AGAIN, _OTHER, _IMPOSSIBLE,
        _apply("crossed with the last fill; nothing is left to cancel", "B.1.c"),
        _apply("crossed with the last fill; nothing is left to expire"),
        _apply("rejected after a complete trade: the account may only reduce"),
        _NOT_OVER, _refuse("too_late", "it is filled", "B.1.c"), _BY_REQUEST, _LATE_ANSWER,
        _BY_REQUEST, _TIME_AFTER_END, _NOT_HELD,
    ),
    **{
        (Life.OVER, filled): (
            _absorb("acknowledgement and end crossed: nothing shows", "B.1.d"),
            _LATE,
            _AGAIN, _OTHER, _IMPOSSIBLE,
            _EARLIER, _EARLIER, _EARLIER, _END_AGAIN,
            _refuse("too_late", "it is over"),
            _LATE_ANSWER, _LATE_ANSWER, _NO_REQUEST, _TIME_AFTER_END, _NOT_HELD,
        )
        for filled in Filled
    },
    **{
        (Life.DENIED, filled): (
            _set_aside("never_sent", "acknowledged, but we never sent it"),
            _apply("never sent, yet traded: booked as it happened, the account may only reduce"),
            _AGAIN, _OTHER, _IMPOSSIBLE,
            _absorb("it never began"), _absorb("it never began"), _absorb("it never began"),
            _absorb("it never began"),
            _refuse("too_late", "it never began"),
            _LATE_ANSWER, _LATE_ANSWER, _NO_REQUEST, _TIME_AFTER_END, _NOT_HELD,
        )
        for filled in Filled
    },
    **{
        (Life.HELD, filled): (
            _NEVER_SENT,
            _apply("never sent, yet traded: booked as it happened, the account may only reduce"),
            _AGAIN, _OTHER, _IMPOSSIBLE,
            _NEVER_SENT, _NEVER_SENT, _NEVER_SENT, _NOT_OVER,
            _refuse("too_late", "it is filled") if filled is Filled.ALL else
            _apply("it waits here, so it ends at once"),
            _LATE_ANSWER, _LATE_ANSWER, _NO_REQUEST,
            _TIME_AFTER_END if filled is Filled.ALL else _apply("it waits here, so it ends at once"),
            _NOT_HELD if filled is Filled.ALL else
            _apply("on its way to the venue, if the rules let it pass now"),
        )
        for filled in Filled
    },
}  # fmt: skip

REQUEST: Final[dict[Asked, dict[Kind, Row]]] = {
    Asked.NOTHING: {
        Kind.CANCEL_ASKED: _apply("to PENDING_CANCEL; the cancel follows the order", "B.1.a"),
        Kind.CANCEL_REFUSED: _LATE_ANSWER,
        Kind.COMPLETED: _NO_REQUEST,
        Kind.EXPIRY_DUE: _apply(
            "to PENDING_CANCEL; the venue is told that its time is over", "A.1.d"
        ),
    },
    Asked.CANCEL: {
        Kind.CANCEL_ASKED: _refuse("cancel_pending", "one is open: its answer is this one's too"),
        Kind.CANCEL_REFUSED: _apply("back to what the facts say", "B.1.c"),
        Kind.COMPLETED: _apply("the fill was first: the cancel resolves as TOO_LATE", "B.1.c"),
        Kind.EXPIRY_DUE: _absorb("the open cancel ends it; if it is refused, its time comes again"),
    },
    Asked.EXPIRE: {
        Kind.CANCEL_ASKED: _refuse("cancel_pending", "its time is over: that ends it already"),
        Kind.CANCEL_REFUSED: _apply("back to what the facts say; asked again a moment later"),
        Kind.COMPLETED: _apply("the fill was first: its time came TOO_LATE", "B.1.c"),
        Kind.EXPIRY_DUE: _absorb("asked already"),
    },
}


def row(order: Order, kind: Kind) -> Row:
    """Return what *kind* does to *order* now."""
    cum_lots = order.cum_lots
    filled = 0 if not cum_lots else 1 if cum_lots < order.terms.lots else 2
    found = _ROWS[order.life * 3 + filled][kind]
    return REQUEST[order.asked][kind] if found.outcome is _BY_REQUEST_TOO else found


_ROWS: Final = [LAW[life, filled] for life in Life for filled in Filled]
"""LAW by number: this is looked up for every report."""


def completed(order: Order) -> Row:
    """Return what a fill that left nothing open does to the request that is open."""
    return REQUEST[order.asked][Kind.COMPLETED]


_KINDS: Final[dict[ReportKind, Kind]] = {
    ReportKind.CANCELED: Kind.CANCELED,
    ReportKind.EXPIRED: Kind.EXPIRED,
    ReportKind.REJECTED: Kind.REJECTED,
}
# Members by a name of the module's: looking one up in its class costs as much as a dict.
_NEW: Final = ReportKind.NEW
_TRADE: Final = ReportKind.TRADE
_BY_REQUEST_TOO: Final = Outcome.BY_REQUEST
ACK: Final = Kind.ACK
TRADE: Final = Kind.TRADE
APPLY: Final = Outcome.APPLY


def kind_of(order: Order, report: Report) -> Kind:
    """Return what *report* is to *order*. Whether a trade is possible only the book can tell."""
    kind = report.kind
    if kind is _NEW:
        return ACK
    execution = report.execution
    if kind is _TRADE:
        known = order.fills.get(execution)
        if known is None:
            return TRADE
        same = known.lots == report.lots and known.ticks == report.ticks
        return Kind.TRADE_AGAIN if same else Kind.TRADE_OTHER
    if kind is ReportKind.CANCEL_REJECTED:
        again = 0 < execution <= order.cancel_reject
        return Kind.CANCEL_REFUSED_AGAIN if again else Kind.CANCEL_REFUSED
    if order.life is Life.OVER and not 0 < execution < order.end_execution:
        return Kind.END_AGAIN
    return _KINDS[kind]

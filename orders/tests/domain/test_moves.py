"""Every (status, move) pair of the order table, walked from every set of facts that shows it."""

from collections.abc import Callable, Sequence

import msgspec
import pytest

from oms_project.kernel.words import AccountState, Status
from orders.domain import commands as c
from orders.domain import events as e
from orders.domain.order import EXPIRED, MOVES, Move, Outcome, outcome_of, status_of, status_with
from orders.tests.domain import build
from orders.tests.domain.build import Desk, an_order

S = Status
CALM: Sequence[c.Command] = ()
FACTS: dict[str, tuple[Status, Sequence[c.Command]]] = {
    "sent": (S.NEW, CALM),
    "acked": (S.ACCEPTED, [build.told(build.ack())]),
    "part": (S.PARTIALLY_FILLED, [build.told(build.trade(lots=4))]),
    "acked, part": (S.PARTIALLY_FILLED, [build.told(build.ack(), build.trade(lots=4))]),
    "asked": (S.PENDING_CANCEL, [build.cancel(1)]),
    "acked, asked": (S.PENDING_CANCEL, [build.told(build.ack()), build.cancel(1)]),
    "part, asked": (S.PENDING_CANCEL, [build.told(build.trade(lots=4)), build.cancel(1)]),
    "full": (S.FILLED, [build.told(build.trade())]),
    "acked, full": (S.FILLED, [build.told(build.ack(), build.trade())]),
    "full, canceled": (S.FILLED, [build.told(build.trade(), build.canceled())]),
    "canceled": (S.CANCELED, [build.told(build.canceled())]),
    "acked, canceled": (S.CANCELED, [build.told(build.ack(), build.canceled())]),
    "part, canceled": (S.CANCELED, [build.told(build.trade(lots=4), build.canceled())]),
    "expired": (S.EXPIRED, [build.told(build.canceled())]),
    "rejected": (S.REJECTED, [build.told(build.rejected())]),
    "denied": (S.REJECTED, []),
}
"""How the facts come to be. "expired" and "denied" get the last touch in `desk_with`."""

# A status: the move is applied and lands there. A word with *: the facts decide otherwise than the
# row, because the status hides them: known already, or a trade hidden behind PENDING_CANCEL.
COLUMNS = tuple(Move)
LANDS = {
    # facts             ack                 fill of 3           canceled    rejected     asked             cancel rejected
    "sent":            "ACCEPTED            PARTIALLY_FILLED    CANCELED    REJECTED     PENDING_CANCEL    absorb",
    "acked":           "absorb              PARTIALLY_FILLED    CANCELED    REJECTED     PENDING_CANCEL    absorb",
    "part":            "PARTIALLY_FILLED    PARTIALLY_FILLED    CANCELED    quarantine   PENDING_CANCEL    absorb",
    "acked, part":     "absorb*             PARTIALLY_FILLED    CANCELED    quarantine   PENDING_CANCEL    absorb",
    "asked":           "PENDING_CANCEL      PENDING_CANCEL      CANCELED    REJECTED     absorb            NEW",
    "acked, asked":    "absorb*             PENDING_CANCEL      CANCELED    REJECTED     absorb            ACCEPTED",
    "part, asked":     "PENDING_CANCEL      PENDING_CANCEL      CANCELED    quarantine*  absorb            PARTIALLY_FILLED",
    "full":            "FILLED              FILLED              FILLED      quarantine   refuse            absorb",
    "acked, full":     "absorb*             FILLED              FILLED      quarantine   refuse            absorb",
    "full, canceled":  "FILLED              FILLED              absorb*     quarantine   refuse            absorb",
    "canceled":        "CANCELED            CANCELED            absorb      absorb       refuse            absorb",
    "acked, canceled": "absorb*             CANCELED            absorb      absorb       refuse            absorb",
    "part, canceled":  "CANCELED            CANCELED            absorb      absorb       refuse            absorb",
    "expired":         "EXPIRED             EXPIRED             absorb      absorb       refuse            absorb",
    "rejected":        "absorb              quarantine          absorb      absorb       refuse            absorb",
    "denied":          "absorb              quarantine          absorb      absorb       refuse            absorb",
}  # fmt: skip

MOVE: dict[Move, c.Command] = {
    Move.ACK: build.told(build.ack(execution=7)),
    Move.FILL: build.told(build.trade(execution=8, lots=3)),
    Move.CANCELED: build.told(build.canceled(execution=9)),
    Move.REJECTED: build.told(build.rejected(execution=9)),
    Move.CANCEL_REQUEST: build.cancel(1),
    Move.CANCEL_REJECTED: build.told(build.cancel_rejected(execution=9)),
}
ROWS = [
    (facts, move, word)
    for facts, words in LANDS.items()
    for move, word in zip(COLUMNS, words.split(), strict=True)
]


def desk_with(facts: str) -> Desk:
    """Return a desk whose order 1 has these facts."""
    status, commands = FACTS[facts]
    desk = Desk()
    if facts == "denied":
        desk.do(build.account(state=AccountState.HALTED))
    desk.do(build.place(build.new_order()))
    for command in commands:
        desk.do(command)
    if facts == "expired":
        desk.order().terminal = EXPIRED  # timers come later; the table has their rows
    assert status_of(desk.order()) is status
    return desk


def bytes_but(desk: Desk, **counters: int) -> bytes:
    """Return the state with the offset and these counters of it set to what they were."""
    state = desk.book.state
    kept = {name: getattr(state, name) for name in ("offset", *counters)}
    try:
        for name, value in {"offset": 0, **counters}.items():
            setattr(state, name, value)
        return desk.book.to_bytes()
    finally:
        for name, value in kept.items():
            setattr(state, name, value)


def test_the_tables_are_whole() -> None:
    """Every status has facts that show it and a row of moves; every row has every move."""
    assert set(MOVES) == set(Status)
    assert all(tuple(row) == COLUMNS for row in MOVES.values())
    assert {status for status, _ in FACTS.values()} == set(Status)
    assert FACTS.keys() == LANDS.keys()
    assert all(why for row in MOVES.values() for _, why in row.values())


@pytest.mark.parametrize(("facts", "move", "word"), ROWS, ids=[f"{f}+{m.name}" for f, m, _ in ROWS])
def test_pair(facts: str, move: Move, word: str) -> None:
    """A move does what its row says, to the order, the counters and nothing else."""
    desk = desk_with(facts)
    row = outcome_of(desk.order(), move)
    if not word.endswith("*"):
        assert row is (Outcome.APPLY if word.isupper() else Outcome(word))
    _CHECKS.get(word.rstrip("*"), _applied)(desk, move, word)


def _applied(desk: Desk, move: Move, word: str) -> None:
    version = desk.order().version
    turn = desk.do(MOVE[move])
    order = desk.order()
    assert status_of(order) is Status(word)
    assert order.version == version + 1
    assert turn.events
    assert (order.order_id in desk.account.open) is not order.closed
    assert order.hold == 0 or not order.closed


def _absorbed(desk: Desk, move: Move, word: str) -> None:
    absorbed, before = desk.book.state.absorbed, bytes_but(desk, absorbed=0)
    turn = desk.do(MOVE[move])
    assert (turn.events, turn.routes) == ([], [])
    assert bytes_but(desk, absorbed=0) == before
    # A second request is not a report: nobody counts what a client repeats.
    assert desk.book.state.absorbed == absorbed + (move is not Move.CANCEL_REQUEST)


def _refused(desk: Desk, move: Move, word: str) -> None:
    before = msgspec.structs.replace(desk.order())
    balances = msgspec.json.encode(desk.account.balances)
    turn = desk.do(MOVE[move])
    (event,) = turn.events
    assert isinstance(event, e.CancelRejected)
    assert event.cancel_reason == "too_late"
    assert turn.routes == []
    before.version += 1  # the refusal is told, and what is told has its place
    assert desk.order() == before
    assert msgspec.json.encode(desk.account.balances) == balances


def _set_aside(desk: Desk, move: Move, word: str) -> None:
    quarantined = desk.book.state.quarantined
    desk.account.seq = 0
    before = bytes_but(desk, quarantined=0)
    turn = desk.do(MOVE[move])
    (event,) = turn.events
    assert isinstance(event, e.OrderQuarantined)
    assert (event.order_id, event.reason) == (build.order_id_of(1), "illegal_transition")
    assert desk.account.seq == 1
    desk.account.seq = 0
    assert bytes_but(desk, quarantined=0) == before
    assert desk.book.state.quarantined == quarantined + 1


_CHECKS: dict[str, Callable[[Desk, Move, str], None]] = {
    "absorb": _absorbed,
    "refuse": _refused,
    "quarantine": _set_aside,
}


@pytest.mark.parametrize(
    ("facts", "status"),
    [
        ({}, S.NEW),
        ({"accepted": True}, S.ACCEPTED),
        ({"cum_lots": 4}, S.PARTIALLY_FILLED),
        ({"cum_lots": 4, "accepted": True, "pending_cancel": True}, S.PENDING_CANCEL),
        ({"pending_cancel": True}, S.PENDING_CANCEL),
        ({"cum_lots": 10, "pending_cancel": True}, S.FILLED),  # B.1.c
        ({"cum_lots": 10, "terminal": "canceled"}, S.FILLED),
        ({"cum_lots": 12}, S.FILLED),
        ({"cum_lots": 4, "terminal": "canceled", "pending_cancel": True}, S.CANCELED),
        ({"cum_lots": 4, "terminal": "expired"}, S.EXPIRED),
        ({"terminal": "rejected", "accepted": True}, S.REJECTED),
    ],
)
def test_the_highest_status_is_shown(facts: dict[str, object], status: Status) -> None:
    """FIX precedence; leaves are 0 once it is over."""
    order = an_order(**facts)
    assert status_of(order) is status
    over = status not in (S.NEW, S.ACCEPTED, S.PARTIALLY_FILLED, S.PENDING_CANCEL)
    assert order.closed is over
    assert order.leaves == (0 if over else 10 - order.cum_lots)
    assert order.overfilled is (order.cum_lots > 10)


@pytest.mark.parametrize("facts", list(FACTS))
def test_the_status_to_come_is_the_status_shown_then(facts: str) -> None:
    """What an event says of its order holds once it is applied."""
    order = desk_with(facts).order()
    for cum_lots in (order.cum_lots + 1, 10, 11):
        told = status_with(order, cum_lots)
        assert told is status_of(msgspec.structs.replace(order, cum_lots=cum_lots))

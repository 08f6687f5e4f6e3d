"""Every (facts, kind) pair of the order law, walked from facts that commands brought about."""

from collections.abc import Callable, Sequence

import msgspec
import pytest

from marketdata.domain.mark import SetMarks
from oms_project.kernel.words import OPEN, AccountState, OrderType, Status
from orders.domain import commands as c
from orders.domain import events as e
from orders.domain import law
from orders.domain.law import Kind, Outcome
from orders.domain.order import Asked, End, Filled, Life, status_of
from orders.domain.turn import Turn
from orders.tests.domain import build
from orders.tests.domain.build import Desk, an_order

S = Status
FACTS: dict[str, tuple[Status, Sequence[c.Command]]] = {
    "sent": (S.NEW, []),
    "acked": (S.ACCEPTED, [build.told(build.ack())]),
    "part": (S.PARTIALLY_FILLED, [build.told(build.trade(lots=4))]),
    "acked, part": (S.PARTIALLY_FILLED, [build.told(build.ack(), build.trade(lots=4))]),
    "asked": (S.PENDING_CANCEL, [build.cancel(1)]),
    "acked, asked": (S.PENDING_CANCEL, [build.told(build.ack()), build.cancel(1)]),
    "part, asked": (S.PENDING_CANCEL, [build.told(build.trade(lots=4)), build.cancel(1)]),
    "time over": (S.PENDING_CANCEL, [build.told(build.ack()), c.WakeOrders(build.ACCOUNT)]),
    "full": (S.FILLED, [build.told(build.trade())]),
    "acked, full": (S.FILLED, [build.told(build.ack(), build.trade())]),
    "full, canceled": (S.FILLED, [build.told(build.trade(), build.canceled())]),
    "canceled": (S.CANCELED, [build.told(build.canceled())]),
    "part, canceled": (S.CANCELED, [build.told(build.trade(lots=4), build.canceled())]),
    "expired": (S.EXPIRED, [build.told(build.expired())]),
    "rejected": (S.REJECTED, [build.told(build.rejected(execution=3))]),
    "denied": (S.REJECTED, []),
    "held": (S.TRIGGER_PENDING, []),
    "held, part": (S.PARTIALLY_FILLED, [build.told(build.trade(lots=4))]),
}
"""How the facts come to be; "denied" is refused by its account's state; "held" is a stop. All are GTD."""

REPORTS: dict[str, c.Command] = {
    "ack": build.told(build.ack(execution=7)),
    "fill 3": build.told(build.trade(execution=8, lots=3)),
    "canceled": build.told(build.canceled(execution=9)),
    "expired": build.told(build.expired(execution=9)),
    "rejected": build.told(build.rejected(execution=9)),
    "ask": build.cancel(1),
    "refused": build.told(build.cancel_rejected(execution=9)),
    "time": c.WakeOrders(build.ACCOUNT),
    "price": build.marks(build.BEGIN_NS, 11_000),
}
# A status: applied, and lands there. A word in lower case: what becomes of it instead.
LANDS = {
    # facts            ack               fill 3            canceled   expired   rejected  ask             refused           time            price
    "sent":           "ACCEPTED          PARTIALLY_FILLED  CANCELED   EXPIRED   REJECTED  PENDING_CANCEL  absorb            PENDING_CANCEL  -",
    "acked":          "absorb            PARTIALLY_FILLED  CANCELED   EXPIRED   REJECTED  PENDING_CANCEL  absorb            PENDING_CANCEL  -",
    "part":           "PARTIALLY_FILLED  PARTIALLY_FILLED  CANCELED   EXPIRED   REJECTED  PENDING_CANCEL  absorb            PENDING_CANCEL  -",
    "acked, part":    "absorb            PARTIALLY_FILLED  CANCELED   EXPIRED   REJECTED  PENDING_CANCEL  absorb            PENDING_CANCEL  -",
    "asked":          "PENDING_CANCEL    PENDING_CANCEL    CANCELED   EXPIRED   REJECTED  pending         NEW               -           -",
    "acked, asked":   "absorb            PENDING_CANCEL    CANCELED   EXPIRED   REJECTED  pending         ACCEPTED          -               -",
    "part, asked":    "PENDING_CANCEL    PENDING_CANCEL    CANCELED   EXPIRED   REJECTED  pending         PARTIALLY_FILLED  -           -",
    "time over":      "absorb            PENDING_CANCEL    CANCELED   EXPIRED   REJECTED  pending         ACCEPTED          -               -",
    "full":           "FILLED            FILLED            FILLED     FILLED    FILLED    late            absorb            -               -",
    "acked, full":    "absorb            FILLED            FILLED     FILLED    FILLED    late            absorb            -               -",
    "full, canceled": "absorb            FILLED            absorb     absorb    absorb    late            absorb            -               -",
    "canceled":       "absorb            CANCELED          absorb     absorb    absorb    late            absorb            -               -",
    "part, canceled": "absorb            CANCELED          absorb     absorb    absorb    late            absorb            -               -",
    "expired":        "absorb            EXPIRED           absorb     absorb    absorb    late            absorb            -               -",
    "rejected":       "absorb            REJECTED          absorb     absorb    absorb    late            absorb            -               -",
    "denied":         "aside             REJECTED          absorb     absorb    absorb    late            absorb            -               -",
    "held":           "aside             PARTIALLY_FILLED  aside      aside     aside     CANCELED        absorb            EXPIRED         NEW",
    "held, part":     "aside             PARTIALLY_FILLED  aside      aside     aside     CANCELED        absorb            EXPIRED         judged",
}  # fmt: skip
ROWS = [
    (facts, said, word)
    for facts, words in LANDS.items()
    for said, word in zip(REPORTS, words.split(), strict=True)
]


def desk_with(facts: str) -> Desk:
    """Return a desk whose order 1 has these facts."""
    status, commands = FACTS[facts]
    desk = Desk()
    if facts == "denied":
        desk.do(build.account(state=AccountState.HALTED))
    kind = {"type": OrderType.STOP_LIMIT, "stop_ticks": 10_500} if "held" in facts else {}
    desk.do(build.place(build.a_timed_order(**kind)))
    for command in commands:
        act(desk, command)
    assert status_of(desk.order()) is status
    return desk


def act(desk: Desk, command: c.Command) -> Turn:
    """Do the command; for a WakeOrders it is late enough, and a mark is followed by what is due."""
    if isinstance(command, c.WakeOrders):
        desk.at_ns += build.HOUR_NS
    turn = desk.do(command)
    return desk.wake() if isinstance(command, SetMarks) else turn


def test_the_tables_are_whole() -> None:
    """Every life and filling has a row for every kind; every request its own; every status is shown."""
    assert set(law.LAW) == {(life, filled) for life in Life for filled in Filled}
    assert all(len(rows) == len(Kind) for rows in law.LAW.values())
    assert set(law.REQUEST) == set(Asked)
    by_request = {
        kind
        for rows in law.LAW.values()
        for kind, row in zip(Kind, rows, strict=True)
        if row.outcome is Outcome.BY_REQUEST
    }
    assert all(set(rows) == by_request for rows in law.REQUEST.values())
    assert set(law.WORDS) == set(Kind)
    everything = [*law.LAW.values(), *[tuple(rows.values()) for rows in law.REQUEST.values()]]
    for row in [one for rows in everything for one in rows]:
        assert row.reason
        assert bool(row.code) is (row.outcome in (Outcome.REFUSE, Outcome.SET_ASIDE))
    shown = {status for status, _ in FACTS.values()}
    assert shown == set(Status)
    assert FACTS.keys() == LANDS.keys()


@pytest.mark.parametrize(("facts", "said", "word"), ROWS, ids=[f"{f}+{s}" for f, s, _ in ROWS])
def test_pair(facts: str, said: str, word: str) -> None:
    """What is said does what its row says, to the order, the counters and nothing else."""
    _CHECKS.get(word, _applied)(desk_with(facts), REPORTS[said], word)


def _applied(desk: Desk, command: c.Command, word: str) -> None:
    version = desk.order().version
    turn = act(desk, command)
    order = desk.order()
    assert status_of(order) is Status(word)
    assert order.version == version + 1
    assert turn.events
    assert (order.order_id in desk.account.open) is not order.closed
    assert order.hold == 0 or not order.closed


def _nothing_moved(desk: Desk, before: bytes) -> None:
    assert msgspec.json.encode([desk.account.balances, desk.account.positions]) == before


def _money(desk: Desk) -> bytes:
    return msgspec.json.encode([desk.account.balances, desk.account.positions])


def _absorbed(desk: Desk, command: c.Command, word: str) -> None:
    absorbed, money = desk.book.state.absorbed, _money(desk)
    facts = msgspec.structs.replace(desk.order(), executions=0)
    turn = desk.do(command)
    assert (turn.events, turn.routes) == ([], [])
    assert desk.book.state.absorbed == absorbed + 1
    assert msgspec.structs.replace(desk.order(), executions=0) == facts
    _nothing_moved(desk, money)


def _judged(desk: Desk, command: c.Command, word: str) -> None:
    """The rules are asked, and refuse: an account that traded what it never sent may only reduce."""
    act(desk, command)
    order = desk.order()
    assert (status_of(order), order.reason) == (S.REJECTED, "account_reduce_only")
    assert (order.hold, order.cum_lots) == (0, 4)


def _nothing_to_do(desk: Desk, command: c.Command, word: str) -> None:
    """Nothing of it is due."""
    before, money = msgspec.structs.replace(desk.order()), _money(desk)
    turn = act(desk, command)
    assert (turn.events, turn.routes, desk.order()) == ([], [], before)
    _nothing_moved(desk, money)


def _refused(desk: Desk, command: c.Command, word: str) -> None:
    before, money = msgspec.structs.replace(desk.order()), _money(desk)
    turn = desk.do(command)
    (event,) = turn.events
    assert isinstance(event, e.CancelRejected)
    assert event.cancel_reason == {"late": "too_late", "pending": "cancel_pending"}[word]
    assert turn.routes == []
    before.version += 1  # the refusal is told, and what is told has its place
    assert desk.order() == before
    _nothing_moved(desk, money)


def _set_aside(desk: Desk, command: c.Command, word: str) -> None:
    facts, money = msgspec.structs.replace(desk.order()), _money(desk)
    turn = desk.do(command)
    (event,) = turn.events
    assert isinstance(event, e.OrderQuarantined)
    assert (event.order_id, event.reason) == (build.order_id_of(1), "never_sent")
    assert desk.book.state.quarantined == 1
    assert desk.order() == facts
    _nothing_moved(desk, money)


_CHECKS: dict[str, Callable[[Desk, c.Command, str], None]] = {
    "absorb": _absorbed, "late": _refused, "pending": _refused, "aside": _set_aside,
    "-": _nothing_to_do, "judged": _judged,
}  # fmt: skip


@pytest.mark.parametrize(
    ("facts", "status"),
    [
        ({}, S.NEW),
        ({"life": Life.LIVE}, S.ACCEPTED),
        ({"cum_lots": 4}, S.PARTIALLY_FILLED),
        ({"cum_lots": 4, "life": Life.LIVE, "asked": Asked.CANCEL}, S.PENDING_CANCEL),
        ({"asked": Asked.CANCEL}, S.PENDING_CANCEL),
        ({"asked": Asked.EXPIRE}, S.PENDING_CANCEL),
        ({"cum_lots": 10, "asked": Asked.CANCEL}, S.FILLED),  # B.1.c
        ({"cum_lots": 10, "life": Life.OVER, "end": End.CANCELED}, S.FILLED),
        ({"cum_lots": 12}, S.FILLED),
        ({"cum_lots": 4, "life": Life.OVER, "end": End.CANCELED}, S.CANCELED),
        ({"cum_lots": 4, "life": Life.OVER, "end": End.EXPIRED}, S.EXPIRED),
        ({"life": Life.OVER, "end": End.REJECTED}, S.REJECTED),
        ({"life": Life.DENIED}, S.REJECTED),
        ({"life": Life.HELD}, S.TRIGGER_PENDING),
        ({"life": Life.HELD, "cum_lots": 4}, S.PARTIALLY_FILLED),
    ],
)
def test_the_highest_status_is_shown(facts: dict[str, object], status: Status) -> None:
    """FIX precedence; leaves are 0 once it is over."""
    order = an_order(**facts)
    assert status_of(order) is status
    over = status not in OPEN
    assert order.closed is over
    assert order.leaves == (0 if over else 10 - order.cum_lots)
    assert order.overfilled is (order.cum_lots > 10)


@pytest.mark.parametrize(
    ("first", "second"), [("canceled#3", "expired#2"), ("expired#2", "canceled#3")]
)
def test_of_two_ends_the_one_numbered_first_stands(first: str, second: str) -> None:
    """Whichever is told first: the state does not depend on it."""
    make = {"canceled": build.canceled, "expired": build.expired}
    desk = Desk()
    desk.do(build.place(build.new_order()))
    for word in (first, second):
        kind, _, execution = word.partition("#")
        desk.do(build.told(make[kind](1, int(execution))))
    order = desk.order()
    assert (order.end, order.end_execution, order.reason) == (End.EXPIRED, 2, "day")

"""The races of the order law, as rows: what happened, in words, and what is true at the end.

Words: ask (the client cancels) · ack · fill:LOTS[@TICKS] · canceled · reject · no (cancel rejected);
#N is the venue's execution number. A comma ends a command: what stands before it came together.
"""

import pytest

from oms_project.kernel.ports import Report
from oms_project.kernel.words import AccountState, Side, Status
from orders.domain import commands as c
from orders.domain import events as e
from orders.domain.order import status_of
from orders.tests.domain import build
from orders.tests.domain.build import ACCOUNT, OTHER, Desk, moved_by_fills

S = Status


def a_report(word: str, number: int = 1) -> Report:
    """Return the report that a word like fill:4@9990#2 means."""
    word, _, execution = word.partition("#")
    kind, _, size = word.partition(":")
    lots, _, ticks = size.partition("@")
    at = int(execution)
    if kind == "fill":
        return build.trade(number, at, lots=int(lots), ticks=int(ticks or build.TICKS))
    make = {
        "ack": build.ack, "canceled": build.canceled, "reject": build.rejected,
        "expired": build.expired, "no": build.cancel_rejected,
    }[kind]  # fmt: skip
    return make(number, at)


def told_in(story: str) -> list[c.Command]:
    """Return the commands of a story."""
    commands: list[c.Command] = []
    for part in story.split(","):
        words = part.split()
        asked = words == ["ask"]
        commands.append(build.cancel(1) if asked else build.told(*map(a_report, words)))
    return commands


def a_desk(story: str, *, side: Side = Side.BUY) -> Desk:
    """Return a desk at which an order of 10 lots has had this story."""
    desk = Desk()
    desk.do(build.place(build.new_order(side=side)))
    for command in told_in(story):
        desk.do(command)
    return desk


LATE, OVER, AIDE = "late", "over", "reduce_only"
RACES = [
    # what                                     story                                    status              cum  flags
    ("fill while pending cancel (B.1.b)",      "ack#1, ask, fill:4#2",                  S.PENDING_CANCEL,   4,   ""),
    ("fill completes while pending (B.1.c)",   "ack#1, ask, fill:10#2",                 S.FILLED,           10,  ""),
    ("... and the venue says too late",        "ack#1, ask, fill:10#2 no#3",            S.FILLED,           10,  ""),
    ("cancel before the ack (B.1.d)",          "ask, canceled#1",                       S.CANCELED,         0,   ""),
    ("ack and cancel cross (B.1.e)",           "ask, ack#1 canceled#2",                 S.CANCELED,         0,   ""),
    ("... the other way round",                "ask, canceled#2, ack#1",                S.CANCELED,         0,   ""),
    ("cancel rejected: back to ACCEPTED",      "ack#1, ask, no#2",                      S.ACCEPTED,         0,   ""),
    ("cancel rejected: back to PARTIALLY",     "ack#1 fill:4#2, ask, no#3",             S.PARTIALLY_FILLED, 4,   ""),
    ("cancel rejected: back to NEW",           "ask, no#0",                             S.NEW,              0,   ""),
    ("cancel asked again after a reject",      "ack#1, ask, no#2, ask, canceled#3",     S.CANCELED,         0,   ""),
    ("its reject is told twice",               "ack#1, ask, no#2, ask, no#2",           S.PENDING_CANCEL,   0,   ""),
    ("... and the second cancel's own",        "ack#1, ask, no#2, ask, no#2, no#3",     S.ACCEPTED,         0,   ""),
    ("cancel asked twice",                     "ack#1, ask, ask, canceled#2",           S.CANCELED,         0,   ""),
    ("fill after canceled",                    "ack#1 canceled#2, fill:4#3",            S.CANCELED,         4,   LATE),
    ("all of it after canceled",               "ack#1 canceled#2, fill:10#3",           S.FILLED,           10,  LATE),
    ("made before the cancel, told after",     "ack#1 canceled#3, fill:4#2",            S.CANCELED,         4,   ""),
    ("late, and told before the cancel",       "ack#1 fill:4#3, canceled#2",            S.CANCELED,         4,   LATE),
    ("ack after fill",                         "fill:4#2, ack#1",                       S.PARTIALLY_FILLED, 4,   ""),
    ("ack after the last fill",                "fill:10#2, ack#1",                      S.FILLED,           10,  ""),
    ("the same fill twice",                    "ack#1 fill:4#2, fill:4#2",              S.PARTIALLY_FILLED, 4,   ""),
    ("the same fill twice in one record",      "ack#1 fill:4#2 fill:4#2",               S.PARTIALLY_FILLED, 4,   ""),
    ("the last fill twice",                    "ack#1 fill:10#2, fill:10#2",            S.FILLED,           10,  ""),
    ("same trade, other size",                 "ack#1 fill:4#2, fill:5#2",              S.PARTIALLY_FILLED, 4,   AIDE),
    ("same trade, other price",                "ack#1 fill:4#2, fill:4@9990#2",         S.PARTIALLY_FILLED, 4,   AIDE),
    ("overfill at once",                       "ack#1 fill:12#2",                       S.FILLED,           12,  f"{OVER} {AIDE}"),
    ("overfill after the last fill",           "ack#1 fill:10#2, fill:1#3",             S.FILLED,           11,  f"{OVER} {AIDE}"),
    ("overfill after a cancel",                "ack#1 fill:4#2 canceled#3, fill:8#4",   S.FILLED,           12,  f"{LATE} {OVER} {AIDE}"),
    ("cancel crosses the last fill",           "ack#1, ask, fill:10#2 canceled#3",      S.FILLED,           10,  ""),
    ("reject before anything else",            "reject#1",                              S.REJECTED,         0,   ""),
    ("reject crosses the client's cancel",     "ask, reject#1",                         S.REJECTED,         0,   ""),
    ("reject takes back the ack",              "ack#1 reject#2",                        S.REJECTED,         0,   ""),
    ("reject after a trade contradicts",       "ack#1 fill:4#2, reject#3",              S.REJECTED,         4,   AIDE),
    ("... also behind a pending cancel",       "ack#1 fill:4#2, ask, reject#3",         S.REJECTED,         4,   AIDE),
    ("... told the other way round",           "reject#3, ack#1 fill:4#2",              S.REJECTED,         4,   AIDE),
    ("a trade of a rejected order",            "reject#1, fill:4#2",                    S.REJECTED,         4,   f"{LATE} {AIDE}"),
    ("expired with a rest",                    "ack#1 fill:4#2, expired#3",             S.EXPIRED,          4,   ""),
    ("fill after expired",                     "ack#1 expired#2, fill:4#3",             S.EXPIRED,          4,   LATE),
    ("expired crosses the client's cancel",    "ack#1, ask, expired#2",                 S.EXPIRED,          0,   ""),
    ("expired crosses the last fill",          "ack#1 fill:10#2 expired#3",             S.FILLED,           10,  ""),
]  # fmt: skip


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize(("story", "status", "cum", "flags"), [row[1:] for row in RACES], ids=[row[0] for row in RACES])  # fmt: skip
def test_race(story: str, status: Status, cum: int, flags: str, side: Side) -> None:
    """The facts, the flags, the account's state; and fills ≡ cum ≡ position ≡ cash."""
    desk = a_desk(story, side=side)
    order = desk.order()
    closed = status in (S.FILLED, S.CANCELED, S.EXPIRED, S.REJECTED)
    assert (status_of(order), order.cum_lots) == (status, cum)
    assert order.leaves == (0 if closed else 10 - cum)
    assert order.late_fill is (LATE in flags)
    assert order.overfilled is (OVER in flags)
    assert not (closed and order.asked)
    state = AccountState.REDUCE_ONLY if AIDE in flags else AccountState.ACTIVE
    assert desk.account.state is state
    moved_by_fills(desk)
    told = [event for _, event in desk.events if isinstance(event, e.OrderFilled)]
    assert any(event.overfilled for event in told) is (OVER in flags)
    flagged = [x for _, x in desk.events if isinstance(x, e.OrderFilled | e._Ended)]
    assert any(event.late for event in flagged) is (LATE in flags)


def quarantined(desk: Desk) -> list[str]:
    return [event.reason for _, event in desk.events if isinstance(event, e.OrderQuarantined)]


@pytest.mark.parametrize(
    ("story", "reasons"),
    [
        ("ack#1 fill:4#2, fill:5#2", ["trade_mismatch"]),
        ("ack#1 fill:0#2", ["impossible_trade"]),
        ("ack#1 fill:-4#2", ["impossible_trade"]),
        ("ack#1 fill:4@0#2 fill:4@-5#3", ["impossible_trade"] * 2),
        ("ack#1 fill:4000000000@4000000000#2", ["impossible_trade"]),
        ("ack#1 fill:4#2, fill:4#2", []),
    ],
)
def test_what_fits_no_row_is_set_aside(story: str, reasons: list[str]) -> None:
    """Counted and told with the whole report, for a person; nothing of it is applied."""
    desk = a_desk(story)
    assert quarantined(desk) == reasons
    assert desk.book.state.quarantined == len(reasons)
    moved_by_fills(desk)


def test_a_report_of_an_unknown_order() -> None:
    """Without a symbol and a side nobody can book it; what is no trade says nothing."""
    desk = Desk()
    for report in (build.trade(77), build.ack(77), build.canceled(77)):
        turn = desk.do(build.told(report))
        assert len(turn.events) == 1
    assert quarantined(desk) == ["unknown_order"] * 3


@pytest.mark.parametrize("closed", [False, True])
def test_a_report_under_another_account_moves_nothing(closed: bool) -> None:
    """An order is its account's, also when it is closed."""
    desk = Desk(accounts=(ACCOUNT, OTHER))
    desk.do(build.place(build.new_order()))
    if closed:
        desk.do(build.told(build.canceled(execution=1)))
    desk.do(build.told(build.trade(lots=4), account_id=OTHER))
    assert quarantined(desk) == ["unknown_order"]
    assert desk.order().cum_lots == 0
    moved_by_fills(desk)
    moved_by_fills(desk, OTHER)


@pytest.mark.parametrize("which", ["unknown", "another account's"])
def test_cancel_of_an_order_that_is_not_there(which: str) -> None:
    """The door answers 404; of a command that got through nothing is written (B.1.f)."""
    desk = Desk(accounts=(ACCOUNT, OTHER))
    desk.do(build.place(build.new_order(), account_id=OTHER))
    number = 1 if which != "unknown" else 77
    turn = desk.do(build.cancel(number))
    assert (turn.events, turn.routes) == ([], [])
    assert status_of(desk.order()) is Status.NEW


def cancel_answers(desk: Desk) -> list[tuple[str, Status]]:
    """Return (why, status told) of every cancel that was refused."""
    found = [event for _, event in desk.events if isinstance(event, e.CancelRejected)]
    return [(event.cancel_reason, event.status) for event in found]


@pytest.mark.parametrize(
    ("story", "answers"),
    [
        ("ack#1, ask, fill:10#2", [("too_late", S.FILLED)]),
        ("ack#1, ask, fill:10#2 no#3", [("too_late", S.FILLED)]),
        ("ack#1, ask, fill:4#2 fill:6#3", [("too_late", S.FILLED)]),
        ("ack#1, ask, ask, canceled#2", [("cancel_pending", S.PENDING_CANCEL)]),
        ("ack#1, ask, canceled#2", []),
        ("ack#1 canceled#2, ask", [("too_late", S.CANCELED)]),
    ],
)
def test_every_cancel_is_answered(story: str, answers: list[tuple[str, Status]]) -> None:
    """By the order's end, by the venue's no, or by ours: none is left without an event."""
    assert cancel_answers(a_desk(story)) == answers


def test_a_filled_order_has_no_reason_of_a_cancel_that_crossed() -> None:
    """What is told of the order is that it is filled, in whichever order the two were told."""
    for story in ("ack#1 fill:10#2 canceled#3", "ack#1 canceled#3, fill:10#2"):
        order = a_desk(story).order()
        assert (status_of(order), order.late_fill) == (Status.FILLED, False)


# ------------------------------------------------------------------ fenced owners, money


@pytest.mark.parametrize("after", ["", "canceled#2"])
def test_reports_of_a_fenced_owner_are_void(after: str) -> None:
    """Its venue asked nobody who still owns the partition."""
    desk = a_desk("ack#1")
    desk.do(c.OpenEpoch(5))
    absorbed = desk.book.state.absorbed
    desk.do(build.told(build.trade(lots=4), build.canceled(), epoch=4))
    assert desk.book.state.absorbed == absorbed + 2
    assert status_of(desk.order()) is Status.ACCEPTED
    desk.do(build.told(build.trade(lots=4), epoch=5))
    assert desk.order().cum_lots == 4


def test_an_older_epoch_does_not_come_back() -> None:
    desk = Desk()
    desk.do(c.OpenEpoch(5))
    desk.do(c.OpenEpoch(3))
    assert desk.book.state.epoch == 5


def test_money_moves_as_the_rows_say() -> None:
    """One worked example: 10 lots bid at 100.00; 4 at 99.90 by taking, the rest canceled.

    A lot at a tick is 100 units. Notional 10·10000·100, fee 1,000 ppm of it: 10,010,000 held.
    The fill costs 4·9990·100 = 3,996,000 and 3,996 of fee; 6 lots stay held: 6,000,000 + 6,000.
    """
    desk = a_desk("ack#1")
    usd = desk.account.balances["USD"]
    assert (usd.locked, usd.free) == (10_010_000, build.FUNDS["USD"] - 10_010_000)
    desk.do(build.told(build.trade(lots=4, ticks=9_990)))
    assert (usd.locked, usd.fees, usd.venue) == (6_006_000, 3_996, 3_996_000)
    assert usd.free == build.FUNDS["USD"] - 6_006_000 - 3_996 - 3_996_000
    desk.do(build.told(build.canceled()))
    assert (usd.locked, usd.free) == (0, build.FUNDS["USD"] - 3_999_996)
    btc = desk.account.balances["BTC"]
    assert (btc.free, btc.venue) == (build.FUNDS["BTC"] + 40_000, -40_000)
    assert desk.account.positions["BTC-USD"].cost == 4 * 9_990


def test_a_fee_that_is_raised_leaves_what_rests_as_it_was() -> None:
    """An order's rates are those it was accepted with: its hold stays enough."""
    desk = Desk(funds={"USD": 10_010_000})
    desk.do(build.place(build.new_order()))
    desk.do(c.SetInstrument(build.an_instrument(taker_fee_ppm=5_000)))
    desk.do(build.told(build.trade(lots=4)))
    desk.do(build.told(build.trade(execution=3, lots=6)))
    usd = desk.account.balances["USD"]
    assert (usd.free, usd.locked, usd.fees) == (0, 0, 10_000)


def test_the_fee_is_rounded_up_once_an_order() -> None:
    """Ten fills of a lot cost what one fill of ten does; rounding each would cost more."""
    symbol = "SOL-USD"
    fees = []
    for sizes in ([10], [1] * 10):
        desk = Desk()
        desk.do(build.place(build.new_order(symbol=symbol, ticks=build.TICKS)))
        fills = [build.trade(execution=n, lots=lots) for n, lots in enumerate(sizes, 2)]
        desk.do(build.told(*fills))
        fees.append(desk.order().fee)
        assert desk.account.balances["USD"].locked == 0
    # 10 · 10000 · 1 unit · 1,913 ppm = 191.3, where each lot alone would be 20
    assert fees == [192, 192]

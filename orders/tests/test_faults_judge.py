"""The judge can fail: every kind of wrong is planted once and found, and a right run passes."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from oms_project.kernel.ports import FillRow, OrderRow
from oms_project.kernel.terms import Terms
from oms_project.kernel.words import OrderType, Side, Status, TimeInForce
from orders.domain import events as e
from orders.faults import journal
from orders.faults.journal import Answer, Entry, Kind, Request, Silence, Try
from orders.faults.judge import Verdict, judge
from orders.faults.truth import Stretch, Truth

ACCOUNT = "5b0e7c1a-0001-4a6e-9c11-a1fa00000001"
ORDER = "01a20022-2b3a-74b0-9c11-a1fa00000000"
TWIN = "01a20022-2b3a-74b0-9c11-a1fa00000001"
PROBLEM = '{"code":"%s","outcome":"%s"}'


def ack(order_id: str = ORDER, client_order_id: str = "s-1") -> str:
    return f'{{"order_id":"{order_id}","client_order_id":"{client_order_id}","status":"NEW"}}'


def a_request(number: int = 1, kind: Kind = Kind.SINGLE, **changes: Any) -> Request:
    values: dict[str, Any] = {"key": f"s-{number}", "client_order_ids": (f"s-{number}",)}
    return Request(
        number=number, kind=kind, account_id=ACCOUNT, path="/api/orders", body="{}",
        **(values | changes),
    )  # fmt: skip


def an_answer(status: int = 202, body: str = "", number: int = 1) -> Answer:
    return Answer(number, status, body or ack(), 3)


def told(*answers: Answer, request: Request | None = None) -> list[Entry]:
    request = request or a_request()
    return [request, *(entry for one in answers for entry in (Try(request.number), one))]


def a_row(order_id: str = ORDER, **changes: Any) -> OrderRow:
    values: dict[str, Any] = {
        "order_id": order_id, "account_id": ACCOUNT, "client_order_id": "s-1",
        "terms": Terms("BTC-USD", Side.BUY, OrderType.MARKET, TimeInForce.IOC, 5), "cap_ticks": 9, "status": Status.FILLED,
        "cum_lots": 5, "version": 3,
    }  # fmt: skip
    return OrderRow(**(values | changes))


def a_fill(lots: int = 5, trade_id: str = "t-1", order_id: str = ORDER) -> FillRow:
    return FillRow(
        ACCOUNT, 3, order_id, trade_id, "SIM", "BTC-USD", "buy", lots, 100, 1, "taker", 9
    )


def a_life(order_id: str = ORDER, client_order_id: str = "s-1") -> list[e.Event]:
    routed = e.OrderRouted(
        order_id, client_order_id, Terms("BTC-USD", Side.BUY, OrderType.MARKET, TimeInForce.IOC, 5),
        9, 45,
    )  # fmt: skip
    accepted = e.OrderAccepted(order_id, Status.ACCEPTED, 2, 0, 0, 0, 1)
    filled = _filled(order_id, Status.FILLED, 3, 5)
    return [routed, accepted, filled]


def _filled(order_id: str, status: Status, version: int, cum_lots: int) -> e.OrderFilled:
    """Return a fill whose fields that nobody judges are zero."""
    names = e.OrderFilled.__struct_fields__
    known: dict[str, Any] = {
        "order_id": order_id, "status": status, "version": version, "cum_lots": cum_lots,
    }  # fmt: skip
    return e.OrderFilled(**{name: known.get(name, 0) for name in names})


def a_truth(**changes: Any) -> Truth:
    life = a_life()
    values: dict[str, Any] = {
        "orders": {ACCOUNT: [a_row()]},
        "streams": {ACCOUNT: [Stretch(1, 1, 4, life[:1]), Stretch(2, 3, 6, life[1:])]},
        "fills": {ACCOUNT: [a_fill()]},
        "books": {ACCOUNT: []}, "hash": "equal", "undecided": [], "poison_found": set(),
        "set_aside": [],
    }  # fmt: skip
    return Truth(**(values | changes))


def verdict_on(entries: list[Entry], truth: Truth | None = None, **more: int) -> Verdict:
    return judge(journal.stories(entries), truth or a_truth(), **more)


def test_a_right_run_is_right() -> None:
    """Asked, no answer, asked again, answered, asked once more: one order, one answer."""
    entries = [*told(an_answer(), an_answer()), Try(1), Silence(1, "closed", 5)]
    found = verdict_on(entries)
    assert found.right, found.wrong
    assert (found.acked, found.retried, found.unknown, found.replays_equal) == (1, 2, 1, 1)


def empty(**changes: Any) -> Truth:
    none: dict[str, Any] = {
        "orders": {ACCOUNT: []},
        "streams": {ACCOUNT: []},
        "fills": {ACCOUNT: []},
    }
    return a_truth(**(none | changes))


def test_an_unknown_request_may_have_made_nothing() -> None:
    entries = told(an_answer(503, PROBLEM % ("durable_log_unavailable", "unknown")))
    found = verdict_on(entries, empty())
    assert (found.lost, found.unresolved) == (0, 1)
    assert not found.right


def test_an_acknowledged_order_that_is_not_stored_is_lost() -> None:
    assert verdict_on(told(an_answer()), empty()).lost == 1


def test_an_order_stored_under_another_id_is_lost() -> None:
    """The client holds the id it was told."""
    found = verdict_on(told(an_answer(202, ack(TWIN))))
    assert found.lost == 1


def test_half_a_batch_is_lost() -> None:
    request = a_request(kind=Kind.BATCH, client_order_ids=("s-1", "s-2"))
    body = f'{{"orders":[{ack()},{ack(TWIN, "s-2")}]}}'
    assert verdict_on(told(an_answer(202, body), request=request)).lost == 1


def test_two_orders_of_one_key_are_doubled() -> None:
    rows = [a_row(), a_row(TWIN)]
    life = a_life() + a_life(TWIN)
    truth = a_truth(
        orders={ACCOUNT: rows}, streams={ACCOUNT: [Stretch(1, 6, 4, life)]},
        fills={ACCOUNT: [a_fill(), a_fill(trade_id="t-2", order_id=TWIN)]},
    )  # fmt: skip
    found = verdict_on(told(an_answer()), truth)
    assert (found.doubled, found.lost, found.illegal, found.books) == (1, 0, 0, 0)


def test_answers_that_name_other_orders_are_doubled_and_differing() -> None:
    found = verdict_on(told(an_answer(), an_answer(202, ack(TWIN))))
    assert (found.doubled, found.differing) == (1, 1)


@pytest.mark.parametrize(
    "second",
    [
        an_answer(202, ack() + " "),
        an_answer(201),
        an_answer(409, PROBLEM % ("invalid_state_transition", "none")),
    ],
)
def test_another_answer_to_the_same_key_is_differing(second: Answer) -> None:
    assert verdict_on(told(an_answer(), second)).differing == 1


def test_in_flight_is_no_answer_yet() -> None:
    in_flight = an_answer(409, PROBLEM % ("idempotency_in_flight", "none"))
    found = verdict_on(told(in_flight, an_answer()))
    assert found.right, found.wrong
    assert found.unknown == 1


def bad(status: int, body: str = PROBLEM % ("validation_error", "none")) -> list[Entry]:
    return told(an_answer(status, body), request=a_request(kind=Kind.BAD))


def test_bad_input_that_is_refused_is_right() -> None:
    assert verdict_on(bad(422), empty()).right


@pytest.mark.parametrize(
    "entries",
    [
        bad(202, ack()),
        bad(500, PROBLEM % ("internal_error", "unknown")),
        told(an_answer(500, PROBLEM % ("internal_error", "unknown")), an_answer()),
        told(an_answer(503, PROBLEM % ("store_unavailable", "")), an_answer()),
        told(an_answer(422, PROBLEM % ("validation_error", "none"))),
    ],
    ids=["taken", "a 500 to bad input", "a 500", "a 503 that hides its outcome", "legal, refused"],
)
def test_an_answer_that_must_not_be_is_illegal(entries: list[Entry]) -> None:
    assert verdict_on(entries, empty()).illegal >= 1


def test_what_was_refused_must_not_be_stored() -> None:
    assert verdict_on(bad(422)).illegal == 1


def test_an_order_nobody_sent_is_illegal() -> None:
    assert verdict_on([]).illegal == 1


def test_an_order_that_never_ends_is_illegal() -> None:
    truth = a_truth(
        orders={ACCOUNT: [a_row(status=Status.NEW, cum_lots=0, version=1)]}, fills={ACCOUNT: []},
        streams={ACCOUNT: [Stretch(1, 1, 4, a_life()[:1])]},
    )  # fmt: skip
    assert verdict_on(told(an_answer()), truth).illegal == 1


def _histories() -> dict[str, list[e.Event]]:
    routed, accepted, filled = a_life()
    canceled = e.OrderCanceled(ORDER, Status.CANCELED, 3, 0, 0, 0, 2, "requested", False)
    reopened = e.OrderAccepted(ORDER, Status.ACCEPTED, 4, 0, 0, 0, 3)
    last = _filled(ORDER, Status.FILLED, 5, 5)
    return {
        "began twice": [routed, routed, accepted, filled],
        "a version is missing": [routed, filled],
        "never began": [accepted, filled],
        "reopened": [routed, accepted, canceled, reopened, last],
        "ends otherwise": [routed, accepted],
    }


@pytest.mark.parametrize("name", sorted(_histories()))
def test_a_history_that_cannot_be_is_illegal(name: str) -> None:
    life = _histories()[name]
    truth = a_truth(streams={ACCOUNT: [Stretch(1, len(life), 4, life)]})
    assert verdict_on(told(an_answer()), truth).illegal >= 1


@pytest.mark.parametrize(
    "spans", [((1, 1), (3, 4)), ((2, 2), (3, 4)), ((1, 1), (1, 2)), ((1, 1), (2, 5))],
    ids=["hole", "beginning missing", "overlap", "fewer events than seqs"],
)  # fmt: skip
def test_streams_have_no_gap_and_no_overlap(spans: tuple[tuple[int, int], ...]) -> None:
    life = a_life()
    (a, b), (c, d) = spans
    truth = a_truth(streams={ACCOUNT: [Stretch(a, b, 4, life[:1]), Stretch(c, d, 6, life[1:])]})
    assert verdict_on(told(an_answer()), truth).gaps == 1


@pytest.mark.parametrize(
    "fills",
    [[], [a_fill(4)], [a_fill(), a_fill(trade_id="t-2")], [a_fill(2), a_fill(3)]],
    ids=["missing", "short", "one too many", "one trade twice"],
)
def test_fills_add_up_to_their_order(fills: list[FillRow]) -> None:
    assert verdict_on(told(an_answer()), a_truth(fills={ACCOUNT: fills})).books >= 1


def test_books_that_do_not_sum_to_zero_are_told() -> None:
    truth = a_truth(books={ACCOUNT: ["USD sums to 3, not 0"]})
    assert verdict_on(told(an_answer()), truth).books == 1


def test_a_replay_that_differs_is_wrong() -> None:
    found = verdict_on(told(an_answer()), a_truth(hash="partition 0: aa replayed, bb live"))
    assert not found.right
    assert found.wrong == ["hash: partition 0: aa replayed, bb live"]


def test_poison_is_counted_in_the_dead_letters_and_nothing_else_is_there() -> None:
    one = a_truth(poison_found={"oms.commands/0/4"})
    assert verdict_on(told(an_answer()), one, poisoned=1).right
    assert verdict_on(told(an_answer()), one, poisoned=2).illegal == 1
    assert verdict_on(told(an_answer()), a_truth(set_aside=["oms.commands/0/5"])).illegal == 1


def test_what_the_snapshots_do_not_cover_is_not_proved() -> None:
    assert verdict_on(told(an_answer()), a_truth(undecided=["partition 0"])).illegal == 1


# ------------------------------------------------------------------ the oracle itself
def test_the_journal_gives_back_what_was_written(tmp_path: Path) -> None:
    entries = [*told(an_answer()), Silence(1, "closed", 5), journal.Fault("kill web")]
    path = tmp_path / "oracle.jsonl"
    with journal.Journal(path) as kept:
        for entry in entries:
            kept.write(entry)
    assert journal.read(path) == entries


def test_a_torn_last_line_is_no_entry(tmp_path: Path) -> None:
    path = tmp_path / "oracle.jsonl"
    with journal.Journal(path) as kept:
        kept.write(Try(1))
    path.write_bytes(path.read_bytes() + msgspec.json.encode(Try(2))[:-3])
    assert journal.read(path) == [Try(1)]

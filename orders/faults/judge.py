"""The judge: compares what the clients were told with what the product holds. Pure: no I/O.

Words of the verdict:
- lost: an acknowledged order that is not stored (an acknowledged batch counts order by order).
- doubled: a key or client_order_id with more than one order, an order stored twice.
- differing: two answers to one key that are not the same, byte for byte.
- illegal: a state or answer that must not be: bad input taken, a 500, an order nobody sent, a
  history that the order table does not allow, an order that never came to its end.
- gaps: an account's events with a hole or an overlap in their seqs.
- books: positions, fills and balances that do not add up.
- changed: a fate that was taken back: an order shown as decided that is stored otherwise in the end, a
  command that was decided twice, and not alike.
- unresolved: a request without a definite answer to the end. Nothing is proved of it.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from oms_project.kernel.words import CLOSED, OPEN, Status
from orders.domain import events as e
from orders.faults.journal import PLACES, REFUSED, Kind, Seen, Story
from orders.faults.truth import Stretch, Truth, signed_lots

WRONG_MAX: Final = 40
_OUTCOMES: Final = ("none", "unknown", "applied")


class _Ack(msgspec.Struct):
    order_id: str
    client_order_id: str


class _BatchAck(msgspec.Struct):
    orders: list[_Ack]


class _Problem(msgspec.Struct):
    code: str = ""
    outcome: str = ""


class Verdict(msgspec.Struct):
    """Figures, and in words the first WRONG_MAX things that are not right."""

    acked: int = 0
    keys: int = 0
    unknown: int = 0
    retried: int = 0
    replays_equal: int = 0
    bad_inputs: int = 0
    events: int = 0
    orders: int = 0
    lost: int = 0
    doubled: int = 0
    differing: int = 0
    illegal: int = 0
    gaps: int = 0
    books: int = 0
    changed: int = 0
    unresolved: int = 0
    hash: str = ""
    statuses: dict[str, int] = {}
    wrong: list[str] = []

    @property
    def right(self) -> bool:
        counts = (
            self.lost, self.doubled, self.differing, self.illegal, self.gaps, self.books,
            self.changed, self.unresolved,
        )  # fmt: skip
        return not any(counts) and self.hash == "equal" and not self.wrong

    def add(self, what: str, found: Iterator[str]) -> None:
        """Count what is *found* under the name *what*, and keep the first of it in words."""
        for text in found:
            setattr(self, what, getattr(self, what) + 1)
            if len(self.wrong) < WRONG_MAX:
                self.wrong.append(f"{what}: {text}")


def judge(
    stories: Sequence[Story], truth: Truth, *, seen: Sequence[Seen] = (), poisoned: int = 0
) -> Verdict:
    """Return the verdict on a run.

    seen: orders as they were shown meanwhile; poisoned: unreadable records that were put into the log.
    """
    verdict = Verdict(hash=truth.hash)
    _figures(verdict, stories, truth)
    verdict.add("unresolved", _unresolved(stories))
    verdict.add("lost", _lost(stories, truth))
    verdict.add("doubled", _doubled(stories, truth))
    verdict.add("differing", _differing(stories))
    verdict.add("illegal", _answers(stories))
    verdict.add("illegal", _strangers(stories, truth))
    for account_id, rows in truth.orders.items():
        verdict.add("illegal", _ends(rows))
        verdict.add("illegal", _histories(rows, truth.streams[account_id]))
        verdict.add("gaps", _gaps(account_id, truth.streams[account_id]))
        verdict.add("books", _fills_add_up(account_id, truth))
        verdict.add("books", iter(truth.books[account_id]))
    verdict.add("changed", _changed(seen, truth))
    verdict.add("changed", iter(truth.retold))
    verdict.add("illegal", _poison(truth, poisoned))
    verdict.add("illegal", iter(truth.undecided))
    if truth.hash != "equal":
        verdict.wrong.insert(0, f"hash: {truth.hash}")
    return verdict


def _figures(verdict: Verdict, stories: Sequence[Story], truth: Truth) -> None:
    for story in stories:
        indefinite = len(story.answers) - len(story.definite)
        verdict.unknown += story.silences + indefinite
        verdict.retried += max(0, story.tries - 1)
        verdict.replays_equal += max(0, len(story.taken) - 1)
        if story.request.kind in PLACES and story.taken:
            verdict.acked += len(story.request.client_order_ids)
    verdict.keys = sum(story.request.kind in PLACES for story in stories)
    verdict.bad_inputs = sum(story.request.kind in REFUSED for story in stories)
    verdict.events = sum(len(s.events) for stream in truth.streams.values() for s in stream)
    rows = [row for rows in truth.orders.values() for row in rows]
    verdict.orders = len(rows)
    verdict.statuses = dict(Counter(str(row.status) for row in rows))


# ------------------------------------------------------------------ keys, answers, orders


def _unresolved(stories: Sequence[Story]) -> Iterator[str]:
    for story in stories:
        if not story.definite:
            yield f"{story.request.key}: {story.tries} tries, no definite answer"


def _acks(story: Story) -> list[_Ack]:
    """Return the acknowledged orders of a taken request, from its first answer."""
    body = story.taken[0].body
    if story.request.kind is Kind.SINGLE:
        return [msgspec.json.decode(body, type=_Ack)]
    return msgspec.json.decode(body, type=_BatchAck).orders


def _lost(stories: Sequence[Story], truth: Truth) -> Iterator[str]:
    stored = {
        (account_id, row.order_id): row.client_order_id
        for account_id, rows in truth.orders.items()
        for row in rows
    }
    for story in stories:
        if story.request.kind not in PLACES or not story.taken:
            continue
        acks = _acks(story)
        if tuple(ack.client_order_id for ack in acks) != story.request.client_order_ids:
            yield f"{story.request.key}: acknowledged {len(acks)} orders, other than were sent"
        for ack in acks:
            kept = stored.get((story.request.account_id, ack.order_id))
            if kept != ack.client_order_id:
                yield f"{ack.order_id} ({ack.client_order_id}) was acknowledged; stored: {kept}"


def _doubled(stories: Sequence[Story], truth: Truth) -> Iterator[str]:
    for account_id, rows in truth.orders.items():
        for column in ("order_id", "client_order_id"):
            for value, times in Counter(getattr(row, column) for row in rows).items():
                if times > 1:
                    yield f"{account_id}: {times} orders with {column} {value}"
    for story in stories:
        if story.request.kind in PLACES:
            told = {answer.body for answer in story.taken}
            ids = [tuple(ack.order_id for ack in _read_any(body)) for body in told]
            if len(set(ids)) > 1:
                yield f"{story.request.key}: answers name {len(set(ids))} sets of orders"


def _read_any(body: str) -> list[_Ack]:
    if '"orders"' in body:
        return msgspec.json.decode(body, type=_BatchAck).orders
    return [msgspec.json.decode(body, type=_Ack)]


def _differing(stories: Sequence[Story]) -> Iterator[str]:
    """A key's first definite answer is its answer, for ever."""
    for story in stories:
        told = [(one.status, _lasting(one.status, one.body)) for one in story.definite]
        for status, body in told[1:]:
            if (status, body) != told[0]:
                yield f"{story.request.key}: {told[0]} first, then {status} {body}"[:400]
                break


def _lasting(status: int, body: str) -> str:
    """Return what of an answer must not change: a problem carries the id of its request."""
    if status < 400:
        return body
    return msgspec.json.decode(body, type=_Problem).code


def _answers(stories: Sequence[Story]) -> Iterator[str]:
    """Every answer is one that may be given to what was sent."""
    for story in stories:
        kind = story.request.kind
        for answer in story.answers:
            text = f"{kind} {story.request.key}: {answer.status} {answer.body[:200]}"
            if answer.status >= 500:
                problem = msgspec.json.decode(answer.body, type=_Problem)
                if answer.status != 503 or problem.outcome not in _OUTCOMES:
                    yield text
            elif kind in REFUSED:
                if not 400 <= answer.status < 500:
                    yield text
            elif answer.status >= 400 and answer in story.definite:
                # Only a cancel may come too late; every other request is legal and is taken.
                too_late = kind is Kind.CANCEL and answer.status == 409
                if not too_late:
                    yield text


def _strangers(stories: Sequence[Story], truth: Truth) -> Iterator[str]:
    """What is stored was sent, and was not refused."""
    sent = {
        (story.request.account_id, client_order_id)
        for story in stories
        if story.request.kind in PLACES and (story.taken or not story.definite)
        for client_order_id in story.request.client_order_ids
    }
    for account_id, rows in truth.orders.items():
        for row in rows:
            if (account_id, row.client_order_id) not in sent:
                yield f"{row.order_id} ({row.client_order_id}) is stored; it was refused or not sent"


def _changed(seen: Sequence[Seen], truth: Truth) -> Iterator[str]:
    """What was shown as decided is so in the end; what was let in by risk is not refused by it.

    A fill that comes late may still change an order that was canceled; it says so.
    """
    stored = {row.order_id: row for rows in truth.orders.values() for row in rows}
    for one in seen:
        row = stored.get(one.order_id)
        if row is None:
            yield f"{one.order_id} was shown {one.status}; it is not stored"
        elif one.status in CLOSED and not row.late_fill:
            now = (str(row.status), row.rejected_by, row.reason)
            if now != (one.status, one.rejected_by, one.reason):
                yield f"{one.order_id} was shown {one.status} ({one.reason}); it is {now}"
        elif one.status in OPEN - {Status.NEW} and row.rejected_by == "oms":
            yield f"{one.order_id} was shown {one.status}; it is refused: {row.reason}"


# ------------------------------------------------------------------ states, events, books


def _ends(rows: Sequence) -> Iterator[str]:
    for row in rows:
        if row.status in OPEN:
            yield f"{row.order_id} is still {row.status}"
        if row.overfilled or row.cum_lots > row.terms.lots:
            yield f"{row.order_id} is overfilled"
        if (row.status is Status.FILLED) != (row.cum_lots == row.terms.lots):
            yield f"{row.order_id} is {row.status} at {row.cum_lots} of {row.terms.lots}"


def _histories(rows: Sequence, stream: Sequence[Stretch]) -> Iterator[str]:
    """Each order's events, in order, are a legal life that ends as its row says."""
    last: dict[str, tuple[Status, int, int]] = {}  # status, version, cum_lots
    for stretch in stream:
        for event in stretch.events:
            if isinstance(event, e.OrderRouted | e.OrderHeld | e.OrderDenied):
                if event.order_id in last:
                    yield f"{event.order_id} began twice"
                denied = isinstance(event, e.OrderDenied)
                last[event.order_id] = (Status.REJECTED if denied else Status.NEW, 1, 0)
            elif isinstance(event, e.OrderQuarantined):
                yield f"{event.order_id}: {event.reason} was set aside: {event.detail}"
            elif isinstance(event, e._OrderEvent) and event.version:
                yield from _moved(last, event)
    for row in rows:
        shown = (row.status, row.version, row.cum_lots)
        if last.pop(row.order_id, None) != shown:
            yield f"{row.order_id} shows {shown}; its events say otherwise"
    for order_id in last:
        yield f"{order_id} has events and is not stored"


def _moved(last: dict[str, tuple[Status, int, int]], event: e._OrderEvent) -> Iterator[str]:
    before = last.get(event.order_id)
    if before is None:
        yield f"{event.order_id}: {type(event).__name__} before it began"
        return
    status, version, cum_lots = before
    if event.version != version + 1:
        yield f"{event.order_id}: version {event.version} after {version}"
    if status in CLOSED and event.status in OPEN:
        yield f"{event.order_id}: {event.status} after {status}"
    if event.cum_lots < cum_lots:
        yield f"{event.order_id}: cum {event.cum_lots} after {cum_lots}"
    last[event.order_id] = (event.status, event.version, event.cum_lots)


def _gaps(account_id: str, stream: Sequence[Stretch]) -> Iterator[str]:
    expected = 1
    for stretch in stream:
        count = stretch.last_seq - stretch.first_seq + 1
        if stretch.first_seq != expected or count != len(stretch.events):
            yield (
                f"{account_id}: seqs {stretch.first_seq}..{stretch.last_seq} with "
                f"{len(stretch.events)} events, expected from {expected} on"
            )
        expected = stretch.last_seq + 1


def _fills_add_up(account_id: str, truth: Truth) -> Iterator[str]:
    """Per order Σ fills = cum, per symbol Σ fills = Σ cum of the orders (and, in `books`, position)."""
    by_order: Counter[str] = Counter()
    by_symbol: Counter[str] = Counter()
    trades: Counter[str] = Counter()
    for fill in truth.fills[account_id]:
        by_order[fill.order_id] += fill.lots
        by_symbol[fill.symbol] += fill.lots if fill.side == "buy" else -fill.lots
        trades[fill.trade_id] += 1
    for row in truth.orders[account_id]:
        if by_order[row.order_id] != row.cum_lots:
            yield f"{row.order_id}: fills {by_order[row.order_id]}, cum {row.cum_lots}"
    for symbol, lots in signed_lots(truth.orders[account_id]).items():
        if by_symbol[symbol] != lots:
            yield f"{account_id} {symbol}: fills {by_symbol[symbol]}, orders {lots}"
    for trade_id, times in trades.items():
        if times > 1:
            yield f"{account_id}: trade {trade_id} is stored {times} times"


def _poison(truth: Truth, poisoned: int) -> Iterator[str]:
    if len(truth.poison_found) < poisoned:
        yield f"{poisoned} poison records, {len(truth.poison_found)} in the dead letters"
    for text in truth.set_aside:
        yield f"set aside: {text}"

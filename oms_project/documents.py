"""Documents made from the code: what the order table does, and every environment variable.

The state diagram is not drawn from the table's words but walked: the real law is asked what each
move does to an order with every set of facts that can be reached.
"""

from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from marketdata.domain import demo
from marketdata.domain.mark import Mark, SetMarks
from oms_project import env
from oms_project.access import rights
from oms_project.access.rights import Action, Reach
from oms_project.kernel.ports import Report, ReportKind
from oms_project.kernel.terms import Extras, Terms
from oms_project.kernel.words import (
    OPEN,
    AccountState,
    OrderType,
    Side,
    Status,
    TimeInForce,
)
from orders.domain import apply, law
from orders.domain import commands as c
from orders.domain.book import Book, State
from orders.domain.decide import step
from orders.domain.law import Kind, Outcome
from orders.domain.order import Order, status_of
from risk.domain.limits import Limits

ROOT: Final = Path(__file__).resolve().parent.parent
LOTS: Final = 10
PART_LOTS: Final = 3
TICKS: Final = 2_000_000
STOP_TICKS: Final = 2_000_100
BEGUN_NS: Final = 1
OVER_NS: Final = 2
"""When the order of the diagram is taken, and when its time is over."""
FIX: Final = "https://www.fixtrading.org/standards/fix-4-4/"
_ACCOUNT: Final = "account"
_ORDER: Final = "order"
_KINDS: Final = {
    Kind.ACK: ReportKind.NEW,
    Kind.TRADE: ReportKind.TRADE,
    Kind.CANCELED: ReportKind.CANCELED,
    Kind.EXPIRED: ReportKind.EXPIRED,
    Kind.REJECTED: ReportKind.REJECTED,
    Kind.CANCEL_REFUSED: ReportKind.CANCEL_REJECTED,
}
Steps = tuple[tuple[Kind, int], ...]
Edge = tuple[Status, Kind, Status]


def documents() -> dict[Path, str]:
    """Return every document made here: its path and its text."""
    return {
        ROOT / "docs" / "order-states.md": order_states(),
        ROOT / "docs" / "env.md": env_table(),
        ROOT / "docs" / "roles.md": roles(),
        ROOT / ".env.example": env_example(),
    }


# ------------------------------------------------------------------ roles
_REACHES: Final = {
    Reach.NONE: "", Reach.TRADING: "as trader of it", Reach.MEMBER: "of which a member",
    Reach.ALL: "all",
}  # fmt: skip


def roles() -> str:
    """Return who may do what, from access/rights.py."""
    desks = list(rights.TABLE)
    head = [
        "# Roles", "",
        "Made by `manage.py docs_generate` from `oms_project/access/rights.py`, which the doors ask and the "
        "access matrix of the tests is judged by.", "",
        "A user has one desk role, and on each account they are a member of a role there (`trader` or "
        "`viewer`). What is empty nobody of that role may do. An account that one may not see does not "
        "exist: 404.", "",
        "| | " + " | ".join(desk.label for desk in desks) + " | an API key |",
        "|---" * (len(desks) + 2) + "|",
    ]  # fmt: skip
    rows = []
    for action in Action:
        cells = [_REACHES[rights.TABLE[desk][action]] for desk in desks]
        scopes = " or ".join(f"`{one}`" for one in sorted(rights.SCOPES.get(action, ())))
        cells.append(f"with {scopes}" if scopes else "")
        meaning = rights.MEANINGS[action]
        rows.append(f"| **{action}**: {meaning} | {' | '.join(cells)} |")
    tail = [
        "", "Public, each address so often: market data, instruments, `/api/meta/…`, `/api/schema/`, "
        "`/api/docs/`, `/health`. Nobody changes their own role, memberships or rights; who trades decides "
        "nothing of what may be traded.", "",
    ]  # fmt: skip
    return "\n".join((*head, *rows, *tail))


# ------------------------------------------------------------------ order states
def edges() -> list[Edge]:
    """Return (status, kind, status after it) of everything that changes what an order shows."""
    found: dict[Edge, None] = {}
    known = set()
    waiting: deque[Steps] = deque([()])
    while waiting:
        path = waiting.popleft()
        before = status_of(_walked(path))
        for kind, lots in _steps():
            order = _walked((*path, (kind, lots)))
            after = status_of(order)
            if after is not before:
                found[before, kind, after] = None
            facts = (order.cum_lots, order.life, order.asked, order.end)
            if facts not in known and order.cum_lots <= LOTS:
                known.add(facts)
                waiting.append((*path, (kind, lots)))
    for edge in _held_edges():
        found[edge] = None
    statuses, kinds = list(Status), list(Kind)
    place = lambda edge: (statuses.index(edge[0]), kinds.index(edge[1]), statuses.index(edge[2]))  # noqa: E731
    return sorted(found, key=place)


def _held_edges() -> Iterator[Edge]:
    """Yield what changes an order that waits for a price: none of it is at the venue."""
    fires = SetMarks(
        (Mark(demo.INSTRUMENTS[0].symbol, STOP_TICKS, STOP_TICKS, STOP_TICKS, BEGUN_NS),)
    )
    halted = c.SetAccount(_ACCOUNT, "", AccountState.HALTED, Limits())
    wake = c.WakeOrders(_ACCOUNT)
    for kind, commands in (
        (Kind.TRIGGERED, (fires, wake)),
        (Kind.TRIGGERED, (fires, halted, wake)),
        (Kind.CANCEL_ASKED, (c.CancelOrders(_ACCOUNT, (_ORDER,)),)),
        (Kind.EXPIRY_DUE, (wake,)),
    ):
        book = _begun(OrderType.STOP_LIMIT, STOP_TICKS)
        before = status_of(_order(book))
        at_ns = OVER_NS if kind is Kind.EXPIRY_DUE else BEGUN_NS
        for number, command in enumerate(commands):
            _do(book, f"held-{number}", command, at_ns)
        yield before, kind, status_of(_order(book))


def _steps() -> Iterator[tuple[Kind, int]]:
    for kind in (*_KINDS, Kind.CANCEL_ASKED, Kind.EXPIRY_DUE):
        yield kind, PART_LOTS if kind is Kind.TRADE else 0
    yield Kind.TRADE, LOTS


def _begun(kind: OrderType, stop_ticks: int = 0) -> Book:
    """Return a book with one order that every rule let pass."""
    book = Book(State(0))
    instrument = demo.INSTRUMENTS[0]
    new = c.NewOrder(
        _ORDER,
        _ORDER,
        Terms(
            instrument.symbol, Side.BUY, kind, TimeInForce.GTD, LOTS, TICKS,
            extras=Extras(expires_ns=OVER_NS, stop_ticks=stop_ticks),
        ),
    )  # fmt: skip
    begin: tuple[c.Command, ...] = (
        c.SetInstrument(instrument),
        c.SetAccount(_ACCOUNT, "", AccountState.ACTIVE, Limits()),
        c.AdjustBalance(_ACCOUNT, "funds", instrument.quote, 10**15, ""),
        SetMarks((Mark(instrument.symbol, TICKS, TICKS, TICKS, 1),)),
        c.PlaceOrders(_ACCOUNT, [new]),
    )
    for number, command in enumerate(begin):
        _do(book, f"begin-{number}", command)
    return book


def _walked(path: Steps) -> Order:
    """Return the order after the steps of *path*, as the law has it."""
    book = _begun(OrderType.LIMIT)
    for execution, (kind, lots) in enumerate(path, 1):
        order = _order(book)
        if kind is Kind.TRADE and lots == LOTS:
            lots = max(1, LOTS - order.cum_lots)
        at_ns = OVER_NS if kind is Kind.EXPIRY_DUE else BEGUN_NS
        _do(book, f"step-{execution}", _command(kind, lots, execution), at_ns)
    return _order(book)


def _do(book: Book, id: str, command: c.Command, at_ns: int = BEGUN_NS) -> None:
    turn = step(book, id, at_ns, command)
    apply.emit(book, turn.account, 0, len(turn.events))


def _order(book: Book) -> Order:
    found = book.state.accounts[_ACCOUNT].open.get(_ORDER)
    return found or book.state.closed[_ORDER]


def _command(kind: Kind, lots: int, execution: int) -> c.Command:
    if kind is Kind.EXPIRY_DUE:
        return c.WakeOrders(_ACCOUNT)
    if kind is Kind.CANCEL_ASKED:
        return c.CancelOrders(_ACCOUNT, (_ORDER,))
    ticks = TICKS if lots else 0
    report = Report(_ORDER, _KINDS[kind], execution, lots, ticks, False, "")
    return c.VenueReports(_ACCOUNT, "SIM", 0, [report])


def order_states() -> str:
    """Return docs/order-states.md."""
    lines = [
        "# Order states",
        "",
        "<!-- Made by `manage.py docs_generate` from orders/domain/law.py. Do not edit. -->",
        "",
        "An order keeps facts; what it shows is computed from them. Facts only accumulate, so",
        "reports that come twice, late or in another order end in the same state.",
        "",
        "```mermaid",
        "stateDiagram-v2",
        f"    [*] --> {Status.NEW}: risk passed",
        f"    [*] --> {Status.REJECTED}: refused by us",
        f"    [*] --> {Status.TRIGGER_PENDING}: risk passed, waits for a price",
    ]
    lines += [f"    {before} --> {after}: {law.WORDS[kind]}" for before, kind, after in edges()]
    lines += [f"    {status} --> [*]" for status in Status if status not in OPEN]
    lines += [
        "```",
        "",
        "Where an order is (held here, sent, live at the venue, over, denied by us) and how much of it",
        "is filled find the row of what happens:",
        "",
        f"- **{Outcome.APPLY}**: the facts change, whether or not the status shows it.",
        f"- **{Outcome.ABSORB}**: known already, or overtaken: nothing changes, it is counted.",
        f"- **{Outcome.REFUSE}**: the client is told no, with the code in brackets.",
        f"- **{Outcome.SET_ASIDE}**: the venue contradicts itself: set aside for a person, alerted,"
        " never applied by half.",
        f"- **{Outcome.BY_REQUEST}**: the second table says, by the request that is open.",
        "",
        f"Clauses are those of [FIX 4.4, volume 4, appendix D]({FIX}).",
        "",
        "| life | filled | what happens | outcome | why | clause |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {life.name} | {filled.name} | {law.WORDS[kind]} | {_outcome(row)} | {row.reason} | "
        f"{row.clause} |"
        for (life, filled), rows in law.LAW.items()
        for kind, row in zip(Kind, rows, strict=True)
    ]
    lines += [
        "",
        "| open request | what happens | outcome | why | clause |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {asked.name} | {law.WORDS[kind]} | {_outcome(row)} | {row.reason} | {row.clause} |"
        for asked, rows in law.REQUEST.items()
        for kind, row in rows.items()
    ]
    return "\n".join(lines) + "\n"


def _outcome(row: law.Row) -> str:
    return f"{row.outcome} ({row.code})" if row.code else str(row.outcome)


# ------------------------------------------------------------------ environment
def env_table() -> str:
    """Return docs/env.md."""
    lines = [
        "# Environment",
        "",
        "<!-- Made by `manage.py docs_generate` from oms_project/env.py. Do not edit. -->",
        "",
        "Everything that differs between two machines is a variable. `.env` in the project's folder",
        "is read first, the process' environment wins. `manage.py check_env` shows what a process",
        "sees and names what is misspelt.",
        "",
        "| variable | default | meaning |",
        "|---|---|---|",
    ]
    for name, var in env.VARS.items():
        default = f"`{var.default}`" if var.default else "empty"
        lines.append(f"| `{name}` | {default} | {var.meaning.replace('|', 'or')} |")
    return "\n".join(lines) + "\n"


def env_example() -> str:
    """Return .env.example: every variable with its default, to be copied to .env and changed."""
    lines = [
        "# Copy to .env and uncomment what shall differ. Values shown are the defaults.",
        "# Made by `manage.py docs_generate` from oms_project/env.py.",
    ]
    for name, var in env.VARS.items():
        lines += ["", f"# {var.meaning}", f"# {name}={var.default}"]
    return "\n".join(lines) + "\n"

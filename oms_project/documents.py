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
from oms_project.kernel.ports import Report, ReportKind
from oms_project.kernel.terms import Terms
from oms_project.kernel.words import (
    OPEN,
    AccountState,
    OrderType,
    Side,
    Status,
    TimeInForce,
)
from orders.domain import commands as c
from orders.domain.book import Book, State
from orders.domain.decide import step
from orders.domain.order import MOVES, Move, Order, Outcome, status_of
from risk.domain.limits import Limits

ROOT: Final = Path(__file__).resolve().parent.parent
LOTS: Final = 10
PART_LOTS: Final = 3
TICKS: Final = 2_000_000
_ACCOUNT: Final = "account"
_ORDER: Final = "order"
_KINDS: Final = {
    Move.ACK: ReportKind.NEW,
    Move.FILL: ReportKind.TRADE,
    Move.CANCELED: ReportKind.CANCELED,
    Move.REJECTED: ReportKind.REJECTED,
    Move.CANCEL_REJECTED: ReportKind.CANCEL_REJECTED,
}
Steps = tuple[tuple[Move, int], ...]
Edge = tuple[Status, Move, Status]


def documents() -> dict[Path, str]:
    """Return every document made here: its path and its text."""
    return {
        ROOT / "docs" / "order-states.md": order_states(),
        ROOT / "docs" / "env.md": env_table(),
        ROOT / ".env.example": env_example(),
    }


# ------------------------------------------------------------------ order states
def edges() -> list[Edge]:
    """Return (status, move, status after it) of every move that changes what an order shows."""
    found: dict[Edge, None] = {}
    known = set()
    waiting: deque[Steps] = deque([()])
    while waiting:
        path = waiting.popleft()
        before = status_of(_walked(path))
        for move, lots in _moves():
            order = _walked((*path, (move, lots)))
            after = status_of(order)
            if after is not before:
                found[before, move, after] = None
            facts = (order.cum_lots, order.accepted, order.pending_cancel, order.terminal)
            if facts not in known and order.cum_lots <= LOTS:
                known.add(facts)
                waiting.append((*path, (move, lots)))
    place = {word: index for index, word in enumerate((*Status, *Move))}
    return sorted(found, key=lambda edge: [place[word] for word in edge])


def _moves() -> Iterator[tuple[Move, int]]:
    for move in Move:
        yield move, PART_LOTS if move is Move.FILL else 0
    yield Move.FILL, LOTS


def _walked(path: Steps) -> Order:
    """Return the order after the moves of *path*, as the law has it."""
    book = Book(State(0))
    instrument = demo.INSTRUMENTS[0]
    new = c.NewOrder(
        _ORDER,
        _ORDER,
        Terms(instrument.symbol, Side.BUY, OrderType.LIMIT, TimeInForce.GTC, LOTS, TICKS),
    )
    begin: tuple[c.Command, ...] = (
        c.SetInstrument(instrument),
        c.SetAccount(_ACCOUNT, "", AccountState.ACTIVE, Limits()),
        c.AdjustBalance(_ACCOUNT, "funds", instrument.quote, 10**15, ""),
        SetMarks((Mark(instrument.symbol, TICKS, TICKS, TICKS, 1),)),
        c.PlaceOrders(_ACCOUNT, [new]),
    )
    for command in begin:
        step(book, 1, command, {})
    for execution, (move, lots) in enumerate(path, 1):
        order = _order(book)
        if move is Move.FILL and lots == LOTS:
            lots = max(1, LOTS - order.cum_lots)
        step(book, 1, _command(move, lots, execution), {})
    return _order(book)


def _order(book: Book) -> Order:
    found = book.state.accounts[_ACCOUNT].open.get(_ORDER)
    return found or book.state.closed[_ORDER]


def _command(move: Move, lots: int, execution: int) -> c.Command:
    if move is Move.CANCEL_REQUEST:
        return c.CancelOrders(_ACCOUNT, (_ORDER,))
    ticks = TICKS if lots else 0
    report = Report(_ORDER, _KINDS[move], execution, lots, ticks, False, "")
    return c.VenueReports(_ACCOUNT, "SIM", 0, [report])


def order_states() -> str:
    """Return docs/order-states.md."""
    lines = [
        "# Order states",
        "",
        "<!-- Made by `manage.py docs_generate` from orders/domain/order.py. Do not edit. -->",
        "",
        "An order keeps facts; what it shows is computed from them. Facts only accumulate, so",
        "reports that come twice, late or in another order end in the same state.",
        "",
        "```mermaid",
        "stateDiagram-v2",
        f"    [*] --> {Status.NEW}: risk passed",
        f"    [*] --> {Status.REJECTED}: refused by us",
    ]
    lines += [f"    {before} --> {after}: {move.value}" for before, move, after in edges()]
    lines += [f"    {status} --> [*]" for status in Status if status not in OPEN]
    lines += [
        "```",
        "",
        "Every pair of a status and a thing that can happen has a row:",
        "",
        f"- **{Outcome.APPLY}**: the facts change, whether or not the status shows it.",
        f"- **{Outcome.ABSORB}**: known already, or overtaken: nothing changes, it is counted.",
        f"- **{Outcome.REFUSE}**: the client is told no.",
        f"- **{Outcome.QUARANTINE}**: the venue contradicts itself: set aside for a person, alerted,"
        " never applied by half.",
        "",
        "| status | what happens | outcome | why |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {status} | {move.value} | {outcome} | {reason} |"
        for status, row in MOVES.items()
        for move, (outcome, reason) in row.items()
    ]
    return "\n".join(lines) + "\n"


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

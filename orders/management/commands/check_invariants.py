"""manage.py check_invariants: everything that must always hold, checked from the beginning."""

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import msgspec
from django.conf import settings
from django.core.management.base import CommandParser
from rich.table import Table

from marketdata import wiring as market
from oms_project.kernel.ports import OrderQuery
from oms_project.kernel.words import CLOSED
from oms_project.management.terminal import TerminalCommand, failed
from orders import integrity, wiring
from orders.domain.book import Book
from orders.domain.laws import breaches
from orders.management.commands.orders import accounts_of

PAGE: Final = 500
SHOWN_MAX: Final = 50
FILLS_MAX: Final = 5_000_000


class Found(msgspec.Struct):
    """What was looked at, and everything that does not hold."""

    accounts: int = 0
    orders: int = 0
    fills: int = 0
    events: int = 0
    snapshots: int = 0
    moving: list[str] = []
    breaches: list[str] = []
    concerns: list[str] = []


class Command(TerminalCommand):
    help = (
        "Check what must always hold. For every account: its books sum to zero, positions are the\n"
        "sum of their fills and of their orders, the venue's side matches, the event stream has no\n"
        "gap. For every partition: the newest snapshot's locks are what its open orders hold.\n"
        "Reads only. An account that never stands still is named and left out.\n"
        "Exit codes: 0 all hold; 1 something does not; 2 it could not be read.\n\n"
        "Examples:\n"
        "  manage.py check_invariants\n"
        "  manage.py check_invariants --account 'Alpha Fund' --json\n"
        "  manage.py check_invariants --quick       # without orders and streams"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--account", action="append", default=[], help="name or id")
        parser.add_argument("--quick", action="store_true", help="leave out orders and streams")
        self.add_json(parser)

    def handle(self, *, json: bool, quick: bool, account: list[str], **_: Any) -> None:
        names = accounts_of(account)
        found = Found()
        with self.progress("accounts") as advance:
            for done, account_id in enumerate(names, 1):
                _account(account_id, found, quick=quick)
                advance(done, len(names))
        _snapshots(found)
        if json:
            self.print_json(found)
        else:
            self._show(found)
        failed(bool(found.breaches))

    def _show(self, found: Found) -> None:
        table = Table.grid(padding=(0, 2))
        for label, count in (
            ("Accounts", found.accounts), ("Orders", found.orders), ("Fills", found.fills),
            ("Events", found.events), ("Snapshots", found.snapshots),
        ):  # fmt: skip
            table.add_row(f"[bold]{label}", f"{count:,}")
        self.console.print(table)
        for style, texts in (("yellow", found.concerns), ("bold red", found.breaches)):
            for text in texts[:SHOWN_MAX]:
                self.console.print(text, style=style, markup=False)
            if len(texts) > SHOWN_MAX:
                self.console.print(f"… and {len(texts) - SHOWN_MAX} more", style=style)
        for account_id in found.moving:
            self.console.print(f"{account_id} is too busy to be read at one instant: run again")
        verdict = "[bold red]DO NOT HOLD" if found.breaches else "[green]all hold"
        self.console.print(f"Invariants: {verdict}")


def _account(account_id: str, found: Found, *, quick: bool) -> None:
    store = wiring.store()
    found.accounts += 1
    for _ in range(integrity.TRIES):
        seq = store.last_seq(account_id)
        seen = integrity.account(store, account_id, market.units, None, fills_max=FILLS_MAX)
        wrong = [] if quick else [*_orders(account_id, found), *_stream(account_id, found)]
        if seen is not None and store.last_seq(account_id) == seq:
            found.fills += seen.fills
            found.breaches += [*seen.breaches, *wrong]
            found.concerns += seen.concerns
            return
    found.moving.append(account_id)


def _orders(account_id: str, found: Found) -> Iterator[str]:
    """Positions are what all orders of the account were filled with."""
    store = wiring.store()
    filled: Counter[str] = Counter()
    before = None
    while True:
        query = OrderQuery(account_ids=(account_id,), before_id=before, limit=PAGE)
        rows = store.find(query)
        for row in rows:
            found.orders += 1
            filled[row.terms.symbol] += row.cum_lots * row.terms.sign
            if row.cum_lots > max(0, row.terms.lots) and not row.overfilled:
                yield f"{row.order_id}: {row.cum_lots} of {row.terms.lots} lots, not marked"
            if row.cum_lots >= row.terms.lots and row.status not in CLOSED:
                yield f"{row.order_id}: all is filled and it is {row.status}"
        if len(rows) < PAGE:
            break
        before = rows[-1].order_id
    held = {row.symbol: row.net_lots for row in store.positions((account_id,))}
    for symbol in sorted(filled.keys() | held.keys()):
        if filled[symbol] != held.get(symbol, 0):
            yield (
                f"{account_id} {symbol}: position {held.get(symbol, 0)} lots, its orders were "
                f"filled with {filled[symbol]}"
            )


def _stream(account_id: str, found: Found) -> Iterator[str]:
    """The account's events are stored without a gap, each once."""
    wanted = 1
    while True:
        chunks = [
            chunk
            for chunk in wiring.store().chunks(account_id, wanted, PAGE)
            if chunk.last_seq >= wanted
        ]
        for chunk in chunks:
            if chunk.first_seq != wanted:
                yield f"{account_id}: events {wanted} to {chunk.first_seq - 1} are missing"
            found.events += chunk.last_seq - chunk.first_seq + 1
            wanted = chunk.last_seq + 1
        if len(chunks) < PAGE:
            return


def _snapshots(found: Found) -> None:
    for partition in range(settings.ENV.partitions):
        store = wiring.store()
        snapshot = store.load_snapshot(partition)
        if snapshot is not None:
            found.snapshots += 1
            wrong = breaches(Book.from_bytes(snapshot.state, store.segments(partition)).state)
            found.breaches += [f"snapshot of partition {partition}: {text}" for text in wrong]

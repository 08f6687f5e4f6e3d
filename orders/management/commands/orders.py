"""manage.py orders: the newest orders of any account, as a table."""

from typing import Any, Final

from django.core.management.base import CommandError, CommandParser
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from oms_project.access import accounts
from oms_project.adapters.process import stop_on_signals
from oms_project.kernel.ports import OrderQuery
from oms_project.kernel.words import OPEN, Status
from oms_project.management.terminal import TerminalCommand
from orders import wiring

WATCH_S: Final = 1.0
LIMIT_MAX: Final = 500
COLOURS: Final = {
    Status.FILLED: "green", Status.PARTIALLY_FILLED: "cyan", Status.REJECTED: "red",
    Status.CANCELED: "dim", Status.EXPIRED: "dim", Status.PENDING_CANCEL: "yellow",
}  # fmt: skip


class Command(TerminalCommand):
    help = (
        "Show the newest orders. --account takes a name or an id, and may be repeated.\n\n"
        "Examples:\n"
        "  manage.py orders --limit 20\n"
        "  manage.py orders --account 'Alpha Fund' --status open --watch\n"
        "  manage.py orders --symbol BTC-USD --status FILLED --status REJECTED --json"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--account", action="append", default=[], help="name or id")
        parser.add_argument("--symbol", default=None)
        parser.add_argument(
            "--status", action="append", default=[], type=str.upper,
            choices=["OPEN", *(status.value for status in Status)], help="may be repeated",
        )  # fmt: skip
        parser.add_argument("--limit", type=int, default=50, help=f"at most {LIMIT_MAX}")
        parser.add_argument("--watch", action="store_true", help="again and again, until Ctrl-C")
        parser.add_argument("--rounds-max", type=int, default=None, help="watch: so many times")
        self.add_json(parser)

    def handle(self, *, watch: bool, rounds_max: int | None, json: bool, **options: Any) -> None:
        if not 0 < options["limit"] <= LIMIT_MAX:
            raise CommandError(f"--limit is between 1 and {LIMIT_MAX}")
        names = accounts_of(options["account"])
        query = query_of(tuple(names), options)
        if json:
            self.print_json(wiring.read_side().orders(query))
        elif watch:
            self._watch(query, names, rounds_max)
        else:
            self.console.print(show(query, names))

    def _watch(self, query: OrderQuery, names: dict[str, str], rounds_max: int | None) -> None:
        stop = stop_on_signals()
        rounds = 0
        with Live(show(query, names), console=self.console, auto_refresh=False) as live:
            while rounds != rounds_max and not stop.wait(WATCH_S):
                rounds += 1
                live.update(show(query, names), refresh=True)


def accounts_of(wanted: list[str]) -> dict[str, str]:
    """Return account id -> name of the accounts named (all of them if none is).

    Raises:
        CommandError: a name or id that no account has.
    """
    every = {row.account_id: row.name for row in accounts.load_all()}
    if not wanted:
        return every
    found: dict[str, str] = {}
    for text in wanted:
        fits = {one: name for one, name in every.items() if text in (one, name)}
        if not fits:
            known = ", ".join(sorted(every.values())) or "none"
            raise CommandError(f"There is no account {text!r}. There are: {known}.")
        found |= fits
    return found


def query_of(account_ids: tuple[str, ...], options: dict[str, Any]) -> OrderQuery:
    statuses = {status for status in options["status"] if status != "OPEN"}
    if "OPEN" in options["status"]:
        statuses |= OPEN
    return OrderQuery(
        account_ids=account_ids, symbol=options["symbol"],
        statuses=tuple(sorted(Status(one) for one in statuses)), limit=options["limit"],
    )  # fmt: skip


def show(query: OrderQuery, names: dict[str, str]) -> Group:
    """Return the table of what is stored now."""
    table = Table("created (UTC)", "account", "symbol", "side", "type", "status")
    for name in ("quantity", "filled", "price", "avg. price"):
        table.add_column(name, justify="right")
    table.add_column("reason")
    table.add_column("order id", style="dim", no_wrap=True)
    found = wiring.read_side().orders(query)
    for order in found["orders"]:
        table.add_row(
            order["created_at"][:23].replace("T", " "), names[order["account_id"]],
            order["symbol"], Text(order["side"], "green" if order["side"] == "buy" else "red"),
            f"{order['type']} {order['time_in_force']}",
            Text(order["status"], COLOURS.get(order["status"], "")), order["quantity"],
            order["filled_quantity"], order["price"] or "market", order["average_price"] or "",
            order["reason"] or "", order["order_id"],
        )  # fmt: skip
    more = " There are more: raise --limit." if found["next_cursor"] else ""
    return Group(table, Text(f"{len(found['orders'])} orders.{more}", style="dim"))

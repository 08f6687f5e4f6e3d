"""manage.py positions: what every account holds, at what it could be closed at now."""

from typing import Any

from django.core.management.base import CommandParser
from rich.table import Table
from rich.text import Text

from marketdata import wiring as market
from oms_project.management.terminal import TerminalCommand
from orders import wiring
from orders.management.commands.orders import accounts_of


class Command(TerminalCommand):
    help = (
        "Show net positions with marks, profit and balances. A position without a fresh price has\n"
        "no unrealised profit: nobody knows it.\n\n"
        "Examples:\n"
        "  manage.py positions\n"
        "  manage.py positions --account 'Alpha Fund' --balances\n"
        "  manage.py positions --json"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--account", action="append", default=[], help="name or id")
        parser.add_argument("--symbol", default=None)
        parser.add_argument("--flat", action="store_true", help="also those that are closed")
        parser.add_argument("--balances", action="store_true", help="show balances as well")
        self.add_json(parser)

    def handle(self, *, json: bool, **options: Any) -> None:
        names = accounts_of(options["account"])
        market.view().refresh()
        found = [_account(account_id, name, options) for account_id, name in names.items()]
        if json:
            self.print_json({"accounts": found})
            return
        self.console.print(_positions(found))
        if options["balances"]:
            self.console.print(_balances(found))


def _account(account_id: str, name: str, options: dict[str, Any]) -> dict[str, Any]:
    read = wiring.read_side()
    positions = [
        one
        for one in read.positions(account_id)
        if (options["flat"] or one["quantity"] != "0")
        and options["symbol"] in (None, one["symbol"])
    ]
    return {
        "account_id": account_id, "name": name, "positions": positions,
        "balances": read.balances(account_id),
    }  # fmt: skip


def _positions(found: list[dict[str, Any]]) -> Table:
    table = Table("account", "symbol")
    for name in ("quantity", "avg. price", "mark", "unrealised", "realised"):
        table.add_column(name, justify="right")
    table.add_column("in")
    for account in found:
        for one in account["positions"]:
            table.add_row(
                account["name"], one["symbol"], one["quantity"], one["average_price"] or "",
                one["mark_price"] or Text("no fresh price", "yellow"),
                _profit(one["unrealized_pnl"]), _profit(one["realized_pnl"]), one["quote"],
            )  # fmt: skip
    return table


def _profit(text: str | None) -> Text:
    if text is None:
        return Text("")
    return Text(text, "red" if text.startswith("-") else "green")


def _balances(found: list[dict[str, Any]]) -> Table:
    table = Table("account", "asset")
    for name in ("free", "locked", "total"):
        table.add_column(name, justify="right")
    for account in found:
        for one in account["balances"]:
            table.add_row(account["name"], one["asset"], one["free"], one["locked"], one["total"])
    return table

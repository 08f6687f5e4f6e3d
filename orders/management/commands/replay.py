"""manage.py replay: rebuild every partition's state from the log and compare it with the live one."""

from typing import Any

import msgspec
from django.conf import settings
from django.core.management.base import CommandParser
from rich.table import Table

from oms_project.management.terminal import TerminalCommand, failed
from orders import replay, wiring


class Command(TerminalCommand):
    help = (
        "Decide every command of the log again and compare the state's hash with the engine's\n"
        "newest snapshot; check the books besides. Reads only: safe while the product runs. If the\n"
        "log was trimmed, the comparison begins at the older kept snapshot.\n"
        "Exit codes: 0 equal, or nothing to compare yet; 1 not equal; 2 it could not be read.\n\n"
        "Examples:\n"
        "  manage.py replay\n"
        "  manage.py replay --json"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        self.add_json(parser)

    def handle(self, *, json: bool, **_: Any) -> None:
        with self.progress("replaying") as advance:
            found = replay.run(wiring.log(), wiring.store(), settings.ENV.partitions, advance)
        rate = int(found.commands / found.seconds) if found.seconds else 0
        if json:
            self.print_json(msgspec.to_builtins(found) | {"commands_per_s": rate})
        else:
            self._show(found, rate)
        failed(not found.equal)

    def _show(self, found: replay.Outcome, rate: int) -> None:
        if not found.compared:
            verdict = "[yellow]nothing to compare yet"
        else:
            verdict = "[green]equal" if found.equal else "[bold red]NOT EQUAL"
        table = Table.grid(padding=(0, 2))
        table.add_row("[bold]State hashes", f"{verdict}[/] ({found.compared} partitions compared)")
        table.add_row("Records", f"{found.records:,}")
        table.add_row("Orders, cancels, reports", f"{found.commands:,}")
        table.add_row("Took", f"{found.seconds:.2f} s, {rate:,} a second")
        for detail in found.details:
            table.add_row("", detail)
        self.console.print(table)

"""manage.py doctor: what is there, what is not, and how to fix it."""

from typing import Any, Final

from django.core.management.base import CommandParser
from rich.table import Table
from rich.text import Text

from oms_project import doctor
from oms_project.management.terminal import TerminalCommand, failed

MARKS: Final = {
    doctor.OK: ("✓", "green"), doctor.WARN: ("!", "yellow"), doctor.FAIL: ("✗", "bold red"),
}  # fmt: skip


class Command(TerminalCommand):
    help = (
        "Check everything the product needs, in the order in which to repair it; each failure\n"
        "comes with its fix. Changes nothing. Exit codes: 0 well, or warnings only; 1 a failure.\n\n"
        "Examples:\n"
        "  manage.py doctor\n"
        "  manage.py doctor --offline      # before the first start: nothing runs yet\n"
        "  manage.py doctor --json"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--offline", action="store_true", help="leave out what must be running")
        self.add_json(parser)

    def handle(self, *, json: bool, offline: bool, **_: Any) -> None:
        findings = []
        console = self.console
        table = Table.grid(padding=(0, 2))
        for finding in doctor.examine(running=not offline):
            findings.append(finding)
            mark, style = MARKS[finding.level]
            table.add_row(Text(mark, style), Text(finding.name, "bold"), Text(finding.found))
            if finding.fix:
                table.add_row("", "", Text(f"→ {finding.fix}", style))
        bad = [one for one in findings if one.level == doctor.FAIL]
        if json:
            self.print_json({"ok": not bad, "checks": findings})
        else:
            console.print(table)
            console.print(
                f"[bold red]{len(bad)} of {len(findings)} checks failed."
                if bad
                else "[green]All is well."
            )
        failed(bool(bad))

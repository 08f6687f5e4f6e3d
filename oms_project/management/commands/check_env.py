"""manage.py check_env: every variable, its value, its default and its meaning."""

import re
from typing import Any, Final

from django.conf import settings
from django.core.management.base import CommandParser
from rich.table import Table
from rich.text import Text

from oms_project import env
from oms_project.management.terminal import TerminalCommand, failed

SECRETS: Final = frozenset(
    {"OMS_SECRET_KEY", "OMS_JWT_KEY", "OMS_SECRET_KEYS_OLD", "OMS_JWT_KEYS_OLD"}
)
MASK: Final = "••••••"
_PASSWORD: Final = re.compile(r"(?<=://)([^:/@]*):(\S+)@")


class Command(TerminalCommand):
    help = (
        "Show the environment this product sees, secrets masked. Variables that begin with OMS_\n"
        "and mean nothing are spelling mistakes: they are named, and the exit code is 1.\n\n"
        "Examples:\n"
        "  manage.py check_env\n"
        "  manage.py check_env --json"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        self.add_json(parser)

    def handle(self, *, json: bool, **_: Any) -> None:
        given = env.source()
        rows = [_row(name, var, given) for name, var in env.VARS.items()]
        mistakes = env.unknown(given)
        if json:
            self.print_json({"variables": rows, "unknown": mistakes})
        else:
            self._show(rows, mistakes)
        failed(bool(mistakes))

    def _show(self, rows: list[dict[str, Any]], mistakes: list[str]) -> None:
        table = Table("variable", "value", "default", "meaning")
        for row in rows:
            style = "bold cyan" if row["set"] else "dim"
            table.add_row(
                row["name"], Text(row["value"], style), Text(row["default"], "dim"), row["meaning"]
            )
        self.console.print(table)
        self.console.print("Set here is [bold cyan]bold[/]; everything else is a default.")
        for name in mistakes:
            self.console.print(f"{name} means nothing: a spelling mistake?", style="bold red")


def _row(name: str, var: env.Var, given: dict[str, str]) -> dict[str, Any]:
    text = given.get(name, var.default)
    field = name.removeprefix("OMS_").lower()
    if name in SECRETS:
        value = MASK if text else ""
    elif text:
        value = masked(text)
    else:
        # what an empty one comes to, where the settings work it out
        value = masked(str(getattr(settings.ENV, field) or ""))
    return {
        "name": name, "value": value, "default": var.default, "set": name in given,
        "meaning": var.meaning,
    }  # fmt: skip


def masked(text: str) -> str:
    """Return *text* without the password of a URL."""
    return _PASSWORD.sub(rf"\1:{MASK}@", text)

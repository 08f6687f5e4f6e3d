"""What commands for people and programs share: tables and bars for the one, --json for the other."""

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, Protocol

import msgspec
from django.core.management.base import (
    BaseCommand,
    CommandError,
    CommandParser,
    DjangoHelpFormatter,
)
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from oms_project.kernel.errors import OmsError

FAILED: Final = 1
BROKEN: Final = 2
"""Exit codes: what was looked at is not right; it could not be looked at."""
PLAIN_COLUMNS: Final = 200
"""Width of a table that goes to a file or another program."""


class _Help(DjangoHelpFormatter, RawDescriptionHelpFormatter):
    """Examples keep their lines."""


class Advance(Protocol):
    def __call__(self, done: int, total: int) -> None: ...


class TerminalCommand(BaseCommand):
    """A command with --json, tables, colours where there is a terminal, and exit codes."""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        return super().create_parser(prog_name, subcommand, formatter_class=_Help, **kwargs)

    def add_json(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def execute(self, *args: Any, **options: Any) -> Any:
        """As Django's; a broken wire is one sentence and exit code 2, not a traceback."""
        try:
            return super().execute(*args, **options)
        except OmsError as error:
            raise CommandError(f"{type(error).__name__}: {error}", returncode=BROKEN) from error

    @property
    def console(self) -> Console:
        terminal = self.stdout.isatty()
        return Console(
            file=self.stdout._out,  # type: ignore[attr-defined]  # Django's wrapper adds newlines
            width=None if terminal else PLAIN_COLUMNS,
            highlight=False,
        )

    def print_json(self, value: Any) -> None:
        """Print *value* as one line of JSON."""
        self.stdout.write(msgspec.json.encode(value).decode())

    @contextmanager
    def progress(self, label: str) -> Iterator[Advance]:
        """Show a bar on stderr while the block runs, if a person looks on."""
        console = Console(stderr=True)
        columns = (TextColumn(label), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(
            *columns, console=console, transient=True, disable=not console.is_terminal
        ) as bar:
            task = bar.add_task(label, total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)


def failed(problem: bool) -> None:
    """End with exit code 1 if there is a *problem*."""
    if problem:
        raise SystemExit(FAILED)

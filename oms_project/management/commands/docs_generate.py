"""manage.py docs_generate: writes the documents that are made from the code, or checks them."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from oms_project import documents
from oms_project.management.terminal import TerminalCommand


class Command(TerminalCommand):
    help = (
        "Write docs/order-states.md, docs/env.md, docs/roles.md and .env.example from the code.\n\n"
        "Examples:\n"
        "  manage.py docs_generate\n"
        "  manage.py docs_generate --check     # write nothing; fail if one is not current"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="write nothing")

    def handle(self, *, check: bool, **_: Any) -> None:
        old = [
            path
            for path, text in documents.documents().items()
            if not path.exists() or path.read_text() != text
        ]
        if check and old:
            names = ", ".join(path.name for path in old)
            raise CommandError(f"{names} not current: run `manage.py docs_generate`")
        for path, text in documents.documents().items():
            if path in old:
                path.parent.mkdir(exist_ok=True)
                path.write_text(text)
            self.stdout.write(f"{path.name}: {'written' if path in old else 'current'}")

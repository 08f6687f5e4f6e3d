"""manage.py openapi: writes docs/openapi.json, or checks that it is current."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from oms_project.rest import openapi


class Command(BaseCommand):
    help = (
        "Write the OpenAPI document of the API to docs/openapi.json.\n\n"
        "Examples:\n  manage.py openapi\n  manage.py openapi --check"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--check", action="store_true", help="write nothing; fail if the file is not current"
        )

    def handle(self, *, check: bool, **_: Any) -> None:
        made = openapi.document()
        current = openapi.PATH.exists() and openapi.PATH.read_bytes() == made
        if check and not current:
            raise CommandError(f"{openapi.PATH} is not current: run `manage.py openapi`")
        if not current:
            openapi.PATH.parent.mkdir(exist_ok=True)
            openapi.PATH.write_bytes(made)
        self.stdout.write(f"{openapi.PATH}: {'current' if current else 'written'}")

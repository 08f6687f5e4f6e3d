"""What the commands of all roles share: a name, and an inner port."""

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from oms_project import probes
from oms_project.adapters import process
from oms_project.checks import Checks

BEHIND_THE_DOOR: Final = 5


class RoleCommand(BaseCommand):
    """A long-running role of the product."""

    role = ""
    gives_way = BEHIND_THE_DOOR
    """How nice its process is to others of the machine. Where all run on one, whoever waits for an
    answer goes first: the door has durably taken an order long before the rest could."""
    # A role that was killed is to be back soon: Django's checks load every view and form of the web,
    # half a second of CPU. `manage.py check`, tests and the deploy's other commands run them.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--inner-port", type=int, default=settings.ENV.inner_port,
            help="port of /livez, /readyz, /health and /metrics; 0: none",
        )  # fmt: skip

    def run_from_argv(self, argv: list[str]) -> None:
        """Begin a process that is this role and nothing else (a call from within another is not)."""
        os.nice(self.gives_way)
        super().run_from_argv(argv)

    def execute(self, *args: Any, **options: Any) -> str | None:
        process.become(self.role)
        return super().execute(*args, **options)

    def inner(
        self,
        inner_port: int,
        checks: Checks,
        *,
        alive: Callable[[], str] = lambda: "",
        sources: Sequence[probes.Source] = (),
    ) -> AbstractContextManager[int]:
        """Return the role's inner port, open while the context lasts."""
        address = (settings.ENV.inner_host, inner_port)
        return probes.serving(self.role, address, checks, alive=alive, sources=sources)

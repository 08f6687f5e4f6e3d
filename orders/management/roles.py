"""The roles that are a loop over a topic: engine and projector."""

from contextlib import AbstractContextManager

from django.core.management.base import CommandParser

from oms_project import health
from oms_project.adapters.loop import Loop
from oms_project.management.roles import RoleCommand
from oms_project.probes import LagSource
from orders import wiring


class LoopCommand(RoleCommand):
    """Runs a loop, for so many rounds or until it is stopped."""

    topic = ""

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--rounds-max", type=int, default=None, help="stop after so many polls")

    def inner_of(self, loop: Loop, inner_port: int) -> AbstractContextManager[int]:
        """Return the inner port: the loop's lag in its partitions, and whether it goes round."""
        lag = LagSource(
            "oms_loop_lag", "Records this process has not handled yet",
            lambda: wiring.log().end_offsets(self.topic), loop.positions,
        )  # fmt: skip
        checks = health.checks(self.role, loop=loop.meter.check)
        return self.inner(inner_port, checks, sources=[lag])

"""manage.py run_projector: writes what is shown."""

from django.core.management.base import BaseCommand

from oms_project.adapters.process import calm_collector, stop_on_signals
from orders import wiring


class Command(BaseCommand):
    help = (
        "Write the events of the log into the order store and the reference tables.\n\n"
        "  manage.py run_projector\n"
        "  manage.py run_projector --rounds-max 10"
    )

    def add_arguments(self, parser) -> None:
        parser.add_argument("--rounds-max", type=int, default=None, help="stop after so many polls")

    def handle(self, *, rounds_max: int | None, **_: object) -> None:
        stop = stop_on_signals()
        calm_collector()
        wiring.projector_loop().run(stop, rounds_max=rounds_max)

"""manage.py run_engine: one engine, owner of its share of the partitions."""

from django.core.management.base import BaseCommand

from oms_project.adapters.process import calm_collector, stop_on_signals
from orders import wiring


class Command(BaseCommand):
    help = (
        "Decide the commands of the log, one writer a partition. Run as many as there are "
        "partitions; each takes its share, and the rest stand by.\n\n"
        "  manage.py run_engine\n"
        "  OMS_VENUE_LATENCY_MS=0-0 manage.py run_engine     # a venue that answers at once"
    )

    def add_arguments(self, parser) -> None:
        parser.add_argument("--rounds-max", type=int, default=None, help="stop after so many polls")

    def handle(self, *, rounds_max: int | None, **_: object) -> None:
        stop = stop_on_signals()
        calm_collector()
        wiring.engine_loop(stop).run(stop, rounds_max=rounds_max)

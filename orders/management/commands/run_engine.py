"""manage.py run_engine: one engine, owner of its share of the partitions."""

from oms_project.adapters.process import calm_collector, stop_on_signals
from oms_project.kernel.words import Topic
from orders import wiring
from orders.management.roles import LoopCommand


class Command(LoopCommand):
    role = "engine"
    topic = Topic.COMMANDS
    help = (
        "Decide the commands of the log, one writer a partition. Run as many as there are "
        "partitions; each takes its share, and the rest stand by.\n\n"
        "  manage.py run_engine\n"
        "  OMS_VENUE_LATENCY_MS=0-0 manage.py run_engine     # a venue that answers at once"
    )

    def handle(self, *, rounds_max: int | None, inner_port: int, **_: object) -> None:
        stop = stop_on_signals()
        calm_collector()
        loop = wiring.engine_loop(stop)
        with self.inner_of(loop, inner_port):
            loop.run(stop, rounds_max=rounds_max)

"""manage.py run_projector: writes what is shown."""

from oms_project.adapters.process import calm_collector, stop_on_signals
from oms_project.kernel.words import Topic
from orders import wiring
from orders.management.roles import LoopCommand


class Command(LoopCommand):
    role = "projector"
    topic = Topic.EVENTS
    help = (
        "Write the events of the log into the order store and the reference tables.\n\n"
        "  manage.py run_projector\n"
        "  manage.py run_projector --rounds-max 10"
    )

    def handle(self, *, rounds_max: int | None, inner_port: int, **_: object) -> None:
        stop = stop_on_signals()
        calm_collector()
        loop = wiring.projector_loop()
        with self.inner_of(loop, inner_port):
            loop.run(stop, rounds_max=rounds_max)

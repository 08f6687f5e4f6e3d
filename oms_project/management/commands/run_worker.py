"""manage.py run_worker: background tasks, one process."""

from django.core.management.base import CommandParser

from oms_project import health
from oms_project.celery import app
from oms_project.management.roles import RoleCommand


class Command(RoleCommand):
    role = "worker"
    help = (
        "Run the background tasks, one at a time. With --beat it also says when they are due: in a\n"
        "cluster one beat is enough (`celery -A oms_project.celery:app beat`).\n\n"
        "  manage.py run_worker --beat\n"
        "  manage.py run_worker --inner-port 9100"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--beat", action="store_true", help="schedule the tasks, too")

    def handle(self, *, inner_port: int, beat: bool, **_: object) -> None:
        # One process, so that its counters are all there are and the inner port shows them.
        arguments = [
            "worker", "--pool", "solo", "--loglevel", "WARNING", "--without-gossip",
            "--without-mingle",
        ]  # fmt: skip
        with self.inner(inner_port, health.checks(self.role)):
            app.worker_main([*arguments, *(["--beat"] if beat else [])])

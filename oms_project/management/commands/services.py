"""manage.py services: the real servers as local processes, until Ctrl-C."""

import json
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from oms_project.adapters.process import stop_on_signals
from oms_project.adapters.servers import start_all
from oms_project.kernel.errors import OmsError


class Command(BaseCommand):
    help = (
        "Start Valkey, Kafka (Apache Kafka where mvn and java are, else Tansu) and SecantusDB on "
        "127.0.0.1, create the topics, print the variables that point at them and keep running "
        "until Ctrl-C. Data and ports stay in the folder.\n\n"
        "Examples:\n"
        "  manage.py services\n"
        "  manage.py services --folder var/services > services.env"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--folder", type=Path, default=None, help="where the data lies")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *, folder: Path | None, **options: Any) -> None:
        stop = stop_on_signals()
        try:
            running = start_all(
                folder or settings.ENV.data_dir / "services", settings.ENV.partitions
            )
        except (OmsError, LookupError) as error:
            raise CommandError(str(error)) from error
        try:
            self._tell(running.urls.as_env(), as_json=options["json"])
            stop.wait()
        finally:
            self.stderr.write("Stopping …")
            running.stop()

    def _tell(self, urls: dict[str, str], *, as_json: bool) -> None:
        lines = [f"{name}={url}" for name, url in urls.items()]
        self.stdout.write(json.dumps(urls) if as_json else "\n".join(lines))
        self.stdout.flush()
        self.stderr.write("Running; Ctrl-C ends them and keeps their data.")

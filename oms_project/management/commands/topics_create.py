"""manage.py topics_create: makes the Kafka topics, or checks that they fit."""

import json
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from oms_project.adapters.logs import kafka_address
from oms_project.kernel.errors import OmsError


class Command(BaseCommand):
    help = (
        "Create the topics of LOG_URL with OMS_PARTITIONS partitions each, or check those that are "
        "there. Safe to repeat; a topic with another number of partitions is refused, never "
        "changed. Does nothing when the log is not Kafka.\n\n"
        "Examples:\n"
        "  manage.py topics_create                                  # 3 replicas, 2 in sync\n"
        "  manage.py topics_create --replication 1 --min-insync 1   # one broker"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--replication", type=int, default=3, help="copies of a record")
        parser.add_argument(
            "--min-insync",
            type=int,
            default=2,
            help="copies that must have a record before it is acknowledged",
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *, replication: int, min_insync: int, **options: Any) -> None:
        url = settings.ENV.log_url
        partitions = settings.ENV.partitions
        if min_insync > replication:
            raise CommandError("--min-insync cannot be more than --replication")
        if not url.startswith("kafka://"):
            self._tell(options, [], "The log is not Kafka: there are no topics to create.")
            return
        # Imported on use: a product on SQLite does not load kafka-python.
        from oms_project.adapters.kafka_topics import ensure_topics

        try:
            brokers, kafka_options = kafka_address(url)
            made = ensure_topics(
                brokers,
                partitions,
                options=kafka_options,
                replication=replication,
                min_insync=min_insync,
            )
        except (OmsError, ValueError) as error:
            raise CommandError(str(error)) from error
        names = ", ".join(made) or "nothing: every topic is there"
        self._tell(options, made, f"Created with {partitions} partitions: {names}.")

    def _tell(self, options: dict[str, Any], made: list[str], text: str) -> None:
        if not options["verbosity"]:
            return
        found = {"created": [str(name) for name in made], "partitions": settings.ENV.partitions}
        self.stdout.write(json.dumps(found) if options["json"] else text)

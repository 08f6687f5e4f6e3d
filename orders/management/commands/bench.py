"""manage.py bench: figures, measured on a product of its own and verified."""

import subprocess
import sys

from django.conf import settings
from django.core.management.base import BaseCommand

from oms_project import env
from orders.bench import product, scenarios
from orders.bench.result import show


class Command(BaseCommand):
    help = (
        "Measure the product. Starts one of its own in a temporary folder, loads it, waits until "
        "all is persisted, and verifies every acknowledged order and the books.\n\n"
        "  manage.py bench batch --seconds 10\n"
        "  manage.py bench single --rate 1000 --seconds 10 --json\n"
        "  manage.py bench single --max\n"
        "  manage.py bench replay\n"
        "  manage.py bench read --orders 1000000\n"
        "  manage.py bench fairness --seconds 5\n"
        "  manage.py bench attack --seconds 600\n"
        "  manage.py bench page --seconds 60"
    )

    def add_arguments(self, parser) -> None:
        parser.add_argument("scenario", choices=sorted(scenarios.SCENARIOS))
        parser.add_argument("--seconds", type=int, default=10)
        parser.add_argument("--rate", type=int, default=1000, help="single: requests a second")
        parser.add_argument("--max", action="store_true", help="single: as fast as they are taken")
        parser.add_argument("--batch", type=int, default=500, help="batch: orders a request")
        parser.add_argument(
            "--orders", type=int, default=1_000_000, help="read: how many there are"
        )
        parser.add_argument("--connections", type=int, default=0)
        parser.add_argument("--accounts", type=int, default=8)
        parser.add_argument("--latency-ms", default="0-0", help="the simulated venue's, min-max")
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        parser.add_argument("--keep", action="store_true", help="keep the temporary folder")
        parser.add_argument("--here", action="store_true", help="use OMS_DATA_DIR as it is")

    def handle(self, *, here: bool, keep: bool, latency_ms: str, **options: object) -> None:
        if here:
            self._measure(options)
            return
        # Settings are read once a process: the measured product's own folder needs a new one.
        with product.folder(keep) as data_dir:
            changes = {
                "OMS_DATA_DIR": str(data_dir), "OMS_VENUE_LATENCY_MS": latency_ms,
                "OMS_LOG_LEVEL": "WARNING", "OMS_HISTORY_HOURS": "0",
                "OMS_ORDERS_PER_S": "1000000",  # counted as ever, and not what is measured
            }  # fmt: skip
            arguments = [*sys.argv[1:], "--here"]
            line = [sys.executable, str(settings.BASE_DIR / "manage.py"), *arguments]
            done = subprocess.run(line, env=env.child(**changes), check=False)
            if keep:
                self.stderr.write(f"kept {data_dir}")
        sys.exit(done.returncode)

    def _measure(self, options: dict) -> None:
        scenario = options["scenario"]
        if scenario == "batch":
            result = scenarios.batch(
                seconds=options["seconds"], size=options["batch"],
                connections=options["connections"] or 4, accounts=options["accounts"],
                rate_guess=60_000,
            )  # fmt: skip
        elif scenario == "single":
            rate = 0 if options["max"] else options["rate"]
            result = scenarios.single(
                seconds=options["seconds"], rate=rate,
                connections=options["connections"] or (32 if options["max"] else 64),
                accounts=options["accounts"],
            )  # fmt: skip
        elif scenario == "read":
            result = scenarios.read(orders=options["orders"])
        elif scenario == "fairness":
            result = scenarios.fairness(seconds=options["seconds"], accounts=options["accounts"])
        elif scenario == "page":
            result = scenarios.page(seconds=options["seconds"], accounts=options["accounts"])
        elif scenario == "attack":
            result = scenarios.attack(seconds=options["seconds"], accounts=options["accounts"])
        else:
            result = scenarios.replay()
        show(result, as_json=options["json"])
        if not result.verified:
            sys.exit(1)

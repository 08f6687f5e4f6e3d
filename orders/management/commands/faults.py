"""manage.py faults: breaks a product of its own under load and judges what is left."""

import signal
import subprocess
import sys
from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from oms_project import env
from oms_project.adapters.ids import seeded
from oms_project.adapters.servers import Services, Tansu
from orders.bench import product
from orders.faults import matrix, points
from orders.faults.chaos import Plan
from orders.faults.result import show

KILLS: int = 20
SNAPSHOT_RECORDS = "300"
IN_FLIGHT_MAX = "1000"
"""With --services: SecantusDB stores some hundred orders a second; each web that starts takes as many."""


class Command(BaseCommand):
    help = (
        "Start a product in a temporary folder, order from it with several clients that note every "
        "request and answer, kill its processes and servers meanwhile, and judge: nothing "
        "acknowledged is lost, nothing happens twice, the books add up, a replay of the log gives "
        "the live state. Exits with 1 unless all of that is so.\n\n"
        "  manage.py faults --kills 20\n"
        "  manage.py faults --kills 20 --services --broker-restarts 2\n"
        "  manage.py faults --kills 5 --clock-jumps 4 --restores 2\n"
        "  manage.py faults --points                      # every named crash point\n"
        "  manage.py faults --point engine.after_events:3\n"
        "  manage.py faults --render                      # docs/guarantees.md from kept runs"
    )

    def add_arguments(self, parser) -> None:
        parser.add_argument("--kills", type=int, default=None, help=f"SIGKILLs (default {KILLS})")
        parser.add_argument("--points", action="store_true", help="die at every named crash point")
        parser.add_argument("--point", action="append", default=[], help="[role/]name[:nth]")
        parser.add_argument("--services", action="store_true", help="on Valkey, Kafka, SecantusDB")
        parser.add_argument(
            "--broker-restarts", type=int, default=0, help="SIGKILL Kafka, start it"
        )
        parser.add_argument("--store-restarts", type=int, default=0, help="the same to SecantusDB")
        parser.add_argument("--redis-kills", type=int, default=0, help="the same to Valkey")
        parser.add_argument("--redis-flushes", type=int, default=0, help="FLUSHALL")
        parser.add_argument("--clock-jumps", type=int, default=0, help="a role's clock, by an hour")
        parser.add_argument(
            "--restores", type=int, default=0, help="put an older store back (embedded)"
        )
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument("--clients", type=int, default=8)
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        parser.add_argument("--keep", action="store_true", help="keep the temporary folder")
        parser.add_argument("--record", metavar="NAME", help="keep the result in docs/measurements")
        parser.add_argument("--render", action="store_true", help="write docs/guarantees.md")
        parser.add_argument("--here", type=Path, help="(internal) the folder of this run")

    def handle(self, *, here: Path | None, render: bool, **options: object) -> None:
        if render:
            matrix.write(settings.BASE_DIR)
        elif here is not None:
            self._run(here, options)
        else:
            self._again_with_a_folder_of_its_own(options)

    def _again_with_a_folder_of_its_own(self, options: dict) -> None:
        """Settings are read once a process: the product's own folder and servers need a new one."""
        self._plan(options)
        _end_in_order()
        with product.folder(options["keep"], "oms-faults-") as folder:
            changes = {
                "OMS_DATA_DIR": str(folder / "product"), "OMS_LOG_LEVEL": "WARNING",
                "OMS_SNAPSHOT_RECORDS": SNAPSHOT_RECORDS, "OMS_HISTORY_HOURS": "0",
            }  # fmt: skip
            if options["services"]:
                changes |= Services(folder / "services").urls.as_env()
                changes["OMS_IN_FLIGHT_MAX"] = IN_FLIGHT_MAX
            line = [sys.executable, str(settings.BASE_DIR / "manage.py"), *sys.argv[1:]]
            inner = subprocess.Popen([*line, "--here", str(folder)], env=env.child(**changes))
            try:
                code = inner.wait()
            finally:
                inner.terminate()  # it ends what it has started
                inner.wait()
            if options["keep"]:
                self.stderr.write(f"kept {folder}")
        sys.exit(code)

    def _run(self, folder: Path, options: dict) -> None:
        from orders.faults import run

        _end_in_order()
        services = Services(folder / "services") if options["services"] else None
        if services is not None and isinstance(services.kafka, Tansu):
            raise CommandError("Apache Kafka is needed (mvn and java 17): Tansu keeps nothing.")
        try:
            result = run.run(
                self._plan(options), seed=options["seed"], clients=options["clients"],
                services=services, tell=lambda text: self.stderr.write(f"· {text}"),
            )  # fmt: skip
        finally:
            if services is not None:
                services.stop()
        result.command = "manage.py " + " ".join(_public(sys.argv[1:]))
        if options["record"]:
            matrix.keep(settings.BASE_DIR, options["record"], result)
        show(result, as_json=options["json"])
        if not result.right:
            sys.exit(1)

    def _plan(self, options: dict) -> Plan:
        """Return what is asked for.

        Raises:
            CommandError: a point that this backend does not pass, servers without --services.
        """
        backend = points.SERVICES if options["services"] else points.EMBEDDED
        servers = ("broker_restarts", "store_restarts", "redis_kills", "redis_flushes")
        if backend == points.EMBEDDED and any(options[name] for name in servers):
            raise CommandError("There are servers to break only with --services.")
        if backend == points.SERVICES and options["restores"]:
            raise CommandError("The store of --services is restored by its own server.")
        dice = seeded(options["seed"])
        wanted = []
        if options["points"]:
            wanted = [(one, 1 + dice.randrange(one.nth_max)) for one in points.of(backend)]
        for text in options["point"]:
            name, _, nth = text.partition(":")
            try:
                wanted.append((points.find(name, backend), int(nth or "1")))
            except ValueError as error:
                raise CommandError(str(error)) from error
        kills = options["kills"]
        if kills is None:
            kills = 0 if wanted else KILLS
        others = (*servers, "clock_jumps", "restores")
        return Plan(kills=kills, points=wanted, **{name: options[name] for name in others})


def _end_in_order() -> None:
    """Run every `finally` on SIGTERM: nothing that was started is left behind."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))


def _public(arguments: list[str]) -> list[str]:
    """Return the command line as a person types it."""
    hidden = ("--here", "--record", "--json", "--keep")
    shown, skip = [], False
    for argument in arguments:
        if not skip and argument not in hidden:
            shown.append(argument)
        skip = argument in ("--here", "--record")
    return shown

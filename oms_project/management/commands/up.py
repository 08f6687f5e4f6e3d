"""manage.py up: the whole product on one machine. Few processes, one Ctrl-C."""

import contextlib
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import IO, Final

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand
from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from oms_project import delivery, env
from oms_project.adapters.clock import NS_PER_S, SystemClock
from oms_project.adapters.process import stop_on_signals

WATCH_S: Final = 0.5
STOP_S: Final = 15.0
QUICK_NS: Final = 5 * NS_PER_S
BACK_OFF_MAX_S: Final = 30.0


def manage(*arguments: str) -> list[str]:
    return [sys.executable, str(settings.BASE_DIR / "manage.py"), *arguments]


ROLES: Final = ("engine", "projector", "marketdata", "web", "worker", "pusher")
INNER_OFFSET: Final = 1_000
"""The first inner port is the public one and so much, if that is free."""


def inner_ports(first: int) -> dict[str, int]:
    """Return an inner port a role: *first* and those behind it, or free ones where they are taken."""
    return {role: _free_port(first + index) for index, role in enumerate(ROLES)}


def _free_port(wanted: int) -> int:
    for port in (wanted, 0):
        with socket.socket() as found, contextlib.suppress(OSError, OverflowError):
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            found.bind((settings.ENV.inner_host, port))
            return int(found.getsockname()[1])
    return 0


def roles(port: int, inner: Mapping[str, int] = MappingProxyType({})) -> dict[str, list[str]]:
    """Return every role's command line, in the order they are started. *inner*: ports by role."""
    found = {
        "engine": manage("run_engine"),
        "projector": manage("run_projector"),
        "marketdata": manage("run_marketdata"),
        "web": manage("run_web", "--port", str(port)),
        "worker": manage("run_worker", "--beat"),
    }
    if settings.ENV.redis_url:
        found["pusher"] = manage("run_pusher")
    return {
        role: [*line, "--inner-port", str(inner[role])] if role in inner else line
        for role, line in found.items()
    }


@dataclass
class Child:
    """One role's process; started again when it dies, later and later if it dies at once."""

    role: str
    command: list[str]
    log: IO[bytes]
    process: subprocess.Popen | None = None
    started_ns: int = 0
    quick_deaths: int = 0
    retry_at_ns: int = 0
    restarts: int = field(default=0)

    def start(self, now_ns: int) -> None:
        self.process = subprocess.Popen(
            self.command, stdout=self.log, stderr=self.log, cwd=settings.BASE_DIR, env=env.child()
        )
        self.started_ns = now_ns

    def watch(self, now_ns: int) -> str | None:
        """Start the process again if it is due; return what to tell, if anything."""
        if self.process is not None:
            code = self.process.poll()
            if code is None:
                return None
            quick = now_ns - self.started_ns < QUICK_NS
            self.quick_deaths = self.quick_deaths + 1 if quick else 0
            wait_s = min(BACK_OFF_MAX_S, 0.2 * 2**self.quick_deaths)
            self.retry_at_ns = now_ns + int(wait_s * NS_PER_S)
            self.process = None
            self.restarts += 1
            return f"{self.role} ended with {code}; again in {wait_s:.1f} s (see {self.log.name})"
        if now_ns >= self.retry_at_ns:
            self.start(now_ns)
        return None


class Command(BaseCommand):
    help = (
        "Run everything on this machine: web, engine, projector, market data, Celery.\n\n"
        "  manage.py up                    # http://127.0.0.1:8000\n"
        "  manage.py up --services         # on Valkey, Kafka and documents, started here\n"
        "  manage.py up --port 9000 --no-demo"
    )

    def add_arguments(self, parser) -> None:
        parser.add_argument("--port", type=int, default=settings.ENV.web_port)
        parser.add_argument(
            "--inner-port", type=int, default=settings.ENV.inner_port,
            help="first of the roles' inner ports (default: --port and 1000)",
        )  # fmt: skip
        parser.add_argument("--no-demo", action="store_true", help="do not seed the demo")
        parser.add_argument(
            "--services",
            action="store_true",
            help="start Valkey, Kafka and SecantusDB, and use them",
        )
        parser.add_argument("--only", default="", help="comma-separated roles, for trials")

    def handle(
        self, *, port: int, inner_port: int, no_demo: bool, only: str, services: bool, **_: object
    ) -> None:
        stop = stop_on_signals()
        console = Console(stderr=True)
        if services:
            on_services([a for a in sys.argv[1:] if a != "--services"], stop, console)
            return
        prepare(demo=not no_demo)
        wanted = set(only.split(",")) if only else None
        logs = settings.ENV.data_dir / "logs"
        logs.mkdir(exist_ok=True)
        inner = inner_ports(inner_port or port + INNER_OFFSET)
        children = [
            Child(role, command, (logs / f"{role}.log").open("ab"))
            for role, command in roles(port, inner).items()
            if wanted is None or role in wanted
        ]
        console.print(_welcome(port, inner, children, logs, demo=not no_demo))
        watch(children, stop, console)


def on_services(arguments: list[str], stop: threading.Event, console: Console) -> None:
    """Start the real servers, then this same command in a process whose settings point at them."""
    from oms_project.adapters.servers import start_all

    folder = settings.ENV.data_dir / "services"
    console.print("[dim]Starting Valkey, Kafka and SecantusDB …")
    running = start_all(folder, settings.ENV.partitions)
    try:
        urls = running.urls.as_env()
        console.print("\n".join(f"[dim]{name}={url}" for name, url in urls.items()))
        own = env.child(**urls, OMS_DATA_DIR=str(folder / "product"))
        inner = subprocess.Popen(manage(*arguments), cwd=settings.BASE_DIR, env=own)
        try:
            while inner.poll() is None and not stop.wait(WATCH_S):
                pass
        finally:
            inner.terminate()
            inner.wait()
    finally:
        running.stop()


def prepare(*, demo: bool) -> None:
    """Make the tables, the static files and, if wanted, the demo; safe to repeat."""
    for alias in settings.DATABASES:
        call_command("migrate", database=alias, verbosity=0, interactive=False)
    delivery.collect()
    if settings.ENV.log_url.startswith("kafka://"):
        call_command("topics_create", verbosity=0)
    if demo:
        call_command("demo", verbosity=0)


def watch(children: list[Child], stop: threading.Event, console: Console) -> None:
    """Start the children and keep them running until *stop*; then end them gently."""
    clock = SystemClock()
    try:
        for child in children:
            child.start(clock.monotonic_ns())
        while not stop.wait(WATCH_S):
            for child in children:
                told = child.watch(clock.monotonic_ns())
                if told:
                    console.print(f"[yellow]{told}")
    finally:
        end(children)
        console.print("[dim]All ended. What was acknowledged is in the log.")


def end(children: list[Child]) -> None:
    """SIGTERM to all, SIGKILL to who does not hear it."""
    alive = [child.process for child in children if child.process is not None]
    for process in alive:
        process.terminate()
    for process in alive:
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    for child in children:
        child.log.close()


def _welcome(
    port: int, inner: Mapping[str, int], children: list[Child], logs: Path, *, demo: bool
) -> Panel:
    table = Table.grid(padding=(0, 2))
    url = f"http://127.0.0.1:{port}"
    table.add_row("[bold]Terminal", f"[link={url}]{url}/[/link]")
    table.add_row("API", f"{url}/api/docs/")
    table.add_row("Admin", f"{url}/admin/")
    if demo:
        from orders.domain.demo import LOGINS, PASSWORD

        names = ", ".join(f"[bold]{login.username}[/] ({login.text})" for login in LOGINS)
        table.add_row("Log in as", names)
        table.add_row("Password", PASSWORD)
    names = ", ".join(f"{child.role} {inner[child.role]}" for child in children)
    table.add_row("Inner ports", f"{names} [dim](/readyz, /health, /metrics)")
    table.add_row("Logs", str(logs))
    return Panel(table, title="Crypto OMS · SIMULATED", subtitle="Ctrl-C ends everything")

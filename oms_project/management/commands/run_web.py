"""manage.py run_web: one web process, pages, API and websockets."""

import sys
from typing import Final

import uvicorn
from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from oms_project import health, probes, server
from oms_project.access import users
from oms_project.adapters.process import calm_collector
from oms_project.management.roles import RoleCommand
from orders.domain import demo


def refuse_demo_users() -> None:
    """End with a message if somebody who comes over https could log in with the demo's password."""
    if not settings.ENV.secure_cookies:
        return
    there = users.with_password([login.username for login in demo.LOGINS], demo.PASSWORD)
    if there:
        raise CommandError(
            f"{', '.join(there)} have the demo's password, which is published. Change it, disable "
            "them, or start on a database without the demo (`manage.py up --no-demo`)."
        )


SWITCH_S: Final = 0.000_1
GEN0_OBJECTS: Final = 10_000
"""Pages leave cycles behind (requests, exceptions with their frames): looked for more often than by
the engine, which leaves none."""


class Command(RoleCommand):
    role = "web"
    gives_way = 0
    help = (
        "Serve the pages, the API and the websockets: one process, one event loop. Run more of them\n"
        "behind a proxy that is named in OMS_PROXIES, and keep connections longer than it does.\n\n"
        "  manage.py run_web\n"
        "  manage.py run_web --host 0.0.0.0 --keep-alive-s 130 --drain-s 30"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
        parser.add_argument("--port", type=int, default=settings.ENV.web_port)
        parser.add_argument(
            "--keep-alive-s", type=int, default=server.KEEP_ALIVE_S,
            help="how long a connection may be silent between two requests",
        )  # fmt: skip
        parser.add_argument(
            "--drain-s", type=int, default=server.DRAIN_S,
            help="how long requests may take that are under way at the end",
        )  # fmt: skip

    def handle(
        self, *, host: str, port: int, inner_port: int, keep_alive_s: int, drain_s: int, **_: object
    ) -> None:
        refuse_demo_users()
        # Imported on use: only a process that serves puts the whole application together.
        from oms_project.asgi import application

        # Order entry runs in the event loop, reads in threads. Each time the loop waits for a socket or
        # a commit it gives the interpreter away, and a busy thread keeps it for that long.
        sys.setswitchinterval(SWITCH_S)
        calm_collector(GEN0_OBJECTS)
        connections_max = server.raise_descriptor_limit(settings.ENV.connections_max)
        found = server.config(
            application, host=host, port=port, connections_max=connections_max,
            proxies=settings.ENV.proxies, keep_alive_s=keep_alive_s, drain_s=drain_s,
        )  # fmt: skip
        with self.inner(
            inner_port, health.CHECKS, alive=probes.HEART.alive, sources=health.SOURCES
        ):
            uvicorn.Server(found).run()

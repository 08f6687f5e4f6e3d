"""manage.py run_pusher: tells watching sockets that there is more, through Redis."""

import asyncio

from django.conf import settings
from django.core.management.base import CommandError

from oms_project import health
from oms_project.adapters.process import stop_on_signals
from oms_project.management.roles import RoleCommand
from orders import wiring


class Command(RoleCommand):
    role = "pusher"
    help = (
        "Publish hints to the websockets of all web processes. Needs REDIS_URL: without it the "
        "web process does this itself.\n\n"
        "  REDIS_URL=redis://127.0.0.1:6379/0 manage.py run_pusher"
    )

    def handle(self, *, inner_port: int, **_: object) -> None:
        if not settings.ENV.redis_url:
            raise CommandError("Set REDIS_URL; without it hints cannot leave this process.")
        stop = stop_on_signals()

        async def run() -> None:
            over = asyncio.Event()
            loop = asyncio.get_running_loop()
            loop.run_in_executor(None, lambda: (stop.wait(), loop.call_soon_threadsafe(over.set)))
            await wiring.pusher().run(over)

        checks = health.checks(self.role, loop=wiring.pusher().meter.check)
        with self.inner(inner_port, checks):
            asyncio.run(run())

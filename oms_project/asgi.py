"""ASGI entry point: where HTTP, websockets and the process' own tasks are put together."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "oms_project.settings")
django_app = get_asgi_application()

# Models can be imported from here on.
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.conf import settings  # noqa: E402

from marketdata import wiring as market  # noqa: E402
from marketdata.ws.routing import websocket_urlpatterns as market_sockets  # noqa: E402
from oms_project.access import hashing  # noqa: E402
from oms_project.lifespan import Lifespan, Part, running  # noqa: E402
from oms_project.probes import HEART  # noqa: E402
from oms_project.rest.door import limits  # noqa: E402
from oms_project.rest.fair import fairly  # noqa: E402
from oms_project.rest.sockets import SEATS, guarded, unknown  # noqa: E402
from oms_project.threads import releasing  # noqa: E402
from orders import wiring  # noqa: E402
from orders.rest import lean  # noqa: E402
from orders.ws.routing import websocket_urlpatterns as order_sockets  # noqa: E402


@contextlib.asynccontextmanager
async def following_prices() -> AsyncIterator[None]:
    """Keep this process' prices fresh."""
    view = market.view()
    view.start()
    try:
        yield
    finally:
        await view.stop()


@contextlib.asynccontextmanager
async def finishing_commits() -> AsyncIterator[None]:
    """At the end, let what waits for the log be written; whoever starts again gets a new one."""
    yield
    if wiring.group_commit.cache_info().currsize:
        await asyncio.to_thread(wiring.group_commit().close)
    for made in (wiring.group_commit, wiring.gateway, wiring.read_side):
        made.cache_clear()


sockets = URLRouter([*market_sockets, *order_sockets, unknown])

PARTS: list[Part] = [
    releasing,
    hashing.in_line,
    lambda: running("heart", HEART.run),
    lambda: running("seats", SEATS.watch),
    following_prices,
    finishing_commits,
]
if not settings.ENV.redis_url:
    # The hints go through this process' memory, so the pusher runs in it. With Redis it is a role.
    PARTS.append(lambda: running("pusher", lambda: wiring.pusher().run()))

application = ProtocolTypeRouter(
    {
        "http": limits(lean.app(fairly(django_app))),
        "websocket": guarded(sockets),
        "lifespan": Lifespan(PARTS),
    }
)

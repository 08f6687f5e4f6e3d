"""ASGI entry point: where HTTP, websockets and the process' own tasks are put together."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "oms_project.settings")
django_app = get_asgi_application()

# Models can be imported from here on.
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402

from marketdata.ws.routing import websocket_urlpatterns as market_sockets  # noqa: E402
from oms_project.lifespan import Lifespan, running  # noqa: E402
from oms_project.rest.door import limits  # noqa: E402
from oms_project.rest.sockets import SEATS, guarded, unknown  # noqa: E402
from orders.rest import lean  # noqa: E402
from orders.ws.routing import websocket_urlpatterns as order_sockets  # noqa: E402

sockets = URLRouter([*market_sockets, *order_sockets, unknown])

PARTS = (lambda: running("seats", SEATS.watch),)

application = ProtocolTypeRouter(
    {
        "http": limits(lean.app(django_app)),
        "websocket": guarded(sockets),
        "lifespan": Lifespan(PARTS),
    }
)

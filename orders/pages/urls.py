"""The pages of the running product."""

from orders.pages.live import LiveDesk
from orders.pages.routes import routes

urlpatterns = routes(LiveDesk())

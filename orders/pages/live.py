"""The desk of the running product: reads from queries and the price view, writes through the API."""

from collections.abc import Mapping, Sequence

from django.conf import settings
from django.contrib.auth import get_user_model
from django.http import HttpRequest

from marketdata import queries as market_queries
from marketdata import wiring as market
from oms_project.access import principal as access
from oms_project.access.errors import AccessError
from oms_project.kernel.words import Role
from oms_project.rest.parameters import Parameters
from orders import wiring
from orders.domain import demo
from orders.pages import door
from orders.pages.desk import Answer, Value
from orders.queries import filters

EVENTS_MAX = 500
FILLS_MAX = 100
TRADES_MAX = 50


class LiveDesk:
    """See Desk."""

    # ------------------------------------------------------------------ who
    def _roles(self, request: HttpRequest) -> Mapping[str, str]:
        try:
            return access.from_session(request.COOKIES).roles
        except AccessError:
            return {}

    def accounts(self, request: HttpRequest) -> Sequence[Value]:
        """A membership that may not be traded with (another desk role) shows as viewer."""
        try:
            who = access.from_session(request.COOKIES)
        except AccessError:
            return []
        return [
            one if who.can_trade(one["account_id"]) else {**one, "role": Role.VIEWER}
            for one in wiring.read_side().accounts(who.roles)
        ]

    def demo_logins(self) -> Sequence[Mapping[str, str]]:
        """The demo's password is public: it is told where the demo was seeded, never over https."""
        if settings.ENV.secure_cookies:
            return ()
        names = [login.username for login in demo.LOGINS]
        there = get_user_model().objects.filter(username__in=names, is_active=True)
        known = set(there.values_list("username", flat=True))
        return [
            {"username": login.username, "password": demo.PASSWORD, "what": login.text}
            for login in demo.LOGINS
            if login.username in known
        ]

    # ------------------------------------------------------------------ prices
    def instruments(self) -> Sequence[Value]:
        return [market_queries.instrument(one) for one in market.listings().values()]

    def ticker(self, symbol: str) -> Value | None:
        units, seen = market.units(symbol), market.view().current(symbol)
        if units is None or seen is None:
            return None
        stale = market.view().is_stale(symbol)
        return market_queries.ticker(seen.prices, units, stale=stale)

    def book(self, symbol: str, depth: int) -> Value | None:
        units, seen = market.units(symbol), market.view().current(symbol)
        if units is None or seen is None:
            return None
        stale = market.view().is_stale(symbol)
        return market_queries.book(seen.prices, units, stale=stale, depth=depth)

    def trades(self, symbol: str) -> Sequence[Value]:
        units, seen = market.units(symbol), market.view().current(symbol)
        if units is None or seen is None:
            return []
        return market_queries.trades(reversed(seen.trades[-TRADES_MAX:]), units)

    # ------------------------------------------------------------------ orders
    def orders(self, request: HttpRequest, query: Mapping[str, str]) -> Value:
        try:
            who = access.from_session(request.COOKIES)
        except AccessError:
            return {"orders": [], "next_cursor": None}
        if not who.can_read(query["account_id"]):
            return {"orders": [], "next_cursor": None}
        parameters = Parameters.once(query, filters.ORDER_FILTERS)
        wanted = filters.order_query(parameters, who)
        return wiring.read_side().orders(wanted, parameters.cursor)

    def order(self, request: HttpRequest, order_id: str) -> Value | None:
        return wiring.read_side().order(str(order_id), tuple(self._roles(request)))

    def events(self, request: HttpRequest, order_id: str) -> Sequence[Value]:
        roles = tuple(self._roles(request))
        found = wiring.read_side().events(str(order_id), roles, limit=EVENTS_MAX)
        return found["events"] if found else []

    def order_fills(self, request: HttpRequest, order_id: str) -> Sequence[Value]:
        roles = tuple(self._roles(request))
        found = wiring.read_side().order_fills(str(order_id), roles, limit=FILLS_MAX)
        return found["fills"] if found else []

    def fills(self, account_id: str) -> Sequence[Value]:
        return wiring.read_side().fills(account_id, limit=FILLS_MAX)["fills"]

    def positions(self, account_id: str) -> Sequence[Value]:
        return wiring.read_side().positions(account_id)

    def balances(self, account_id: str) -> Sequence[Value]:
        return wiring.read_side().balances(account_id)

    # ------------------------------------------------------------------ writing
    def submit(self, request: HttpRequest, body: Value, key: str) -> Answer:
        return door.post(request, "/api/orders", body, key)

    def cancel(self, request: HttpRequest, order_id: str, key: str) -> Answer:
        return door.post(request, f"/api/orders/{order_id}/cancel", {}, key)

    def new_key(self) -> str:
        return wiring.ids().new()

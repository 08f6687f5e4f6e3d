"""The desk of the running product: reads from queries and the price view, writes through the API."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from marketdata import queries as market_queries
from marketdata import wiring as market
from oms_project.access import principal as access
from oms_project.access.errors import AccessError
from oms_project.access.rights import Action
from oms_project.kernel.ports import OrderQuery
from oms_project.kernel.words import Role
from oms_project.rest.parameters import Parameters
from orders import wiring
from orders.domain import demo
from orders.pages import door, operations
from orders.pages.desk import Answer, Value
from orders.queries import filters

EVENTS_MAX = 500
FILLS_MAX = 100
TRADES_MAX = 50
SEARCH_CHARS_MIN: Final = 4
HEX: Final = "0123456789abcdef"
LAST_ID: Final = "ffffffff-ffff-ffff-ffff-ffffffffffff"


class LiveDesk:
    """See Desk."""

    # ------------------------------------------------------------------ who
    def _looker(self, request: HttpRequest) -> access.Principal:
        """Return who is looking.

        Raises:
            PermissionDenied: the session has ended while the page was made.
        """
        try:
            return access.from_session(request.COOKIES)
        except AccessError as error:
            raise PermissionDenied from error

    def _readable_ids(self, request: HttpRequest) -> tuple[str, ...]:
        return tuple(self._looker(request).readable)

    def role(self, request: HttpRequest) -> str:
        return str(self._looker(request).desk_role)

    def readable(self, request: HttpRequest) -> Sequence[Value]:
        who = self._looker(request)
        return [
            one if who.can_trade(one["account_id"]) else {**one, "role": Role.VIEWER}
            for one in wiring.read_side().accounts(who.readable)
        ]

    def operations(self, request: HttpRequest) -> Value | None:
        if self._looker(request).may(Action.WATCH) is not None:
            return None
        return operations.look()

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
        who = self._looker(request)
        if not who.readable or ("account_id" in query and not who.can_read(query["account_id"])):
            return {"orders": [], "next_cursor": None}
        text = query.get("search", "").lower()
        asked = {name: value for name, value in query.items() if name != "search"}
        if text and not _begins_an_id(text):
            asked["client_order_id"] = query["search"]
        parameters = Parameters.once(asked, filters.ORDER_FILTERS)
        wanted = filters.order_query(parameters, who)
        if not text or not _begins_an_id(text):
            return wiring.read_side().orders(wanted, parameters.cursor)
        return _beginning_with(text, wanted)

    def order(self, request: HttpRequest, order_id: str) -> Value | None:
        return wiring.read_side().order(str(order_id), self._readable_ids(request))

    def events(self, request: HttpRequest, order_id: str) -> Sequence[Value]:
        ids = self._readable_ids(request)
        found = wiring.read_side().events(str(order_id), ids, limit=EVENTS_MAX)
        return found["events"] if found else []

    def order_fills(self, request: HttpRequest, order_id: str) -> Sequence[Value]:
        ids = self._readable_ids(request)
        found = wiring.read_side().order_fills(str(order_id), ids, limit=FILLS_MAX)
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


def _begins_an_id(text: str) -> bool:
    """Tell whether an order id may begin so: hexadecimal digits, dashes where ids have theirs."""
    if not SEARCH_CHARS_MIN <= len(text) <= len(LAST_ID):
        return False
    return all(
        (char == "-") if last == "-" else char in HEX
        for char, last in zip(text, LAST_ID, strict=False)
    )


def _beginning_with(text: str, query: OrderQuery) -> Value:
    """Return the orders whose ids begin with *text*: neighbours in a list that is sorted by id."""
    exact = wiring.read_side().order(text, query.account_ids) if len(text) == len(LAST_ID) else None
    if exact is not None:
        return {"orders": [exact], "next_cursor": None}
    last = text + LAST_ID[len(text) :]
    found = wiring.read_side().orders(msgspec.structs.replace(query, before_id=last))
    rows = [one for one in found["orders"] if one["order_id"].startswith(text)]
    return {"orders": rows, "next_cursor": None}

"""What the pages need of the product, as one port: values in the shapes of the REST API.

`LiveDesk` (live.py) answers from queries and the gateway; the tests have a twin in memory.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from django.http import HttpRequest

Value = dict[str, Any]


class Answer(NamedTuple):
    """What a writing door said: the API's status and body (a problem from 400 on)."""

    status: int
    body: Value


class Desk(Protocol):
    """Everything is of the logged-in user of *request*; what is not theirs is None or empty."""

    def accounts(self, request: HttpRequest) -> Sequence[Value]:
        """Return the user's accounts with their role."""

    def role(self, request: HttpRequest) -> str:
        """Return what the user does for the desk: a name of access.models.Desk."""

    def readable(self, request: HttpRequest) -> Sequence[Value]:
        """Return the accounts the user may look at: an officer's and an operator's are all."""

    def operations(self, request: HttpRequest) -> Value | None:
        """Return {"checks", "partitions"}: is everything running? None: not for this user."""

    def instruments(self) -> Sequence[Value]: ...

    def ticker(self, symbol: str) -> Value | None: ...

    def book(self, symbol: str, depth: int) -> Value | None: ...

    def trades(self, symbol: str) -> Sequence[Value]: ...

    def orders(self, request: HttpRequest, query: Mapping[str, str]) -> Value:
        """Return {"orders", "next_cursor"} for filters as GET /api/orders takes them, of all
        readable accounts if none is named. `search`: a client_order_id, or how an order id begins.

        Raises:
            ValueError: a filter or cursor that cannot be read, with what to do about it.
        """

    def order(self, request: HttpRequest, order_id: str) -> Value | None: ...

    def events(self, request: HttpRequest, order_id: str) -> Sequence[Value]: ...

    def order_fills(self, request: HttpRequest, order_id: str) -> Sequence[Value]: ...

    def fills(self, account_id: str) -> Sequence[Value]: ...

    def positions(self, account_id: str) -> Sequence[Value]: ...

    def balances(self, account_id: str) -> Sequence[Value]: ...

    def submit(self, request: HttpRequest, body: Value, key: str) -> Answer:
        """Send an order through the same gateway as POST /api/orders."""

    def cancel(self, request: HttpRequest, order_id: str, key: str) -> Answer: ...

    def new_key(self) -> str:
        """Return a fresh idempotency key for a form."""

    def demo_logins(self) -> Sequence[Mapping[str, str]]:
        """Return user names and passwords to show on the log-in page; () unless it is a demo."""

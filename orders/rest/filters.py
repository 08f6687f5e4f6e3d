"""Query parameters, read strictly: what is not known, stands twice or is out of shape is a 400."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from rest_framework.request import Request

from oms_project.access.principal import Principal
from oms_project.kernel.ports import OrderQuery
from oms_project.kernel.words import Side, Status
from oms_project.rest import times
from oms_project.rest.problem import NOT_FOUND, ProblemError, invalid_query

LIMIT_DEFAULT: Final = 100
LIMIT_MAX: Final = 500
SEQ_MAX: Final = 2**63 - 1

_SYMBOL: Final = re.compile(r"[A-Z0-9]{1,15}-[A-Z0-9]{1,8}")
_CLIENT_ORDER_ID: Final = re.compile(r"[\x21-\x7e]{1,261}")
_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_WHOLE: Final = re.compile(r"[0-9]{1,19}")


class Parameters:
    """The parameters of one request, of which each may stand once."""

    def __init__(self, request: Request, known: Iterable[str]) -> None:
        """Take them in.

        Raises:
            ProblemError: invalid_query_parameter, naming the first that is unknown or twice.
        """
        allowed = frozenset(known)
        self._values: dict[str, str] = {}
        for name, values in request.query_params.lists():
            if name not in allowed:
                raise invalid_query(name[:64], "there is no such parameter")
            if len(values) != 1:
                raise invalid_query(name, "it stands twice")
            self._values[name] = values[0]

    def text(self, name: str, pattern: re.Pattern[str]) -> str | None:
        value = self._values.get(name)
        if value is not None and pattern.fullmatch(value) is None:
            raise invalid_query(name, "not in the form it must have")
        return value

    def choices(self, name: str, allowed: Sequence[str]) -> tuple[str, ...]:
        """Return a comma-separated list of words."""
        value = self._values.get(name)
        if value is None:
            return ()
        words = value.split(",")
        if not set(words) <= set(allowed) or len(set(words)) != len(words):
            raise invalid_query(name, f"must be of {', '.join(allowed)}")
        return tuple(words)

    def whole(self, name: str, *, default: int, least: int, most: int) -> int:
        value = self._values.get(name)
        if value is None:
            return default
        if _WHOLE.fullmatch(value) is None or not least <= int(value) <= most:
            raise invalid_query(name, f"must be a whole number from {least} to {most}")
        return int(value)

    def time_ns(self, name: str) -> int | None:
        value = self._values.get(name)
        if value is None:
            return None
        try:
            return times.read_ns(value)
        except ValueError as error:
            raise invalid_query(name, str(error)) from error

    @property
    def cursor(self) -> str:
        return self._values.get("cursor", "")

    @property
    def limit(self) -> int:
        return self.whole("limit", default=LIMIT_DEFAULT, least=1, most=LIMIT_MAX)

    @property
    def symbol(self) -> str | None:
        return self.text("symbol", _SYMBOL)


ORDER_FILTERS: Final = (
    "account_id", "symbol", "status", "side", "from", "to", "client_order_id", "cursor", "limit",
)  # fmt: skip


def order_query(parameters: Parameters, principal: Principal) -> OrderQuery:
    """Return the filters of GET /api/orders, limited to what *principal* may read.

    Raises:
        ProblemError: invalid_query_parameter, or not_found for an account that is not theirs.
    """
    from_ns, to_ns = parameters.time_ns("from"), parameters.time_ns("to")
    if from_ns is not None and to_ns is not None and from_ns >= to_ns:
        raise invalid_query("to", "must be later than from")
    sides = parameters.choices("side", [side.value for side in Side])
    return OrderQuery(
        account_ids=readable(parameters, principal),
        symbol=parameters.symbol,
        statuses=tuple(
            Status(word)
            for word in parameters.choices("status", [status.value for status in Status])
        ),
        side=sides[0] if len(sides) == 1 else None,
        from_ns=from_ns,
        to_ns=to_ns,
        client_order_id=parameters.text("client_order_id", _CLIENT_ORDER_ID),
        limit=parameters.limit,
    )


def readable(parameters: Parameters, principal: Principal) -> tuple[str, ...]:
    """Return the account asked for, or all that *principal* may read."""
    account_id = parameters._values.get("account_id")
    if account_id is None:
        return tuple(sorted(principal.roles))
    if not principal.can_read(account_id):
        raise ProblemError(NOT_FOUND)
    return (account_id,)


def an_order_id(text: str) -> str:
    """Return *text* if it has the form of an order id; what has not is not found.

    Raises:
        ProblemError: not_found.
    """
    if _ID.fullmatch(text) is None:
        raise ProblemError(NOT_FOUND)
    return text

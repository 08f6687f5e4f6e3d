"""What can be asked of a list of orders, by REST and by the pages alike."""

import re
from typing import Final

from marketdata.domain.instrument import SYMBOL_PATTERN
from oms_project.access.principal import Principal
from oms_project.access.rights import Action
from oms_project.kernel.ids import CLIENT_ORDER_ID_PATTERN
from oms_project.kernel.ports import OrderQuery
from oms_project.kernel.words import Side, Status
from oms_project.rest.parameters import Parameters
from oms_project.rest.problem import ProblemError, invalid_query

_SYMBOL: Final = re.compile(SYMBOL_PATTERN)
_CLIENT_ORDER_ID: Final = re.compile(CLIENT_ORDER_ID_PATTERN)

ORDER_FILTERS: Final = (
    "account_id", "symbol", "status", "side", "from", "to", "client_order_id", "cursor", "limit",
)  # fmt: skip


def a_symbol(parameters: Parameters) -> str | None:
    return parameters.text("symbol", _SYMBOL)


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
        symbol=a_symbol(parameters),
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
    account_id = parameters.get("account_id")
    if account_id is None:
        return tuple(sorted(principal.readable))
    refused = principal.on(account_id, Action.READ)
    if refused is not None:
        raise ProblemError(refused)
    return (account_id,)

"""What OpenAPI says of every operation, whoever described it: forms of parameters, and what goes wrong.

A hook of drf-spectacular, after all others. The patterns are those the doors read with.
"""

from collections.abc import Iterator
from typing import Any, Final

from marketdata.domain.instrument import SYMBOL_PATTERN
from oms_project.codes import CODES
from oms_project.kernel import ids
from oms_project.kernel.numbers import INT64_MAX
from oms_project.kernel.words import Side, Status
from oms_project.problem import CONTENT_TYPE
from oms_project.rest.parameters import LIMIT_MAX
from orders.entry.fields import TIME_PATTERN

Value = dict[str, Any]
METHODS: Final = ("get", "post", "put", "patch", "delete")


def words(names: type[Side] | type[Status]) -> str:
    """Return the pattern of a comma-separated list of words."""
    one = "|".join(names)
    return f"^({one})$"


_ID: Final = {"type": "string", "pattern": f"^{ids.ID_PATTERN}$"}
_SYMBOL: Final = {"type": "string", "pattern": f"^{SYMBOL_PATTERN}$"}
FORMS: Final[dict[str, Value]] = {
    "account_id": _ID,
    "order_id": _ID,
    "symbol": _SYMBOL,
    "side": {"type": "string", "pattern": words(Side)},
    "status": {"type": "string", "pattern": words(Status)},
    "from": {"type": "string", "pattern": TIME_PATTERN},
    "to": {"type": "string", "pattern": TIME_PATTERN},
    "client_order_id": {"type": "string", "pattern": f"^{ids.CLIENT_ORDER_ID_PATTERN}$"},
    "from_seq": {"type": "integer", "minimum": 0, "maximum": INT64_MAX},
}
"""The schema of a parameter, by its name wherever it stands. limit and depth differ by view."""
LIMITS: Final = {"marketdata_trades": 200, "marketdata_book": 20}

OF_BODIES: Final = frozenset(
    {
        "malformed_json", "empty_body", "duplicate_json_key", "json_too_deep", "invalid_encoding",
    }
)  # fmt: skip
_ENTRY: Final = ("orders_place", "orders_place_batch", "orders_cancel", "orders_cancel_all")
_BATCH: Final = ("orders_place_batch",)
_PRICES: Final = ("marketdata_ticker", "marketdata_book", "marketdata_trades")
ONLY: Final[dict[str, tuple[str, ...]]] = {
    "invalid_credentials": ("auth_login",),
    "csrf_failed": (*_ENTRY, "keys_make", "keys_rotate", "keys_revoke"),
    "idempotency_key_missing": _ENTRY,
    "idempotency_key_invalid": _ENTRY,
    "idempotency_key_reused": _ENTRY,
    "idempotency_in_flight": _ENTRY,
    "idempotency_store_unavailable": (*_ENTRY, "orders_get"),
    "batch_too_large": _BATCH,
    "batch_empty": _BATCH,
    "batch_invalid": _BATCH,
    "invalid_state_transition": ("orders_cancel",),
    "market_data_stale": _PRICES,
    "snapshot_required": (),  # of sockets
    "unknown_symbol": (),  # of sockets; bodies have it as the code of an entry
}
"""Codes that only some operations answer; the others can come from every one that has the status."""
ALWAYS: Final = (400, 406, 408, 414, 503)
HEADERS: Final[dict[int, Value]] = {
    401: {"WWW-Authenticate": {"schema": {"type": "string"}}},
    503: {"Retry-After": {"description": "Seconds, where they are known.",
                          "schema": {"type": "string"}}},
    429: {"Retry-After": {"description": "Seconds.", "schema": {"type": "string"}},
          "RateLimit": {"description": "The limit that refuses: `r` left, `t` seconds to wait.",
                        "schema": {"type": "string"}},
          "RateLimit-Policy": {"description": "Its quota `q` in `w` seconds.",
                               "schema": {"type": "string"}}},
}  # fmt: skip


def tidy(result: Value, **_: Any) -> Value:
    """Complete the document (a POSTPROCESSING_HOOK)."""
    for operation in _operations(result):
        for parameter in operation.get("parameters", ()):
            _form(operation["operationId"], parameter)
        if operation["operationId"] != "orders_cancel":  # the one whose body may stay away
            operation.get("requestBody", {})["required"] = (
                True  # `{}` where every field has a default
            )
        _answers(operation)
    for name in ("LoginBody", "RefreshBody", "NewKeyBody", "RotateBody"):
        schema = result["components"]["schemas"].get(name)
        if schema is not None:
            schema["additionalProperties"] = False
    return result


def _operations(result: Value) -> Iterator[Value]:
    for methods in result["paths"].values():
        yield from (methods[method] for method in METHODS if method in methods)


def _form(operation_id: str, parameter: Value) -> None:
    name = parameter["name"]
    if name in FORMS:
        parameter["schema"] = dict(FORMS[name])
    elif name in ("limit", "depth"):
        most = LIMITS.get(operation_id, LIMIT_MAX)
        parameter["schema"] = {"type": "integer", "minimum": 1, "maximum": most}


def _answers(operation: Value) -> None:
    """Say every refusal that the doors in front of an operation know, and its codes."""
    answers = operation["responses"]
    has_body = "requestBody" in operation or operation["operationId"] == "orders_cancel"
    secured = any(operation.get("security", ({},)))
    for status in (
        *ALWAYS,
        *((401, 403, 429) if secured else ()),
        *((413, 415) if has_body else ()),
    ):
        answers.setdefault(str(status), {})
    for text, answer in answers.items():
        status = int(text)
        if status < 400:
            continue
        codes = [
            row.code for row in CODES.values()
            if row.status == status and (has_body or row.code not in OF_BODIES)
            and operation["operationId"] in ONLY.get(row.code, (operation["operationId"],))
        ]  # fmt: skip
        answer["description"] = f"One of {', '.join(f'`{code}`' for code in codes)}."
        answer["content"] = {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
        if status in HEADERS:
            answer["headers"] = HEADERS[status]
    operation["responses"] = dict(sorted(answers.items()))

"""What OpenAPI says about order entry: made of the very structs that bodies are read into.

A hook of drf-spectacular, which knows the views of reading; order entry has no view (flow.py).
"""

import copy
from typing import Any, Final

import msgspec

from oms_project.kernel import ids
from oms_project.rest import auth
from orders.entry import fields, plans

Value = dict[str, Any]

_KEY: Final[Value] = {
    "name": "Idempotency-Key", "in": "header", "required": True,
    "description": "The same key and terms give the same answer for as long as the key is remembered "
    "(seven days by default), and one order for ever. "
    'The quoted form of its RFC, `"k-1"`, is the key `k-1`.',
    "schema": {"type": "string", "pattern": '^[!#-~][!-~]{0,254}$'},
}  # fmt: skip
_WAIT: Final[Value] = {
    "name": "Prefer", "in": "header", "required": False,
    "description": "`wait=N`: wait up to N seconds for the command's own end. What is no such "
    "preference is ignored, as RFC 7240 has it.",
    "schema": {"type": "string", "example": "wait=5"},
}  # fmt: skip
_ORDER_ID: Final[Value] = {
    "name": "order_id", "in": "path", "required": True,
    "schema": {"type": "string", "pattern": f"^{ids.ID_PATTERN}$"},
}  # fmt: skip
_REPLAYED: Final[Value] = {
    "Idempotent-Replayed": {
        "description": "`true`: the key was known, and nothing was done.",
        "schema": {"type": "string", "enum": ["true"]},
    }
}
_APPLIED: Final[Value] = {
    "Preference-Applied": {
        "description": "How long the answer would have been waited for.",
        "schema": {"type": "string"},
    }
}
_WRITE: Final = (400, 401, 403, 404, 406, 408, 409, 413, 415, 422, 503)


def add(result: Value, **_: Any) -> Value:
    """Add order entry to the document (a POSTPROCESSING_HOOK)."""
    schemas = result["components"]["schemas"]
    schemas.update(_components())
    paths = result["paths"]
    paths["/api/orders"]["post"] = _operation(
        "orders_place", "Place one order. 202: it is durable, its decision follows.", "NewOrder",
        _acknowledged("Ack"), 201, wait=True,
    )  # fmt: skip
    paths["/api/orders/batch"] = {
        "post": _operation(
            "orders_place_batch", "Place a batch: all of it is durable, or nothing is.",
            "NewBatch", _acknowledged("BatchAck"),
        )
    }  # fmt: skip
    paths["/api/orders/batch"]["post"]["responses"]["429"] = {}  # a batch comes in its user's turn
    paths["/api/orders/cancel"] = {
        "post": _operation(
            "orders_cancel_all", "Cancel all open orders of an account, or of a symbol or side.",
            "CancelAll", _acknowledged("CancelAck"),
        )
    }  # fmt: skip
    cancel = _operation(
        "orders_cancel", "Cancel what is left of an order. 200: its end, or it was canceled before.",
        "", _acknowledged("CancelAck"), 200, wait=True,
    )  # fmt: skip
    cancel["parameters"].insert(0, _ORDER_ID)
    paths["/api/orders/{order_id}/cancel"] = {"post": cancel}
    return result


def _components() -> Value:
    """Return the schemas of what is read and acknowledged."""
    kinds = (
        fields.OrderBody, fields.BatchBody, plans.CancelBody, plans.Ack, plans.BatchAck,
        plans.CancelAck,
    )  # fmt: skip
    _, made = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    item = made.pop("OrderBody")
    alone = copy.deepcopy(item)
    alone["required"] = sorted({*item["required"], "account_id"})
    batch = made.pop("BatchBody")
    batch["properties"]["orders"]["items"] = {"$ref": "#/components/schemas/BatchOrder"}
    made |= {
        "NewOrder": alone, "BatchOrder": item, "NewBatch": batch, "CancelAll": made.pop("CancelBody"),
    }  # fmt: skip
    return made


def _ref(name: str) -> Value:
    return {"schema": {"$ref": f"#/components/schemas/{name}"}}


def _acknowledged(name: str) -> Value:
    return {
        "description": "Acknowledged: it is in the log.",
        "content": {"application/json": _ref(name)},
        "headers": _REPLAYED,
    }


def _operation(
    name: str, text: str, body: str, acknowledged: Value, decided: int = 0, *, wait: bool = False
) -> Value:
    """Return an operation. decided: the status of the answer with the order in it."""
    answers: Value = {"202": acknowledged}
    if decided:
        kinds = [{"$ref": "#/components/schemas/Order"}]
        if decided == 200:
            kinds.append({"$ref": "#/components/schemas/CancelAck"})
        answers[str(decided)] = {
            "description": "The order, as the command left it.",
            "content": {
                "application/json": {"schema": kinds[0] if len(kinds) == 1 else {"anyOf": kinds}}
            },
            "headers": {**_REPLAYED, **_APPLIED},
        }
    for status in _WRITE:
        answers[str(status)] = {}  # tidy.py says what
    operation: Value = {
        "operationId": name, "tags": ["orders"], "description": text,
        "parameters": [copy.deepcopy(_KEY)], "security": [{"bearer": []}, {"session": []}, {name: [] for name in auth.FIELDS}],
        "responses": answers,
    }  # fmt: skip
    if wait:
        operation["parameters"].append(copy.deepcopy(_WAIT))
    if body:
        operation["requestBody"] = {
            "required": True, "content": {"application/json": _ref(body)},
        }  # fmt: skip
    return operation

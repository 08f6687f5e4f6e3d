"""The catalogue of every error code the API can answer: the only file that names them.

Rules: a code is never renamed or re-used; texts may change. 400 = unreadable, 422 = readable but
invalid, 503 = not known to be accepted (ask again with the same idempotency key).
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

import msgspec


class Outcome(StrEnum):
    """What a failed request did. UNKNOWN: repeat it with the same key to learn."""

    NONE = "none"
    APPLIED = "applied"
    UNKNOWN = "unknown"


class Code(msgspec.Struct, frozen=True):
    """One kind of problem. retryable: the very same request may succeed later."""

    code: str
    status: int
    title: str
    retryable: bool = False
    outcome: Outcome = Outcome.NONE


TABLE: Final = (
    # The bytes cannot be read.
    Code("malformed_json", 400, "The body is not JSON"),
    Code("empty_body", 400, "The body is empty"),
    Code("duplicate_json_key", 400, "An object holds the same key twice"),
    Code("json_too_deep", 400, "The body is nested too deeply"),
    Code("invalid_encoding", 400, "The body is not UTF-8 without a byte order mark"),
    Code("bad_request", 400, "The request cannot be understood"),
    Code("headers_too_large", 400, "The request's header is too large"),
    Code("invalid_query_parameter", 400, "A query parameter is unknown or invalid"),
    Code("idempotency_key_missing", 400, "The Idempotency-Key header is missing"),
    Code(
        "idempotency_key_invalid",
        400,
        "The Idempotency-Key header is not 1-255 visible ASCII",
    ),
    Code("request_timeout", 408, "The request did not arrive in time", retryable=True),
    Code("payload_too_large", 413, "The body is too large"),
    Code("batch_too_large", 413, "The batch holds too many orders"),
    Code("uri_too_long", 414, "The request target is too long"),
    Code("unsupported_media_type", 415, "The body must be application/json"),
    Code("unsupported_content_encoding", 415, "The body must not be compressed"),
    Code("not_acceptable", 406, "Only application/json can be answered"),
    # Who is asking, and may they.
    Code("not_authenticated", 401, "Credentials are missing"),
    Code("invalid_credentials", 401, "The user name or the password is wrong"),
    Code("invalid_token", 401, "The token is not valid"),
    Code("token_expired", 401, "The token has expired"),
    Code("invalid_api_key", 401, "There is no such API key"),
    Code("invalid_signature", 401, "The request is not what was signed with the API key"),
    Code("timestamp_out_of_window", 401, "The signature's time is not now"),
    Code("nonce_reused", 401, "The signature was used before"),
    Code("api_key_expired", 401, "The API key has expired"),
    Code("api_key_revoked", 401, "The API key was revoked"),
    Code("ip_not_allowed", 403, "The API key may not be used from this address"),
    Code("permission_denied", 403, "This is not permitted"),
    Code("csrf_failed", 403, "The request is not from our own pages"),
    # What is asked for.
    Code("not_found", 404, "There is no such thing"),
    Code("method_not_allowed", 405, "The method is not allowed here"),
    Code("validation_error", 422, "The request is readable but not valid"),
    Code("unknown_symbol", 422, "There is no such instrument"),
    Code("batch_empty", 422, "The batch holds no order"),
    Code("batch_invalid", 422, "An order of the batch is not valid; none was taken"),
    Code("idempotency_key_reused", 422, "The key was used before with another body"),
    # What stands against it now.
    Code(
        "idempotency_in_flight",
        409,
        "The first request with this key is not done",
        True,
    ),
    Code("invalid_state_transition", 409, "The order's state does not allow it"),
    Code("snapshot_required", 409, "The events from there on cannot be given"),
    Code("rate_limited", 429, "Too many requests", retryable=True),
    # Our own fault.
    Code("internal_error", 500, "Something broke on our side", True, Outcome.UNKNOWN),
    Code("durable_log_unavailable", 503, "The log does not answer", True, Outcome.UNKNOWN),
    Code("idempotency_store_unavailable", 503, "The claim store does not answer", True),
    Code("store_unavailable", 503, "The store does not answer", retryable=True),
    Code("overloaded", 503, "Too much is under way", retryable=True),
    Code("market_data_stale", 503, "There is no price of it yet", retryable=True),
)

CODES: Final[Mapping[str, Code]] = MappingProxyType({row.code: row for row in TABLE})

ENTRY_CODES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "required": "The field is missing",
        "differs": "The value is not that of the key's first request",
        "unknown_field": "There is no such field",
        "wrong_type": "The value has the wrong type",
        "not_a_choice": "The value is none of those allowed",
        "invalid": "The value is not allowed",
        "not_a_decimal": "The value is not a decimal string",
        "too_long": "The text is too long",
        "too_short": "The text is too short",
        "price_tick": "The price is not a whole number of ticks",
        "price_required": "A limit order needs a price",
        "price_forbidden": "A market order has no price",
        "stop_price_required": "An order of this type needs a stop price",
        "stop_price_forbidden": "An order of this type has no stop price",
        "trail_required": "A trailing stop needs an amount or a part to trail by, and one of them only",
        "trail_forbidden": "Only a trailing stop trails",
        "quantity_step": "The quantity is not a whole number of lots",
        "quantity_min": "The quantity is below the instrument's least",
        "quantity_max": "The quantity is above the instrument's most",
        "min_notional": "The order is worth too little",
        "max_notional": "The order is worth too much",
        "unknown_symbol": "There is no such instrument",
        "instrument_not_tradable": "The instrument is not trading",
        "expires_at_required": "A gtd order needs its end",
        "expires_at_forbidden": "Only a gtd order has an end of its own",
        "not_a_time": "The value is not an ISO-8601 UTC time with Z",
        "in_the_past": "The time is over already",
        "unsupported_time_in_force": "The order type does not allow this time in force",
        "duplicate_client_order_id": "The client_order_id stands twice in the batch",
    }
)
"""Codes of single fields, in `errors[].code` of a 422. Code -> what it says."""

BY_STATUS: Final[Mapping[int, str]] = MappingProxyType(
    {
        400: "bad_request",
        401: "not_authenticated",
        403: "permission_denied",
        404: "not_found",
        405: "method_not_allowed",
        406: "not_acceptable",
        408: "request_timeout",
        413: "payload_too_large",
        414: "uri_too_long",
        415: "unsupported_media_type",
        422: "validation_error",
        429: "rate_limited",
        500: "internal_error",
        503: "store_unavailable",
    }
)
"""The code for an answer somebody else made, of which only the status is known."""

"""Order entry over HTTP, without a framework: what a request plans, and what its outcome is told as.

The lean ASGI path and the DRF views both run `plan_*`, commit the submission and run `told`; so the
two doors answer the same, to the byte. Instruments are those last read (`market.listings` reads
them): a plan never waits.
"""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from marketdata import wiring as market
from oms_project import metrics
from oms_project.access.principal import Principal
from oms_project.kernel import ids as make
from oms_project.kernel.errors import TransportError, UnknownOutcomeError
from oms_project.kernel.ports import ClaimState, OrderRow, Submission
from oms_project.kernel.words import CLOSED, Status
from oms_project.rest import strict_json
from oms_project.rest.problem import NOT_FOUND, Entry, Problem, from_exception
from orders.rest import bodies
from orders.services import Gateway

JSON: Final = "application/json"
ACCEPTED: Final = 202
WAIT_S_MAX: Final = 10.0
COMMIT_S_MAX: Final = 8.0
"""Longer nobody waits for an acknowledgement: 503, and the same key tells later what became of it."""
WAIT_POLL_S: Final = 0.01

REUSED: Final = Problem("idempotency_key_reused", "Use a new key for another request.")

_encode = msgspec.json.Encoder().encode
Headers = Mapping[bytes, bytes]


class Ack(msgspec.Struct, frozen=True, gc=False):
    """What an order's acknowledgement says."""

    order_id: str
    client_order_id: str
    status: str = Status.NEW


class BatchAck(msgspec.Struct, frozen=True, gc=False):
    orders: list[Ack]


class CancelAck(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    status: str
    order_id: str = ""
    account_id: str = ""


class Answer(msgspec.Struct, frozen=True):
    """An HTTP answer. kind: its content type."""

    status: int
    body: bytes
    headers: Mapping[str, str]
    kind: str = JSON


class Plan(msgspec.Struct, frozen=True):
    """A request that is right: what to commit, and its answer once the claim's ids are known.

    order_id_of: the id of the one order that `Prefer: wait` waits for, from the claim's ids.
    """

    submission: Submission
    body_of: Callable[[str], bytes]
    orders: int
    order_id_of: Callable[[str], str] | None = None


def plan_order(
    gateway: Gateway, principal: Principal, headers: Headers, body: bytes
) -> Plan | Problem:
    """POST /api/orders."""
    key = _key(headers)
    if isinstance(key, Problem):
        return key
    parsed = bodies.single(body, key, market.known_units)
    if isinstance(parsed, Problem):
        return parsed
    refused = _may_trade(principal, parsed.account_id)
    if refused is not None:
        return refused
    submission = gateway.place(
        parsed.account_id, parsed.wanted, endpoint="orders", key=key, canonical=parsed.canonical,
        actor=principal.username, trace=_trace(headers),
    )  # fmt: skip
    client_order_id = parsed.wanted[0][0]
    return Plan(
        submission,
        lambda base: _encode(Ack(make.order_id(base, 0), client_order_id)),
        1,
        lambda base: make.order_id(base, 0),
    )


def plan_batch(
    gateway: Gateway, principal: Principal, headers: Headers, body: bytes
) -> Plan | Problem:
    """POST /api/orders/batch."""
    key = _key(headers)
    if isinstance(key, Problem):
        return key
    parsed = bodies.batch(body, key, market.known_units)
    if isinstance(parsed, Problem):
        return parsed
    refused = _may_trade(principal, parsed.account_id)
    if refused is not None:
        return refused
    submission = gateway.place(
        parsed.account_id, parsed.wanted, endpoint="batch", key=key, canonical=parsed.canonical,
        actor=principal.username, trace=_trace(headers), atomic=parsed.atomic,
    )  # fmt: skip
    wanted = parsed.wanted

    def body_of(base: str) -> bytes:
        order_id = make.order_id
        return _encode(
            BatchAck([Ack(order_id(base, index), one[0]) for index, one in enumerate(wanted)])
        )

    return Plan(submission, body_of, len(wanted))


class CancelBody(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """POST /api/orders/cancel: all open orders of an account, or those of a symbol or side."""

    account_id: str
    symbol: str = ""
    side: str = ""


def plan_cancel(
    gateway: Gateway, principal: Principal, headers: Headers, body: bytes, order_id: str
) -> Plan | Answer | Problem:
    """POST /api/orders/{id}/cancel. An order that is canceled already is answered as such."""
    key = _key(headers, bare=not body)
    if isinstance(key, Problem):
        return key
    if body.strip() not in (b"", b"{}"):
        value = strict_json.read_object(body)
        if isinstance(value, Problem):
            return value
        entries = tuple(Entry(f"/{name[:64]}", "unknown_field") for name in value)
        if entries:
            return Problem("validation_error", errors=entries)
    row = find_order(gateway, principal, order_id)
    if row is None:
        return NOT_FOUND
    refused = _may_trade(principal, row.account_id)
    if refused is not None:
        return refused
    if row.status in CLOSED and gateway.intake.find(row.account_id, "cancel", key) is None:
        # Not asked before under this key: else the answer is what it was the first time.
        if row.status is Status.CANCELED:
            return Answer(ACCEPTED, _encode(CancelAck(row.status, order_id)), {})
        return Problem("invalid_state_transition", f"The order is {row.status}.")
    submission = gateway.cancel(
        row.account_id, (order_id,), endpoint="cancel", key=key, canonical=order_id.encode(),
        actor=principal.username, trace=_trace(headers),
    )  # fmt: skip
    answer = _encode(CancelAck(Status.PENDING_CANCEL, order_id))
    return Plan(submission, lambda _: answer, 0, lambda _: order_id)


def plan_cancel_all(
    gateway: Gateway, principal: Principal, headers: Headers, body: bytes
) -> Plan | Problem:
    """POST /api/orders/cancel."""
    key = _key(headers)
    if isinstance(key, Problem):
        return key
    value = strict_json.read_object(body)
    if isinstance(value, Problem):
        return value
    try:
        wanted = msgspec.convert(value, CancelBody, strict=True)
    except msgspec.ValidationError:
        return bodies.explain(body, CancelBody)
    if wanted.symbol and market.known_units(wanted.symbol) is None:
        return Problem("validation_error", errors=(Entry("/symbol", "unknown_symbol"),))
    if wanted.side not in ("", "buy", "sell"):
        return Problem("validation_error", errors=(Entry("/side", "not_a_choice", "buy or sell"),))
    refused = _may_trade(principal, wanted.account_id)
    if refused is not None:
        return refused
    submission = gateway.cancel(
        wanted.account_id, (), symbol=wanted.symbol, side=wanted.side, endpoint="cancel_all",
        key=key, canonical=_encode(wanted), actor=principal.username, trace=_trace(headers),
    )  # fmt: skip
    answer = _encode(CancelAck(Status.PENDING_CANCEL, account_id=wanted.account_id))
    return Plan(submission, lambda _: answer, 0)


def find_order(gateway: Gateway, principal: Principal, order_id: str) -> OrderRow | None:
    """Return an order this principal may read: stored, or acknowledged a moment ago."""
    account_ids = tuple(principal.roles)
    row = gateway.store.get(order_id, account_ids)
    return row if row is not None else gateway.pending_order(order_id, account_ids)


def told(plan: Plan, state: ClaimState) -> Answer | Problem:
    """Return what the client is told of a committed (or repeated) submission."""
    claim = plan.submission.claim
    if state.fresh:
        metrics.ORDERS_ACCEPTED.inc(plan.orders)
        return Answer(ACCEPTED, plan.body_of(state.claim.ids_base), {})
    if state.claim.fingerprint != claim.fingerprint:
        return REUSED
    if not state.done:
        return Problem("idempotency_in_flight", headers={"Retry-After": "1"})
    metrics.ORDERS_REPLAYED.inc()
    replayed = {"Idempotent-Replayed": "true"}
    if state.answer is not None:
        return Answer(state.answer[0], state.answer[1], replayed)
    return Answer(ACCEPTED, plan.body_of(state.claim.ids_base), replayed)


def reused(gateway: Gateway, plan: Plan, state: ClaimState) -> Problem:
    """Return REUSED naming what differs from the key's first request. Reads the log."""
    pointers = gateway.differences(plan.submission, state)
    if not pointers:
        return REUSED
    detail = f"It differs in {', '.join(pointers[:5])}. Use a new key for another request."
    entries = tuple(Entry(pointer, "differs") for pointer in pointers)
    return msgspec.structs.replace(REUSED, detail=detail, errors=entries)


def overloaded(gateway: Gateway, plan: Plan) -> Answer | Problem:
    """Return 503, or what a repeated request was told: that one asks for no room. Reads the claims."""
    claim = plan.submission.claim
    state = gateway.intake.find(claim.account_id, claim.endpoint, claim.key)
    if state is not None:
        answer = told(plan, state)
        return reused(gateway, plan, state) if answer is REUSED else answer
    detail = "The desk has more orders under way than it can show. Send it again in a moment."
    return Problem("overloaded", detail, headers={"Retry-After": "1"})


def failed(error: Exception) -> Problem:
    """Return the problem of a submission that could not be committed; a bug is raised on.

    TimeoutError: it is still under way after COMMIT_S_MAX, and may yet be written.
    """
    if isinstance(error, TimeoutError):
        error = UnknownOutcomeError("intake", f"not durable within {COMMIT_S_MAX:g} s")
    problem = from_exception(error) if isinstance(error, TransportError) else None
    if problem is None:
        raise error
    return msgspec.structs.replace(problem, headers={"Retry-After": "1"})


def wait_of(headers: Headers) -> float:
    """Return how many seconds `Prefer: wait=N` asks to wait (RFC 7240), 0 without it."""
    prefer = headers.get(b"prefer", b"")
    for part in prefer.split(b","):
        name, _, value = part.strip().partition(b"=")
        if name.lower() == b"wait" and value.isdigit():
            return min(float(value), WAIT_S_MAX)
    return 0.0


def _key(headers: Headers, *, bare: bool = False) -> str | Problem:
    """Return the idempotency key. bare: there is no body, so it needs no Content-Type."""
    check = strict_json.check_accept if bare else strict_json.check_headers
    wrong = check(headers)
    return wrong if wrong is not None else strict_json.check_idempotency_key(headers)


def _may_trade(principal: Principal, account_id: str) -> Problem | None:
    """Somebody else's account does not exist; one's own may be for reading only."""
    if principal.can_trade(account_id):
        return None
    if principal.can_read(account_id):
        return Problem("permission_denied", "Your role on this account does not trade.")
    return NOT_FOUND


def _trace(headers: Headers) -> str:
    return headers.get(b"traceparent", b"")[:64].decode("latin-1")

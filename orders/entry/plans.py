"""Order entry over HTTP, without a framework: what a request plans, and what its outcome is told as.

A plan never waits: instruments are those last read (`market.listings` reads them). Who runs it is
flow.py, for the ASGI door and for forms alike.

Rules of this file:
- The claim first. What can change since a key was acknowledged (an instrument's state and bounds, an
  order that ended) is `Plan.instead`: the answer of a *fresh* key. A key that has a claim is
  answered from it, whatever happened since.
- What a body says is its terms; the fingerprint is of them.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Final

import msgspec

from marketdata import wiring as market
from marketdata.domain.instrument import SYMBOL_PATTERN
from oms_project import metrics
from oms_project.access.principal import Principal
from oms_project.access.rights import Action
from oms_project.adapters.intake import COMMIT_S_MAX
from oms_project.kernel import ids as make
from oms_project.kernel.errors import TransportError, UnknownOutcomeError
from oms_project.kernel.ports import ClaimState, OrderRow, Submission
from oms_project.kernel.words import CLOSED, RESTING, Side, Status
from oms_project.problem import NOT_FOUND, Entry, Problem, token
from oms_project.rest import strict_json
from oms_project.rest.problem import from_exception
from orders.entry import bodies, fields, shown, wrong
from orders.services import Gateway

JSON: Final = "application/json"
ACCEPTED: Final = 202
WAIT_S_MAX: Final = 10.0
"""Longer nobody waits for an acknowledgement: 503, and the same key tells later what became of it."""
WAIT_POLL_S: Final = 0.01

_encode = msgspec.json.Encoder().encode
Headers = Mapping[bytes, bytes]


class Ack(msgspec.Struct, frozen=True, gc=False):
    """What an order's acknowledgement says. The decision follows."""

    order_id: str
    client_order_id: str
    status: str = Status.NEW


class BatchAck(msgspec.Struct, frozen=True, gc=False):
    """What a batch's acknowledgement says, in the order sent."""

    orders: list[Ack]


class CancelAck(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What a cancel's acknowledgement says."""

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
    """A request that can be read: what to commit, and its answer once the claim's ids are known.

    orders: how many it places. instead: what a fresh key is answered, and nothing is committed.
    decided: the answer once the command's own end is shown, None before; for `Prefer: wait`.
    It reads the store.
    """

    submission: Submission
    body_of: Callable[[str], bytes]
    orders: int
    instead: Answer | Problem | None = None
    decided: Callable[[ClaimState], Answer | None] | None = None


def plan_order(
    gateway: Gateway, principal: Principal, headers: Headers, body: bytes
) -> Plan | Problem:
    """POST /api/orders."""
    key = _key(headers)
    if isinstance(key, Problem):
        return key
    parsed = bodies.single(body, market.known_units, _trading(principal), gateway.now_ns)
    if isinstance(parsed, Problem):
        return parsed
    submission = gateway.place(
        parsed.account_id, parsed.wanted, endpoint="orders", key=key,
        canonical=parsed.canonical(), actor=principal.actor, trace=_trace(headers),
    )  # fmt: skip
    client_order_id = parsed.wanted[0][0]

    def body_of(base: str) -> bytes:
        order_id = make.order_id(base, 0)
        return _encode(Ack(order_id, client_order_id or order_id))

    def decided(state: ClaimState) -> Answer | None:
        order_id = make.order_id(state.claim.ids_base, 0)
        row = gateway.store.get(order_id, (parsed.account_id,))
        if row is None or not _is_decided(row):
            return None
        return Answer(201, shown.order_bytes(row), {})

    return Plan(submission, body_of, 1, parsed.stands_against, decided)


def plan_batch(
    gateway: Gateway, principal: Principal, headers: Headers, body: bytes
) -> Plan | Problem:
    """POST /api/orders/batch."""
    key = _key(headers)
    if isinstance(key, Problem):
        return key
    parsed = bodies.batch(body, market.known_units, _trading(principal), gateway.now_ns)
    if isinstance(parsed, Problem):
        return parsed
    submission = gateway.place(
        parsed.account_id, parsed.wanted, endpoint="batch", key=key,
        canonical=parsed.canonical(), actor=principal.actor, trace=_trace(headers),
        atomic=parsed.atomic,
    )  # fmt: skip
    wanted = parsed.wanted

    def body_of(base: str) -> bytes:
        acks = []
        for index, (client_order_id, _) in enumerate(wanted):
            order_id = make.order_id(base, index)
            acks.append(Ack(order_id, client_order_id or order_id))
        return _encode(BatchAck(acks))

    return Plan(submission, body_of, len(wanted), parsed.stands_against)


def plan_cancel(
    gateway: Gateway, principal: Principal, headers: Headers, body: bytes, order_id: str
) -> Plan | Problem:
    """POST /api/orders/{id}/cancel. Reads the store."""
    key = _key(headers, bare=not body)
    if isinstance(key, Problem):
        return key
    if body.strip() not in (b"", b"{}"):
        value = strict_json.read_object(body)
        if isinstance(value, Problem):
            return value
        entries = tuple(Entry(f"/{token(name)}", "unknown_field") for name in value)
        if entries:
            return Problem("validation_error", errors=entries)
    row = find_order(gateway, principal, order_id)
    if row is None:
        return NOT_FOUND
    account_id = row.account_id
    refused = principal.on(account_id, Action.CANCEL)
    if refused is not None:
        return refused
    submission = gateway.cancel(
        account_id, (order_id,), endpoint="cancel", key=key, canonical=order_id.encode(),
        actor=principal.actor, trace=_trace(headers),
    )  # fmt: skip
    answer = _encode(CancelAck(Status.PENDING_CANCEL, order_id))

    def decided(state: ClaimState) -> Answer | None:
        """The order as it is once the projection is past the cancel, and nothing is asked of it."""
        told = gateway.store.progress(state.partition).last_command >= state.offset
        now = gateway.store.get(order_id, (account_id,))
        if now is None or not (now.status in CLOSED or (told and _is_answered(now))):
            return None
        return Answer(200, shown.order_bytes(now), {})

    return Plan(submission, lambda _: answer, 0, _instead_of_cancel(row), decided)


class CancelBody(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """POST /api/orders/cancel: all open orders of an account, or those of a symbol or side."""

    account_id: fields.AccountId
    symbol: Annotated[
        str, msgspec.Meta(extra_json_schema={"pattern": f"^({SYMBOL_PATTERN})?$"})
    ] = ""
    side: Annotated[str, msgspec.Meta(extra_json_schema={"enum": ["", *Side]})] = ""


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
        return wrong.explain(body, CancelBody)
    refused = principal.on(wanted.account_id, Action.CANCEL)
    if refused is not None:
        return refused
    if wanted.symbol and market.known_units(wanted.symbol) is None:
        return Problem("validation_error", errors=(Entry("/symbol", "unknown_symbol"),))
    if wanted.side not in ("", "buy", "sell"):
        return Problem("validation_error", errors=(Entry("/side", "not_a_choice", "buy or sell"),))
    submission = gateway.cancel(
        wanted.account_id, (), symbol=wanted.symbol, side=wanted.side, endpoint="cancel_all",
        key=key, canonical=_encode(wanted), actor=principal.actor, trace=_trace(headers),
    )  # fmt: skip
    answer = _encode(CancelAck(Status.PENDING_CANCEL, account_id=wanted.account_id))
    return Plan(submission, lambda _: answer, 0)


def find_order(gateway: Gateway, principal: Principal, order_id: str) -> OrderRow | None:
    """Return an order this principal may read: stored, or acknowledged a moment ago."""
    if not make.is_id(order_id):
        return None
    account_ids = tuple(principal.readable)
    row = gateway.store.get(order_id, account_ids)
    return row if row is not None else gateway.pending_order(order_id, account_ids)


def _is_answered(row: OrderRow) -> bool:
    """Tell whether nothing is asked of the order that has no answer yet."""
    return row.status not in (Status.NEW, Status.PENDING_CANCEL)


def _is_decided(row: OrderRow) -> bool:
    """An order that rests is decided when the venue has it, or it waits here; others when they are over."""
    if row.status is Status.TRIGGER_PENDING:
        return True
    if row.terms.time_in_force in RESTING:
        return _is_answered(row)
    return row.status in CLOSED


def _instead_of_cancel(row: OrderRow) -> Answer | Problem | None:
    """There is nothing to cancel of an order that is over."""
    if row.status is Status.CANCELED:
        return Answer(200, _encode(CancelAck(row.status, row.order_id)), {})
    if row.status in CLOSED:
        return Problem("invalid_state_transition", f"The order is {row.status}.")
    return None


# ------------------------------------------------------------------ what the client is told


def told(gateway: Gateway, plan: Plan, state: ClaimState) -> Answer | Problem:
    """Return what the client is told of a committed (or repeated) submission.

    Reads the log only for a key that was used for something else: `differs` tells beforehand.
    """
    if state.fresh:
        metrics.ORDERS_ACCEPTED.inc(plan.orders)
        return Answer(ACCEPTED, plan.body_of(state.claim.ids_base), {})
    if differs(plan, state):
        reused = _reused(gateway, plan, state)
        if reused is not None:
            return reused
    if not state.done:
        return Problem("idempotency_in_flight", headers={"Retry-After": "1"})
    metrics.ORDERS_REPLAYED.inc()
    replayed = {"Idempotent-Replayed": "true"}
    if state.answer is not None:
        return Answer(state.answer[0], state.answer[1], replayed)
    return Answer(ACCEPTED, plan.body_of(state.claim.ids_base), replayed)


def differs(plan: Plan, state: ClaimState) -> bool:
    """Tell whether the key was used before, for another request."""
    return not state.fresh and state.claim.fingerprint != plan.submission.claim.fingerprint


def _reused(gateway: Gateway, plan: Plan, state: ClaimState) -> Problem | None:
    """Return the problem that names what differs from the key's first request.

    None: nothing does. Another version of the product wrote the same terms in other bytes.
    """
    pointers = gateway.differences(plan.submission, state)
    if pointers == []:
        return None
    if pointers is None:
        return Problem("idempotency_key_reused", "Use a new key for another request.")
    detail = f"It differs in {', '.join(pointers[:5])}. Use a new key for another request."
    entries = tuple(Entry(pointer, "differs") for pointer in pointers)
    return Problem("idempotency_key_reused", detail, entries)


def known(gateway: Gateway, plan: Plan) -> ClaimState | None:
    """Return what is claimed under the plan's key, None if it is fresh. Reads the claims."""
    claim = plan.submission.claim
    return gateway.intake.find(claim.account_id, claim.endpoint, claim.key)


def overloaded(gateway: Gateway, plan: Plan) -> Answer | Problem:
    """Return 503, or what a repeated request was told: that one asks for no room. Reads the claims."""
    state = known(gateway, plan)
    if state is not None:
        return told(gateway, plan, state)
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


# ------------------------------------------------------------------ headers


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


def _trading(principal: Principal) -> bodies.Refuse:
    """Whose it is comes before what is wrong with it: a stranger learns nothing of either."""
    return lambda account_id: principal.on(account_id, Action.TRADE)


def _trace(headers: Headers) -> str:
    return headers.get(b"traceparent", b"")[:64].decode("latin-1")

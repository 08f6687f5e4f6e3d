"""The lean path: order entry as a bare ASGI app, in front of Django.

Same authentication, validation and answers as the DRF views (orders/rest/entry_views.py), without
the milliseconds of middleware. Everything that is not order entry goes on to Django.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

import structlog
from asgiref.sync import sync_to_async

from marketdata import wiring as market
from oms_project import metrics
from oms_project.access import principal as access
from oms_project.access import sessions
from oms_project.access.errors import AccessError
from oms_project.access.principal import Principal
from oms_project.adapters.clock import NS_PER_S, SystemClock
from oms_project.kernel.errors import TransportError
from oms_project.kernel.words import Status
from oms_project.rest import request_ids, strict_json
from oms_project.rest.door import App, Receive, Scope, Send
from oms_project.rest.problem import CONTENT_TYPE, Problem, from_access, from_exception
from orders import wiring
from orders.rest import entry, shown
from orders.rest.entry import Answer, Plan

PREFIX: Final = "/api/orders"
_log = structlog.get_logger(__name__)
_monotonic_ns = SystemClock.monotonic_ns

Planner = Callable[..., Plan | Answer | Problem]


def app(django: App) -> App:
    """Return *django* behind the lean path."""

    async def lean(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST":
            path = scope["path"]
            if path.startswith(PREFIX):
                planner = _planner(path)
                if planner is not None:
                    await _serve(planner, scope, receive, send)
                    return
        await django(scope, receive, send)

    return lean


def _planner(path: str) -> Planner | None:
    rest = path[len(PREFIX) :]
    if rest == "":
        return entry.plan_order
    if rest == "/batch":
        return entry.plan_batch
    if rest == "/cancel":
        return entry.plan_cancel_all
    if rest.endswith("/cancel") and rest.count("/") == 2:
        order_id = rest[1:-7]

        def plan(*args: Any) -> Plan | Answer | Problem:
            return entry.plan_cancel(*args, order_id)

        plan.blocks = True  # type: ignore[attr-defined]
        return plan
    return None


async def _serve(planner: Planner, scope: Scope, receive: Receive, send: Send) -> None:
    begun_ns = _monotonic_ns()
    headers = strict_json.headers_of(scope["headers"])
    request_id = request_ids.choose(headers.get(b"x-request-id"))
    try:
        answer = await _answer(planner, scope, headers, receive)
    except Exception as error:
        problem = from_exception(error)
        if problem is None:
            _log.exception("order_entry_failed", path=scope["path"], request_id=request_id)
            problem = Problem("internal_error")
        answer = problem
    if isinstance(answer, Problem):
        metrics.REQUESTS_REFUSED.labels(answer.code).inc()
        body = answer.to_bytes(scope["path"], request_id)
        answer = Answer(answer.status, body, answer.headers, CONTENT_TYPE)
    else:
        metrics.ACK_SECONDS.observe((_monotonic_ns() - begun_ns) / NS_PER_S)
    await _send(send, answer, request_id)


async def _answer(
    planner: Planner, scope: Scope, headers: dict[bytes, bytes], receive: Receive
) -> Answer | Problem:
    principal = await _who(scope, headers)
    if isinstance(principal, Problem):
        return principal
    body = await _body(receive)
    if market.instruments_old():
        await sync_to_async(market.listings, thread_sensitive=False)()
    gateway = wiring.gateway()
    if hasattr(planner, "blocks"):
        planner = sync_to_async(planner, thread_sensitive=False)
        plan = await planner(gateway, principal, headers, body)  # type: ignore[misc]
    else:
        plan = planner(gateway, principal, headers, body)
    if not isinstance(plan, Plan):
        return plan
    try:
        if not await gateway.flow.room_async(plan.orders):
            return await sync_to_async(entry.overloaded, thread_sensitive=False)(gateway, plan)
        with gateway.flow.lease(plan.orders) as lease:
            async with asyncio.timeout(entry.COMMIT_S_MAX):
                state = await gateway.group.submit_async(plan.submission)
            lease.sent(state)
    except (TransportError, TimeoutError) as error:
        return entry.failed(error)
    answer = entry.told(plan, state)
    if answer is entry.REUSED:
        return await sync_to_async(entry.reused, thread_sensitive=False)(gateway, plan, state)
    wait_s = entry.wait_of(headers)
    if wait_s and state.fresh and plan.order_id_of is not None and isinstance(answer, Answer):
        order_id = plan.order_id_of(state.claim.ids_base)
        return await _decided(principal, order_id, wait_s, plan, answer)
    return answer


async def _who(scope: Scope, headers: dict[bytes, bytes]) -> Principal | Problem:
    """Return who asks: a bearer token, else a page's session with its CSRF token."""
    try:
        authorization = headers.get(b"authorization")
        if authorization is not None:
            token = access.bearer_of(authorization.decode("latin-1"))
            found = access.cached_bearer(token)
            if found is None:
                found = await sync_to_async(access.from_bearer, thread_sensitive=False)(token)
            return found
        cookies = access.cookies_of(headers.get(b"cookie", b"").decode("latin-1"))
        session = sync_to_async(access.from_session, thread_sensitive=False)
        key = access.session_key_of(cookies)
        found = access.cached_session(key) or await session(cookies)
    except AccessError as error:
        return from_access(error)
    names = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers.items()}
    if not access.csrf_ok("POST", names, cookies, scope["scheme"]):
        return Problem("csrf_failed", "A session needs a CSRF token and our own Origin.")
    if sessions.keeping_is_due(key):
        await sync_to_async(sessions.keep, thread_sensitive=False)(key)
    return found


async def _body(receive: Receive) -> bytes:
    message = await receive()
    if not message.get("more_body", False):
        return message.get("body", b"")
    parts = [message.get("body", b"")]
    while message.get("more_body", False):
        message = await receive()
        if message["type"] == "http.disconnect":
            return b""
        parts.append(message.get("body", b""))
    return b"".join(parts)


async def _decided(
    principal: Principal, order_id: str, wait_s: float, plan: Plan, answer: Answer
) -> Answer:
    """Wait for the order's decision; its answer is kept for replays before it is given."""
    deadline_ns = _monotonic_ns() + int(wait_s * NS_PER_S)
    gateway = wiring.gateway()
    get = sync_to_async(gateway.store.get, thread_sensitive=False)
    while _monotonic_ns() < deadline_ns:
        row = await get(order_id, (plan.submission.claim.account_id,))
        if row is not None and row.status not in (Status.NEW, Status.PENDING_CANCEL):
            body = await sync_to_async(shown.order_bytes, thread_sensitive=False)(row)
            settle = sync_to_async(gateway.intake.settle, thread_sensitive=False)
            await settle(plan.submission.claim, 201, body)
            applied = {"Preference-Applied": f"wait={wait_s:g}"}
            return Answer(201, body, applied)
        await asyncio.sleep(entry.WAIT_POLL_S)
    return answer


async def _send(send: Send, answer: Answer, request_id: str) -> None:
    headers = [
        (b"content-type", answer.kind.encode()),
        (b"content-length", str(len(answer.body)).encode()),
        (b"x-request-id", request_id.encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"cache-control", b"no-store"),
    ]
    headers += [
        (name.lower().encode(), value.encode("latin-1")) for name, value in answer.headers.items()
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})

"""The lean path: order entry as a bare ASGI app, in front of Django.

Who asks, what they sent, and the answer's bytes; between them is flow.py. Everything that is not
order entry goes on to Django, without which this path needs none of its middleware.
"""

from typing import Final

import structlog
from asgiref.sync import sync_to_async

from oms_project import metrics
from oms_project.access import callers, sessions, signing
from oms_project.access import principal as access
from oms_project.access.callers import Call
from oms_project.access.errors import AccessError
from oms_project.access.principal import Principal
from oms_project.adapters.clock import NS_PER_S, SystemClock
from oms_project.problem import CONTENT_TYPE, Problem
from oms_project.rest import request_ids, strict_json
from oms_project.rest.door import API_FIELDS, App, Receive, Scope, Send, Whole
from oms_project.rest.problem import from_access, from_exception
from orders.entry import flow
from orders.entry.flow import Route
from orders.entry.plans import Answer

READS: Final = ("GET", "HEAD")
"""Of /api/orders itself: Django's."""
_log = structlog.get_logger(__name__)
_monotonic_ns = SystemClock.monotonic_ns


class _LeftError(Exception):
    """The client went away before its request was whole: it asked for nothing."""


def app(django: App) -> App:
    """Return *django* behind the lean path."""

    async def lean(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = scope["path"]
            route = flow.route_of(path)
            if route is not None and not (path == flow.PREFIX and scope["method"] in READS):
                await _serve(route, scope, receive, send)
                return
        await django(scope, receive, send)

    return lean


async def _serve(route: Route, scope: Scope, receive: Receive, send: Send) -> None:
    begun_ns = _monotonic_ns()
    headers = strict_json.headers_of(scope["headers"])
    request_id = request_ids.choose(headers.get(b"x-request-id"))
    try:
        answer = await _answer(route, scope, headers, receive)
    except _LeftError:
        return
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
    route: Route, scope: Scope, headers: dict[bytes, bytes], receive: Receive
) -> Answer | Problem:
    body: bytes | None = None
    if callers.has_credentials(headers):
        if signing.is_signed(headers):
            body = await _body(receive)  # is signed, too
        principal = await _program(scope, headers, body or b"")
    else:
        principal = await _who(scope, headers)
    if isinstance(principal, Problem):
        return principal
    if scope["method"] != "POST":
        allowed = ", ".join((*READS, "POST")) if scope["path"] == flow.PREFIX else "POST"
        return Problem("method_not_allowed", headers={"Allow": allowed})
    if body is None:
        body = await _body(receive)
    return await flow.run(route, principal, headers, body)


async def _program(scope: Scope, headers: dict[bytes, bytes], body: bytes) -> Principal | Problem:
    """Return which program asks: by its token, its API key or its signature."""
    query = scope.get("query_string", b"")
    target = scope.get("raw_path") or scope["path"].encode()
    client = scope.get("client")
    call = Call(
        scope["method"], target + b"?" + query if query else target, headers,
        client[0] if client else "", body,
    )  # fmt: skip
    try:
        found = callers.at_hand(call)
        return found or await sync_to_async(callers.asked, thread_sensitive=False)(call)
    except AccessError as error:
        return from_access(error)


async def _who(scope: Scope, headers: dict[bytes, bytes]) -> Principal | Problem:
    """Return whose page asks: its session with its CSRF token."""
    try:
        cookies = access.cookies_of(headers.get(b"cookie", b"").decode("latin-1"))
        session = sync_to_async(access.from_session, thread_sensitive=False)
        key = access.session_key_of(cookies)
        found = access.cached_session(key) or await session(cookies)
    except AccessError as error:
        return from_access(error)
    names = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers.items()}
    if not access.csrf_ok(scope["method"], names, cookies, scope["scheme"]):
        return Problem("csrf_failed", "A session needs a CSRF token and our own Origin.")
    if sessions.keeping_is_due(key):
        await sync_to_async(sessions.keep, thread_sensitive=False)(key)
    return found


async def _body(receive: Receive) -> bytes:
    """Return the whole body.

    Raises:
        _LeftError: it never came; what did come is no request, least of all an empty one.
    """
    parts = []
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _LeftError
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return parts[0] if len(parts) == 1 else b"".join(parts)


async def _send(send: Send, answer: Answer, request_id: str) -> None:
    headers = Whole(API_FIELDS)
    headers += [
        (b"content-type", answer.kind.encode()),
        (b"content-length", b"%d" % len(answer.body)),
        (b"x-request-id", request_id.encode()),
    ]
    headers += [
        (name.lower().encode(), value.encode("latin-1")) for name, value in answer.headers.items()
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})

"""The outermost ASGI door for HTTP: limits that hold before anything else reads the request.

Every path below it (Django, the lean order path) gets a body of at most BODY_BYTES_MAX (a page's
form: FORM_BYTES_MAX), a header block and a target of bounded size, and a Host
that we serve. It also counts and times the answers, because it is the one place that sees all of them.

Some readers behind it take a time that grows with the square of what they read: the standard
library's cookies (backslashes in quotes), Django's Content-Type (semicolons in quotes), or much for
each byte: Django's forms. They get nothing that is long enough to matter.
"""

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from functools import lru_cache
from typing import Any, Final

from django.conf import settings
from django.http.request import split_domain_port, validate_host

from oms_project import metrics
from oms_project.access import throttle
from oms_project.adapters.clock import NS_PER_S, SystemClock
from oms_project.rest import request_ids
from oms_project.rest.problem import CONTENT_TYPE, Problem, ProblemError, is_api
from oms_project.rest.strict_json import BODY_BYTES_MAX

HEADER_BYTES_MAX: Final = 32 * 1024
TARGET_BYTES_MAX: Final = 8 * 1024
HOST_BYTES_MAX: Final = 255
MEDIA_TYPE_BYTES_MAX: Final = 256
LOG_INS: Final = frozenset({"/api/auth/login", "/login/", "/admin/login/"})
FORM_BYTES_MAX: Final = 64 * 1024
LOCAL_HOSTS: Final = ("localhost", "127.0.0.1", "[::1]")

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
_monotonic_ns = SystemClock.monotonic_ns


def limits(app: App) -> App:
    """Return *app* behind the door."""

    async def door(scope: Scope, receive: Receive, send: Send) -> None:
        begun_ns = _monotonic_ns()
        status = 0

        async def counting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if not isinstance(message["headers"], Whole):
                    headers = guarded(message["headers"], scope["path"])
                    message = {**message, "headers": headers}
            await send(message)

        try:
            wrong = check(scope)
            if wrong is None:
                scope["headers"] = with_plain_cookies(scope["headers"])
                await app(scope, _Body(receive, body_bytes_max(scope)).receive, counting)
            else:
                await answer(scope, counting, wrong)
        except ProblemError as error:
            if status:
                raise
            await answer(scope, counting, error.problem)
        finally:
            seconds = (_monotonic_ns() - begun_ns) / NS_PER_S
            metrics.count_http(scope["method"], scope["path"], status, seconds)

    return door


def check(scope: Scope) -> Problem | None:
    """Return what is wrong with a request's first bytes."""
    target = len(scope.get("raw_path") or scope["path"]) + len(scope["query_string"])
    if target > TARGET_BYTES_MAX:
        return Problem("uri_too_long", f"More than {TARGET_BYTES_MAX} bytes.")
    headers = scope["headers"]
    if sum(len(name) + len(value) + 4 for name, value in headers) > HEADER_BYTES_MAX:
        return Problem("headers_too_large", f"More than {HEADER_BYTES_MAX} bytes.")
    hosts = [value for name, value in headers if name == b"host"]
    if len(hosts) != 1 or len(hosts[0]) > HOST_BYTES_MAX or not served(hosts[0]):
        return Problem("bad_request", "The Host header names no host that is served here.")
    for name, value in headers:
        if name == b"content-length" and int(value) > body_bytes_max(scope):  # the server read it
            return Problem("payload_too_large", f"More than {body_bytes_max(scope)} bytes.")
        if name == b"content-type" and len(value) > MEDIA_TYPE_BYTES_MAX:
            return Problem("unsupported_media_type", f"More than {MEDIA_TYPE_BYTES_MAX} bytes.")
    return _told_to_wait(scope) if scope["path"] in LOG_INS else None


def _told_to_wait(scope: Scope) -> Problem | None:
    """Return 429 for an address that tries to log in and was told to wait: here it costs nothing."""
    client = scope.get("client")
    wait_s = throttle.wait_s_of(client[0]) if client and scope["method"] == "POST" else 0
    return Problem("rate_limited", headers={"Retry-After": str(wait_s)}) if wait_s else None


def body_bytes_max(scope: Scope) -> int:
    """Return how much a request may carry: JSON for the API, a form for a page."""
    return BODY_BYTES_MAX if is_api(scope["path"]) else FORM_BYTES_MAX


def with_plain_cookies(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Return *headers* without the cookies that hold a backslash: none of ours ever does."""
    if not any(name == b"cookie" and b"\\" in value for name, value in headers):
        return headers
    return [
        (name, b";".join(one for one in value.split(b";") if b"\\" not in one))
        if name == b"cookie"
        else (name, value)
        for name, value in headers
    ]


def _always(hsts_s: int) -> tuple[tuple[bytes, bytes], ...]:
    """Return the fields of every answer; *hsts_s*: how long browsers shall insist on https."""
    fields = (
        # For JSON, which is no page; pages have their own.
        (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
        (b"cache-control", b"no-store"),
        (b"referrer-policy", settings.SECURE_REFERRER_POLICY.encode()),
        (b"x-content-type-options", b"nosniff"),
    )
    hsts = (b"strict-transport-security", f"max-age={hsts_s}; includeSubDomains".encode())
    return (*fields, hsts) if hsts_s else fields


API_FIELDS: Final = _always(settings.SECURE_HSTS_SECONDS)
"""What every answer of the API says."""


class Whole(list[tuple[bytes, bytes]]):
    """An answer's headers that hold already what `guarded` adds."""


def guarded(headers: Iterable[tuple[bytes, bytes]], path: str) -> list[tuple[bytes, bytes]]:
    """Return an answer's *headers* with what every answer says, unless it says otherwise itself.

    Above all: nothing is kept in a cache. Who means an answer for everybody and for a while (static
    files do) says so.
    """
    given = list(headers)
    names = {name.lower() for name, _ in given}
    always = API_FIELDS if is_api(path) else API_FIELDS[1:]
    return given + [field for field in always if field[0] not in names]


@lru_cache(maxsize=256)
def served(host: bytes) -> bool:
    """Tell whether we answer for a Host header, by Django's own rule."""
    domain, _ = split_domain_port(host.decode("latin-1"))
    allowed = settings.ALLOWED_HOSTS or LOCAL_HOSTS
    return bool(domain) and validate_host(domain, allowed)


class _Body:
    """Counts what comes in, however it is cut. How long it may take is the server's (server.py)."""

    def __init__(self, receive: Receive, bytes_max: int) -> None:
        self._receive = receive
        self._bytes_max = bytes_max
        self._bytes = 0

    async def receive(self) -> Message:
        message = await self._receive()
        self._bytes += len(message.get("body", b""))
        if self._bytes > self._bytes_max:
            raise ProblemError(Problem("payload_too_large", f"More than {self._bytes_max} bytes."))
        return message


async def answer(scope: Scope, send: Send, problem: Problem) -> None:
    """Send *problem* and close the connection: the rest of the request was not read."""
    metrics.REQUESTS_REFUSED.labels(problem.code).inc()
    headers = dict(scope["headers"])
    request_id = request_ids.choose(headers.get(b"x-request-id"))
    path = scope["path"]
    body = problem.to_bytes(path[:256], request_id)
    kind = CONTENT_TYPE
    if not is_api(path):
        kind, body = (
            "text/plain; charset=utf-8",
            f"{problem.status} {problem.detail}\n".encode(),
        )
    fields = {
        "content-type": kind,
        "content-length": str(len(body)),
        "x-request-id": request_id,
        "connection": "close",
        **{name.lower(): value for name, value in problem.headers.items()},
    }
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields.items()]
    await send({"type": "http.response.start", "status": problem.status, "headers": raw})
    await send({"type": "http.response.body", "body": body})

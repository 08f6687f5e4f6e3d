"""The outermost middleware: a request id for everything, and a problem for whatever fails.

Django turns what a view or an inner middleware raises into an answer before it gets here; three
places keep that answer a problem: `process_exception` (a view's, also in debug mode), the error
views of problem.py (handler400 to handler500), and `_finish` for pages somebody else made.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest, HttpResponseBase
from django.utils.decorators import sync_and_async_middleware
from structlog.contextvars import bound_contextvars

from oms_project.access.errors import AccessError
from oms_project.codes import BY_STATUS
from oms_project.rest import request_ids, throttling
from oms_project.rest.problem import (
    CONTENT_TYPE,
    Problem,
    answer_to,
    from_exception,
    is_api,
    server_error,
    to_http,
)

log = structlog.get_logger(__name__)
Get = Callable[[HttpRequest], Any]


@sync_and_async_middleware
def problems(get_response: Get) -> Get | Callable[[HttpRequest], Awaitable[Any]]:
    """Give each request an id, and answer problem+json for every error of the API."""
    if iscoroutinefunction(get_response):

        async def handle_async(request: HttpRequest) -> HttpResponseBase:
            with bound_contextvars(**_begin(request)):
                return _finish(request, await get_response(request))

        handle_async.process_exception = process_exception  # type: ignore[attr-defined]
        return handle_async

    def handle(request: HttpRequest) -> HttpResponseBase:
        with bound_contextvars(**_begin(request)):
            return _finish(request, get_response(request))

    handle.process_exception = process_exception  # type: ignore[attr-defined]
    return handle


def process_exception(request: HttpRequest, exc: Exception) -> HttpResponseBase | None:
    """A view's exception, before Django's debug page sees it; a page's bug is left to Django."""
    problem = from_exception(exc)
    if problem is None:
        return _escaped(request, exc) if is_api(request.path) else None
    if problem.status >= 500:
        log.error("request_failed", code=problem.code, path=request.path, exc_info=exc)
    elif not is_api(request.path) and not isinstance(exc, AccessError):
        return None
    return answer_to(request, problem)


def _begin(request: HttpRequest) -> dict[str, str]:
    request_id = request_ids.choose(request.headers.get(request_ids.HEADER))
    request.request_id = request_id  # type: ignore[attr-defined]
    return {"request_id": request_id}


def _escaped(request: HttpRequest, exc: Exception) -> HttpResponseBase:
    log.error("unhandled_exception", method=request.method, path=request.path, exc_info=exc)
    return server_error(request)


def _finish(request: HttpRequest, answer: HttpResponseBase) -> HttpResponseBase:
    """Replace an error page somebody else made by the problem its status means."""
    if answer.status_code >= 400 and is_api(request.path) and _foreign(answer):
        code = BY_STATUS.get(answer.status_code, "bad_request")
        made = to_http(Problem(code), request)
        for name in ("Allow", "Retry-After", "WWW-Authenticate"):
            if name in answer.headers:
                made[name] = answer.headers[name]
        answer = made
    throttling.tell(request, answer)
    answer[request_ids.HEADER] = request.request_id  # type: ignore[attr-defined]
    return answer


def _foreign(answer: HttpResponseBase) -> bool:
    kind = answer.headers.get("Content-Type", "")
    return not kind.startswith((CONTENT_TYPE, "application/json"))

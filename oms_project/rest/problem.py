"""What DRF, Django and our own adapters raise, as problems; and problems as Django's answers."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import structlog
from django.core.exceptions import (
    ObjectDoesNotExist,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
)
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from rest_framework import exceptions as drf
from rest_framework.response import Response

from oms_project import metrics
from oms_project.access.errors import AccessError
from oms_project.codes import BY_STATUS, CODES, Outcome
from oms_project.kernel.errors import TransportError, UnknownOutcomeError
from oms_project.problem import CONTENT_TYPE, NOT_FOUND, Entry, Problem, token
from oms_project.rest import pages

API_PREFIXES: Final = ("/api/", "/health")
"""Paths whose errors are JSON; everything else is read by people and gets a page."""

log = structlog.get_logger(__name__)
_NO_HEADERS: Final[Mapping[str, str]] = {}
_CHALLENGE: Final[Mapping[str, str]] = {"WWW-Authenticate": 'Bearer realm="api"'}


class ProblemError(drf.APIException):
    """A problem on its way out of a view."""

    def __init__(self, problem: Problem | str, detail: str = "") -> None:
        self.problem = Problem(problem, detail) if isinstance(problem, str) else problem
        self.status_code = self.problem.status
        super().__init__(self.problem.detail, self.problem.code)


class InvalidQueryError(ProblemError, ValueError):
    """A query parameter that cannot be read."""


def invalid_query(name: str, detail: str) -> InvalidQueryError:
    """Return the 400 that names a query parameter."""
    entry = Entry(f"?{name}", "invalid", detail)
    return InvalidQueryError(Problem("invalid_query_parameter", f"{name}: {detail}", (entry,)))


# ------------------------------------------------------------------ what others raise
_SIMPLE: Final[tuple[tuple[type[Exception], str], ...]] = (  # the first that fits
    (RequestDataTooBig, "payload_too_large"),
    (UnreadablePostError, "bad_request"),
    (SuspiciousOperation, "bad_request"),
    (Http404, "not_found"),
    (ObjectDoesNotExist, "not_found"),
    (PermissionDenied, "permission_denied"),
    (OperationalError, "store_unavailable"),
    (InterfaceError, "store_unavailable"),
    (drf.ParseError, "malformed_json"),
    (drf.NotAuthenticated, "not_authenticated"),
    (drf.AuthenticationFailed, "invalid_token"),
    (drf.PermissionDenied, "permission_denied"),
    (drf.NotFound, "not_found"),
    (drf.NotAcceptable, "not_acceptable"),
    (drf.UnsupportedMediaType, "unsupported_media_type"),
)


def from_exception(exc: Exception) -> Problem | None:
    """Return the problem an exception means, or None if it is a bug."""
    match exc:
        case ProblemError():
            return exc.problem
        case AccessError():
            return from_access(exc)
        case UnknownOutcomeError():
            return Problem(_transport_code(exc), outcome=Outcome.UNKNOWN)
        case TransportError():
            return Problem(_transport_code(exc), outcome=Outcome.NONE)
        case drf.Throttled():
            seconds = str(max(1, int(exc.wait or 1)))
            return Problem("rate_limited", headers={"Retry-After": seconds})
        case drf.ValidationError():
            return Problem("validation_error", errors=tuple(_entries(exc.get_full_details(), "")))
    for kind, code in _SIMPLE:
        if isinstance(exc, kind):
            return Problem(code, headers=_CHALLENGE if CODES[code].status == 401 else _NO_HEADERS)
    if isinstance(exc, drf.APIException):
        return Problem(BY_STATUS.get(exc.status_code, "bad_request"))
    return None


def from_access(exc: AccessError) -> Problem:
    """Return what the door says to somebody it does not let in."""
    headers = dict(_CHALLENGE) if CODES[exc.code].status == 401 else {}
    if exc.retry_after_s:
        headers["Retry-After"] = str(exc.retry_after_s)
    return Problem(exc.code, headers=headers, server_time=exc.server_time)


def _transport_code(exc: TransportError) -> str:
    known = {
        "log": "durable_log_unavailable",
        "kafka": "durable_log_unavailable",
        "intake": "durable_log_unavailable",
        "claims": "idempotency_store_unavailable",
    }
    return known.get(exc.dependency, "store_unavailable")


_DRF_CODES: Final[Mapping[str, str]] = {
    "null": "wrong_type",
    "blank": "too_short",
    "min_length": "too_short",
    "max_length": "too_long",
    "not_a_string": "wrong_type",
    "invalid_choice": "not_a_choice",
    "null_characters_not_allowed": "invalid",
    "surrogate_characters_not_allowed": "invalid",
}


def _entries(details: Any, pointer: str) -> Iterable[Entry]:
    """Flatten DRF's nested error details into one entry a message."""
    if isinstance(details, dict) and isinstance(details.get("message"), str):
        code = details.get("code", "invalid")
        yield Entry(pointer, _DRF_CODES.get(code, str(code)), str(details["message"]))
    elif isinstance(details, dict):
        for name, inner in details.items():
            below = pointer if name == "non_field_errors" else f"{pointer}/{token(str(name))}"
            yield from _entries(inner, below)
    elif isinstance(details, list):
        for inner in details:
            yield from _entries(inner, pointer)


# ------------------------------------------------------------------ answers
def is_api(path: str) -> bool:
    """Tell whether errors of *path* are JSON."""
    return path.startswith(API_PREFIXES)


def request_id_of(request: HttpRequest) -> str:
    """Return the id the middleware gave the request ("" outside of it)."""
    return getattr(request, "request_id", "")


def to_http(problem: Problem, request: HttpRequest) -> HttpResponse:
    """Return the problem as Django's answer to *request*, and count it."""
    metrics.REQUESTS_REFUSED.labels(problem.code).inc()
    body = problem.to_bytes(request.path, request_id_of(request))
    answer = HttpResponse(body, status=problem.status, content_type=CONTENT_TYPE)
    for name, value in problem.headers.items():
        answer[name] = value
    return answer


def exception_handler(exc: Exception, context: Mapping[str, Any]) -> Response | HttpResponse | None:
    """DRF's hook: every exception of a view becomes a problem; a bug goes on to the middleware."""
    problem = from_exception(exc)
    if problem is None:
        return None
    request = context["request"]._request
    if isinstance(exc, drf.MethodNotAllowed):
        allow = ", ".join(context["view"].allowed_methods)
        problem = Problem("method_not_allowed", headers={"Allow": allow})
    if problem.status >= 500:
        log.error("request_failed", code=problem.code, exc_info=exc)
    return to_http(problem, request)


# ------------------------------------------------------------------ Django's own error views
def answer_to(request: HttpRequest, problem: Problem) -> HttpResponse:
    """Return the problem as JSON below the API, as a page elsewhere."""
    if is_api(request.path):
        return to_http(problem, request)
    page = pages.error_page(request, problem.status, CODES[problem.code].title)
    for name, value in problem.headers.items():
        page[name] = value
    return page


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler400: a host name we do not serve, a body too big, a cookie out of shape."""
    problem = from_exception(exception)
    usable = problem is not None and problem.status < 500
    return answer_to(request, problem if usable and problem else Problem("bad_request"))


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler403: Django's own refusals, in the admin mostly. They are evidence, too."""
    user = getattr(request, "user", None)
    log.warning(
        "access_refused", code="permission_denied", path=request.path, method=request.method,
        user_id=str(getattr(user, "pk", "") or ""), username=str(user or ""),
    )  # fmt: skip
    return answer_to(request, Problem("permission_denied"))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler404."""
    return answer_to(request, NOT_FOUND)


def server_error(request: HttpRequest) -> HttpResponse:
    """handler500: says nothing about what broke; the log does."""
    return answer_to(request, Problem("internal_error"))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """CSRF_FAILURE_VIEW."""
    return answer_to(request, Problem("csrf_failed"))

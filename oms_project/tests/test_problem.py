"""Every error is a problem, whoever raised it; ids are given and kept; nothing leaks."""

import json
from typing import Any

import pytest
from django.core.exceptions import (
    DisallowedHost,
    ObjectDoesNotExist,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
)
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import path
from rest_framework import exceptions as drf
from rest_framework.response import Response
from rest_framework.views import APIView

from oms_project.access.errors import AccessError
from oms_project.codes import BY_STATUS, CODES, ENTRY_CODES, TABLE
from oms_project.kernel.errors import TransportError, UnknownOutcomeError
from oms_project.rest import problem
from oms_project.rest.fields import Body, Text, valid
from oms_project.rest.problem import Entry, Problem, ProblemError
from oms_project.rest.views import OpenView
from oms_project.tests.test_strict_json import ACCEPT

FIELDS = {
    "type", "title", "status", "detail", "instance", "code", "request_id", "retryable",
    "outcome", "errors",
}  # fmt: skip


class BugError(Exception):
    """Nobody maps it."""


RAISED: list[tuple[Exception, str]] = [
    (BugError("secret detail"), "internal_error"),
    (ValueError("secret detail"), "internal_error"),
    (ProblemError(Problem("invalid_state_transition")), "invalid_state_transition"),
    (AccessError("token_expired"), "token_expired"),
    (TransportError("log"), "durable_log_unavailable"),
    (UnknownOutcomeError("log"), "durable_log_unavailable"),
    (TransportError("claims"), "idempotency_store_unavailable"),
    (TransportError("store"), "store_unavailable"),
    (OperationalError("secret detail"), "store_unavailable"),
    (Http404("secret detail"), "not_found"),
    (ObjectDoesNotExist("secret detail"), "not_found"),
    (PermissionDenied("secret detail"), "permission_denied"),
    (SuspiciousOperation("secret detail"), "bad_request"),
    (DisallowedHost("secret detail"), "bad_request"),
    (RequestDataTooBig("secret detail"), "payload_too_large"),
    (drf.ParseError(), "malformed_json"),
    (drf.AuthenticationFailed(), "invalid_token"),
    (drf.NotAuthenticated(), "not_authenticated"),
    (drf.PermissionDenied(), "permission_denied"),
    (drf.NotFound(), "not_found"),
    (drf.NotAcceptable(), "not_acceptable"),
    (drf.UnsupportedMediaType("text/plain"), "unsupported_media_type"),
    (drf.Throttled(wait=3.2), "rate_limited"),
    (drf.ValidationError({"a": {"b": ["wrong"]}}), "validation_error"),
]


class Raises(OpenView):
    """Raises the exception of its number, in a DRF view."""

    class RaisesBody(Body):
        name = Text(max_length=3)

    def get(self, request: Any, number: int) -> HttpResponse:
        raise RAISED[number][0]

    def post(self, request: Any, number: int) -> HttpResponse:
        return HttpResponse(valid(self.RaisesBody, request)["name"])


class Fine(OpenView):
    def get(self, request: Any) -> Response:
        return Response({"fine": True})


class Members(APIView):
    def get(self, request: Any) -> HttpResponse:
        return HttpResponse("in")

    post = get


def plain(request: HttpRequest, number: int) -> HttpResponse:
    """Raise the exception of this number, in a plain Django view."""
    raise RAISED[number][0]


def echo(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"{problem.request_id_of(request)} {request.POST.get('a')}")


urlpatterns = [
    path("api/raises/<int:number>", Raises.as_view()),
    path("api/plain/<int:number>", plain),
    path("api/echo", echo),
    path("api/fine", Fine.as_view()),
    path("api/members", Members.as_view()),
    path("page/<int:number>", plain),
]
handler400 = "oms_project.rest.problem.bad_request"
handler403 = "oms_project.rest.problem.permission_denied"
handler404 = "oms_project.rest.problem.not_found"
handler500 = "oms_project.rest.problem.server_error"

pytestmark = [pytest.mark.urls(__name__), pytest.mark.django_db]


@pytest.fixture(params=[False, True], ids=["live", "debug"])
def http(request: Any) -> Any:
    with override_settings(DEBUG=request.param):
        yield Client(raise_request_exception=False)


def a_problem(answer: Any, code: str) -> dict[str, Any]:
    """Assert that *answer* is the problem *code*, whole and telling nothing; return it."""
    assert answer.headers["Content-Type"] == problem.CONTENT_TYPE
    body: dict[str, Any] = json.loads(answer.content)
    assert set(body) == FIELDS
    assert (body["code"], body["status"]) == (code, answer.status_code)
    assert body["status"] == CODES[code].status
    assert body["request_id"] == answer.headers["X-Request-ID"]
    assert body["instance"] == answer.wsgi_request.path
    for leak in (b"secret detail", b"Traceback", b"django", b"Django", b".py"):
        assert leak not in answer.content
    return body


@pytest.mark.parametrize("where", ["raises", "plain"])
@pytest.mark.parametrize("number", range(len(RAISED)), ids=lambda n: type(RAISED[n][0]).__name__)
def test_whatever_a_view_raises(http: Any, where: str, number: int) -> None:
    """The same problem from a DRF view and a plain one, also in debug mode."""
    body = a_problem(http.get(f"/api/{where}/{number}"), RAISED[number][1])
    unknown = isinstance(RAISED[number][0], UnknownOutcomeError | BugError | ValueError)
    assert (body["outcome"] == "unknown") is unknown


def test_nested_field_errors_have_pointers(http: Any) -> None:
    """RFC 6901 pointers into the body."""
    body = json.loads(http.get(f"/api/raises/{len(RAISED) - 1}").content)
    assert body["errors"] == [{"pointer": "/a/b", "code": "invalid", "detail": "wrong"}]


def test_headers_of_problems(http: Any) -> None:
    """Those that their status asks for."""
    throttled = next(n for n, row in enumerate(RAISED) if row[1] == "rate_limited")
    assert http.get(f"/api/raises/{throttled}").headers["Retry-After"] == "4"
    assert http.get("/api/members").headers["WWW-Authenticate"].startswith("Bearer")
    assert http.delete("/api/raises/0").headers["Allow"] == "GET, POST, HEAD, OPTIONS"


def test_errors_before_any_view(http: Any) -> None:
    """No route, no such host, no such method, nothing acceptable."""
    a_problem(http.get("/api/nothing"), "not_found")
    a_problem(http.get("/api/echo", headers={"host": "evil.example"}), "bad_request")
    a_problem(http.put("/api/raises/0"), "method_not_allowed")
    a_problem(http.get("/api/raises/0", headers={"accept": "text/html"}), "not_acceptable")


@pytest.mark.parametrize(("accept", "taken"), ACCEPT)
def test_accept(http: Any, accept: bytes, taken: bool) -> None:
    """The same rule as on the paths without a framework, and always the same content type."""
    for where, kind in (("/api/members", "problem+json"), ("/api/fine", "json")):
        answer = http.get(where, headers={"accept": accept.decode()})
        if taken:
            assert answer.headers["Content-Type"] == f"application/{kind}"
        else:
            a_problem(answer, "not_acceptable")


def test_options_tell_nothing(http: Any) -> None:
    """What there is stands in the OpenAPI document."""
    a_problem(http.options("/api/fine"), "method_not_allowed")


def test_csrf_and_large_forms(http: Any) -> None:
    """Django's own refusals below /api."""
    strict = Client(enforce_csrf_checks=True, raise_request_exception=False)
    a_problem(strict.post("/api/echo"), "csrf_failed")
    with override_settings(DATA_UPLOAD_MAX_MEMORY_SIZE=10):
        form = "application/x-www-form-urlencoded"
        answer = http.post("/api/echo", "a=" + "x" * 100, content_type=form)
    a_problem(answer, "payload_too_large")


BODIES = [
    (b'{"name":"ann"}', "application/json", 200, ""),
    (b'{"name":"ann"}', "text/plain", 415, "unsupported_media_type"),
    (b'{"name":"ann"}', "application/json; charset=latin-1", 415, "unsupported_media_type"),
    (b"{", "application/json", 400, "malformed_json"),
    (b"", "application/json", 400, "empty_body"),
    (b'{"name":"a","name":"b"}', "application/json", 400, "duplicate_json_key"),
    (b"[" * 1000, "application/json", 400, "json_too_deep"),
    (b"\xff", "application/json", 400, "invalid_encoding"),
    (b"[]", "application/json", 422, "validation_error"),
]


@pytest.mark.parametrize(("body", "kind", "status", "code"), BODIES)
def test_bodies(http: Any, body: bytes, kind: str, status: int, code: str) -> None:
    """The strict reader stands in front of every view."""
    answer = http.generic("POST", "/api/raises/0", body, CONTENT_TYPE=kind)
    assert answer.status_code == status
    if code:
        a_problem(answer, code)


ENTRIES = [
    ({}, "/name", "required"),
    ({"name": None}, "/name", "wrong_type"),
    ({"name": 1}, "/name", "invalid"),
    ({"name": True}, "/name", "invalid"),
    ({"name": ""}, "/name", "too_short"),
    ({"name": "long"}, "/name", "too_long"),
    ({"name": "\x00"}, "/name", "invalid"),
    ({"name": "ann", "admin": True}, "/admin", "unknown_field"),
]


@pytest.mark.parametrize(("body", "pointer", "code"), ENTRIES)
def test_entries(http: Any, body: Any, pointer: str, code: str) -> None:
    """One entry a field, with a code of the catalogue; nothing is coerced or ignored."""
    answer = http.post("/api/raises/0", body, content_type="application/json")
    found = a_problem(answer, "validation_error")["errors"]
    assert [(entry["pointer"], entry["code"]) for entry in found] == [(pointer, code)]
    assert code in ENTRY_CODES


@pytest.mark.parametrize(
    ("sent", "kept"),
    [("req-12345678", True), ("a" * 65, False), ("short", False), ("bad id\n", False), ("", False)],
)
def test_request_ids(http: Any, sent: str, kept: bool) -> None:
    """The caller's id if it is sane; a new one otherwise; always in the answer."""
    answer = http.get("/api/echo", headers={"x-request-id": sent})
    given = answer.headers["X-Request-ID"]
    assert answer.content.decode().startswith(given)
    assert (given == sent) is kept
    assert len(given) >= 8


PAGES = [
    (BugError, 500), (TransportError, 503), (Http404, 404), (PermissionDenied, 403),
    (SuspiciousOperation, 400),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "status"), PAGES)
def test_pages_get_pages(kind: type[Exception], status: int) -> None:
    """Outside of the API people read the error, and it tells as little."""
    number = next(n for n, row in enumerate(RAISED) if type(row[0]) is kind)
    answer = Client(raise_request_exception=False).get(f"/page/{number}")
    assert answer.status_code == status
    assert answer.headers["Content-Type"].startswith("text/html")
    assert b"secret detail" not in answer.content


def test_bytes() -> None:
    """A problem needs no framework to become bytes."""
    made = Problem("validation_error", errors=(Entry("/orders/1/price", "price_tick", "x", 1),))
    body = json.loads(made.to_bytes("/api/orders", "r-1"))
    assert set(body) == FIELDS
    assert body["errors"] == [
        {"pointer": "/orders/1/price", "code": "price_tick", "detail": "x", "index": 1}
    ]
    assert body["type"] == "/api/meta/errors#validation_error"


def test_catalogue() -> None:
    """Titles are sentences, statuses are errors, and what stands for a status has that status."""
    assert len(CODES) == len(TABLE), "no code stands twice"
    for code in CODES.values():
        assert 400 <= code.status < 600
        assert code.title
        assert not code.title.endswith(".")
    for status, name in BY_STATUS.items():
        assert CODES[name].status == status

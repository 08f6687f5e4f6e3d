"""The outermost door: limits that hold for every path, and answers that are problems."""

import json
from typing import Any

import pytest
from prometheus_client import REGISTRY

from oms_project.rest import door, problem
from oms_project.rest.door import HEADER_BYTES_MAX, TARGET_BYTES_MAX, Receive, Scope, Send
from oms_project.rest.strict_json import BODY_BYTES_MAX
from oms_project.tests.asgi import Answer, ask

HOST = (b"host", b"localhost:8000")


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Read the whole body and answer its length."""
    size, more = 0, True
    while more:
        message = await receive()
        size += len(message["body"])
        more = message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(size).encode()})


APP = door.limits(echo)


def a_problem(answer: Answer, code: str) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(answer.body)
    assert answer.headers["content-type"] == problem.CONTENT_TYPE
    assert (body["code"], body["status"]) == (code, answer.status)
    assert body["request_id"] == answer.headers["x-request-id"]
    assert answer.headers["connection"] == "close"
    return body


async def test_within_the_limits() -> None:
    """The largest of everything still comes through."""
    half = b"x" * (BODY_BYTES_MAX // 2)
    answer = await ask(APP, "POST", "/api/x", headers=[HOST], pieces=[half, half])
    assert (answer.status, answer.body) == (200, str(BODY_BYTES_MAX).encode())


async def test_a_body_too_large_in_pieces() -> None:
    """Without a length to believe, it is counted."""
    half = b"x" * (BODY_BYTES_MAX // 2)
    answer = await ask(APP, "POST", "/api/x", headers=[HOST], pieces=[half, half, b"x"])
    assert a_problem(answer, "payload_too_large")["outcome"] == "none"


async def test_a_body_too_large_by_its_own_word() -> None:
    """Content-Length says it: nothing of it is read."""
    headers = [HOST, (b"content-length", str(BODY_BYTES_MAX + 1).encode())]
    answer = await ask(APP, "POST", "/api/x", headers=headers, pieces=[], stall=True)
    a_problem(answer, "payload_too_large")


async def test_a_target_too_long() -> None:
    """Path and query together."""
    answer = await ask(APP, path="/api/x", query=b"a" * TARGET_BYTES_MAX, headers=[HOST])
    a_problem(answer, "uri_too_long")


async def test_a_header_block_too_large() -> None:
    """All of it, however many fields."""
    fields = [(b"x-%d" % number, b"v" * 1000) for number in range(HEADER_BYTES_MAX // 1000 + 1)]
    answer = await ask(APP, path="/api/x", headers=[HOST, *fields])
    a_problem(answer, "headers_too_large")


@pytest.mark.parametrize(
    "hosts", [[], [b"evil.example"], [b""], [b"localhost", b"localhost"], [b"localhost@evil"]]
)
async def test_a_host_we_do_not_serve(hosts: list[bytes]) -> None:
    """Also on paths that never ask Django."""
    headers = [(b"host", host) for host in hosts]
    a_problem(await ask(APP, path="/api/x", headers=headers), "bad_request")


async def test_pages_get_text() -> None:
    """A person's browser shows a line, not JSON."""
    answer = await ask(APP, path="/", headers=[(b"host", b"evil.example")])
    assert (answer.status, answer.headers["content-type"][:10]) == (400, "text/plain")


async def test_answers_are_counted() -> None:
    """By method and status; a method nobody has does not make a new series."""

    def count(method: str, status: str) -> float:
        labels = {"method": method, "status": status}
        return REGISTRY.get_sample_value("oms_http_requests_total", labels) or 0

    before = count("POST", "200"), count("other", "400")
    await ask(APP, "POST", "/api/x", headers=[HOST])
    await ask(APP, "NONSENSE", "/api/x", headers=[])
    assert (count("POST", "200"), count("other", "400")) == (before[0] + 1, before[1] + 1)

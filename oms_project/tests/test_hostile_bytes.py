"""No reader of input takes a time that grows faster than the input: nobody freezes the product.

Not a time but two are compared: sixteen times the bytes may take SLACK times what the few took. A
reader that is quadratic takes 256 times as long.
"""

import asyncio
import time
from collections.abc import Callable

import pytest

from oms_project.asgi import application
from oms_project.problem import ERRORS_MAX, Entry, Problem
from oms_project.rest import door, strict_json
from oms_project.rest.door import FORM_BYTES_MAX, Message, Scope
from oms_project.rest.strict_json import BODY_BYTES_MAX, VALUES_MAX
from oms_project.tests.asgi import ask

FEW, MANY = 16 * 1024, 256 * 1024
SLACK = 80
LEAST_S = 0.0005
"""A shorter time is noise."""

BODIES: dict[str, tuple[bytes, bytes, bytes]] = {  # begin, what is repeated, end
    "escaped quotes in a string that never ends": (b'"', b'\\"', b""),
    "backslashes in a string that never ends": (b'"', b"\\\\", b""),
    "quotes": (b"", b'"', b""),
    "empty strings": (b"[", b'"",', b'""]'),
    "brackets in strings": (b"[", b'"[",', b'""]'),
    "opened": (b"", b"[", b""),
    "closed": (b"", b"]", b""),
    "pairs": (b"", b"[]", b""),
    "twenty levels": (b"[", b"[" * 19 + b"]" * 19 + b",", b"0]"),
    "objects": (b"[", b'{"":""},', b"0]"),
    "colons in strings": (b"[", b'{"":":"},', b"0]"),
    "a key that stands twice at the end": (b"[", b'{"":":"},', b'{"a":1,"a":1}]'),
    "digits": (b"[", b"1", b"]"),
    "digits behind the point": (b"[1.", b"1", b"]"),
    "numbers": (b"[", b"1e308,", b"0]"),
    "escapes": (b'"', b"\\u0041", b'"'),
    "blanks": (b"", b" ", b""),
    "no UTF-8": (b'"', b"a", b"\xff"),
}


def seconds(work: Callable[[], object]) -> float:
    """Return how long the fastest of three runs took."""
    found = []
    for _ in range(3):
        begun = time.perf_counter()
        work()
        found.append(time.perf_counter() - begun)
    return max(LEAST_S, min(found))


@pytest.mark.parametrize("shape", BODIES.values(), ids=BODIES.keys())
def test_bodies(shape: tuple[bytes, bytes, bytes]) -> None:
    """Readable or not, the time is that of the bytes."""
    begin, part, end = shape

    def body(size: int) -> bytes:
        return begin + part * (size // len(part)) + end

    few, many = body(FEW), body(MANY)
    few_s = seconds(lambda: strict_json.read(few))
    assert seconds(lambda: strict_json.read(many)) < SLACK * few_s


HEADERS: dict[str, tuple[bytes, bytes, bytes, bytes]] = {  # name, begin, what is repeated, end
    "backslashes in a cookie": (b"cookie", b'a="', b"\\", b'"'),
    "escaped quotes in a cookie": (b"cookie", b'a="', b'\\"', b'"'),
    "cookies": (b"cookie", b"", b"a=b;", b""),
    "semicolons in a quoted media type": (b"content-type", b'a;"', b";", b""),
    "accepted ranges": (b"accept", b"", b",", b""),
    "blanks in a bearer": (b"authorization", b"Bearer ", b" ", b""),
}


@pytest.mark.parametrize("path", ["/api/orders", "/api/auth/login", "/login/"])
@pytest.mark.parametrize("shape", HEADERS.values(), ids=HEADERS.keys())
def test_headers(shape: tuple[bytes, bytes, bytes, bytes], path: str) -> None:
    """The lean path, REST and pages, all behind the same door."""
    name, begin, part, end = shape

    def work(size: int) -> None:
        sent = [(b"host", b"localhost"), (name, begin + part * (size // len(part)) + end)]
        answer = asyncio.run(ask(application, "POST", path, headers=sent, pieces=[b"{}"]))
        assert 400 <= answer.status < 500

    work(1)  # whatever is made once
    few_s = seconds(lambda: work(2_000))
    assert seconds(lambda: work(16 * 2_000 - 500)) < 20 * few_s


def test_a_socket_reads_cookies_the_same_way() -> None:
    """Its door is another one; the cookies are as plain behind it."""
    cookie = b'a="' + b"\\" * 32_000 + b'"'
    fields = [(b"host", b"localhost"), (b"cookie", cookie), (b"origin", b"http://localhost")]
    scope: Scope = {
        "type": "websocket", "path": "/ws/orders", "raw_path": b"/ws/orders", "query_string": b"",
        "headers": fields, "subprotocols": [], "scheme": "ws",
    }  # fmt: skip
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    took_s = seconds(lambda: asyncio.run(application(scope, receive, send)))
    assert (sent[-1]["type"], sent[-1]["code"]) == ("websocket.close", 4401)
    assert took_s < 0.5  # 2.8 s, were it read


def test_plain_cookies() -> None:
    """One with a backslash is left out; its neighbours stay."""
    given = [(b"host", b"x"), (b"cookie", b'a=1; b="\\101"; sessionid=s'), (b"cookie", b"c=2")]
    kept = [(b"host", b"x"), (b"cookie", b"a=1; sessionid=s"), (b"cookie", b"c=2")]
    assert door.with_plain_cookies(given) == kept
    assert door.with_plain_cookies(kept) is kept


async def test_a_form_is_small() -> None:
    """Django's forms cost much for each byte; the API keeps its whole MiB."""
    sent = [(b"host", b"localhost"), (b"content-type", b"application/x-www-form-urlencoded")]
    pieces = [b"a=" + b"%" * FORM_BYTES_MAX]
    answer = await ask(application, "POST", "/login/", headers=sent, pieces=pieces)
    assert answer.status == 413


@pytest.mark.parametrize("part", [b"[],", b"1,", b'"",', b'{"a":1},'])
def test_too_many_values(part: bytes) -> None:
    """Bounded before anything is made of them."""
    found = strict_json.read(b"[" + part * VALUES_MAX + b"0]")
    assert isinstance(found, Problem)
    assert found.code == "bad_request"


def test_text_is_not_counted_as_values() -> None:
    """Commas and brackets inside of a string are text."""
    text = b"[{,}]" * (VALUES_MAX // 2)
    assert strict_json.read(b'{"a":"' + text + b'"}') == {"a": text.decode()}


def test_a_large_body_is_not_read_twice() -> None:
    """Which key stands twice is told in a small one only; that one does, always."""
    small = strict_json.read(b'{"a":":","a":1}')
    large = strict_json.read(b'{"a":"' + b":" * (BODY_BYTES_MAX // 2) + b'","a":1}')
    assert isinstance(small, Problem)
    assert isinstance(large, Problem)
    assert (small.code, large.code) == ("duplicate_json_key", "duplicate_json_key")
    assert "'a'" in small.detail
    assert not large.detail


def test_an_answer_is_not_larger_than_the_question() -> None:
    """Of very many mistakes the first are told."""
    entries = tuple(Entry(f"/{number}", "unknown_field") for number in range(10 * ERRORS_MAX))
    answer = Problem("validation_error", errors=entries).to_bytes("/api/orders", "")
    assert answer.count(b'"pointer"') == ERRORS_MAX

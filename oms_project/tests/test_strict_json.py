"""What strict_json.py takes and refuses: a row a body, a row a header."""

import json

import pytest

from oms_project.rest import strict_json
from oms_project.rest.problem import Problem

DEEP = 20


def nested(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


REFUSED = [
    ("empty", b"", "empty_body"),
    ("blank", b" \r\n\t", "empty_body"),
    ("cut off", b'{"a":1', "malformed_json"),
    ("text behind", b'{"a":1}x', "malformed_json"),
    ("two values", b"{}{}", "malformed_json"),
    ("comma at the end", b'{"a":1,}', "malformed_json"),
    ("single quotes", b"{'a':1}", "malformed_json"),
    ("comment", b'{"a":1/*c*/}', "malformed_json"),
    ("NaN", b'{"a":NaN}', "malformed_json"),
    ("Infinity", b'{"a":-Infinity}', "malformed_json"),
    ("beyond a double", b'{"a":1e400}', "malformed_json"),
    ("leading zero", b'{"a":01}', "malformed_json"),
    ("plus sign", b'{"a":+1}', "malformed_json"),
    ("endless number", b'{"a":' + b"1" * 5000 + b"}", "malformed_json"),
    ("raw control character", b'{"a":"\x01"}', "malformed_json"),
    ("NUL", b"\x00", "malformed_json"),
    ("lone surrogate", b'{"a":"\\ud800"}', "malformed_json"),
    ("byte order mark", b'\xef\xbb\xbf{"a":1}', "invalid_encoding"),
    ("UTF-16", '{"a":1}'.encode("utf-16"), "invalid_encoding"),
    ("latin-1", b'{"a":"\xe9"}', "invalid_encoding"),
    ("overlong", b'{"a":"\xc0\xaf"}', "invalid_encoding"),
    ("encoded surrogate", b'{"a":"\xed\xa0\x80"}', "invalid_encoding"),
    ("key twice", b'{"a":1,"a":2}', "duplicate_json_key"),
    ("key twice below", b'{"x":[{"a":1,"b":2,"a":1}]}', "duplicate_json_key"),
    ("key twice, escaped", b'{"a":1,"\\u0061":2}', "duplicate_json_key"),
    ("key twice, colons in text", b'{"a":"::","a":":"}', "duplicate_json_key"),
    ("one level too deep", nested(DEEP + 1), "json_too_deep"),
    ("far too deep", nested(50_000), "json_too_deep"),
    ("never closed", b"[" * 50_000, "json_too_deep"),
    (
        "too many keys",
        json.dumps({str(n): n for n in range(201)}).encode(),
        "bad_request",
    ),
    ("too large", b'"' + b"x" * strict_json.BODY_BYTES_MAX + b'"', "payload_too_large"),
]


@pytest.mark.parametrize(
    ("body", "code"), [row[1:] for row in REFUSED], ids=[r[0] for r in REFUSED]
)
def test_refused_body(body: bytes, code: str) -> None:
    """Every unreadable body has its own code."""
    found = strict_json.read(body)
    assert isinstance(found, Problem)
    assert found.code == code
    assert found.status in (400, 413)


TAKEN = [
    b"{}",
    b' {"a": "b"} \n',
    b'{"a":":","b":"{\\"a\\":1}"}',
    b'{"a":{"a":{"a":1}},"b":[{"a":1},{"a":2}]}',
    '{"a":"é€😀"}'.encode(),
    b'{"a":"\\ud83d\\ude00"}',
    nested(DEEP),
    json.dumps({str(n): n for n in range(200)}).encode(),
    b'{"a":null,"b":true,"c":-0.5,"d":123456789012345678901234567890}',
]


@pytest.mark.parametrize("body", TAKEN)
def test_taken_body(body: bytes) -> None:
    """What is JSON by RFC 8259 and within the limits comes back as json.loads reads it."""
    assert strict_json.read(body) == json.loads(body)


@pytest.mark.parametrize("body", [b"[]", b'"a"', b"1", b"null"])
def test_no_object(body: bytes) -> None:
    """A body that is readable but no object is a 422."""
    found = strict_json.read_object(body)
    assert isinstance(found, Problem)
    assert (found.code, found.errors[0].code) == ("validation_error", "wrong_type")


CONTENT = [
    (b"application/json", None),
    (b"application/json; charset=utf-8", None),
    (b'Application/JSON;charset="UTF-8"', None),
    (b"", "unsupported_media_type"),
    (b"text/plain", "unsupported_media_type"),
    (b"application/json; charset=latin-1", "unsupported_media_type"),
    (b"application/json; boundary=x", "unsupported_media_type"),
    (b"application/jsonx", "unsupported_media_type"),
    (b"application/x-www-form-urlencoded", "unsupported_media_type"),
    (b"application/json, application/json", "unsupported_media_type"),
]


@pytest.mark.parametrize(("value", "code"), CONTENT)
def test_content_type(value: bytes, code: str | None) -> None:
    """Only application/json in UTF-8."""
    found = strict_json.check_headers({b"content-type": value})
    assert (found.code if found else None) == code


@pytest.mark.parametrize("value", [b"gzip", b"identity", b"br, gzip"])
def test_content_encoding(value: bytes) -> None:
    """A body comes as it is."""
    found = strict_json.check_headers(
        {b"content-type": b"application/json", b"content-encoding": value}
    )
    assert found is not None
    assert found.code == "unsupported_content_encoding"


ACCEPT = [
    (b"", True),
    (b"*/*", True),
    (b"application/json", True),
    (b"application/problem+json", True),
    (b"text/html, application/*;q=0.8", True),
    (b"text/html,application/xhtml+xml,*/*;q=0.1", True),
    (b"text/html", False),
    (b"application/json;q=0", False),
    (b"application/json;q=0.000", False),
    (b"application/xml, text/*", False),
]


@pytest.mark.parametrize(("value", "taken"), ACCEPT)
def test_accept(value: bytes, taken: bool) -> None:
    """A client must take JSON in some form."""
    found = strict_json.check_accept({b"accept": value})
    assert (found is None) == taken


KEYS = [
    (b"k", "k"),
    (b"!~" * 127, "!~" * 127),
    (b"x" * 255, "x" * 255),
    (b"", "idempotency_key_invalid"),
    (b"x" * 256, "idempotency_key_invalid"),
    (b"a b", "idempotency_key_invalid"),
    (b"a\x7f", "idempotency_key_invalid"),
    (b"\xe9", "idempotency_key_invalid"),
    (None, "idempotency_key_missing"),
]


@pytest.mark.parametrize(("value", "expected"), KEYS)
def test_idempotency_key(value: bytes | None, expected: str) -> None:
    """1 to 255 visible ASCII characters."""
    headers = {} if value is None else {b"idempotency-key": value}
    found = strict_json.check_idempotency_key(headers)
    assert (found.code if isinstance(found, Problem) else found) == expected


def test_key_given_twice() -> None:
    """Two headers of one name are one value that no key can be."""
    headers = strict_json.headers_of([(b"idempotency-key", b"a"), (b"idempotency-key", b"b")])
    found = strict_json.check_idempotency_key(headers)
    assert isinstance(found, Problem)
    assert found.code == "idempotency_key_invalid"

"""The OpenAPI document is valid, current, whole, and shown on a page with a strict policy."""

import json
import re
from typing import Any, Final

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from drf_spectacular.validation import validate_schema

from oms_project.codes import CODES
from oms_project.rest import openapi
from oms_project.tests.test_access_matrix import api_routes
from orders.rest import tidy

SIGNED: Final = ("key", "timestamp", "nonce", "signature")
UNDOCUMENTED: Final = {"health", "schema", "docs"}


@pytest.fixture(scope="module")
def document() -> Any:
    return json.loads(openapi.document())


def operations(document: Any) -> list[tuple[str, str, Any]]:
    return [
        (path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def test_it_is_valid(document: Any) -> None:
    """By the schema of OpenAPI 3.1 itself."""
    assert document["openapi"].startswith("3.1")
    validate_schema(document)


def test_it_is_current() -> None:
    """docs/openapi.json is what the code says; else run `manage.py openapi`."""
    call_command("openapi", check=True)


def test_the_check_can_fail(tmp_path: Any, monkeypatch: Any) -> None:
    """A stale file is noticed, and written anew."""
    stale = tmp_path / "openapi.json"
    stale.write_text("{}")
    monkeypatch.setattr(openapi, "PATH", stale)
    with pytest.raises(CommandError):
        call_command("openapi", check=True)
    call_command("openapi")
    call_command("openapi", check=True)


def test_every_route_is_in_it(document: Any) -> None:
    """But for the probes and the documents themselves."""
    for name, path in api_routes().items():
        if name not in UNDOCUMENTED:
            assert re.sub(r"<str:(\w+)>", r"{\1}", path) in document["paths"], name


def test_every_operation_says_who_and_what_goes_wrong(document: Any) -> None:
    """Security, an id, a tag, a description, and problems that are problems."""
    assert set(document["components"]["securitySchemes"]) == {
        "bearer", "session", *SIGNED,
    }  # fmt: skip
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(ids) == len(set(ids))
    for path, method, operation in operations(document):
        where = f"{method} {path}"
        assert operation["tags"], where
        assert operation["description"], where
        keys = path.startswith("/api/auth/keys")
        public = not keys and path.startswith(
            ("/api/auth/", "/api/meta/", "/api/instruments", "/api/marketdata/")
        )
        either = [{"bearer": []}, {"session": []}]
        either += [] if keys else [{name: [] for name in SIGNED}]
        assert operation["security"] == ([{}] if public else either), where
        for status, answer in operation["responses"].items():
            if int(status) >= 400:
                kind = answer["content"]["application/problem+json"]["schema"]["$ref"]
                assert kind.endswith("/Problem"), where
        if not public:
            assert "401" in operation["responses"], where


def test_every_refusal_names_the_codes_that_can_come(document: Any) -> None:
    """And no code of another operation's."""
    named: dict[str, set[str]] = {}
    for path, method, operation in operations(document):
        for status, answer in operation["responses"].items():
            if int(status) >= 400:
                text = answer["description"]
                assert re.fullmatch(r"One of `\w+`(, `\w+`)*\.", text), f"{method} {path} {status}"
                named.setdefault(operation["operationId"], set()).update(
                    re.findall(r"\w+(?=`)", text)
                )
    assert "rate_limited" in named["orders_place_batch"]
    assert {one for one, codes in named.items() if "batch_empty" in codes} == {"orders_place_batch"}
    assert all("request_timeout" in codes for codes in named.values())
    assert not any("snapshot_required" in codes for codes in named.values())
    assert set(tidy.ONLY) <= set(CODES)


def test_decimals_are_strings(document: Any) -> None:
    """No number of money is a JSON number, in any answer."""
    money = re.compile("price|quantity|fee$|pnl|free|locked|total|notional|value")
    for name, schema in document["components"]["schemas"].items():
        for field, kind in schema.get("properties", {}).items():
            if money.search(field):
                assert "number" not in str(kind.get("type", "")), f"{name}.{field}"


@pytest.mark.django_db
def test_the_page() -> None:
    """Nothing inline, nothing from elsewhere."""
    page = Client().get("/api/docs/")
    assert page.status_code == 200
    html = page.content.decode()
    assert "<style" not in html
    assert re.findall(r"<script(?! src=)", html) == []
    sources = re.findall(r'(?:src|href)="([^"]+)"', html)
    assert all(source.startswith(("/", "#")) for source in sources)
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    script = re.findall(r'src="([^"]+)"', html)[-1].replace("&amp;", "&")
    answer = Client().get(script)
    assert answer.headers["Content-Type"].startswith("application/javascript")
    assert b"/api/schema/" in answer.content
    assert Client().get("/api/schema/").json()["info"]["title"] == "Crypto OMS"

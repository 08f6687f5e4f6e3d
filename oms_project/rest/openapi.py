"""The OpenAPI 3.1 document: made once a process from the views, served, and kept in docs/."""

import functools
from pathlib import Path
from typing import Final

import orjson
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator

PATH: Final = Path(__file__).resolve().parents[2] / "docs" / "openapi.json"


@functools.cache
def document() -> bytes:
    """Return the document, indented, with sorted keys. Making it takes a second: made once."""
    schema = SchemaGenerator().get_schema(request=None, public=True)
    return orjson.dumps(schema, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n"


@require_safe
def view(request: HttpRequest) -> HttpResponse:
    """GET /api/schema/."""
    return HttpResponse(document(), content_type="application/json")

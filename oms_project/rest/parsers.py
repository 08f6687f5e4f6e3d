"""JSON in, for DRF: strict_json.py with DRF's calling convention."""

from collections.abc import Mapping
from typing import IO, Any

from rest_framework.parsers import BaseParser

from oms_project.rest import strict_json
from oms_project.rest.problem import Problem, ProblemError


class StrictJsonParser(BaseParser):
    """Takes application/json as strict_json.py reads it; returns a dict."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        headers = _headers(parser_context)
        wrong = strict_json.check_headers(headers)
        if wrong is not None:
            raise ProblemError(wrong)
        value = strict_json.read_object(stream.read())
        if isinstance(value, Problem):
            raise ProblemError(value)
        return value


def _headers(context: Mapping[str, Any] | None) -> dict[bytes, bytes]:
    """Return the request's headers as strict_json wants them."""
    request = context["request"] if context else None
    found = request.headers.items() if request is not None else ()
    return {
        name.lower().encode("latin-1"): value.encode("latin-1") for name, value in found
    }

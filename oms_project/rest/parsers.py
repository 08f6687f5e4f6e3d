"""JSON in, for DRF: strict_json.py with DRF's calling convention."""

from collections.abc import Mapping
from typing import IO, Any

from rest_framework.parsers import BaseParser
from rest_framework.request import Request

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
        request = parser_context["request"] if parser_context else None
        check(request)
        value = strict_json.read_object(stream.read())
        if isinstance(value, Problem):
            raise ProblemError(value)
        return value


def check(request: Any) -> None:
    """Refuse a request whose headers do not go with a JSON body."""
    found = request.headers.items() if request is not None else ()
    headers = {name.lower().encode("latin-1"): value.encode("latin-1") for name, value in found}
    wrong = strict_json.check_headers(headers)
    if wrong is not None:
        raise ProblemError(wrong)


def body_of(request: Request) -> dict[str, Any]:
    """Return the JSON object a DRF request carries. DRF alone takes no body for an empty object."""
    if request.stream is None:
        check(request)
        raise ProblemError("empty_body")
    body: dict[str, Any] = request.data
    return body

"""What is answered: JSON, whatever form the client asked for it in; or nothing it could read."""

from collections.abc import Sequence
from typing import Any

from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from oms_project.rest import strict_json
from oms_project.rest.problem import ProblemError
from oms_project.rest.renderers import JsonRenderer


class JsonNegotiation(DefaultContentNegotiation):
    """The rule of strict_json.check_accept; views with other renderers keep DRF's."""

    def select_renderer(
        self,
        request: Request,
        renderers: Sequence[BaseRenderer],
        format_suffix: str | None = None,
    ) -> tuple[BaseRenderer, Any]:
        first = renderers[0]
        if not isinstance(first, JsonRenderer):
            return super().select_renderer(request, renderers, format_suffix)
        accept = request.META.get("HTTP_ACCEPT", "*/*").encode("latin-1", "replace")
        wrong = strict_json.check_accept({b"accept": accept})
        if wrong is not None:
            raise ProblemError(wrong)
        return first, first.media_type

"""JSON out: msgspec writes it; an answer that is bytes already goes out untouched."""

from collections.abc import Mapping
from typing import Any

import msgspec
from rest_framework.renderers import BaseRenderer

_encode = msgspec.json.Encoder().encode


class JsonRenderer(BaseRenderer):
    """application/json, UTF-8."""

    media_type = "application/json"
    format = "json"
    charset = None  # JSON has no charset parameter (RFC 8259 §11)
    render_style = "binary"

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        if data is None:
            return b""
        response = (renderer_context or {}).get("response")
        if response is not None:
            # The framework's view, request and answer hold each other: what they hold lives until
            # the collector comes by, and it must not find a thousand rows each time.
            response.data = None
        return data if isinstance(data, bytes) else _encode(data)

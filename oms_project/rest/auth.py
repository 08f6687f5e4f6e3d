"""How REST knows who is asking: what a program sent (callers.py), else the session of a page.

Never both: a request with credentials of its own is judged by them alone.
"""

from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

from django.http import HttpRequest
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request

from oms_project.access import callers, sessions, signing, throttle
from oms_project.access import principal as access
from oms_project.access.callers import Call
from oms_project.access.errors import AccessError
from oms_project.access.principal import Principal
from oms_project.access.rights import Action
from oms_project.rest.problem import ProblemError

FIELDS: Final = {
    "key": ("OMS-Key", "The id of an API key, `oms_…`. With the other three, a signed request."),
    "timestamp": ("OMS-Timestamp", "Milliseconds since 1970, within 5 s of GET /api/meta/time."),
    "nonce": ("OMS-Nonce", "8 to 64 of `A-Za-z0-9_-`, never used before with this key."),
    "signature": (
        "OMS-Signature",
        "Hex of the HMAC-SHA256 (or Ed25519) of these lines: `oms1`, method, path with query as sent, "
        "timestamp, nonce, Idempotency-Key (or nothing), SHA-256 of the body in hex.",
    ),
}
"""A signed request's fields, as OpenAPI names them."""


class DoorAuthentication(BaseAuthentication):
    """Sets request.user and request.principal.

    A program's cookies are ignored, so it needs no CSRF token. A session needs one for every method
    that writes. An API key that may not read is refused here: what views answer is to be read.
    """

    def authenticate(self, request: Request) -> tuple[Principal, Principal] | None:
        principal = self._principal(request)
        if principal is not None:
            refused = principal.may(Action.READ)
            if refused is not None:
                raise ProblemError(refused)
            request.principal = principal
            return principal, principal
        return None

    def _principal(self, request: Request) -> Principal | None:
        call = call_of(request._request)
        if callers.has_credentials(call.headers):
            return callers.asked(call)
        if not access.session_key_of(request.COOKIES):
            return None
        try:
            principal = access.from_session(request.COOKIES)
        except AccessError:
            return None  # an old cookie is no credential: a public view still answers
        if access.csrf_reason(request._request) is not None:
            raise ProblemError("csrf_failed", "A session needs a CSRF token and our own Origin.")
        if request.method not in SAFE_METHODS:
            sessions.keep(access.session_key_of(request.COOKIES))
        return principal

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="api"'


def call_of(request: HttpRequest) -> Call:
    """Return what *request* says of who asks.

    Its target as it came: Django has decoded the path, and a signature is of what was sent.
    """
    headers = {
        name[5:].replace("_", "-").lower().encode(): value.encode("latin-1")
        for name, value in request.META.items()
        if name.startswith("HTTP_")
    }
    scope = getattr(request, "scope", {})
    path = scope.get("raw_path") or quote(request.path).encode()
    query = request.META.get("QUERY_STRING", "").encode("latin-1")
    target = path + b"?" + query if query else path
    signed = signing.is_signed(headers)
    return Call(
        request.method or "", target, headers, throttle.address_of(request),
        request.body if signed else b"",
    )  # fmt: skip


class DoorScheme(OpenApiAuthenticationExtension):
    """What the OpenAPI schema says about it."""

    target_class = "oms_project.rest.auth.DoorAuthentication"
    name: Sequence[str] = ["bearer", "session", *FIELDS]

    def get_security_requirement(self, auto_schema: object) -> list[dict[str, list[str]]]:
        """Either of them: one requirement that names both would ask for both at once."""
        return [{"bearer": []}, {"session": []}, {name: [] for name in FIELDS}]

    def get_security_definition(self, auto_schema: object) -> list[dict[str, str]]:
        return [
            {
                "type": "http",
                "scheme": "bearer",
                "bearerFormat": "JWT",
                "description": "The `access` token of POST /api/auth/login, or `oms_….secret` of an "
                "API key that may be sent as it is.",
            },
            {
                "type": "apiKey",
                "in": "cookie",
                "name": "sessionid",
                "description": "The session of the pages; writes also need `X-CSRFToken`.",
            },
            *(
                {"type": "apiKey", "in": "header", "name": field, "description": text}
                for field, text in FIELDS.values()
            ),
        ]

"""How REST knows who is asking: a bearer token, else the session of a page. Never both."""

from collections.abc import Sequence

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request

from oms_project.access import principal as access
from oms_project.access import sessions
from oms_project.access.errors import AccessError
from oms_project.access.principal import Principal
from oms_project.rest.problem import ProblemError


class DoorAuthentication(BaseAuthentication):
    """Sets request.user and request.principal.

    A request with an Authorization header is judged by it alone: its cookies are ignored, so it
    needs no CSRF token. A session needs one for every method that writes.
    """

    def authenticate(self, request: Request) -> tuple[Principal, Principal] | None:
        principal = self._principal(request)
        if principal is not None:
            request.principal = principal
            return principal, principal
        return None

    def _principal(self, request: Request) -> Principal | None:
        authorization = request.headers.get("Authorization")
        if authorization is not None:
            return access.from_bearer(access.bearer_of(authorization))
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


class DoorScheme(OpenApiAuthenticationExtension):
    """What the OpenAPI schema says about it."""

    target_class = "oms_project.rest.auth.DoorAuthentication"
    name: Sequence[str] = ["bearer", "session"]

    def get_security_requirement(self, auto_schema: object) -> list[dict[str, list[str]]]:
        """Either of them: one requirement that names both would ask for both at once."""
        return [{name: []} for name in self.name]

    def get_security_definition(self, auto_schema: object) -> list[dict[str, str]]:
        return [
            {
                "type": "http",
                "scheme": "bearer",
                "bearerFormat": "JWT",
                "description": "The `access` token of POST /api/auth/login.",
            },
            {
                "type": "apiKey",
                "in": "cookie",
                "name": "sessionid",
                "description": "The session of the pages; writes also need `X-CSRFToken`.",
            },
        ]

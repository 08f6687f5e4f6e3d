"""What the frame itself answers: logging in and out, and what the API says about itself."""

from typing import Any, Final

from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from oms_project.access import principal, tokens
from oms_project.adapters.clock import SystemClock
from oms_project.codes import CODES, ENTRY_CODES
from oms_project.rest import times
from oms_project.rest.fields import Body, Text, valid
from oms_project.rest.schema import problems

PASSWORD_CHARS_MAX: Final = 256


class PairSerializer(serializers.Serializer[Any]):
    """A pair of tokens. `expires_in`: seconds the access token is good for."""

    access = serializers.CharField()
    refresh = serializers.CharField()
    expires_in = serializers.IntegerField()
    token_type = serializers.CharField()


class RefreshBody(Body):
    refresh = Text(min_length=1, max_length=4_096, pattern=r"^[A-Za-z0-9_.-]+$")


class OpenView(APIView):
    """A view that asks for no credentials and looks at none."""

    authentication_classes = ()
    permission_classes = (AllowAny,)


class LoginView(OpenView):
    """A first pair of tokens for a name and a password."""

    class LoginBody(Body):
        username = Text(min_length=1, max_length=150)
        password = Text(min_length=1, max_length=PASSWORD_CHARS_MAX)

    @extend_schema(
        tags=["auth"],
        operation_id="auth_login",
        request=LoginBody,
        responses={200: PairSerializer, **problems(400, 401, 415, 422, 429)},
    )
    def post(self, request: Request) -> Response:
        body = valid(self.LoginBody, request)
        pair = tokens.login(request._request, body["username"], body["password"])
        return _pair(pair)


class RefreshView(OpenView):
    """The next pair. The refresh token that was sent gives this same pair for 10 s more, then nothing."""

    @extend_schema(
        tags=["auth"],
        operation_id="auth_refresh",
        request=RefreshBody,
        responses={200: PairSerializer, **problems(400, 401, 415, 422)},
    )
    def post(self, request: Request) -> Response:
        return _pair(tokens.refresh(valid(RefreshBody, request)["refresh"]))


class LogoutView(OpenView):
    """Ends the login the refresh token came from, and all its access tokens."""

    @extend_schema(
        tags=["auth"],
        operation_id="auth_logout",
        request=RefreshBody,
        responses={204: None, **problems(400, 401, 415, 422)},
    )
    def post(self, request: Request) -> Response:
        tokens.logout(valid(RefreshBody, request)["refresh"])
        principal.forget_all()
        return Response(status=204)


class ErrorsView(OpenView):
    """Every code this API answers with: codes are stable, texts are not."""

    @extend_schema(
        tags=["meta"],
        operation_id="meta_errors",
        responses={
            200: inline_serializer(
                "ErrorCatalogue",
                {
                    "codes": serializers.ListField(child=serializers.DictField()),
                    "entry_codes": serializers.ListField(child=serializers.DictField()),
                },
            )
        },
    )
    def get(self, request: Request) -> Response:
        entries = [{"code": code, "title": title} for code, title in ENTRY_CODES.items()]
        return Response({"codes": list(CODES.values()), "entry_codes": entries})


class TimeView(OpenView):
    """The server's clock, to set one's own by."""

    @extend_schema(
        tags=["meta"],
        operation_id="meta_time",
        responses={
            200: inline_serializer(
                "ServerTime",
                {
                    "at": serializers.DateTimeField(),
                    "epoch_ns": serializers.CharField(),
                },
            )
        },
    )
    def get(self, request: Request) -> Response:
        now_ns = SystemClock.now_ns()
        return Response({"at": times.text(now_ns), "epoch_ns": str(now_ns)})


def _pair(pair: tokens.Pair) -> Response:
    return Response(pair, headers={"Cache-Control": "no-store"})

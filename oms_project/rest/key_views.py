"""REST for one's own API keys: for people only. A key that makes keys would never end."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from oms_project.access import key_ring, keys, users
from oms_project.access.errors import KeyFormError
from oms_project.access.models import ApiKey
from oms_project.access.rights import Action
from oms_project.problem import NOT_FOUND, Entry, Problem
from oms_project.rest.fields import Body, Text, valid
from oms_project.rest.parameters import Parameters
from oms_project.rest.problem import ProblemError
from oms_project.rest.schema import problems

CREATED: Final = 201
PEOPLE: Final[list[Any]] = [{"bearer": []}, {"session": []}]
"""What OpenAPI says of who may: no signature, which is a key's."""
TEXT_CHARS_MAX: Final = 512
T = TypeVar("T")


class KeySerializer(serializers.Serializer[Any]):
    """`accounts` empty: all of the owner's; `addresses` empty: from anywhere."""

    key_id = serializers.CharField()
    label = serializers.CharField()
    kind = serializers.ChoiceField(choices=[ApiKey.HMAC, ApiKey.ED25519])
    scopes = serializers.ListField(child=serializers.CharField())
    accounts = serializers.ListField(child=serializers.CharField())
    addresses = serializers.ListField(child=serializers.CharField())
    bearer = serializers.BooleanField(help_text="May it be sent as it is, unsigned?")
    state = serializers.ChoiceField(choices=["active", "expired", "revoked"])
    secrets = serializers.IntegerField(help_text="How many are good: two while they overlap.")
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    used_at = serializers.DateTimeField(allow_null=True, help_text="To the minute.")
    used_from = serializers.CharField()

    class Meta:
        ref_name = "ApiKey"


class MadeSerializer(KeySerializer):
    """secret: shown this once. Empty for Ed25519, whose secret is not ours."""

    secret = serializers.CharField()

    class Meta:
        ref_name = "ApiKeyMade"


class KeysSerializer(serializers.Serializer[Any]):
    keys = KeySerializer(many=True)

    class Meta:
        ref_name = "ApiKeys"


class NewKeyBody(Body):
    """`days` beyond 90 need `addresses`, or a key that does not trade."""

    label = Text(min_length=1, max_length=keys.LABEL_CHARS_MAX)
    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=[one.value for one in keys.SCOPES]),
        min_length=1, max_length=len(keys.SCOPES),
    )  # fmt: skip
    kind = serializers.ChoiceField(
        choices=[ApiKey.HMAC, ApiKey.ED25519], required=False, default=ApiKey.HMAC
    )
    public_key = Text(
        required=False, default="", max_length=TEXT_CHARS_MAX, allow_blank=True,
        help_text="Ed25519 only: PEM, hex or base64.",
    )  # fmt: skip
    accounts = serializers.ListField(
        child=Text(max_length=36), required=False, default=list, max_length=keys.ACCOUNTS_MAX
    )
    addresses = serializers.ListField(
        child=Text(max_length=64), required=False, default=list, max_length=keys.ADDRESSES_MAX
    )
    bearer = serializers.BooleanField(required=False, default=False)
    days = serializers.IntegerField(
        required=False, default=keys.DAYS_DEFAULT, min_value=1, max_value=keys.DAYS_MAX
    )


class RotateBody(Body):
    """`overlap_h`: so many hours the secret of before is good beside the new one."""

    overlap_h = serializers.IntegerField(
        required=False, default=keys.OVERLAP_H_DEFAULT, min_value=0, max_value=keys.OVERLAP_H_MAX
    )
    public_key = Text(required=False, default="", max_length=TEXT_CHARS_MAX, allow_blank=True)


class KeysView(APIView):
    """Your API keys."""

    @extend_schema(
        tags=["auth"], auth=PEOPLE, operation_id="keys_list",
        responses={200: KeysSerializer, **problems(400, 401, 403, 503)},
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        _person(request)
        Parameters.of(request)
        found = keys.rows(user_id=request.user.user_id)
        return Response({"keys": [keys.shown(one) for one in found]})

    @extend_schema(
        tags=["auth"], auth=PEOPLE, operation_id="keys_make", request=NewKeyBody,
        responses={201: MadeSerializer, **problems(400, 401, 403, 415, 422, 503)},
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        _person(request)
        body = valid(NewKeyBody, request)
        owner = users.by_id(request.user.user_id)
        made = _formed(lambda: keys.make(owner, **body))
        return Response({**keys.shown(made.key), "secret": made.secret}, CREATED)


class KeyRotateView(APIView):
    """A new secret; the one before is good for a while, so that nothing has to stop."""

    @extend_schema(
        tags=["auth"], auth=PEOPLE, operation_id="keys_rotate", request=RotateBody,
        responses={200: MadeSerializer, **problems(400, 401, 403, 404, 415, 422, 503)},
    )  # fmt: skip
    def post(self, request: Request, key_id: str) -> Response:
        _person(request)
        body = valid(RotateBody, request)
        key = _own(request, key_id)
        secret = _formed(lambda: keys.rotate(key, **body))
        return Response({**keys.shown(_own(request, key_id)), "secret": secret})


class KeyRevokeView(APIView):
    """Ends a key for ever; its sockets within a second."""

    @extend_schema(
        tags=["auth"], auth=PEOPLE, operation_id="keys_revoke", request=None,
        responses={200: KeySerializer, **problems(400, 401, 403, 404, 503)},
    )  # fmt: skip
    def post(self, request: Request, key_id: str) -> Response:
        _person(request)
        Parameters.of(request)
        keys.revoke([_own(request, key_id)], by=request.user.username)
        return Response(keys.shown(_own(request, key_id)))


def _person(request: Request) -> None:
    refused = request.user.may(Action.KEYS)
    if refused is not None:
        raise ProblemError(refused)


def _own(request: Request, key_id: str) -> ApiKey:
    found = keys.rows(user_id=request.user.user_id, pk=key_id) if key_ring.is_ours(key_id) else ()
    if not found:
        raise ProblemError(NOT_FOUND)
    return found[0]


def _formed(make: Callable[[], T]) -> T:
    try:
        return make()
    except KeyFormError as error:
        entry = Entry(f"/{error.field}", "invalid", str(error))
        raise ProblemError(Problem("validation_error", errors=(entry,))) from error

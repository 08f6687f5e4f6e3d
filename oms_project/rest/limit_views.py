"""What the API says about its own rate limits."""

from typing import Any, Final

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from oms_project.access import quota, throttle
from oms_project.rest.views import OpenView


class LimitSchema(serializers.Serializer[Any]):
    name = serializers.CharField()
    amount = serializers.IntegerField()
    window_s = serializers.IntegerField()
    per = serializers.ListField(child=serializers.CharField())

    class Meta:
        ref_name = "RateLimit"


class LimitsSchema(serializers.Serializer[Any]):
    """weights: what a request counts in `requests`, by operation; 1 where it is not named."""

    limits = LimitSchema(many=True)
    weights = serializers.DictField(child=serializers.IntegerField())
    log_ins = serializers.DictField(child=serializers.ListField(child=serializers.CharField()))

    class Meta:
        ref_name = "RateLimits"


PER: Final = {
    "requests": ("key or user",),
    "orders": ("key or user", "account"),
    "orders-day": ("key or user", "account"),
    "cancels": ("key or user",),
}


class LimitsView(OpenView):
    """How much anybody may ask for, in which windows, and what a request counts."""

    @extend_schema(tags=["meta"], operation_id="meta_limits", responses={200: LimitsSchema})
    def get(self, request: Request) -> Response:
        rows = [{**one._asdict(), "per": PER[one.name]} for one in quota.limits()]
        log_ins = {
            "address": [str(one) for one in throttle.PER_ADDRESS],
            "name": [str(one) for one in throttle.PER_NAME],
        }
        return Response({"limits": rows, "weights": quota.WEIGHTS, "log_ins": log_ins})

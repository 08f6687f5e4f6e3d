"""What views tell drf-spectacular about problems, so that the schema shows every error answer."""

from typing import Any

from drf_spectacular.utils import OpenApiResponse
from rest_framework import serializers

from oms_project.codes import CODES, Outcome


class EntrySerializer(serializers.Serializer[Any]):
    pointer = serializers.CharField(help_text="RFC 6901 pointer to the field, or ?name of a query.")
    code = serializers.CharField()
    detail = serializers.CharField(required=False)
    index = serializers.IntegerField(required=False, help_text="Of the order in a batch.")

    class Meta:
        ref_name = "ProblemEntry"


class ProblemSerializer(serializers.Serializer[Any]):
    """RFC 9457. `code` is stable, texts are not."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    instance = serializers.CharField()
    code = serializers.ChoiceField(choices=sorted(CODES))
    request_id = serializers.CharField()
    retryable = serializers.BooleanField()
    outcome = serializers.ChoiceField(choices=[outcome.value for outcome in Outcome])
    errors = EntrySerializer(many=True)
    server_time = serializers.CharField(
        required=False, help_text="Our clock in ms since 1970, with `timestamp_out_of_window`."
    )

    class Meta:
        ref_name = "Problem"


def problems(*statuses: int) -> dict[tuple[int, str], OpenApiResponse]:
    """Return the error answers of an operation, for `extend_schema(responses=...)`."""
    made = {}
    for status in statuses:
        codes = ", ".join(f"`{row.code}`" for row in CODES.values() if row.status == status)
        answer = OpenApiResponse(ProblemSerializer, description=f"One of {codes}.")
        made[status, "application/problem+json"] = answer
    return made

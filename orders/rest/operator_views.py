"""REST for risk officers and operators: what only those who watch over the desk may read."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from oms_project.access.rights import Action
from oms_project.rest import times
from oms_project.rest.parameters import Parameters
from oms_project.rest.problem import ProblemError
from oms_project.rest.schema import problems
from orders import integrity, wiring
from orders.rest.schemas import Schema


class IntegritySchema(Schema):
    """`breached`: books that do not add up. `concerns`: true, but a person should look."""

    status = serializers.ChoiceField(choices=["ok", "breached", "unknown"])
    checked_at = serializers.DateTimeField(allow_null=True)
    accounts = serializers.IntegerField(help_text="All there are.")
    checked = serializers.IntegerField(help_text="Looked at in the newest run.")
    unchanged = serializers.IntegerField(help_text="Not touched since the run before.")
    moving = serializers.IntegerField(help_text="Too busy to be read at one instant; next run.")
    fills = serializers.IntegerField(help_text="Added up in the newest run.")
    breaches = serializers.ListField(child=serializers.CharField())
    concerns = serializers.ListField(child=serializers.CharField())

    class Meta:
        ref_name = "Integrity"


class IntegrityView(APIView):
    """Do the books add up? The newest answer of the check that runs every minute."""

    @extend_schema(
        tags=["operations"],
        operation_id="integrity",
        responses={200: IntegritySchema, **problems(400, 401, 403, 503)},
    )
    def get(self, request: Request) -> Response:
        Parameters.of(request)
        refused = request.user.may(Action.WATCH)
        if refused is not None:
            raise ProblemError(refused)
        result = wiring.integrity()
        found = integrity.summary(result or integrity.Result(0))
        return Response(
            {
                "status": found.status if result is not None else "unknown",
                "checked_at": times.text(found.checked_at_ns) if result is not None else None,
                "accounts": found.accounts,
                "checked": found.checked,
                "unchanged": found.unchanged,
                "moving": found.moving,
                "fills": found.fills,
                "breaches": found.breaches,
                "concerns": found.concerns,
            }
        )

"""Order entry as DRF views: the twin of the lean path, for WSGI servers and for the OpenAPI document.

Nothing is decided here: plan, commit and tell are orders/rest/entry.py's, as on the lean path.
"""

import threading
from collections.abc import Callable
from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.views import APIView

from marketdata import wiring as market
from oms_project.adapters.clock import NS_PER_S, SystemClock
from oms_project.kernel.errors import TransportError
from oms_project.kernel.words import OrderType, Side, Status
from oms_project.rest.problem import Problem, ProblemError
from oms_project.rest.schema import problems
from orders import wiring
from orders.rest import entry, schemas, shown
from orders.rest.bodies import BATCH_MAX
from orders.rest.entry import Answer, Plan
from orders.rest.views import OrderListView

WRITE = problems(400, 401, 403, 404, 406, 409, 413, 415, 422, 503)
KEY = OpenApiParameter(
    "Idempotency-Key", str, OpenApiParameter.HEADER, required=True,
    description="1 to 255 visible ASCII. The same key and body give the same answer, for ever one order.",
)  # fmt: skip
WAIT = OpenApiParameter(
    "Prefer", str, OpenApiParameter.HEADER, required=False,
    description="`wait=N`: wait up to N seconds for the decision and answer 201 with the order.",
)  # fmt: skip
_monotonic_ns = SystemClock.monotonic_ns


class NewOrderSchema(schemas.Schema):
    """What an order must say. Decimals are strings."""

    account_id = serializers.CharField()
    symbol = serializers.CharField()
    side = serializers.ChoiceField(choices=list(Side))
    type = serializers.ChoiceField(choices=list(OrderType))
    time_in_force = serializers.ChoiceField(
        choices=list(schemas.TimeInForceWord), required=False,
        help_text="Default: gtc for a limit order, ioc for a market order.",
    )  # fmt: skip
    quantity = schemas.decimal("above zero, a whole number of lots")
    price = serializers.RegexField(
        schemas.DECIMAL, required=False, help_text="of a limit order: a whole number of ticks"
    )
    client_order_id = serializers.RegexField(
        r"^[A-Za-z0-9._:-]{1,36}$", required=False, help_text="unique per account, for ever"
    )
    reduce_only = serializers.BooleanField(
        required=False, help_text="refused if it could open or flip the position"
    )

    class Meta:
        ref_name = "NewOrder"


class BatchSchema(schemas.Schema):
    account_id = serializers.CharField()
    orders = NewOrderSchema(many=True, help_text=f"1 to {BATCH_MAX}")
    mode = serializers.ChoiceField(choices=["independent", "atomic"], required=False)

    class Meta:
        ref_name = "NewBatch"


class AckSchema(schemas.Schema):
    order_id = serializers.CharField()
    client_order_id = serializers.CharField()
    status = serializers.ChoiceField(choices=[Status.NEW.value])

    class Meta:
        ref_name = "Acknowledgement"


class BatchAckSchema(schemas.Schema):
    orders = AckSchema(many=True)

    class Meta:
        ref_name = "BatchAcknowledgement"


class CancelAckSchema(schemas.Schema):
    status = serializers.ChoiceField(choices=[Status.PENDING_CANCEL.value, Status.CANCELED.value])
    order_id = serializers.CharField(required=False)
    account_id = serializers.CharField(required=False)

    class Meta:
        ref_name = "CancelAcknowledgement"


class CancelAllSchema(schemas.Schema):
    account_id = serializers.CharField()
    symbol = serializers.CharField(required=False)
    side = serializers.ChoiceField(choices=list(Side), required=False)

    class Meta:
        ref_name = "CancelAll"


Planner = Callable[..., Plan | Answer | Problem]


def answered(request: Request, planner: Planner, *arguments: Any) -> HttpResponse:
    """Run an entry request to its answer."""
    market.listings()
    gateway = wiring.gateway()
    headers = {
        name.lower().encode(): value.encode("latin-1", "replace")
        for name, value in request.headers.items()
    }
    plan = planner(gateway, request.user, headers, request._request.body, *arguments)
    if not isinstance(plan, Plan):
        return _response(plan)
    try:
        if not gateway.flow.room(plan.orders):
            return _response(entry.overloaded(gateway, plan))
        with gateway.flow.lease(plan.orders) as lease:
            state = gateway.submit(plan.submission).result(entry.COMMIT_S_MAX)
            lease.sent(state)
    except (TransportError, TimeoutError) as error:
        return _response(entry.failed(error))
    answer = entry.told(plan, state)
    if answer is entry.REUSED:
        answer = entry.reused(gateway, plan, state)
    wait_s = entry.wait_of(headers)
    if wait_s and state.fresh and plan.order_id_of is not None and isinstance(answer, Answer):
        order_id = plan.order_id_of(state.claim.ids_base)
        answer = _decided(plan, order_id, wait_s) or answer
    return _response(answer)


def _decided(plan: Plan, order_id: str, wait_s: float) -> Answer | None:
    gateway = wiring.gateway()
    pause = threading.Event()
    deadline_ns = _monotonic_ns() + int(wait_s * NS_PER_S)
    while _monotonic_ns() < deadline_ns:
        row = gateway.store.get(order_id, (plan.submission.claim.account_id,))
        if row is not None and row.status not in (Status.NEW, Status.PENDING_CANCEL):
            body = shown.order_bytes(row)
            gateway.intake.settle(plan.submission.claim, 201, body)
            return Answer(201, body, {"Preference-Applied": f"wait={wait_s:g}"})
        pause.wait(entry.WAIT_POLL_S)
    return None


def _response(answer: Answer | Problem) -> HttpResponse:
    if isinstance(answer, Problem):
        raise ProblemError(answer)
    response = HttpResponse(answer.body, status=answer.status, content_type=answer.kind)
    for name, value in answer.headers.items():
        response[name] = value
    response["Cache-Control"] = "no-store"
    return response


class OrdersView(OrderListView):
    """List orders, or place one."""

    @extend_schema(
        tags=["orders"], operation_id="orders_place", parameters=[KEY, WAIT],
        request=NewOrderSchema, responses={202: AckSchema, 201: schemas.OrderSchema, **WRITE},
    )  # fmt: skip
    def post(self, request: Request) -> HttpResponse:
        """Place an order: 202 once it is durable; its decision comes by socket, GET or Prefer."""
        return answered(request, entry.plan_order)


class BatchView(APIView):
    """Up to 500 orders of one account under one key."""

    @extend_schema(
        tags=["orders"], operation_id="orders_place_batch", parameters=[KEY],
        request=BatchSchema, responses={202: BatchAckSchema, **WRITE},
    )  # fmt: skip
    def post(self, request: Request) -> HttpResponse:
        """Place a batch: all of it is durable, or nothing is."""
        return answered(request, entry.plan_batch)


class CancelView(APIView):
    """Cancel one order."""

    @extend_schema(
        tags=["orders"], operation_id="orders_cancel", parameters=[KEY, WAIT], request=None,
        responses={202: CancelAckSchema, **WRITE},
    )  # fmt: skip
    def post(self, request: Request, order_id: str) -> HttpResponse:
        """Ask the venue to cancel what is left of the order."""
        return answered(request, entry.plan_cancel, order_id)


class CancelAllView(APIView):
    """Cancel all open orders of an account, or those of a symbol or side."""

    @extend_schema(
        tags=["orders"], operation_id="orders_cancel_all", parameters=[KEY],
        request=CancelAllSchema, responses={202: CancelAckSchema, **WRITE},
    )  # fmt: skip
    def post(self, request: Request) -> HttpResponse:
        """Ask the venue to cancel everything that fits."""
        return answered(request, entry.plan_cancel_all)

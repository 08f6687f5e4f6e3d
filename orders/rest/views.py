"""REST for reading orders: one class an URL, no decision in it. Writing is orders/entry/flow.py."""

from typing import Final

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from oms_project.kernel.numbers import INT64_MAX
from oms_project.kernel.words import OPEN, Status
from oms_project.rest.parameters import Parameters, an_id
from oms_project.rest.problem import NOT_FOUND, ProblemError, invalid_query
from oms_project.rest.schema import problems
from oms_project.rest.views import OpenView
from orders import wiring
from orders.domain import law
from orders.queries import filters
from orders.rest import schemas

READ: Final = problems(400, 401, 404, 503)


class OrderListView(APIView):
    """The orders of your accounts, newest first."""

    @extend_schema(
        tags=["orders"],
        operation_id="orders_list",
        parameters=schemas.ORDER_PARAMETERS,
        responses={200: schemas.OrdersSchema, **READ},
    )
    def get(self, request: Request) -> Response:
        parameters = Parameters.of(request, filters.ORDER_FILTERS)
        query = filters.order_query(parameters, request.user)
        try:
            return Response(wiring.read_side().orders(query, parameters.cursor))
        except ValueError as error:
            raise invalid_query("cursor", str(error)) from error


class OrderView(APIView):
    """One order. An acknowledged one is never missing: until it is decided it is NEW."""

    @extend_schema(
        tags=["orders"],
        operation_id="orders_get",
        responses={200: schemas.OrderSchema, **READ},
    )
    def get(self, request: Request, order_id: str) -> Response:
        Parameters.of(request)
        found = wiring.read_side().order(an_id(order_id), tuple(request.user.readable))
        if found is None:
            raise ProblemError(NOT_FOUND)
        return Response(found)


class OrderEventsView(APIView):
    """Everything that happened to one order, oldest first: why it is in this state."""

    @extend_schema(
        tags=["orders"],
        operation_id="orders_events",
        parameters=[
            schemas.parameter("from_seq", "Leave out events before this account_seq."),
            schemas.LIMIT,
        ],
        responses={200: schemas.EventsSchema, **READ},
    )
    def get(self, request: Request, order_id: str) -> Response:
        parameters = Parameters.of(request, ("from_seq", "limit"))
        from_seq = parameters.whole("from_seq", default=0, least=0, most=INT64_MAX)
        found = wiring.read_side().events(
            an_id(order_id),
            tuple(request.user.readable),
            from_seq=from_seq,
            limit=parameters.limit,
        )
        if found is None:
            raise ProblemError(NOT_FOUND)
        return Response(found)


class OrderFillsView(APIView):
    """The fills of one order, newest first."""

    @extend_schema(
        tags=["orders"],
        operation_id="orders_fills",
        parameters=[schemas.CURSOR, schemas.LIMIT],
        responses={200: schemas.FillsSchema, **READ},
    )
    def get(self, request: Request, order_id: str) -> Response:
        parameters = Parameters.of(request, ("cursor", "limit"))
        reader = wiring.read_side()
        try:
            found = reader.order_fills(
                an_id(order_id),
                tuple(request.user.readable),
                cursor=parameters.cursor,
                limit=parameters.limit,
            )
        except ValueError as error:
            raise invalid_query("cursor", str(error)) from error
        if found is None:
            raise ProblemError(NOT_FOUND)
        return Response(found)


class OrderStatesView(OpenView):
    """The order state machine: every status, and what each thing that can happen does to it."""

    @extend_schema(
        tags=["meta"],
        operation_id="meta_order_states",
        responses={200: schemas.OrderStatesSchema},
    )
    def get(self, request: Request) -> Response:
        rows = [
            {
                "life": life.name,
                "filled": filled.name,
                "event": law.WORDS[kind],
                "outcome": row.outcome,
                "code": row.code or None,
                "reason": row.reason,
                "clause": row.clause or None,
            }
            for (life, filled), of_facts in law.LAW.items()
            for kind, row in zip(law.Kind, of_facts, strict=True)
        ]
        requests = [
            {
                "asked": asked.name,
                "event": law.WORDS[kind],
                "outcome": row.outcome,
                "code": row.code or None,
                "reason": row.reason,
                "clause": row.clause or None,
            }
            for asked, of_request in law.REQUEST.items()
            for kind, row in of_request.items()
        ]
        return Response(
            {
                "statuses": list(Status),
                "open": sorted(OPEN),
                "law": rows,
                "requests": requests,
            }
        )

"""REST for reading accounts: what one is, holds, owns and traded."""

from typing import Final

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from oms_project.access.rights import Action
from oms_project.kernel.words import Role
from oms_project.rest.parameters import Parameters
from oms_project.rest.problem import NOT_FOUND, ProblemError, invalid_query
from oms_project.rest.schema import problems
from orders import wiring
from orders.queries import filters
from orders.rest import schemas

READ: Final = problems(400, 401, 404, 503)


class AccountListView(APIView):
    """Your accounts, and what you may do with each."""

    @extend_schema(
        tags=["accounts"],
        operation_id="accounts_list",
        responses={200: schemas.AccountsSchema, **problems(400, 401, 503)},
    )
    def get(self, request: Request) -> Response:
        Parameters.of(request)
        return Response({"accounts": wiring.read_side().accounts(request.user.readable)})


class AccountView(APIView):
    """One account with its limits."""

    @extend_schema(
        tags=["accounts"],
        operation_id="accounts_get",
        responses={200: schemas.AccountDetailSchema, **READ},
    )
    def get(self, request: Request, account_id: str) -> Response:
        Parameters.of(request)
        found = wiring.read_side().account(account_id, _role(request, account_id))
        if found is None:
            raise ProblemError(NOT_FOUND)
        return Response(found)


class PositionsView(APIView):
    """Net positions, marked at what they could be closed at now."""

    @extend_schema(
        tags=["accounts"],
        operation_id="accounts_positions",
        responses={200: schemas.PositionsSchema, **READ},
    )
    def get(self, request: Request, account_id: str) -> Response:
        Parameters.of(request)
        _role(request, account_id)
        return Response({"positions": wiring.read_side().positions(account_id)})


class BalancesView(APIView):
    """Free and locked units of each asset."""

    @extend_schema(
        tags=["accounts"],
        operation_id="accounts_balances",
        responses={200: schemas.BalancesSchema, **READ},
    )
    def get(self, request: Request, account_id: str) -> Response:
        Parameters.of(request)
        _role(request, account_id)
        return Response({"balances": wiring.read_side().balances(account_id)})


class AccountFillsView(APIView):
    """The account's fills, newest first."""

    @extend_schema(
        tags=["accounts"],
        operation_id="accounts_fills",
        parameters=[schemas.SYMBOL, schemas.CURSOR, schemas.LIMIT],
        responses={200: schemas.FillsSchema, **READ},
    )
    def get(self, request: Request, account_id: str) -> Response:
        parameters = Parameters.of(request, ("symbol", "cursor", "limit"))
        _role(request, account_id)
        try:
            found = wiring.read_side().fills(
                account_id,
                symbol=filters.a_symbol(parameters),
                cursor=parameters.cursor,
                limit=parameters.limit,
            )
        except ValueError as error:
            raise invalid_query("cursor", str(error)) from error
        return Response(found)


def _role(request: Request, account_id: str) -> Role:
    """Return the caller's role; an account that is not theirs does not exist."""
    refused = request.user.on(account_id, Action.READ)
    if refused is not None:
        raise ProblemError(refused)
    role: Role = request.user.readable[account_id]
    return role

"""REST for instruments and prices. One class an URL; nothing here computes a price."""

from typing import Final

from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketdata import queries, wiring
from marketdata.domain.aggregate import LEVELS_MAX
from marketdata.domain.instrument import Units
from marketdata.rest import schemas
from marketdata.view import Seen
from oms_project.kernel.words import InstrumentState
from oms_project.rest.parameters import Parameters
from oms_project.rest.problem import Problem, ProblemError
from oms_project.rest.schema import problems

TRADES_DEFAULT: Final = 50
TRADES_MAX: Final = 200


class InstrumentsView(APIView):
    """Everything that can be traded, or could be, with its filters and rates."""

    @extend_schema(
        tags=["marketdata"],
        operation_id="instruments_list",
        responses={200: schemas.InstrumentsSchema, **problems(400, 401, 503)},
    )
    def get(self, request: Request) -> Response:
        Parameters.of(request)
        results = [queries.instrument(one) for one in wiring.listings().values()]
        return Response({"instruments": results})


class TickerView(APIView):
    """Best prices, the mark, and the last 24 hours of one symbol."""

    @extend_schema(
        tags=["marketdata"],
        operation_id="marketdata_ticker",
        responses={200: schemas.TickerSchema, **problems(400, 401, 404, 503)},
    )
    def get(self, request: Request, symbol: str) -> Response:
        Parameters.of(request)
        units, seen = _find(symbol)
        return Response(queries.ticker(seen.prices, units, stale=_stale(symbol)))


class BookView(APIView):
    """The consolidated order book of one symbol."""

    @extend_schema(
        tags=["marketdata"],
        operation_id="marketdata_book",
        parameters=[
            OpenApiParameter("depth", OpenApiTypes.INT, description="Levels a side, 1-20.")
        ],
        responses={200: schemas.BookSchema, **problems(400, 401, 404, 503)},
    )
    def get(self, request: Request, symbol: str) -> Response:
        parameters = Parameters.of(request, ("depth",))
        depth = parameters.whole("depth", default=LEVELS_MAX, least=1, most=LEVELS_MAX)
        units, seen = _find(symbol)
        return Response(queries.book(seen.prices, units, stale=_stale(symbol), depth=depth))


class TradesView(APIView):
    """The newest public trades of one symbol, newest first."""

    @extend_schema(
        tags=["marketdata"],
        operation_id="marketdata_trades",
        parameters=[OpenApiParameter("limit", OpenApiTypes.INT, description="1-200, default 50.")],
        responses={200: schemas.TradesSchema, **problems(400, 401, 404, 503)},
    )
    def get(self, request: Request, symbol: str) -> Response:
        parameters = Parameters.of(request, ("limit",))
        limit = parameters.whole("limit", default=TRADES_DEFAULT, least=1, most=TRADES_MAX)
        units, seen = _find(symbol)
        newest = reversed(seen.trades[-limit:])
        return Response({"symbol": symbol, "trades": queries.trades(newest, units)})


def _find(symbol: str) -> tuple[Units, Seen]:
    """Return the symbol's units and prices, 404 if there is no such instrument, 503 if no price yet."""
    units = wiring.units(symbol)
    if units is None:
        raise Http404
    seen = wiring.view().current(symbol)
    if seen is None and units.instrument.state is not InstrumentState.TRADING:
        # It is not traded and never was while this log reaches back: nobody need ask again.
        raise ProblemError(Problem("not_found", f"There is no price of {symbol}."))
    if seen is None:
        detail = f"No price of {symbol} has been published yet."
        raise ProblemError(Problem("market_data_stale", detail, headers={"Retry-After": "1"}))
    return units, seen


def _stale(symbol: str) -> bool:
    view = wiring.view()
    return view.broken or view.is_stale(symbol)

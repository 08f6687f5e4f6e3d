"""REST for instruments and prices. One class an URL; nothing here computes a price."""

from typing import Final

from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from marketdata import queries, wiring
from marketdata.candle_reader import Window
from marketdata.domain.aggregate import LEVELS_MAX
from marketdata.domain.candle import INTERVALS
from marketdata.domain.instrument import Units
from marketdata.rest import schemas
from marketdata.rest.public import PublicView
from marketdata.view import Seen
from oms_project.kernel.numbers import NS_PER_S
from oms_project.kernel.words import InstrumentState
from oms_project.rest.parameters import Parameters
from oms_project.rest.problem import Problem, ProblemError, invalid_query
from oms_project.rest.schema import problems

TRADES_DEFAULT: Final = 50
TRADES_MAX: Final = 200
CANDLES_DEFAULT: Final = 300
CANDLES_MAX: Final = 1_000
CLOSED_FRESH_S: Final = 3_600


class InstrumentsView(PublicView):
    """Everything that can be traded, or could be, with its filters and rates."""

    @extend_schema(
        tags=["marketdata"],
        operation_id="instruments_list",
        responses={200: schemas.InstrumentsSchema, **problems(400, 429, 503)},
    )
    def get(self, request: Request) -> Response:
        Parameters.of(request)
        results = [queries.instrument(one) for one in wiring.listings().values()]
        return Response({"instruments": results})


class TickerView(PublicView):
    """Best prices, the mark, and the last 24 hours of one symbol."""

    @extend_schema(
        tags=["marketdata"],
        operation_id="marketdata_ticker",
        responses={200: schemas.TickerSchema, **problems(400, 404, 429, 503)},
    )
    def get(self, request: Request, symbol: str) -> Response:
        Parameters.of(request)
        units, seen = _find(symbol)
        return Response(queries.ticker(seen.prices, units, stale=_stale(symbol)))


class BookView(PublicView):
    """The consolidated order book of one symbol."""

    @extend_schema(
        tags=["marketdata"],
        operation_id="marketdata_book",
        parameters=[
            OpenApiParameter("depth", OpenApiTypes.INT, description="Levels a side, 1-20.")
        ],
        responses={200: schemas.BookSchema, **problems(400, 404, 429, 503)},
    )
    def get(self, request: Request, symbol: str) -> Response:
        parameters = Parameters.of(request, ("depth",))
        depth = parameters.whole("depth", default=LEVELS_MAX, least=1, most=LEVELS_MAX)
        units, seen = _find(symbol)
        return Response(queries.book(seen.prices, units, stale=_stale(symbol), depth=depth))


class TradesView(PublicView):
    """The newest public trades of one symbol, newest first."""

    @extend_schema(
        tags=["marketdata"],
        operation_id="marketdata_trades",
        parameters=[OpenApiParameter("limit", OpenApiTypes.INT, description="1-200, default 50.")],
        responses={200: schemas.TradesSchema, **problems(400, 404, 429, 503)},
    )
    def get(self, request: Request, symbol: str) -> Response:
        parameters = Parameters.of(request, ("limit",))
        limit = parameters.whole("limit", default=TRADES_DEFAULT, least=1, most=TRADES_MAX)
        units, seen = _find(symbol)
        newest = reversed(seen.trades[-limit:])
        return Response({"symbol": symbol, "trades": queries.trades(newest, units)})


class FeedsView(PublicView):
    """How each venue's feed of each symbol is, and what its book went through since the start."""

    @extend_schema(
        tags=["marketdata"],
        operation_id="marketdata_feeds",
        responses={200: schemas.FeedsSchema, **problems(400, 429, 503)},
    )
    def get(self, request: Request) -> Response:
        Parameters.of(request)
        view = wiring.view()
        feeds = view.feeds()
        silent = view.broken or all(view.is_stale(symbol) for symbol in view.symbols())
        return Response({"feeds": [queries.feed(one, silent=silent) for one in feeds]})


class CandlesView(PublicView):
    """Candles of one symbol, oldest first, without gaps: where nothing traded the price stood still.

    Without `from` the newest `limit`; `from` is inside, `to` is not, and both are moved to where a
    candle begins. The last one may still grow (`closed` false). What is all closed may be kept by
    caches for an hour.
    """

    @extend_schema(
        tags=["marketdata"],
        operation_id="marketdata_candles",
        parameters=[
            OpenApiParameter("interval", OpenApiTypes.STR, enum=list(INTERVALS), default="1m"),
            OpenApiParameter("from", OpenApiTypes.DATETIME),
            OpenApiParameter("to", OpenApiTypes.DATETIME),
            OpenApiParameter("limit", OpenApiTypes.INT, description="1-1000, default 300."),
        ],
        responses={200: schemas.CandlesSchema, **problems(400, 404, 429, 503)},
    )
    def get(self, request: Request, symbol: str) -> Response:
        asked = Parameters.of(request, ("interval", "from", "to", "limit"))
        units = wiring.units(symbol)
        if units is None:
            raise Http404
        window = _window(asked)
        found = wiring.candle_reader().range(symbol, window)
        answer = Response(queries.candles(symbol, window, found, units))
        if found.closed_until_s >= window.until_s:
            answer["Cache-Control"] = f"public, max-age={CLOSED_FRESH_S}"
        return answer


def _window(asked: Parameters) -> Window:
    """Return which candles are wanted: `interval`, `from`, `to`, `limit`.

    Raises:
        ProblemError: invalid_query_parameter.
    """
    given = asked.get("interval")
    name = "1m" if given is None else given
    if name not in INTERVALS:
        raise invalid_query("interval", f"must be one of {', '.join(INTERVALS)}")
    limit = asked.whole("limit", default=CANDLES_DEFAULT, least=1, most=CANDLES_MAX)
    from_ns, until_ns = asked.time_ns("from"), asked.time_ns("to")
    now_s = wiring.clock().now_ns() // NS_PER_S
    seconds = INTERVALS[name]
    until_s = now_s + 1 if until_ns is None else min(max(until_ns // NS_PER_S, 0), now_s + 1)
    until_s = -(-until_s // seconds) * seconds
    if from_ns is None:
        return Window(name, max(until_s - limit * seconds, 0), until_s)
    from_s = max(from_ns // NS_PER_S, 0) // seconds * seconds
    if until_ns is None:
        return Window(name, from_s, min(max(until_s, from_s), from_s + limit * seconds))
    if from_s > until_s:
        raise invalid_query("to", "must be behind from")
    if until_s - from_s > CANDLES_MAX * seconds:
        raise invalid_query("from", f"at most {CANDLES_MAX} candles in one answer")
    return Window(name, from_s, until_s)


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

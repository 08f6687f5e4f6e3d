"""Routes of the mock: the real pages over the desk in memory, and the API calls they make."""

import msgspec
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from marketdata.domain.candle import INTERVALS
from oms_project.rest.times import read_ns
from orders.pages.desk import Answer
from orders.pages.routes import routes
from orders.tests.pages.mock_desk import MemoryDesk, public

DESK = MemoryDesk()


def _answer(answer: Answer) -> JsonResponse:
    return JsonResponse(answer.body, status=answer.status)


def orders(request: HttpRequest) -> JsonResponse:
    if request.method == "POST":
        return _answer(
            DESK.submit(
                request, msgspec.json.decode(request.body), request.headers["Idempotency-Key"]
            )
        )
    found = DESK.orders(request, request.GET.dict())
    return JsonResponse({**found, "orders": [public(one) for one in found["orders"]]})


def cancel(request: HttpRequest, order_id: str) -> JsonResponse:
    return _answer(DESK.cancel(request, order_id, request.headers["Idempotency-Key"]))


def cancel_all(request: HttpRequest) -> JsonResponse:
    asked = msgspec.json.decode(request.body)
    account_id, query = asked["account_id"], {**asked, "limit": "500"}
    for order in DESK.orders(request, query)["orders"]:
        DESK.cancel(request, order["order_id"], "")
    return JsonResponse({"account_id": account_id, "status": "PENDING_CANCEL"}, status=202)


def account(request: HttpRequest, account_id: str) -> JsonResponse:
    return JsonResponse({**DESK.account(), "account_id": account_id})


def fills(request: HttpRequest, account_id: str) -> JsonResponse:
    return JsonResponse({"fills": DESK.fills(str(account_id)), "next_cursor": None})


def candles(request: HttpRequest, symbol: str) -> JsonResponse:
    asked = request.GET
    until = asked.get("to")
    until_s = read_ns(until) // 1_000_000_000 if until else None
    found = DESK.symbols[symbol].candles(
        INTERVALS[asked["interval"]], int(asked.get("limit", "300")), until_s
    )
    return JsonResponse({"symbol": symbol, "interval": asked["interval"], "candles": found})


def turn(request: HttpRequest) -> JsonResponse:
    """For the tests: what the risk desk and the market may do to somebody's open page."""
    asked = msgspec.json.decode(request.body)
    if "symbol" in asked:
        DESK.set_symbol(**asked)
    else:
        DESK.set_account(asked["state"], {"restricted_symbols": [], **asked["limits"]})
    return JsonResponse({})


def broken(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("for looking at the page of a 500")


def forbidden(request: HttpRequest) -> HttpResponse:
    raise PermissionDenied


urlpatterns = [
    *routes(DESK),
    path("api/orders", orders),
    path("api/orders/cancel", cancel_all),
    path("api/orders/<uuid:order_id>/cancel", cancel),
    path("api/accounts/<uuid:account_id>", account),
    path("api/accounts/<uuid:account_id>/fills", fills),
    path("api/marketdata/<str:symbol>/candles", candles),
    path("turn/", csrf_exempt(turn)),
    path("broken/", broken),
    path("forbidden/", forbidden),
]
handler400 = "oms_project.rest.problem.bad_request"
handler403 = "oms_project.rest.problem.permission_denied"
handler404 = "oms_project.rest.problem.not_found"
handler500 = "oms_project.rest.problem.server_error"

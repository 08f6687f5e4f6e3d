"""The pages: each view reads from the desk, shapes and renders. Live updates are static/js's part."""

import functools
from collections.abc import Callable, Iterable
from typing import Any

from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import LoginView
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.cache import patch_cache_control, patch_vary_headers
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_POST, require_safe

from marketdata.domain.candle import INTERVALS
from orders.pages import shapes
from orders.pages.desk import Answer, Desk, Value
from orders.pages.lists import Lists
from orders.pages.reasons import TEXTS

LEVELS = 12
TRADES_MAX = 40
ROWS_MAX = 50
DRAFT = {
    "side": "buy", "type": "limit", "time_in_force": "gtc", "quantity": "", "price": "",
    "expires_at": "", "stop_price": "", "trail_amount": "", "trail_in": "amount",
}  # fmt: skip
FIRST_SYMBOL = "BTC-USD"
HOMES = {"risk_officer": "positions", "operator": "ops", "admin": "ops"}
View = Callable[..., HttpResponse]


class Pages:
    """The views over one desk. `routes` (urls.py) binds them to addresses."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.home = _page(self._home)
        self.market = _page(self._market)
        self.account = _page(self._account)
        self.trade = _page(self._trade)
        self.submit = login_required(require_POST(_uncached(self._submit)))
        lists = Lists(desk)
        self.orders = _page(lists.orders)
        self.orders_csv = login_required(require_safe(_uncached(lists.orders_csv)))
        self.positions = _page(lists.positions)
        self.operations = _page(lists.operations)
        self.order = _page(self._order)
        self.cancel = login_required(require_POST(self._cancel))
        self.login = self._login

    def _login(self, request: HttpRequest) -> HttpResponse:
        view = LoginView.as_view(
            redirect_authenticated_user=True,
            extra_context={"demo_logins": self._desk.demo_logins()},
        )
        return view(request)

    # ------------------------------------------------------------------ trading
    # Which account is traded on stands in the address, nowhere else: no session, no other tab and
    # no link can change it behind somebody's back.
    def _home(self, request: HttpRequest) -> HttpResponse:
        home = HOMES.get(self._desk.role(request))
        if home:
            return redirect(home)
        return self._to_market(request, self._first_symbol())

    def _account(self, request: HttpRequest, account_id: str) -> HttpResponse:
        symbol = self._first_symbol()
        return redirect("trade", account_id, symbol) if symbol else self._nothing(request)

    def _market(self, request: HttpRequest, symbol: str) -> HttpResponse:
        return self._to_market(request, symbol)

    def _to_market(self, request: HttpRequest, symbol: str) -> HttpResponse:
        """Go to *symbol* on the user's first account; without one, show prices only."""
        if not symbol:
            return self._nothing(request)
        accounts = self._desk.accounts(request)
        if not accounts:
            return self._terminal(request, None, symbol, DRAFT, {})
        query = request.META.get("QUERY_STRING", "")
        address = reverse("trade", args=[accounts[0]["account_id"], symbol])
        return redirect(f"{address}?{query}" if query else address)

    def _first_symbol(self) -> str:
        listed = list(self._desk.instruments())
        tradable = [one["symbol"] for one in listed if one["state"] == "TRADING"]
        known = tradable or [one["symbol"] for one in listed]
        return FIRST_SYMBOL if FIRST_SYMBOL in known else (known or [""])[0]

    def _nothing(self, request: HttpRequest) -> HttpResponse:
        return render(request, "trade/nothing.html", self._frame(request), status=503)

    def _trade(self, request: HttpRequest, account_id: str, symbol: str) -> HttpResponse:
        draft = {name: request.GET.get(name, default)[:40] for name, default in DRAFT.items()}
        draft["quantity"] = ""  # an address may begin an order, never arm one
        return self._terminal(request, account_id, symbol, draft, {})

    def _terminal(
        self,
        request: HttpRequest,
        account_id: str | None,
        symbol: str,
        draft: dict[str, str],
        errors: dict[str, str],
        key: str = "",
    ) -> HttpResponse:
        desk = self._desk
        instruments = {one["symbol"]: one for one in desk.instruments()}
        instrument = instruments.get(symbol)
        if instrument is None:
            raise Http404
        frame = self._frame(request, account_id)
        account = frame["account"]
        if account_id and account is None:
            raise Http404
        places = shapes.places(instruments)
        ticker = desk.ticker(symbol) or {}
        context = {
            **frame,
            **self._private(request, account, places),
            "page": "trade",
            "instrument": instrument,
            "instruments": [
                {**one, "ticker": desk.ticker(one["symbol"]) or {}, **places[one["symbol"]]}
                for one in instruments.values()
            ],
            "ticker": ticker,
            "trades": list(desk.trades(symbol))[:TRADES_MAX],
            "intervals": list(INTERVALS),
            "draft": draft if draft["price"] or errors else {**draft, "price": ticker.get("last")},
            "errors": errors,
            "key": key or desk.new_key(),
            "blocked": shapes.blocked(account, instrument),
            "boot": shapes.boot(account, symbol, instruments.values()) | {"reasons": TEXTS},
            **places[symbol],
            **shapes.ladder(desk.book(symbol, LEVELS), LEVELS),
        }
        context["available"] = shapes.available(context["balances"], instrument, draft["side"])
        return render(request, "trade/page.html", context, status=422 if errors else 200)

    def _private(
        self, request: HttpRequest, account: Value | None, places: shapes.Places
    ) -> dict[str, Any]:
        """The account's own tables; all empty for somebody without an account."""
        if account is None:
            names = ("open_orders", "history", "positions", "balances", "fills")
            return {name: [] for name in names} | {"may_trade": False, "position_count": 0}
        desk, account_id = self._desk, account["account_id"]
        query = {"account_id": account_id, "limit": str(ROWS_MAX)}
        open_orders = desk.orders(request, {**query, "status": shapes.GROUPS["open"]})["orders"]
        history = desk.orders(request, {**query, "status": shapes.GROUPS["closed"]})["orders"]
        positions = [one for one in desk.positions(account_id) if shapes.matters(one)]
        return {
            "open_orders": shapes.placed(open_orders, places),
            "history": shapes.placed(history, places),
            "positions": shapes.placed(positions, places),
            "position_count": sum(1 for one in positions if one["quantity"] != "0"),
            "balances": desk.balances(account_id),
            "fills": shapes.placed(list(desk.fills(account_id))[:ROWS_MAX], places),
            "may_trade": account["role"] == "trader",
        }

    def _submit(self, request: HttpRequest, account_id: str, symbol: str) -> HttpResponse:
        """The ticket without scripts: the form's key makes a second press harmless."""
        draft = {name: request.POST.get(name, "").strip() for name in DRAFT}
        body = shapes.order_body(account_id, symbol, draft)
        key = request.POST.get("idempotency_key", "")
        answer = self._desk.submit(request, body, key)
        if answer.status < 300:
            return redirect("order", answer.body["order_id"])
        retry = key if answer.status >= 500 else ""
        errors = shapes.field_errors(answer.body)
        return self._terminal(request, account_id, symbol, draft, errors, retry)

    def _cancel(self, request: HttpRequest, order_id: str) -> HttpResponse:
        key = request.POST.get("idempotency_key", "") or self._desk.new_key()
        answer: Answer = self._desk.cancel(request, order_id, key)
        if answer.status == 404:
            raise Http404
        order_page = reverse("order", args=[order_id])
        if answer.status >= 300:
            request.session["problem"] = answer.body["detail"]  # shown once, by the next page
        back = request.POST.get("back", "")
        return redirect(back if back.startswith(reverse("orders")) else order_page)

    # ------------------------------------------------------------------ orders
    def _order(self, request: HttpRequest, order_id: str) -> HttpResponse:
        order = self._desk.order(request, order_id)
        if order is None:
            raise Http404
        instruments = {one["symbol"]: one for one in self._desk.instruments()}
        places = shapes.places(instruments)
        frame = self._frame(request, order["account_id"])
        context = {
            **frame,
            "page": "order",
            "order": shapes.placed([order], places)[0],
            "fills": shapes.placed(self._desk.order_fills(request, order_id), places),
            "events": shapes.told(self._desk.events(request, order_id), order),
            "may_trade": bool(frame["account"]) and frame["account"]["role"] == "trader",
            "key": self._desk.new_key(),
            "problem": request.session.pop("problem", ""),
            "of": _of(order, self._desk.readable(request)),
            "boot": {"account": order["account_id"], "order_id": order_id}
            if frame["account"]
            else {"refresh": True},
        }
        part = "orders/order_body.html" if getattr(request, "htmx", None) else "orders/order.html"
        return render(request, part, context)

    def _frame(self, request: HttpRequest, account_id: str | None = None) -> dict[str, Any]:
        """What every page's head needs: the accounts, and which one the page is about."""
        accounts = list(self._desk.accounts(request))
        chosen = [one for one in accounts if one["account_id"] == account_id]
        return {
            "accounts": accounts,
            "account": chosen[0] if chosen else None,
            "role": self._desk.role(request),
        }


def _of(order: Value, accounts: Iterable[Value]) -> Value | None:
    """Return the account of *order*."""
    found = [one for one in accounts if one["account_id"] == order["account_id"]]
    return found[0] if found else None


def _page(view: View) -> View:
    return _whole(login_required(require_safe(gzip_page(ensure_csrf_cookie(_uncached(view))))))


def _whole(page: View) -> View:
    """Who has no log-in any more gets no part of a page: htmx loads the whole, and so the log-in."""

    @functools.wraps(page)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if getattr(request, "htmx", None) and not request.user.is_authenticated:
            return HttpResponse(status=204, headers={"HX-Refresh": "true"})
        return page(request, *args, **kwargs)

    return answer


def _uncached(view: View) -> View:
    """Keep an answer out of every cache, the browser's own too.

    One address answers a whole page or, to htmx, a part of it: Back must never show the part.
    """

    @functools.wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = view(request, *args, **kwargs)
        patch_cache_control(response, private=True, no_store=True)
        patch_vary_headers(response, ["HX-Request"])
        return response

    return answer

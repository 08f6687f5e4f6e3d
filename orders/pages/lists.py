"""Lists over all accounts somebody may look at: orders and positions, as pages and as CSV.

Filters stand in the address, the account among them: a list can be kept, sent and gone back to.
"""

import csv
import io
from collections.abc import AsyncIterator, Iterable
from typing import Any

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render

from orders.pages import shapes
from orders.pages.desk import Desk, Value
from orders.pages.filters import STATUS

PAGE_ROWS = 50
CSV_PAGE_ROWS = 500
ACCOUNTS_MAX = 200
FILTERS = ("account", "symbol", "status", "side", "from", "to", "search")
COLUMNS = (
    "order_id", "account_id", "client_order_id", "symbol", "side", "type", "time_in_force",
    "quantity", "price", "status", "filled_quantity", "average_price", "fee", "fee_asset",
    "reason", "created_at", "updated_at",
)  # fmt: skip
FORMULA = ("=", "+", "-", "@", "\t", "\r")
EMPTY: Value = {"orders": [], "next_cursor": None}


class Lists:
    """The views of lists over one desk."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def orders(self, request: HttpRequest) -> HttpResponse:
        frame = self._frame(request)
        filters = _filters(request)
        problem = shapes.dates_problem(filters)
        found = EMPTY
        if not problem:
            try:
                found = self._desk.orders(request, self._query(request, filters, PAGE_ROWS))
            except ValueError as error:
                problem = str(error)
        instruments = {one["symbol"]: one for one in self._desk.instruments()}
        may = {one["account_id"] for one in frame["accounts"] if one["role"] == "trader"}
        context = {
            **frame,
            "page": "orders",
            "filters": filters,
            "filtered": any(filters.values()),
            "problem": problem or request.session.pop("problem", ""),
            "dates_wrong": bool(shapes.dates_problem(filters)),
            "orders": self._rows(frame, found["orders"], may, shapes.places(instruments)),
            "more": shapes.more_link(filters, found["next_cursor"]),
            "csv": shapes.query_text(filters),
            "back": request.get_full_path(),
            "symbols": sorted(instruments),
            "statuses": [("open", "All open"), ("closed", "All closed"), *STATUS.items()],
        }
        part = "orders/rows.html" if request.GET.get("cursor") else "orders/table.html"
        wanted = part if getattr(request, "htmx", None) else "orders/page.html"
        return render(request, wanted, context)

    def orders_csv(self, request: HttpRequest) -> HttpResponseBase:
        """Stream what the filters show, all pages of it."""
        filters = _filters(request)
        problem = shapes.dates_problem(filters)
        try:
            if problem:
                raise ValueError(problem)
            query = self._query(request, filters, CSV_PAGE_ROWS)
            first = self._desk.orders(request, query)
        except ValueError as error:
            return HttpResponse(str(error), status=400, content_type="text/plain; charset=utf-8")
        answer = StreamingHttpResponse(
            self._csv_rows(request, query, first), content_type="text/csv; charset=utf-8"
        )
        answer["Content-Disposition"] = 'attachment; filename="orders.csv"'
        return answer

    async def _csv_rows(
        self, request: HttpRequest, query: dict[str, str], found: Value
    ) -> AsyncIterator[str]:
        yield csv_lines([COLUMNS])
        while True:
            rows = found["orders"]
            yield csv_lines([one.get(name) for name in COLUMNS] for one in rows)
            if not found["next_cursor"]:
                return
            following = {**query, "cursor": found["next_cursor"]}
            found = await sync_to_async(self._desk.orders)(request, following)

    def positions(self, request: HttpRequest) -> HttpResponse:
        frame = self._frame(request)
        wanted = request.GET.get("account", "")
        shown = [one for one in frame["readable"] if wanted in ("", one["account_id"])]
        places = shapes.places({one["symbol"]: one for one in self._desk.instruments()})
        rows = [
            {**row, "account_id": one["account_id"], "account_name": one["name"]}
            for one in shown[:ACCOUNTS_MAX]
            for row in self._desk.positions(one["account_id"])
            if shapes.matters(row)
        ]
        context = {
            **frame,
            "page": "positions",
            "filters": {"account": wanted},
            "positions": shapes.placed(rows, places),
            "cut": len(shown) > ACCOUNTS_MAX,
        }
        htmx = getattr(request, "htmx", None)
        template = "orders/positions_table.html" if htmx else "orders/positions.html"
        return render(request, template, context)

    def operations(self, request: HttpRequest) -> HttpResponse:
        found = self._desk.operations(request)
        if found is None:
            return render(request, "errors/403.html", {"status": 403}, status=403)
        worst = [one for one in found["checks"] if one["level"] != "ok"]
        context = {**self._frame(request), "page": "ops", **found, "worst": worst}
        htmx = getattr(request, "htmx", None)
        return render(request, "orders/ops_body.html" if htmx else "orders/ops.html", context)

    # ------------------------------------------------------------------ parts
    def _frame(self, request: HttpRequest) -> dict[str, Any]:
        accounts = list(self._desk.accounts(request))
        wanted = request.GET.get("account", "")
        chosen = [one for one in accounts if one["account_id"] == wanted]
        return {
            "accounts": accounts,
            "account": chosen[0] if chosen else None,
            "readable": list(self._desk.readable(request)),
            "role": self._desk.role(request),
        }

    def _query(self, request: HttpRequest, filters: dict[str, str], rows: int) -> dict[str, str]:
        query = shapes.order_query(filters, filters["account"], rows)
        if request.GET.get("cursor"):
            query["cursor"] = request.GET["cursor"]
        return query

    @staticmethod
    def _rows(
        frame: dict[str, Any], orders: Iterable[Value], may: set[str], places: shapes.Places
    ) -> list[Value]:
        known = {one["account_id"]: one for one in (*frame["readable"], *frame["accounts"])}
        return [
            {
                **row,
                "of": known.get(row["account_id"]),
                "cancelable": row["account_id"] in may and row["status"] in shapes.CANCELABLE,
            }
            for row in shapes.placed(orders, places)
        ]


def _filters(request: HttpRequest) -> dict[str, str]:
    return {name: request.GET.get(name, "").strip()[:64] for name in FILTERS}


def csv_lines(rows: Iterable[Iterable[Any]]) -> str:
    """Return rows as CSV. What a spreadsheet would run as a formula begins with an apostrophe."""
    out = io.StringIO()
    csv.writer(out).writerows([_cell(value) for value in row] for row in rows)
    return out.getvalue()


def _cell(value: Any) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(FORMULA) else text

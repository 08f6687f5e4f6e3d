"""Turns API values into what the templates print. Pure: no request, no store."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from oms_project.kernel.numbers import decimals_of
from oms_project.kernel.words import CLOSED, OPEN, Status
from orders.pages import story
from orders.pages.desk import Value

Places = Mapping[str, Mapping[str, int]]
BUCKETS = 20
GROUPS = {
    "open": ",".join(one for one in Status if one in OPEN),
    "closed": ",".join(one for one in Status if one in CLOSED),
}
CANCELABLE = frozenset({"NEW", "TRIGGER_PENDING", "ACCEPTED", "PARTIALLY_FILLED"})
FIELDS = ("price", "quantity", "time_in_force", "expires_at", "stop_price", "trail_amount")
PRICED = frozenset({"limit", "stop_limit", "take_profit_limit"})
STOPPED = frozenset({"stop", "stop_limit", "take_profit", "take_profit_limit"})
_NO_PLACES = {"price_places": 0, "size_places": 0}
_MICROSECOND = timedelta(microseconds=1)


def places(instruments: Mapping[str, Value]) -> Places:
    """Return the decimals each symbol is shown with."""
    return {
        symbol: {
            "price_places": decimals_of(one["tick_size"]),
            "size_places": decimals_of(one["lot_size"]),
        }
        for symbol, one in instruments.items()
    }


def placed(rows: Iterable[Value], known: Places) -> list[Value]:
    """Return *rows* with the decimals of their symbol, their worth and how much is filled."""
    return [
        {
            **row,
            **known.get(row["symbol"], _NO_PLACES),
            "filled_share": _filled_share(row),
            "value": _value(row),
        }
        for row in rows
    ]


def _value(row: Value) -> str | None:
    price = row.get("mark_price") or row.get("price")
    return f"{Decimal(price) * Decimal(row['quantity']):f}" if price else None


def _filled_share(row: Value) -> int:
    if "filled_quantity" not in row or not Decimal(row["quantity"]):
        return 0
    return int(Decimal(row["filled_quantity"]) * 100 / Decimal(row["quantity"]))


def ladder(book: Value | None, levels: int) -> dict[str, Any]:
    """Return asks (best last), bids (best first) with running totals and bar widths, and the spread."""
    if book is None:
        return {"asks": [], "bids": [], "spread": None}
    bids, asks = _totals(book["bids"][:levels]), _totals(book["asks"][:levels])
    deepest = max([side[-1]["total"] for side in (bids, asks) if side], default=Decimal(0))
    for level in (*bids, *asks):
        level["bucket"] = int(level["total"] * BUCKETS / deepest) if deepest else 0
        level["total"] = f"{level['total']:f}"
    spread = Decimal(asks[0]["price"]) - Decimal(bids[0]["price"]) if bids and asks else None
    return {
        "asks": asks[::-1],
        "bids": bids,
        "spread": None if spread is None else f"{spread:f}",
    }


def _totals(levels: Sequence[Sequence[str]]) -> list[Value]:
    rows, total = [], Decimal(0)
    for price, size in levels:
        total += Decimal(size)
        rows.append({"price": price, "size": size, "total": total})
    return rows


def matters(position: Value) -> bool:
    """A position that is something, or was: profit was taken."""
    return bool(Decimal(position["quantity"]) or Decimal(position.get("realized_pnl") or 0))


def blocked(account: Value | None, instrument: Value) -> dict[str, str] | None:
    """Return why this account cannot trade this instrument at all, or None."""
    if account is None:
        return {
            "title": "No account",
            "text": "You are not a member of an account yet. Ask an administrator to add you.",
        }
    if account["role"] != "trader":
        return {
            "title": "View only",
            "text": f"You may look at {account['name']}, trading on it needs the role trader.",
        }
    if instrument["state"] != "TRADING":
        return {
            "title": f"{instrument['symbol']} is {instrument['state'].lower()}",
            "text": "New orders are refused. Choose another symbol; open orders can be canceled.",
        }
    return None


def boot(account: Value | None, symbol: str, instruments: Iterable[Value]) -> Value:
    """Return what the scripts begin with."""
    return {
        "account": account and account["account_id"],
        "mayTrade": bool(account) and account["role"] == "trader",
        "symbol": symbol,
        "instruments": list(instruments),
    }


def available(balances: Iterable[Value], instrument: Value, side: str) -> dict[str, Any]:
    """Return what an order of that side is paid with."""
    asset = instrument["base"] if side == "sell" else instrument["quote"]
    free = [one["free"] for one in balances if one["asset"] == asset]
    return {"asset": asset, "free": free[0] if free else "0"}


def order_body(account_id: str, symbol: str, draft: Mapping[str, str]) -> Value:
    """Return what a form without scripts sends: the fields that its type and time in force have."""
    body = {"account_id": account_id, "symbol": symbol, **draft}
    kind = draft["type"]
    if kind not in PRICED:
        del body["price"]
    if kind == "market" and draft["time_in_force"] == "gtc":
        body["time_in_force"] = "ioc"  # it never rests: the form's default means the same
    if kind not in STOPPED:
        del body["stop_price"]
    distance, unit = body.pop("trail_amount"), body.pop("trail_in")
    if kind == "trailing_stop" and unit == "bps":
        body["trail_bps"] = int(distance) if distance.isascii() and distance.isdigit() else distance
    elif kind == "trailing_stop":
        body["trail_amount"] = distance
    ends = body.pop("expires_at")
    if draft["time_in_force"] == "gtd" and ends:
        body["expires_at"] = f"{ends}:00Z" if len(ends) == len("2026-11-24T18:00") else f"{ends}Z"
    return body


def field_errors(problem: Value) -> dict[str, str]:
    """Return a problem's texts by form field; what fits no field is the order's."""
    found: dict[str, str] = {}
    for entry in problem.get("errors", ()):
        name = entry.get("pointer", "").rsplit("/", 1)[-1].replace("trail_bps", "trail_amount")
        text = entry.get("detail") or entry["code"].replace("_", " ")
        found.setdefault(name if name in FIELDS else "order", text)
    return found or {"order": problem.get("detail") or "The order was refused."}


def order_query(filters: Mapping[str, str], account_id: str, limit: int) -> dict[str, str]:
    """Return the filters of the orders page as GET /api/orders takes them."""
    query = {name: value for name, value in filters.items() if value and name != "account"}
    if "status" in query:
        query["status"] = GROUPS.get(query["status"], query["status"])
    for name, hour in (("from", "T00:00:00Z"), ("to", "T23:59:59.999999Z")):
        if len(query.get(name, "")) == len("2026-11-21"):
            query[name] += hour
    if account_id:
        query["account_id"] = account_id
    return {**query, "limit": str(limit)}


def dates_problem(filters: Mapping[str, str]) -> str:
    """Return what is wrong with the days asked for, or ""."""
    first, last = filters.get("from", ""), filters.get("to", "")
    for day in filter(None, (first, last)):
        try:
            date.fromisoformat(day)
        except ValueError:
            return f"{day} is no day. Write it like 2026-11-21."
    if first and last and first > last:
        return f"From ({first}) is after To ({last}). Choose days the other way round."
    return ""


def query_text(filters: Mapping[str, str]) -> str:
    """Return the filters that are set as an address has them."""
    return urlencode({name: value for name, value in filters.items() if value})


def more_link(filters: Mapping[str, str], cursor: str | None) -> str:
    """Return the query of the next page, or "" on the last one."""
    if not cursor:
        return ""
    return "?" + urlencode({**{k: v for k, v in filters.items() if v}, "cursor": cursor})


def told(events: Sequence[Value], order: Value) -> list[Value]:
    """Return events with a title, a sentence and the time since the one before."""
    rows, before = [], None
    for event in events:
        at = datetime.fromisoformat(event["at"])
        title, text = story.tell(event, order)
        hop = "" if before is None else _duration((at - before) // _MICROSECOND)
        tone = story.TONES.get(event["type"], "")
        rows.append({**event, "title": title, "text": text, "hop": hop, "tone": tone})
        before = at
    return rows


def _duration(us: int) -> str:
    if not us:
        return "same record"  # decided by one command: one instant in the log
    if us < 1_000:
        return f"+{us} µs"
    if us < 1_000_000:
        return f"+{us // 1_000}.{us % 1_000 // 100} ms"
    if us < 60_000_000:
        return f"+{us // 1_000_000}.{us % 1_000_000 // 100_000} s"
    minutes, seconds = divmod(us // 1_000_000, 60)
    return f"+{minutes} min {seconds} s"

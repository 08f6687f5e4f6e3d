"""The twin of the live desk: accounts, orders and fills in memory, filled at the mock's prices."""

import threading
from collections.abc import Mapping
from decimal import ROUND_UP, Decimal
from typing import Any

from django.http import HttpRequest

from oms_project.adapters.clock import SystemClock
from oms_project.adapters.ids import SeededIds
from oms_project.rest.times import text as iso
from orders.pages.desk import Answer, Value
from orders.tests.pages.mock_market import market

ACCOUNT = "0b7e9f66-3c59-4d5c-9d51-2c54b6c0a001"
OTHER = "0b7e9f66-3c59-4d5c-9d51-2c54b6c0a002"
OPEN = ("NEW", "ACCEPTED", "PARTIALLY_FILLED", "PENDING_CANCEL")
START = {"USD": "250000", "BTC": "2.5", "ETH": "20", "SOL": "0", "XRP": "0", "ADA": "0"}


def _text(value: Decimal, places: int = 2) -> str:
    text = f"{value:f}".rstrip("0").rstrip(".") if "." in f"{value:f}" else f"{value:f}"
    whole, _, fraction = text.partition(".")
    return f"{whole}.{fraction.ljust(places, '0')}"


class MemoryDesk:
    """One trader's account that fills at once when an order crosses, else when the price comes."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.ids = SeededIds(7)
        self.symbols = market()
        self.book_by_id: dict[str, Value] = {}
        self.stream: list[Value] = []
        self.all_fills: list[Value] = []
        self.totals = {asset: Decimal(text) for asset, text in START.items()}
        self.held: dict[str, tuple[str, Decimal]] = {}
        self.net: dict[str, list[Decimal]] = {}
        self.answers: dict[str, Answer] = {}
        self.state = "ACTIVE"
        self.limits: Value = {"max_order_value": None, "restricted_symbols": []}

    # ------------------------------------------------------------------ reading
    def accounts(self, request: HttpRequest) -> list[Value]:
        return [
            {"account_id": ACCOUNT, "name": "Main desk", "state": self.state, "role": "trader"},
            {"account_id": OTHER, "name": "Research", "state": "ACTIVE", "role": "viewer"},
        ]

    def account(self) -> Value:
        return {
            "account_id": ACCOUNT,
            "name": "Main desk",
            "state": self.state,
            "limits": self.limits,
        }

    def set_account(self, state: str, limits: Value) -> None:
        """Change what the account may do, as the risk desk would."""
        with self.lock:
            self.state, self.limits = state, limits
            self._tell(None, "AccountChanged", name="Main desk", state=state, limits=limits)

    def set_symbol(self, symbol: str, state: str, **more: Any) -> None:
        """Change a symbol: its state, since when its figures are, whether its prices are stale."""
        found = self.symbols[symbol]
        found.state, found.told = state, found.told | more

    def readable(self, request: HttpRequest) -> list[Value]:
        return self.accounts(request)

    def role(self, request: HttpRequest) -> str:
        return "trader"

    def operations(self, request: HttpRequest) -> Value | None:
        return None

    def instruments(self) -> list[Value]:
        return [one.instrument() for one in self.symbols.values()]

    def ticker(self, symbol: str) -> Value | None:
        found = self.symbols.get(symbol)
        return found.ticker() if found and found.state == "TRADING" else None

    def book(self, symbol: str, depth: int) -> Value | None:
        found = self.symbols.get(symbol)
        return found.book(depth) if found and found.state == "TRADING" else None

    def trades(self, symbol: str) -> list[Value]:
        return self.symbols[symbol].trades

    def orders(self, request: HttpRequest, query: Mapping[str, str]) -> Value:
        wanted = [name for name in query.get("status", "").split(",") if name]
        wanted_account = query.get("account_id", ACCOUNT)
        rows = [one for one in self.book_by_id.values() if one["account_id"] == wanted_account]
        rows = [one for one in rows if not wanted or one["status"] in wanted]
        for name in ("symbol", "side", "client_order_id"):
            rows = [one for one in rows if query.get(name, one[name]) == one[name]]
        rows.sort(key=lambda one: one["created_at"], reverse=True)
        start = int(query.get("cursor", "0"))
        end = start + int(query.get("limit", "50"))
        return {"orders": rows[start:end], "next_cursor": str(end) if end < len(rows) else None}

    def order(self, request: HttpRequest, order_id: str) -> Value | None:
        return self.book_by_id.get(str(order_id))

    def events(self, request: HttpRequest, order_id: str) -> list[Value]:
        own = (one["event"] for one in self.stream)
        return [one for one in own if one.get("order_id") == str(order_id)]

    def order_fills(self, request: HttpRequest, order_id: str) -> list[Value]:
        return [one for one in self.all_fills if one["order_id"] == str(order_id)]

    def fills(self, account_id: str) -> list[Value]:
        return list(self.all_fills) if account_id == ACCOUNT else []

    def positions(self, account_id: str) -> list[Value]:
        if account_id != ACCOUNT:
            return []
        return [self.position(symbol) for symbol in self.net]

    def position(self, symbol: str) -> Value:
        quantity, cost, realized = self.net[symbol]
        mark = self.symbols[symbol].ticker()["mark"]
        average = cost / quantity if quantity else None
        gain = (Decimal(mark) - average) * quantity if average is not None else Decimal(0)
        return {
            "symbol": symbol,
            "quantity": _text(quantity, 0).rstrip("."),
            "average_price": None if average is None else f"{average:.4f}",
            "realized_pnl": f"{realized:.4f}",
            "unrealized_pnl": f"{gain:.4f}",
            "mark_price": mark,
            "quote": "USD",
        }

    def balances(self, account_id: str) -> list[Value]:
        return [self.balance(asset) for asset in self.totals] if account_id == ACCOUNT else []

    def balance(self, asset: str) -> Value:
        locked = sum((held for name, held in self.held.values() if name == asset), Decimal(0))
        total = self.totals[asset]
        parts = {"free": total - locked, "locked": locked, "total": total}
        return {"asset": asset} | {name: _text(value) for name, value in parts.items()}

    def demo_logins(self) -> list[dict[str, str]]:
        return [{"username": "trader", "password": "trader-demo-1", "what": "trades on Main desk"}]

    def new_key(self) -> str:
        return self.ids.new()

    # ------------------------------------------------------------------ writing
    def submit(self, request: HttpRequest, body: Value, key: str) -> Answer:
        with self.lock:
            if key not in self.answers:
                answer = self._place(body, key)
                if answer.status >= 300:
                    return answer
                self.answers[key] = answer
            return self.answers[key]

    def _place(self, body: Value, key: str) -> Answer:
        if body["type"] == "market" and body["time_in_force"] == "gtc":
            entry = {"pointer": "/time_in_force", "code": "not_a_choice"}
            return Answer(
                422, {"code": "validation_error", "detail": "ioc or fok", "errors": [entry]}
            )
        if body["quantity"] == "0.0666":
            entry = {
                "pointer": "/quantity",
                "code": "quantity_step",
                "detail": "Refused by the server: use 0.1.",
            }
            return Answer(
                422, {"code": "validation_error", "detail": "Look at it.", "errors": [entry]}
            )
        if body["quantity"] == "0.0777":
            return Answer(
                503,
                {"code": "durable_log_unavailable", "detail": "Try again.", "outcome": "unknown"},
            )
        now = iso(SystemClock.now_ns())
        order = {
            "order_id": self.ids.new(),
            "client_order_id": key,
            **body,
            "price": body.get("price"),
            "expires_at": body.get("expires_at"),
            "deadline": None,
            "status": "NEW",
            "filled_quantity": "0",
            "remaining_quantity": body["quantity"],
            "average_price": None,
            "fee": "0",
            "fee_asset": "USD",
            "rejected_by": None,
            "reason": None,
            "late_fill": False,
            "overfilled": False,
            "version": 1,
            "reduce_only": body.get("reduce_only", False),
            "cost": Decimal(0),
            "created_at": now,
            "updated_at": now,
        }
        self.book_by_id[order["order_id"]] = order
        self._decide(order)
        shown = {name: order[name] for name in ("order_id", "client_order_id")}
        return Answer(202, shown | {"status": "NEW"})

    def _decide(self, order: Value) -> None:
        symbol = self.symbols[order["symbol"]]
        base, quote = order["symbol"].split("-")
        worst = Decimal(order["price"] or symbol.ticker()["mark"]) * (
            1 if order["price"] else Decimal("1.05")
        )
        buying = order["side"] == "buy"
        why = self._refusal(order, worst * Decimal(order["quantity"]))
        if why:
            value = {"measured": _text(worst * Decimal(order["quantity"]), 6), "unit": quote}
            most = self.limits["max_order_value"]
            self._deny(order, why, **(value | {"limit": _text(Decimal(most))} if most else {}))
            return
        need = (
            worst * Decimal(order["quantity"]) * Decimal("1.001")
            if buying
            else Decimal(order["quantity"])
        )
        asset = quote if buying else base
        if need > Decimal(self.balance(asset)["free"]):
            self._deny(order, "insufficient_balance")
            return
        self.held[order["order_id"]] = (asset, need)
        self._tell(order, "OrderRouted", hold=_text(need), hold_asset=asset)
        self._tell_account(order)
        self._change(order, "ACCEPTED")
        self._tell(order, "OrderAccepted", venue="sim")

    def _refusal(self, order: Value, value: Decimal) -> str:
        net = self.net.get(order["symbol"], [Decimal(0)])[0]
        against = net > 0 if order["side"] == "sell" else net < 0
        if order["reduce_only"] and (not against or Decimal(order["quantity"]) > abs(net)):
            return "account_reduce_only"
        if self.state == "HALTED":
            return "account_suspended"
        most = self.limits["max_order_value"]
        return "max_order_value" if most and value > Decimal(most) else ""

    def _deny(self, order: Value, why: str, **measured: str) -> None:
        self._change(order, "REJECTED", reason=why, rejected_by="oms")
        self._tell(order, "OrderDenied", reason=why, **measured)

    def cancel(self, request: HttpRequest, order_id: str, key: str) -> Answer:
        with self.lock:
            order = self.book_by_id.get(str(order_id))
            if order is None:
                return Answer(404, {"detail": "Not found", "code": "not_found"})
            if order["status"] not in OPEN:
                detail = f"The order is {order['status']}."
                return Answer(409, {"code": "invalid_state_transition", "detail": detail})
            self._change(order, "PENDING_CANCEL")
            self._tell(order, "OrderCancelRequested")
            return Answer(202, {"order_id": order["order_id"], "status": "PENDING_CANCEL"})

    # ------------------------------------------------------------------ what happens by itself
    def step(self) -> None:
        """Move the prices, answer cancels, fill what crosses (half of it at a time)."""
        with self.lock:
            for symbol in self.symbols.values():
                if symbol.state == "TRADING":
                    symbol.move()
            for order in [one for one in self.book_by_id.values() if one["status"] in OPEN]:
                self._advance(order)

    def _advance(self, order: Value) -> None:
        if order["status"] == "PENDING_CANCEL":
            self._close(order, "CANCELED")
            return
        ticker = self.symbols[order["symbol"]].ticker()
        buying = order["side"] == "buy"
        touch = Decimal(ticker["ask"] if buying else ticker["bid"])
        limit = Decimal(order["price"] or touch)
        if touch <= limit if buying else touch >= limit:
            left = Decimal(order["remaining_quantity"])
            lot = Decimal(self.symbols[order["symbol"]].lot)
            half = (left / 2 / lot).to_integral_value() * lot
            self._fill(
                order, touch, half if half and not Decimal(order["filled_quantity"]) else left
            )
        elif order["time_in_force"] in ("ioc", "fok"):
            self._close(order, "CANCELED", reason="ioc_remainder")

    def _fill(self, order: Value, price: Decimal, quantity: Decimal) -> None:
        base, quote = order["symbol"].split("-")
        value = price * quantity
        fee = (value * Decimal("0.001")).quantize(Decimal("0.00000001"), ROUND_UP)
        sign = 1 if order["side"] == "buy" else -1
        self.totals[base] += sign * quantity
        self.totals[quote] -= sign * value + fee
        self._book(order["symbol"], sign * quantity, price)
        filled = Decimal(order["filled_quantity"]) + quantity
        left = Decimal(order["quantity"]) - filled
        order["cost"] += value
        order |= {
            "filled_quantity": _text(filled, 0).rstrip("."),
            "remaining_quantity": _text(left, 0).rstrip("."),
            "average_price": f"{order['cost'] / filled:.4f}",
            "fee": _text(Decimal(order["fee"]) + fee),
        }
        self._change(order, "PARTIALLY_FILLED" if left else "FILLED")
        asset, held = self.held[order["order_id"]]
        self.held[order["order_id"]] = (asset, held * left / Decimal(order["quantity"]))
        fill = {
            "trade_id": f"{order['order_id']}:{len(self.all_fills) + 1}",
            "symbol": order["symbol"],
            "side": order["side"],
            "price": _text(price),
            "quantity": _text(quantity, 0).rstrip("."),
            "fee": _text(fee),
            "fee_asset": "USD",
            "liquidity": "taker",
            "venue": "sim",
        }
        event = self._tell(order, "OrderFilled", **fill)
        self.all_fills.insert(0, {**fill, "order_id": order["order_id"], "at": event["at"]})
        self._tell_account(order)

    def _book(self, symbol: str, signed: Decimal, price: Decimal) -> None:
        net, cost, realized = self.net.setdefault(symbol, [Decimal(0)] * 3)
        if net * signed < 0:
            closed = min(abs(net), abs(signed)) * (1 if net > 0 else -1)
            realized += closed * price - cost * closed / net
            cost -= cost * closed / net
            self.net[symbol] = [net + signed, cost, realized]
        else:
            self.net[symbol] = [net + signed, cost + signed * price, realized]

    def _close(self, order: Value, status: str, reason: str | None = None) -> None:
        self.held.pop(order["order_id"], None)
        order["remaining_quantity"] = "0"
        self._change(order, status, reason=reason)
        self._tell(order, "OrderCanceled", reason=reason)
        self._tell_account(order)

    def _change(self, order: Value, status: str, **more: Any) -> None:
        order |= {"status": status, "version": order["version"] + 1, **more}
        order["updated_at"] = iso(SystemClock.now_ns())

    def _tell(self, order: Value | None, kind: str, **payload: Any) -> Value:
        seq = len(self.stream) + 1
        event = {
            "type": kind,
            "event_id": f"0-{seq}-0",
            "account_id": ACCOUNT,
            "account_seq": seq,
            "caused_by": "mock",
            "at": iso(SystemClock.now_ns()),
            **payload,
        }
        if order:
            event["order_id"] = order["order_id"]
        self.stream.append({"seq": seq, "event": event, "order": order and public(order)})
        return event

    def _tell_account(self, order: Value) -> None:
        for asset in order["symbol"].split("-"):
            self._tell(None, "BalanceChanged", **self.balance(asset))
        if order["symbol"] in self.net:
            self._tell(None, "PositionChanged", **self.position(order["symbol"]))


def public(order: Value) -> Value:
    """Return an order without what only the mock needs."""
    return {name: value for name, value in order.items() if name != "cost"}

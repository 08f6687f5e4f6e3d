"""What the load sends: orders that trade, orders that rest, and a catalogue of what must be refused."""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from marketdata.domain.demo import INSTRUMENTS
from marketdata.domain.instrument import Units
from oms_project.adapters.ids import seeded
from orders.bench import workload
from orders.faults.journal import Kind, Request

BATCH_MAX: Final = 12
FOREIGN_ACCOUNT: Final = "be9c4000-0000-4000-8000-ffffffffffff"
_encode = msgspec.json.Encoder().encode


class Bodies:
    """Makes requests, seeded: the same seed gives the same requests."""

    def __init__(self, seed: int, prices: dict[str, str], account_ids: list[str]) -> None:
        self._dice = dice = seeded(seed)
        self._account_ids = account_ids
        self._orders = workload.Orders(dice.randrange(2**31), prices)
        self._units = {one.symbol: Units(one) for one in INSTRUMENTS}
        self._prices = prices
        self._number = 0

    def next_number(self) -> int:
        self._number += 1
        return self._number

    def single(self) -> Request:
        """An order of its own."""
        order, key = self._order(), f"s-{self._number + 1}"
        ids = (order["client_order_id"],)
        return self._request(Kind.SINGLE, "/api/orders", key, order, ids)

    def batch(self) -> Request:
        key = f"b-{self._number + 1}"
        orders = [self._order() for _ in range(2 + self._dice.randrange(BATCH_MAX - 1))]
        body: dict[str, Any] = {"orders": orders}
        if self._dice.randrange(3) == 0:
            body["mode"] = "atomic"
        ids = tuple(order["client_order_id"] for order in orders)
        return self._request(Kind.BATCH, "/api/orders/batch", key, body, ids)

    def cancel(self, account_id: str, order_id: str) -> Request:
        number = self.next_number()
        path = f"/api/orders/{order_id}/cancel"
        return Request(number, Kind.CANCEL, account_id, path, f"c-{number}", "", (), order_id)

    def cancel_all(self, account_id: str) -> Request:
        number = self.next_number()
        body = _encode({"account_id": account_id}).decode()
        path = "/api/orders/cancel"
        return Request(number, Kind.CANCEL_ALL, account_id, path, f"a-{number}", body)

    def reuse(self, of: Request) -> Request:
        """Another order under the key of *of*: 422, for ever."""
        order = {"account_id": of.account_id, **self._order(), "client_order_id": ""}
        order["client_order_id"] = f"r-{self._number + 1}"
        number = self.next_number()
        body = _encode(order).decode()
        ids = (order["client_order_id"],)
        return Request(number, Kind.REUSE, of.account_id, of.path, of.key, body, ids)

    def bad(self) -> Request:
        """One of the catalogue. Its ids must never be found in the store."""
        number = self.next_number()
        account_id = self._account()
        client_order_id = f"x-{number}"
        order = {"account_id": account_id, **self._order(), "client_order_id": client_order_id}
        name, spoil = self._dice.choice(_BAD)
        path, body = spoil(order)
        key = "" if name == "no key" else f"x-{number}"
        return Request(number, Kind.BAD, account_id, path, key, body, (client_order_id,))

    def _request(
        self, kind: Kind, path: str, key: str, body: dict[str, Any], ids: tuple[str, ...]
    ) -> Request:
        account_id = self._account()
        text = _encode({"account_id": account_id, **body}).decode()
        return Request(self.next_number(), kind, account_id, path, key, text, ids)

    def _account(self) -> str:
        return self._dice.choice(self._account_ids)

    def _order(self) -> dict[str, str]:
        order = self._orders.order()
        if self._dice.randrange(4) == 0:
            self._rest(order)
        return order

    def _rest(self, order: dict[str, str]) -> None:
        """Move the order well away from the market, so that there is something to cancel."""
        units = self._units[order["symbol"]]
        ticks = units.ticks(self._prices[order["symbol"]])
        assert ticks is not None  # noqa: S101 - it is one of our own prices
        percent = 80 if order["side"] == "buy" else 120
        order["type"] = "limit"
        order["price"] = units.price_text(ticks * percent // 100)
        order["time_in_force"] = "gtc"


# ------------------------------------------------------------------ what must be refused
Spoiler = Callable[[dict[str, Any]], tuple[str, str]]
_ONE, _MANY = "/api/orders", "/api/orders/batch"


def _json(value: Any) -> str:
    return _encode(value).decode()


def _with(**changes: Any) -> Spoiler:
    return lambda order: (_ONE, _json({**order, **changes}))


def _without(name: str) -> Spoiler:
    return lambda order: (_ONE, _json({k: v for k, v in order.items() if k != name}))


def _text(change: Callable[[str], str]) -> Spoiler:
    return lambda order: (_ONE, change(_json(order)))


def _one_bad_of_three(order: dict[str, Any]) -> tuple[str, str]:
    account_id, ours = order["account_id"], order["client_order_id"]
    bare = {k: v for k, v in order.items() if k not in ("account_id", "client_order_id")}
    items = [{**bare, "client_order_id": ours}, bare, {**bare, "quantity": "-1"}]
    return _MANY, _json({"account_id": account_id, "orders": items})


_BAD: Final[tuple[tuple[str, Spoiler], ...]] = (
    ("negative quantity", _with(quantity="-1")),
    ("zero quantity", _with(quantity="0")),
    ("quantity with an exponent", _with(quantity="1e3")),
    ("quantity as a number", _with(quantity=1)),
    ("not a number", _with(quantity="NaN")),
    ("a pit of digits", _with(quantity="9" * 400)),
    ("quantity between lots", _with(quantity="1.0000000001")),
    ("no such symbol", _with(symbol="NOPE-USD")),
    ("halted instrument", _with(symbol="HALT-USD", quantity="1", type="market")),
    ("no such side", _with(side="hold")),
    ("unknown field", _with(leverage="100")),
    ("limit without a price", _with(type="limit", price=None)),
    ("somebody else's account", _with(account_id=FOREIGN_ACCOUNT)),
    ("account as a list", _with(account_id=["a"])),
    ("client_order_id too long", _with(client_order_id="x" * 500)),
    ("no side", _without("side")),
    ("no symbol", _without("symbol")),
    ("no key", _with()),
    ("half of the JSON", _text(lambda text: text[: len(text) // 2])),
    ("the same member twice", _text(lambda text: text[:-1] + ',"side":"buy","side":"sell"}')),
    ("deep", _text(lambda text: "[" * 5_000)),
    ("empty", _text(lambda text: "")),
    ("a string", _text(lambda text: '"order"')),
    (
        "empty batch",
        lambda order: (_MANY, _json({"account_id": order["account_id"], "orders": []})),
    ),
    ("one bad of three", _one_bad_of_three),
)
BAD_NAMES: Final = tuple(name for name, _ in _BAD)

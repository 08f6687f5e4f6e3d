"""Bad orders and batches: a row each, with the code, the status and what the errors point at."""

import json
from typing import Any

import pytest

from oms_project.adapters.clock import FakeClock
from oms_project.codes import CODES, ENTRY_CODES
from oms_project.rest import strict_json, times
from oms_project.rest.problem import Problem
from orders.entry.fields import BATCH_MAX
from orders.entry.plans import Plan
from orders.tests.door import MINE, Door, door

__all__ = ("door",)

GOOD = {
    "account_id": MINE, "symbol": "BTC-USD", "side": "buy", "type": "limit",
    "quantity": "0.5", "price": "100.05",
}  # fmt: skip
MARKET = {name: value for name, value in GOOD.items() if name != "price"} | {"type": "market"}
LEFT_OUT = object()
NOW, PAST, SOON = (times.text(FakeClock().now_ns() + s * 10**9) for s in (0, -1, 60))


def but(base: dict[str, Any] = GOOD, **changes: Any) -> bytes:
    """Return a body that is right but for these fields."""
    values = {n: v for n, v in (base | changes).items() if v is not LEFT_OUT}
    return json.dumps(values).encode()


def raw(old: bytes, new: bytes) -> bytes:
    """Return a right body in which some bytes are others."""
    body = but()
    assert old in body
    return body.replace(old, new)


V, I = "validation_error", "batch_invalid"  # noqa: E741
Row = tuple[bytes, str, list[tuple[str, str]]]


def not_decimals(field: str) -> dict[str, Row]:
    texts = {
        "negative": "-0.5", "plus": "+0.5", "exponent": "5e1", "capital exponent": "5E1",
        "underscore": "1_000", "comma": "0,5", "blank": "", "space": " ", "space in front": " 0.5",
        "space behind": "0.5 ", "newline": "0.5\n", "leading zero": "00.5", "no whole": ".5",
        "no fraction": "5.", "two points": "1.2.3", "hex": "0x1", "nan": "NaN", "inf": "Infinity",
        "arabic digits": "١٢", "full-width digits": "５", "superscript": "²", "NUL": "1\x00",
        "nineteen digits": "1" * 19, "nineteen decimals": "0." + "1" * 19, "words": "ten",
        "endless": "1" * 5_000, "endless fraction": "0." + "1" * 5_000, "currency": "$5",
    }  # fmt: skip
    return {
        f"{field}: {name}": (but(**{field: text}), V, [(f"/{field}", "not_a_decimal")])
        for name, text in texts.items()
    }


def wrong_types(field: str, *, choice: bool = False) -> dict[str, Row]:
    values: dict[str, Any] = {
        "null": None, "number": 5, "fraction": 0.5, "true": True, "list": [], "object": {},
        "list of it": [GOOD[field]] if field in GOOD else ["x"],
    }  # fmt: skip
    rows: dict[str, Row] = {
        f"{field}: {name}": (but(**{field: value}), V, [(f"/{field}", "wrong_type")])
        for name, value in values.items()
    }
    if choice:
        for text in ("", "BUY", "Limit", " buy", "buy ", "both"):
            rows[f"{field}: {text!r}"] = (but(**{field: text}), V, [(f"/{field}", "not_a_choice")])
    return rows


UNREADABLE: dict[str, Row] = {
    "empty": (b"", "empty_body", []),
    "blank": (b" \n\t", "empty_body", []),
    "not json": (b"hello", "malformed_json", []),
    "cut off": (but()[:-1], "malformed_json", []),
    "two of them": (but() * 2, "malformed_json", []),
    "single quotes": (but().replace(b'"', b"'"), "malformed_json", []),
    "NaN": (raw(b'"0.5"', b"NaN"), "malformed_json", []),
    "Infinity": (raw(b'"0.5"', b"-Infinity"), "malformed_json", []),
    "number with leading zero": (raw(b'"0.5"', b"00.5"), "malformed_json", []),
    "byte order mark": (b"\xef\xbb\xbf" + but(), "invalid_encoding", []),
    "utf-16": (but().decode().encode("utf-16"), "invalid_encoding", []),
    "latin-1": (raw(b"BTC", b"\xc9TC"), "invalid_encoding", []),
    "lone surrogate": (raw(b"BTC", b"\\ud800"), "malformed_json", []),
    "deep": (raw(b'"0.5"', b"[" * 21 + b"]" * 21), "json_too_deep", []),
    "very deep": (raw(b'"0.5"', b"[" * 90_000 + b"]" * 90_000), "json_too_deep", []),
    "key twice": (raw(b'"side"', b'"side": "buy", "side"'), "duplicate_json_key", []),
    "key twice, the same value": (raw(b"{", b'{"symbol": "BTC-USD", '), "duplicate_json_key", []),
    "key twice, escaped": (raw(b"{", b'{"s\\u0069de": "buy", '), "duplicate_json_key", []),
    "key twice, as many quotes escaped": (
        but(account_id="QQQQ").replace(b"Q", b"\\u0022")[:-1] + b', "side": "buy"}',
        "duplicate_json_key",
        [],
    ),
    "unknown key twice": (raw(b"{", b'{"x": 1, "x": 2, '), "duplicate_json_key", []),
    "too large": (but(client_order_id="x" * strict_json.BODY_BYTES_MAX), "payload_too_large", []),
    "right but too large": (but() + b" " * strict_json.BODY_BYTES_MAX, "payload_too_large", []),
    "a list": (b"[" + but() + b"]", V, [("", "wrong_type")]),
    "a text": (b'"hello"', V, [("", "wrong_type")]),
    "null": (b"null", V, [("", "wrong_type")]),
    "a number": (b"5", V, [("", "wrong_type")]),
}
FIELDS: dict[str, Row] = {
    "nothing in it": (b"{}", V, [(f"/{n}", "required") for n in ("symbol", "side", "type", "quantity")]),
    "no symbol": (but(symbol=LEFT_OUT), V, [("/symbol", "required")]),
    "no account": (but(account_id=LEFT_OUT), V, [("/account_id", "required")]),
    "unknown field": (but(colour="red"), V, [("/colour", "unknown_field")]),
    "its own field twice told": (but(Price="1"), V, [("/Price", "unknown_field")]),
    "field with / and ~": (but(**{"a/b~c": 1}), V, [("/a~1b~0c", "unknown_field")]),
    "field without a name": (but(**{"": 1}), V, [("/", "unknown_field")]),
    "a batch": (json.dumps({"orders": [GOOD]}).encode(), V, [
        ("/orders", "unknown_field"), ("/symbol", "required"), ("/side", "required"),
        ("/type", "required"), ("/quantity", "required"),
    ]),
    "two things wrong": (but(side="BUY", quantity=5), V, [("/side", "not_a_choice"), ("/quantity", "wrong_type")]),
    "unknown symbol": (but(symbol="DOGE-USD"), V, [("/symbol", "unknown_symbol")]),
    "symbol in lower case": (but(symbol="btc-usd"), V, [("/symbol", "unknown_symbol")]),
    "symbol with a blank": (but(symbol="BTC-USD "), V, [("/symbol", "unknown_symbol")]),
    "symbol of nothing": (but(symbol=""), V, [("/symbol", "unknown_symbol")]),
    "halted": (but(symbol="HALT-USD"), V, [("/symbol", "instrument_not_tradable")]),
    "delisted": (but(symbol="OLD-USD"), V, [("/symbol", "instrument_not_tradable")]),
    "client id of nothing": (but(client_order_id=""), V, [("/client_order_id", "invalid")]),
    "client id too long": (but(client_order_id="x" * 37), V, [("/client_order_id", "invalid")]),
    "client id with a blank": (but(client_order_id="a b"), V, [("/client_order_id", "invalid")]),
    "client id with an umlaut": (but(client_order_id="ä"), V, [("/client_order_id", "invalid")]),
    "client id with a newline": (but(client_order_id="a\n"), V, [("/client_order_id", "invalid")]),
    "limit without a price": (but(price=LEFT_OUT), V, [("/price", "price_required")]),
    "market with a price": (but(MARKET, price="100.05"), V, [("/price", "price_forbidden")]),
    "market that rests": (but(MARKET, time_in_force="gtc"), V, [("/time_in_force", "not_a_choice")]),
    "market that rests for a day": (but(MARKET, time_in_force="day"), V, [("/time_in_force", "not_a_choice")]),
    "gtd without an end": (but(time_in_force="gtd"), V, [("/expires_at", "expires_at_required")]),
    "gtd without an end, with a deadline": (but(time_in_force="gtd", deadline=SOON), V, [("/expires_at", "expires_at_required")]),
    "gtd of the past": (but(time_in_force="gtd", expires_at=PAST), V, [("/expires_at", "in_the_past")]),
    "gtd that ends now": (but(time_in_force="gtd", expires_at=NOW), V, [("/expires_at", "in_the_past")]),
    "an end of a day order": (but(time_in_force="day", expires_at=SOON), V, [("/expires_at", "expires_at_forbidden")]),
    "an end of a gtc order": (but(expires_at=SOON), V, [("/expires_at", "expires_at_forbidden")]),
    "an end of a market order": (but(MARKET, expires_at=SOON), V, [("/expires_at", "expires_at_forbidden")]),
    "a market order that is gtd": (but(MARKET, time_in_force="gtd", expires_at=SOON), V, [("/time_in_force", "not_a_choice")]),
    "an end that is a number": (but(time_in_force="gtd", expires_at=1), V, [("/expires_at", "wrong_type")]),
    "an end without a zone": (but(time_in_force="gtd", expires_at=SOON[:-1]), V, [("/expires_at", "not_a_time")]),
    "an end of another zone": (but(time_in_force="gtd", expires_at=f"{SOON[:-1]}+02:00"), V, [("/expires_at", "not_a_time")]),
    "an end on no day": (but(time_in_force="gtd", expires_at="2027-02-30T00:00:00Z"), V, [("/expires_at", "not_a_time")]),
    "an end beyond all times": (but(time_in_force="gtd", expires_at="9999-12-31T23:59:59Z"), V, [("/expires_at", "not_a_time")]),
    "a deadline of the past": (but(deadline=PAST), V, [("/deadline", "in_the_past")]),
    "a deadline of nothing": (but(deadline=""), V, [("/deadline", "not_a_time")]),
    "all times wrong": (but(time_in_force="gtd", expires_at=PAST, deadline="x"), V, [("/expires_at", "in_the_past"), ("/deadline", "not_a_time")]),
    "stop without a stop price": (but(MARKET, type="stop"), V, [("/stop_price", "stop_price_required")]),
    "stop with a price": (but(type="stop", stop_price="99.00"), V, [("/price", "price_forbidden")]),
    "stop limit without a price": (but(MARKET, type="stop_limit", stop_price="99.00"), V, [("/price", "price_required")]),
    "stop limit without a stop price": (but(type="stop_limit"), V, [("/stop_price", "stop_price_required")]),
    "take profit without a stop price": (but(MARKET, type="take_profit"), V, [("/stop_price", "stop_price_required")]),
    "stop that is ioc": (but(MARKET, type="stop", stop_price="99.00", time_in_force="ioc"), V, [("/time_in_force", "not_a_choice")]),
    "stop off tick": (but(MARKET, type="stop", stop_price="99.01"), V, [("/stop_price", "price_tick")]),
    "stop at nothing": (but(MARKET, type="stop", stop_price="0"), V, [("/stop_price", "invalid")]),
    "stop at words": (but(MARKET, type="stop", stop_price="low"), V, [("/stop_price", "not_a_decimal")]),
    "stop that is a number": (but(MARKET, type="stop", stop_price=99), V, [("/stop_price", "wrong_type")]),
    "stop beyond all prices": (but(MARKET, symbol="ANY-USD", type="stop", stop_price="9" * 18), V, [("/stop_price", "invalid")]),
    "stop price on a market order": (but(MARKET, stop_price="99.00"), V, [("/stop_price", "stop_price_forbidden")]),
    "stop price on a limit order": (but(stop_price="99.00"), V, [("/stop_price", "stop_price_forbidden")]),
    "trailing by nothing": (but(MARKET, type="trailing_stop"), V, [("/trail_amount", "trail_required")]),
    "trailing by 0": (but(MARKET, type="trailing_stop", trail_amount="0"), V, [("/trail_amount", "invalid")]),
    "trailing by 0 parts": (but(MARKET, type="trailing_stop", trail_bps=0), V, [("/trail_bps", "invalid")]),
    "trailing by more than half": (but(MARKET, type="trailing_stop", trail_bps=5_001), V, [("/trail_bps", "invalid")]),
    "trailing both ways": (but(MARKET, type="trailing_stop", trail_bps=5, trail_amount="1.00"), V, [("/trail_amount", "trail_required")]),
    "trailing with a stop price": (but(MARKET, type="trailing_stop", trail_bps=5, stop_price="99.00"), V, [("/stop_price", "stop_price_forbidden")]),
    "trailing by a text": (but(MARKET, type="trailing_stop", trail_bps="5"), V, [("/trail_bps", "wrong_type")]),
    "trailing by a part of a part": (but(MARKET, type="trailing_stop", trail_bps=0.5), V, [("/trail_bps", "wrong_type")]),
    "trailing off tick": (but(MARKET, type="trailing_stop", trail_amount="0.01"), V, [("/trail_amount", "price_tick")]),
    "a limit order that trails": (but(trail_amount="1.00"), V, [("/trail_amount", "trail_forbidden")]),
    "a stop that trails": (but(MARKET, type="stop", stop_price="99.00", trail_bps=5), V, [("/trail_bps", "trail_forbidden")]),
    "off tick": (but(price="100.01"), V, [("/price", "price_tick")]),
    "finer than a tick": (but(price="100.050000001"), V, [("/price", "price_tick")]),
    "price of nothing": (but(price="0"), V, [("/price", "invalid")]),
    "price of 0.00": (but(price="0.00"), V, [("/price", "invalid")]),
    "off lot": (but(quantity="0.5001"), V, [("/quantity", "quantity_step")]),
    "quantity of nothing": (but(quantity="0"), V, [("/quantity", "invalid")]),
    "quantity of 0.000, unbounded": (but(symbol="ANY-USD", quantity="0.000"), V, [("/quantity", "invalid")]),
    "market, nothing of it": (but(MARKET, quantity="0.0"), V, [("/quantity", "invalid")]),
    "below the least": (but(quantity="0.001", price="50000"), V, [("/quantity", "quantity_min")]),
    "above the most": (but(quantity="100.001"), V, [("/quantity", "quantity_max")]),
    "market above the most": (but(MARKET, quantity="100.001"), V, [("/quantity", "quantity_max")]),
    "worth too little": (but(quantity="0.002"), V, [("/quantity", "min_notional")]),
    "worth too much": (but(quantity="100", price="10000.05"), V, [("/quantity", "max_notional")]),
    "huge price": (but(symbol="ANY-USD", price="9" * 18), V, [("/price", "invalid")]),
    "a tick too dear": (but(symbol="ANY-USD", price="50000000000.05", quantity="0.001"), V, [("/price", "invalid")]),
    "huge quantity": (but(symbol="ANY-USD", quantity="9" * 18), V, [("/quantity", "quantity_max")]),
    "huge both": (but(symbol="ANY-USD", quantity="999999999", price="999999"), V, [("/quantity", "max_notional")]),
    "off tick and lot": (but(price="1.01", quantity="0.0001"), V, [("/quantity", "quantity_step"), ("/price", "price_tick")]),
    "everything at once": (but(price="x", quantity="-1", client_order_id="?"), V, [
        ("/client_order_id", "invalid"), ("/quantity", "not_a_decimal"), ("/price", "not_a_decimal"),
    ]),
}  # fmt: skip
SINGLES: dict[str, Row] = {
    **UNREADABLE,
    **FIELDS,
    **not_decimals("quantity"),
    **not_decimals("price"),
    **wrong_types("symbol"),
    **wrong_types("side", choice=True),
    **wrong_types("type", choice=True),
    **wrong_types("time_in_force", choice=True),
    **wrong_types("quantity"),
    **wrong_types("price"),
    **wrong_types("client_order_id"),
    **wrong_types("account_id"),
}

ITEM = {name: value for name, value in GOOD.items() if name != "account_id"}


def many(*orders: Any, **fields: Any) -> bytes:
    values = {"account_id": MINE, "orders": list(orders)} | fields
    return json.dumps({n: v for n, v in values.items() if v is not LEFT_OUT}).encode()


def item(**changes: Any) -> dict[str, Any]:
    return {n: v for n, v in (ITEM | changes).items() if v is not LEFT_OUT}


BATCHES: dict[str, Row] = {
    "no order": (many(), "batch_empty", []),
    "one too many": (many(*[ITEM] * (BATCH_MAX + 1)), "batch_too_large", []),
    "too many, and wrong": (many(*[ITEM] * BATCH_MAX, item(side="?")), "batch_too_large", []),
    "too many, not even orders": (many(*range(BATCH_MAX + 1)), "batch_too_large", []),
    "no list": (many(orders={}), I, [("/orders", "wrong_type")]),
    "orders are null": (many(orders=None), I, [("/orders", "wrong_type")]),
    "no orders at all": (many(orders=LEFT_OUT), I, [("/orders", "required")]),
    "an order that is a number": (many(ITEM, 5), I, [("/orders/1", "wrong_type")]),
    "an order that is a list": (many([ITEM]), I, [("/orders/0", "wrong_type")]),
    "no account": (many(ITEM, account_id=LEFT_OUT), I, [("/account_id", "required")]),
    "account is a number": (many(ITEM, account_id=5), I, [("/account_id", "wrong_type")]),
    "mixed accounts": (
        many(ITEM, item(account_id="22222222-2222-4333-8444-555555555555")), I,
        [("/orders/1/account_id", "invalid")],
    ),
    "mixed accounts, none in front": (
        many(item(account_id=MINE), item(account_id="x"), account_id=LEFT_OUT), I,
        [("/orders/1/account_id", "invalid")],
    ),
    "unknown mode": (many(ITEM, mode="ATOMIC"), I, [("/mode", "not_a_choice")]),
    "mode is true": (many(ITEM, mode=True), I, [("/mode", "wrong_type")]),
    "unknown field": (many(ITEM, colour=1), I, [("/colour", "unknown_field")]),
    "unknown field in an order": (many(ITEM, item(colour=1)), I, [("/orders/1/colour", "unknown_field")]),
    "key twice at the top": (many(ITEM)[:-1] + b', "orders": []}', "duplicate_json_key", []),
    "key twice in an order": (many(ITEM).replace(b'"side"', b'"side": "buy", "side"'), "duplicate_json_key", []),
    "key twice in the last": (
        many(ITEM, ITEM)[:-3] + b', "side": "buy"}]}', "duplicate_json_key", [],
    ),
    "twin client ids": (
        many(item(client_order_id="a"), ITEM, item(client_order_id="a")), I,
        [("/orders/2/client_order_id", "duplicate_client_order_id")],
    ),
    "three of one": (
        many(*[item(client_order_id="a")] * 3), I,
        [(f"/orders/{n}/client_order_id", "duplicate_client_order_id") for n in (1, 2)],
    ),
    "one of the past": (many(ITEM, item(deadline=PAST)), I, [("/orders/1/deadline", "in_the_past")]),
    "off tick in the middle": (many(ITEM, item(price="0.01"), ITEM), I, [
        ("/orders/1/price", "price_tick"),
    ]),
    "wrong in two": (many(item(side="x"), ITEM, item(quantity=1)), I, [
        ("/orders/0/side", "not_a_choice"), ("/orders/2/quantity", "wrong_type"),
    ]),
    "nothing in one": (many({}), I, [(f"/orders/0/{n}", "required") for n in ("symbol", "side", "type", "quantity")]),
    "a single order": (but(), I, [
        ("/symbol", "unknown_field"), ("/side", "unknown_field"), ("/type", "unknown_field"),
        ("/quantity", "unknown_field"), ("/price", "unknown_field"), ("/orders", "required"),
    ]),
    "an order nested": (many(item(price={"a": [1]})), I, [("/orders/0/price", "wrong_type")]),
    "too deep": (many(item(price=0)).replace(b"0}", b"[" * 30 + b"]" * 30 + b"}"), "json_too_deep", []),
    "a list": (b"[]", V, [("", "wrong_type")]),
    "empty": (b"", "empty_body", []),
    "unknown symbol": (many(item(symbol="X")), I, [("/orders/0/symbol", "unknown_symbol")]),
    "limit without a price": (many(item(price=LEFT_OUT)), I, [("/orders/0/price", "price_required")]),
    "endless price": (many(item(price="1" * 5_000)), I, [("/orders/0/price", "not_a_decimal")]),
}  # fmt: skip


def refused(plan: object) -> Problem:
    """Return the problem of a request: of its bytes, or of what stands against it now."""
    problem = plan.instead if isinstance(plan, Plan) else plan
    assert isinstance(problem, Problem), plan
    return problem


def check(door: Door, plan: object, code: str, entries: list[tuple[str, str]]) -> None:
    problem = refused(plan)
    assert [(entry.pointer, entry.code) for entry in problem.errors] == entries
    assert (problem.code, problem.status) == (code, CODES[code].status)
    assert all(entry.code in ENTRY_CODES for entry in problem.errors)
    body = json.loads(problem.to_bytes("/api/orders", "req-1"))
    assert (body["code"], body["outcome"]) == (code, "none")
    assert len(problem.to_bytes("/api/orders", "req-1")) < 10_000
    assert door.untouched()


@pytest.mark.parametrize(("body", "code", "entries"), SINGLES.values(), ids=list(SINGLES))
def test_a_bad_order(door: Door, body: bytes, code: str, entries: list[tuple[str, str]]) -> None:
    """Named and pointed at, every field of it; nothing is written."""
    check(door, door.order(body), code, entries)


@pytest.mark.parametrize(("body", "code", "entries"), BATCHES.values(), ids=list(BATCHES))
def test_a_bad_batch(door: Door, body: bytes, code: str, entries: list[tuple[str, str]]) -> None:
    """One that is wrong refuses them all; an error names its order's index."""
    plan = door.batch(body)
    check(door, plan, code, entries)
    for entry in refused(plan).errors:
        _, _, rest = entry.pointer.partition("/orders/")
        assert entry.index == (int(rest.partition("/")[0]) if rest else None)


def test_the_catalogue_is_long_enough() -> None:
    assert len(SINGLES) + len(BATCHES) > 200
    statuses = {CODES[code].status for _, code, _ in (*SINGLES.values(), *BATCHES.values())}
    assert statuses == {400, 413, 422}


@pytest.mark.parametrize(
    ("price", "nearest"),
    [
        ("100.01", "100.00"),
        ("100.03", "100.05"),
        ("100.025", "100.05"),
        ("0.01", "0.05"),
        ("99.9999999999999999", "100.00"),
        ("999999999999999999.99", "1000000000000000000.00"),
    ],
)
def test_a_price_between_two_ticks_is_told_the_nearest(
    door: Door, price: str, nearest: str
) -> None:
    """Never 0, which is no price."""
    problem = door.order(but(price=price))
    assert isinstance(problem, Problem)
    assert problem.errors[0].detail == f"It must be a multiple of 0.05; nearest {nearest}."

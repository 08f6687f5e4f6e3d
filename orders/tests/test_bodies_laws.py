"""What a right body says, and that reading it fast and reading it slowly accept the same."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketdata.domain.instrument import LOTS_MAX, TICKS_MAX, UNITS_MAX
from oms_project.codes import ENTRY_CODES
from oms_project.kernel.terms import Extras, Terms
from oms_project.kernel.words import PRICED, WAITING, OrderType, Side, TimeInForce
from oms_project.rest import strict_json
from oms_project.rest.problem import Problem
from oms_project.tests.examples import examples
from orders.entry import bodies
from orders.entry.bodies import Parsed
from orders.entry.fields import BATCH_MAX, BatchBody, OrderBody
from orders.tests.door import MINE, UNITS
from orders.tests.test_bodies_catalogue import GOOD, MARKET, but, item, many

BY_DEFAULT = ""
"""The order's own id, which the claim makes."""


def anybody(account_id: str) -> None:
    """Whoever it is may trade."""


def now() -> int:
    """2026-01-01T00:00:00Z."""
    return 1_767_225_600 * 10**9


def single(body: bytes) -> Parsed:
    found = bodies.single(body, UNITS.get, anybody, now)
    assert isinstance(found, Parsed), found
    assert found.stands_against is None
    return found


def batch(body: bytes) -> Parsed:
    found = bodies.batch(body, UNITS.get, anybody, now)
    assert isinstance(found, Parsed), found
    return found


# ------------------------------------------------------------------ what is taken

LIMIT, MARKET_ = OrderType.LIMIT, OrderType.MARKET
GTC, IOC, FOK, GTD, DAY = TimeInForce
TAKEN = [
    (but(), (BY_DEFAULT, Terms("BTC-USD", Side.BUY, LIMIT, GTC, 500, 2_001))),
    (but(side="sell"), (BY_DEFAULT, Terms("BTC-USD", Side.SELL, LIMIT, GTC, 500, 2_001))),
    (but(time_in_force="ioc"), (BY_DEFAULT, Terms("BTC-USD", Side.BUY, LIMIT, IOC, 500, 2_001))),
    (but(time_in_force="fok"), (BY_DEFAULT, Terms("BTC-USD", Side.BUY, LIMIT, FOK, 500, 2_001))),
    (but(MARKET), (BY_DEFAULT, Terms("BTC-USD", Side.BUY, MARKET_, IOC, 500, 0))),
    (but(MARKET, time_in_force="fok"), (BY_DEFAULT, Terms("BTC-USD", Side.BUY, MARKET_, FOK, 500, 0))),
    (but(client_order_id="a.B_c:9-"), ("a.B_c:9-", Terms("BTC-USD", Side.BUY, LIMIT, GTC, 500, 2_001))),
    (but(client_order_id="x" * 36), ("x" * 36, Terms("BTC-USD", Side.BUY, LIMIT, GTC, 500, 2_001))),
    (but(reduce_only=True), (BY_DEFAULT, Terms("BTC-USD", Side.BUY, LIMIT, GTC, 500, 2_001, 1))),
    (but(reduce_only=False), (BY_DEFAULT, Terms("BTC-USD", Side.BUY, LIMIT, GTC, 500, 2_001))),
    (but(time_in_force="day"), (BY_DEFAULT, Terms("BTC-USD", Side.BUY, LIMIT, DAY, 500, 2_001))),
    (but(time_in_force="gtd", expires_at="2026-01-01T00:00:00.000000001Z"),
     (BY_DEFAULT, Terms("BTC-USD", Side.BUY, LIMIT, GTD, 500, 2_001, 0, Extras(expires_ns=now() + 1)))),
    (but(MARKET, deadline="2026-01-01T00:00:01Z"),
     (BY_DEFAULT, Terms("BTC-USD", Side.BUY, MARKET_, IOC, 500, 0, 0, Extras(deadline_ns=now() + 10**9)))),
    (but(MARKET, type="stop", stop_price="99.00"),
     (BY_DEFAULT, Terms("BTC-USD", Side.BUY, OrderType.STOP, GTC, 500, 0, 0, Extras(stop_ticks=1_980)))),
    (but(type="take_profit_limit", stop_price="99.00", time_in_force="ioc"),
     (BY_DEFAULT, Terms("BTC-USD", Side.BUY, OrderType.TAKE_PROFIT_LIMIT, IOC, 500, 2_001, 0, Extras(stop_ticks=1_980)))),
    (but(MARKET, type="trailing_stop", trail_amount="1.00", time_in_force="day"),
     (BY_DEFAULT, Terms("BTC-USD", Side.BUY, OrderType.TRAILING_STOP, DAY, 500, 0, 0, Extras(trail_ticks=20)))),
    (but(MARKET, type="trailing_stop", trail_bps=50),
     (BY_DEFAULT, Terms("BTC-USD", Side.BUY, OrderType.TRAILING_STOP, GTC, 500, 0, 0, Extras(trail_bps=50)))),
    (but(quantity="0.500", price="100.0500"), (BY_DEFAULT, Terms("BTC-USD", Side.BUY, LIMIT, GTC, 500, 2_001))),
    (but(quantity="100", price="10000"), (BY_DEFAULT, Terms("BTC-USD", Side.BUY, LIMIT, GTC, 100_000, 200_000))),
    (but(quantity="0.002", price="5000"), (BY_DEFAULT, Terms("BTC-USD", Side.BUY, LIMIT, GTC, 2, 100_000))),
    (but(symbol="ANY-USD", quantity="0.001", price="0.05"), (BY_DEFAULT, Terms("ANY-USD", Side.BUY, LIMIT, GTC, 1, 1))),
    (but().replace(b'"side"', b'"\\u0073ide"'), (BY_DEFAULT, Terms("BTC-USD", Side.BUY, LIMIT, GTC, 500, 2_001))),
    (b" \r\n\t" + but() + b" \n", (BY_DEFAULT, Terms("BTC-USD", Side.BUY, LIMIT, GTC, 500, 2_001))),
]  # fmt: skip


@pytest.mark.parametrize(("body", "wanted"), TAKEN)
def test_a_right_order(body: bytes, wanted: tuple[str, Terms]) -> None:
    found = single(body)
    assert (found.account_id, found.wanted, found.atomic) == (MINE, [wanted], False)


def test_a_right_batch() -> None:
    """The account may stand anywhere once."""
    found = batch(many(item(), item(client_order_id="own"), item(account_id=MINE, side="sell")))
    assert [one[0] for one in found.wanted] == [BY_DEFAULT, "own", BY_DEFAULT]
    assert (found.account_id, found.atomic, found.wanted[2][1].side) == (MINE, False, Side.SELL)
    inside = many(item(account_id=MINE), item(), account_id=None).replace(
        b'"account_id": null, ', b""
    )
    assert batch(inside).account_id == MINE
    assert batch(many(item(), mode="atomic")).atomic is True
    assert batch(many(item(), mode="independent")).atomic is False
    assert len(batch(many(*[item()] * BATCH_MAX)).wanted) == BATCH_MAX


def test_the_same_request_has_one_canonical_form() -> None:
    """What counts is what is wanted: no blank, escape or order of fields, no spelling of a decimal,
    and no default told or left out."""
    first = single(but()).canonical()
    shuffled = json.dumps(dict(reversed(GOOD.items())), indent=2).encode()
    assert single(shuffled).canonical() == first
    assert single(but().replace(b"BTC", b"\\u0042TC")).canonical() == first
    for same in (
        but(quantity="0.500", price="100.0500"), but(time_in_force="gtc"), but(reduce_only=False),
    ):  # fmt: skip
        assert single(same).canonical() == first
    others = [but(side="sell"), but(quantity="0.501"), but(client_order_id="x"), but(MARKET)]
    assert len({first, *(single(other).canonical() for other in others)}) == 5


# ------------------------------------------------------------------ fast ≡ slow

_texts = st.sampled_from([
    "BTC-USD", "ANY-USD", "HALT-USD", "X", "", "buy", "sell", "BUY", "limit", "market", "gtc", "ioc",
    "0.5", "100.05", "100.01", "0", "1e3", "-1", "é", "\x00", "a b", "x" * 40, MINE, "atomic", "gtd",
    "day", "stop", "stop_limit", "trailing_stop", "2027-01-01T00:00:00Z", "2025-01-01T00:00:00Z", "2027-01-01", "9999-12-31T23:59:59Z",
])  # fmt: skip
_values = st.one_of(
    _texts.map(json.dumps),
    st.sampled_from(["1", "0.5", "-0", "null", "true", "[]", "{}", '["x"]', '{"a":1,"a":2}', "1e400",
                     "NaN", "01", '"\\ud800"', '"\\u0042TC-USD"', '"', "[" * 25 + "]" * 25]),
)  # fmt: skip
_names = st.sampled_from([*OrderBody.__struct_fields__, "x", "Side", "", "orders", "mode"])


@st.composite
def members(draw: st.DrawFn) -> str:
    """Draw an object's text: a right order's, with fields changed, left out, added, told twice."""
    pairs = [(name, json.dumps(value)) for name, value in GOOD.items()]
    for _ in range(draw(st.integers(0, 3))):
        change = draw(st.sampled_from(("change", "drop", "add", "twice", "escape")))
        at = draw(st.integers(0, len(pairs) - 1)) if pairs else 0
        if change == "add" or not pairs:
            pairs.insert(at, (draw(_names), draw(_values)))
        elif change == "change":
            pairs[at] = (pairs[at][0], draw(_values))
        elif change == "drop":
            pairs.pop(at)
        elif change == "twice":
            pairs.append((pairs[at][0], draw(st.one_of(_values, st.just(pairs[at][1])))))
        else:
            name, value = pairs[at]
            pairs[at] = ("".join(f"\\u{ord(letter):04x}" for letter in name), value)
    blank = draw(st.sampled_from(("", " ", "\n\t")))
    told = f",{blank}".join(f'"{name}"{blank}:{value}' for name, value in pairs)
    return f"{blank}{{{told}}}{blank}"


@st.composite
def batches(draw: st.DrawFn) -> bytes:
    """Draw a batch's text of such orders."""
    orders = draw(st.lists(members(), max_size=3))
    top = [f'"orders": [{",".join(orders)}]', f'"account_id": "{MINE}"']
    if draw(st.booleans()):
        top.append(f"{json.dumps(draw(_names))}: {draw(_values)}")
    return f"{{{', '.join(top)}}}".encode("utf-8", "surrogatepass")


def slowly(body: bytes, kind: type) -> Any:
    """Return what a strict reading and nothing clever makes of *body*, or a Problem."""
    value = strict_json.read_object(body)
    if isinstance(value, Problem):
        return value
    try:
        return msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError as error:
        return Problem("validation_error", str(error))


def agree(body: bytes, kind: type, code: str, found: Parsed | Problem) -> None:
    slow = slowly(body, kind)
    if isinstance(slow, Problem):
        assert isinstance(found, Problem)
        expected = code if slow.code == "validation_error" else slow.code
        # A batch that is a list or a text is no batch at all.
        assert found.code in (expected, slow.code)
        assert found.errors or found.status in (400, 413)
    elif isinstance(found, Problem):
        # Readable: then it is what a field says that is wrong, never its reading.
        assert found.code in (code, "batch_empty")
        unreadable = {"wrong_type", "unknown_field"}
        assert not any(entry.code in unreadable for entry in found.errors)
    if isinstance(found, Problem):
        assert all(entry.code in ENTRY_CODES for entry in found.errors)
        assert all(entry.pointer[:1] in ("", "/") for entry in found.errors)


@given(members())
@examples(300)
def test_an_order_is_read_fast_as_slowly(text: str) -> None:
    """The same bodies pass, and what is refused is refused with a pointer or a code of its own."""
    body = text.encode("utf-8", "surrogatepass")
    found = bodies.single(body, UNITS.get, anybody, now)
    agree(body, OrderBody, "validation_error", found)
    if isinstance(found, Parsed) and found.stands_against is None:
        lawful(found)


@given(batches())
@examples(150)
def test_a_batch_is_read_fast_as_slowly(body: bytes) -> None:
    found = bodies.batch(body, UNITS.get, anybody, now)
    agree(body, BatchBody, "batch_invalid", found)
    if isinstance(found, Parsed) and found.stands_against is None:
        lawful(found)


def lawful(found: Parsed) -> None:
    """Check that terms are what the engine may be given."""
    for client_order_id, terms in found.wanted:
        units = UNITS[terms.symbol]
        kind, lots, ticks = terms.type, terms.lots, terms.ticks
        of_words = (type(terms.side), type(kind), type(terms.time_in_force))
        assert of_words == (Side, OrderType, TimeInForce)
        assert 0 < lots <= LOTS_MAX
        assert (ticks == 0) is (kind not in PRICED)
        assert (terms.stop_ticks > 0) is (kind in WAITING - {OrderType.TRAILING_STOP})
        assert (terms.expires_ns > now()) is (terms.time_in_force is TimeInForce.GTD)
        assert terms.deadline_ns == 0 or terms.deadline_ns > now()
        assert terms.extras != Extras()
        assert ticks <= TICKS_MAX
        assert units.notional(ticks, lots) <= UNITS_MAX
        assert len(client_order_id) <= 36


@given(st.integers(0, 10**14), st.integers(0, 10**14))
@examples(150)
def test_any_size_is_exact_or_refused(quantity: int, price: int) -> None:
    """Thousandths of the smallest: the terms are what the texts say, nothing is rounded."""
    units = UNITS["ANY-USD"]
    texts = {
        "quantity": f"{quantity // 10**6}.{quantity % 10**6:06d}",
        "price": f"{price // 10**5}.{price % 10**5:05d}",
    }
    found = bodies.single(but(symbol="ANY-USD", **texts), UNITS.get, anybody, now)
    if isinstance(found, Parsed) and found.stands_against is not None:
        found = found.stands_against
    exact = quantity % 10**3 == 0 and price % 5_000 == 0
    lots, ticks = quantity // 10**3, price // 5_000
    fits = (
        0 < lots <= LOTS_MAX and 0 < ticks <= TICKS_MAX and units.notional(ticks, lots) <= UNITS_MAX
    )
    assert isinstance(found, Parsed) is (exact and fits)
    if isinstance(found, Parsed):
        wanted = found.wanted[0][1]
        assert (wanted.lots, wanted.ticks) == (lots, ticks)


@given(st.binary(max_size=80))
@examples(200)
def test_no_bytes_break_the_door(body: bytes) -> None:
    """A problem for everything; never an exception."""
    assert isinstance(bodies.single(body, UNITS.get, anybody, now), Problem)
    assert isinstance(bodies.batch(body, UNITS.get, anybody, now), Problem)


@given(st.integers(0, len(but()) - 1), st.binary(max_size=3))
@examples(300)
def test_no_damage_breaks_the_door(at: int, damage: bytes) -> None:
    """A right body with some bytes replaced is taken or refused, the same way fast and slowly."""
    body = but()[:at] + damage + but()[at + 1 :]
    agree(body, OrderBody, "validation_error", bodies.single(body, UNITS.get, anybody, now))

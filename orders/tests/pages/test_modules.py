"""The page's own modules, run in the browser against Python's arithmetic and the server's filters."""

import json
import re
from collections.abc import Iterator
from decimal import ROUND_DOWN, ROUND_HALF_UP, ROUND_UP, Decimal
from fractions import Fraction
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from oms_project.adapters.ids import seeded
from orders.pages import filters
from orders.tests.pages.conftest import watch

pytestmark = pytest.mark.browser
CASES = 300
BTC = {
    "symbol": "BTC-USD", "base": "BTC", "quote": "USD", "tick_size": "0.01", "lot_size": "0.0001",
    "quantity_min": "0.0001", "quantity_max": "100", "notional_min": "10.00",
    "notional_max": "1000000.00", "taker_fee": "0.001", "maker_fee": "0.0005", "market_cap": "0.05",
}  # fmt: skip


@pytest.fixture(scope="module")
def page(chromium: Browser, mock_server: str, session: dict[str, object]) -> Iterator[Page]:
    """A page of the product's origin, from which its modules can be imported."""
    context = chromium.new_context(storage_state=session)
    watched = watch(context, mock_server)
    yield watched.open("/orders/")
    assert watched.found() == []
    context.close()


def run(page: Page, module: str, calls: list[list[Any]]) -> list[Any]:
    """Call functions of a module: [name, *arguments] each; a BigInt comes back as text."""
    return page.evaluate(
        """async ([module, calls]) => {
          const found = await import(`/static/js/${module}.js`);
          return calls.map(([name, ...rest]) => {
            const value = found[name](...rest);
            return typeof value === "bigint" ? String(value) : value;
          });
        }""",
        [module, calls],
    )


def decimals(count: int) -> list[str]:
    random = seeded(11)
    return [
        f"{random.choice(('', '', '-'))}{random.randrange(10 ** random.randrange(1, 12))}"
        + (
            f".{random.randrange(10**8):08d}"[: random.randrange(2, 10)]
            if random.random() < 0.8
            else ""
        )
        for _ in range(count)
    ]


def pairs() -> list[tuple[str, str]]:
    values = decimals(2 * CASES)
    return list(zip(values[::2], values[1::2], strict=True))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("add", lambda a, b: a + b),
        ("sub", lambda a, b: a - b),
        ("mul", lambda a, b: a * b),
        ("cmp", lambda a, b: (a > b) - (a < b)),
    ],
)
def test_arithmetic_is_exact(page: Page, name: str, expected: Any) -> None:
    """Every result equals Python's, digit for digit in value."""
    answers = run(page, "decimal", [[name, a, b] for a, b in pairs()])
    for (a, b), answer in zip(pairs(), answers, strict=True):
        assert Fraction(answer) == expected(Fraction(a), Fraction(b)), (name, a, b)


def test_division_is_cut_towards_zero(page: Page) -> None:
    usable = [(a, b) for a, b in pairs() if Decimal(b)]
    answers = run(page, "decimal", [["divDown", a, b, 6] for a, b in usable])
    for (a, b), answer in zip(usable, answers, strict=True):
        cut = int(Fraction(a) / Fraction(b) * 10**6)
        assert Fraction(answer) == Fraction(cut, 10**6), (a, b)


def test_rounding_says_which_way(page: Page) -> None:
    values = [text for text in decimals(CASES) if not text.startswith("-")]
    for name, way in (("roundDown", ROUND_DOWN), ("roundUp", ROUND_UP)):
        answers = run(page, "decimal", [[name, text, 2] for text in values])
        expected = [Decimal(text).quantize(Decimal("0.01"), way) for text in values]
        assert [Decimal(text) for text in answers] == expected, name


def test_steps(page: Page) -> None:
    values = [text for text in decimals(CASES) if not text.startswith("-")]
    for step in ("0.01", "0.0005", "0.5", "25"):
        lows = run(page, "decimal", [["floorTo", text, step] for text in values])
        nears = run(page, "decimal", [["nearest", text, step] for text in values])
        on_step = run(page, "decimal", [["isMultiple", text, step] for text in values])
        for text, low, near, fits in zip(values, lows, nears, on_step, strict=True):
            steps = Decimal(text) / Decimal(step)
            assert Decimal(low) == steps.to_integral_value(ROUND_DOWN) * Decimal(step)
            assert Decimal(near) == steps.to_integral_value(ROUND_HALF_UP) * Decimal(step)
            assert fits == (Decimal(text) % Decimal(step) == 0)


@pytest.mark.parametrize(
    ("text", "is_decimal"),
    [
        ("0", True), ("0.1", True), ("64120.50", True), ("1" * 18, True),
        ("", False), ("-1", False), ("+1", False), ("1e5", False), ("01", False), ("1.", False),
        (".5", False), ("1,5", False), ("1_000", False), (" 1", False), ("1" * 19, False),
        ("0." + "1" * 19, False), ("NaN", False), ("Infinity", False), ("١", False),
    ],
)  # fmt: skip
def test_grammar_is_the_apis(page: Page, text: str, is_decimal: bool) -> None:
    assert run(page, "decimal", [["isDecimal", text]]) == [is_decimal]


def test_numbers_look_the_same_from_the_server_and_from_the_page(page: Page) -> None:
    cases = [(text, places) for text in decimals(CASES) for places in (0, 2, 5)]
    cases += [("-0.00", 2), ("0", 2), ("1000", 0), ("0.10", 2), ("-1234567.5", 4)]
    for is_signed in (False, True):
        answers = run(
            page, "format", [["parts", text, places, is_signed] for text, places in cases]
        )
        for (text, places), answer in zip(cases, answers, strict=True):
            if not Decimal(text) and text.startswith("-"):
                continue  # neither side of the API sends a negative zero
            printed = filters.split(text, places, signed=is_signed)
            assert (answer["main"], answer["zeros"]) == printed, (text, places, is_signed)


@pytest.mark.parametrize(
    "rate", ["0.001", "0.0005", "0", "0.02", "0.12345", "0.000000", "0.001000"]
)
def test_rates_look_the_same(page: Page, rate: str) -> None:
    assert run(page, "format", [["percent", rate]]) == [filters.rate(rate)]


def test_affordable_is_the_most_that_is_paid_for(page: Page) -> None:
    """For any price and balance: it fits with the fee, one lot more does not (engine's own sum)."""
    random = seeded(3)
    cases = [
        (
            f"{random.randrange(1, 9_000_000)}.{random.randrange(100):02d}",
            f"{random.randrange(10**7)}.{random.randrange(10**8):08d}",
        )
        for _ in range(CASES)
    ]
    draft = {"side": "buy", "type": "limit"}
    calls = [
        ["affordable", BTC, {**draft, "price": price}, {"free": free, "mark": None, "share": 100}]
        for price, free in cases
    ]
    for (price, free), answer in zip(cases, run(page, "sizing", calls), strict=True):
        lot = Decimal(BTC["lot_size"])

        def hold(quantity: Decimal, price: str = price) -> Decimal:
            value = Decimal(price) * quantity
            fee = (value * Decimal(BTC["taker_fee"])).quantize(Decimal("1E-8"), ROUND_UP)
            return value + fee

        assert hold(Decimal(answer)) <= Decimal(free) < hold(Decimal(answer) + lot), (price, free)


@pytest.mark.parametrize(
    ("draft", "field", "text"),
    [
        ({"price": "64120.505", "quantity": "1"}, "price", "nearest 64 120.51"),
        ({"price": "64,120.50", "quantity": "1"}, "price", "point for decimals"),
        ({"price": "", "quantity": "1"}, "price", "Enter a price"),
        ({"price": "0.00", "quantity": "1"}, "price", "above zero"),
        ({"price": "100", "quantity": "0.00015"}, "quantity", "nearest 0.0002"),
        ({"price": "100", "quantity": "0.05"}, "quantity", "at least 10 USD: enter 0.1 or more"),
        ({"price": "100000", "quantity": "50"}, "quantity", "enter 10 or less"),
        ({"price": "1", "quantity": "101"}, "quantity", "Largest quantity is 100 BTC"),
        ({"price": "", "quantity": "x", "type": "market"}, "quantity", "written like 1.0001"),
        ({"price": "064000", "quantity": "1"}, "price", "Leave out the zero in front: 64000"),
        ({"price": "6e4", "quantity": "1"}, "price", "no exponent"),
        ({"price": "9" * 21, "quantity": "1"}, "price", "too large"),
    ],
)
def test_what_is_wrong_says_what_to_do(
    page: Page, draft: dict[str, str], field: str, text: str
) -> None:
    [found] = run(page, "sizing", [["problems", BTC, {"side": "buy", "type": "limit", **draft}]])
    plain = {name: re.sub(r"\s", " ", said) for name, said in found.items()}
    assert list(plain) == [field]
    assert text in plain[field]


def test_a_right_order_has_nothing_wrong(page: Page) -> None:
    draft = {"side": "buy", "type": "limit", "price": "64120.50", "quantity": "0.25"}
    assert run(page, "sizing", [["problems", BTC, draft]]) == [{}]


def test_book_takes_deltas_in_order_and_asks_again_after_a_gap(page: Page) -> None:
    snapshot = {"seq": 5, "bids": [["10.00", "1"], ["9.99", "2"]], "asks": [["10.01", "3"]]}
    deltas = [
        {"seq": 7, "prev_seq": 5, "bids": [["10.00", "0"], ["9.98", "4"]], "asks": []},
        {"seq": 6, "prev_seq": 5, "bids": [["1.00", "9"]], "asks": []},  # old: changes nothing
        {"seq": 9, "prev_seq": 8, "bids": [], "asks": []},  # 8 is missing
        {"seq": 10, "prev_seq": 9, "bids": [], "asks": []},  # still no snapshot
    ]
    answers, levels = page.evaluate(
        """async ([snapshot, deltas]) => {
          const { Book } = await import("/static/js/book.js");
          const book = new Book({ price: 2, size: 4 });
          book.snapshot(snapshot);
          const answers = [], levels = [];
          for (const delta of deltas) {
            answers.push(book.delta(delta));
            levels.push(book.levels("bids", 5).map(({ sum, amount, ...shown }) => shown));
          }
          return [answers, levels];
        }""",
        [snapshot, deltas],
    )
    assert answers == [True, True, False, False]
    expected = [
        {"price": "9.99", "size": "2", "total": "2.0000"},
        {"price": "9.98", "size": "4", "total": "6.0000"},
    ]
    assert levels[0] == levels[1] == expected, json.dumps(levels)

"""What may be sent and what it costs: every limit counts and is named, sums add up, nothing wraps."""

import re
from decimal import Decimal

import pytest
from playwright.sync_api import Page, expect

from orders.tests.pages.acts import draft, number, place
from orders.tests.pages.conftest import PHONE, Turn, Watched
from orders.tests.pages.test_one_press import flat
from orders.tests.pages.test_steady import wait_ticks

pytestmark = pytest.mark.browser


def totals(page: Page) -> tuple[Decimal, Decimal, Decimal]:
    value, fee, total = (
        number(page.locator(f"#order-{name}").inner_text()) for name in ("value", "fee", "total")
    )
    return value, fee, total


@pytest.mark.parametrize("kind", ["limit", "market"])
@pytest.mark.parametrize("side", ["buy", "sell"])
def test_max_can_be_sent(watched: Watched, side: str, kind: str) -> None:
    page = watched.trade()
    flat(page)
    price = "50000" if side == "buy" else "90000"
    draft(page, side=side, kind=kind, quantity="1", price=price if kind == "limit" else "")
    page.click("[data-share='100']")
    asset = "USD" if side == "buy" else "BTC"
    expect(page.locator("#ticket-note")).to_contain_text(f"the free {asset}")
    page.click("#submit")
    if page.locator("#ask").is_visible():
        page.click("#ask button[value=yes]")
    expect(page.locator("#receipt-status")).to_have_text(re.compile("Open|illed"))
    flat(page)


def test_a_market_order_of_the_largest_size_survives_a_tick(watched: Watched) -> None:
    """It is held at the mark of the moment it is decided, a tick later than it was sized."""
    page = watched.trade()
    fits = page.evaluate(
        """async () => {
          const { affordable, hold, withRoom, worstPrice } = await import("/static/js/sizing.js");
          const { cmp } = await import("/static/js/decimal.js");
          const instrument = { tick_size: "0.01", lot_size: "0.0001", taker_fee: "0.001", market_cap: "0.05" };
          const buy = { side: "buy", type: "market" };
          const most = affordable(instrument, buy, withRoom({ free: "250000", mark: "64860" }, buy));
          const held = (mark) => hold(instrument, worstPrice(instrument, buy, mark), most);
          return [cmp(held("64980"), "250000") <= 0, cmp(held("65200"), "250000") <= 0];
        }"""
    )
    assert fits == [True, False]


@pytest.mark.parametrize(
    ("limit", "words"),
    [("1000", "the account's largest order is 1\u202f000 USD"), (None, "limited by the free USD")],
)
def test_max_says_what_limits_it(
    watched: Watched, turn: Turn, limit: str | None, words: str
) -> None:
    turn(max_order_value=limit)
    page = watched.trade()
    draft(page, side="buy", kind="limit", quantity="", price="50000")
    page.click("[data-share='100']")
    expect(page.locator("#ticket-note")).to_contain_text(words)
    if limit:
        assert Decimal(page.input_value("#quantity")) == Decimal("0.02")


def test_the_largest_order_limits_max(watched: Watched) -> None:
    """What the instrument allows binds where the account could pay for more."""
    page = watched.trade()
    found = page.evaluate(
        """async () => {
          const { capacity, sized } = await import("/static/js/sizing.js");
          const instrument = { symbol: "BTC-USD", base: "BTC", quote: "USD", tick_size: "0.01", lot_size: "0.0001",
            quantity_max: "50", notional_max: "1000000.00", taker_fee: "0.001", maker_fee: "0.0005", market_cap: "0.05" };
          const means = { asset: "BTC", free: "37.26", mark: "64860", touch: "64850", orderValueMax: null };
          const sell = { side: "sell", type: "market" };
          return [capacity(instrument, sell, means), sized(instrument, sell, means, "50"), sized(instrument, sell, means, "25"),
            capacity(instrument, { side: "sell", type: "limit", price: "1" }, { ...means, free: "99" }),
            capacity(instrument, sell, { ...means, reduceOnly: true, position: "0.5" }),
            capacity(instrument, { ...sell, side: "buy" }, { ...means, reduceOnly: true, position: "0.5" })];
        }"""
    )
    assert [one["by"] for one in found] == [
        "notional_max", "notional_max", "share", "quantity_max", "reduce", "reduce",
    ]  # fmt: skip
    assert found[0]["quantity"] == "15.4178"
    assert "1\u202f000\u202f000 USD" in found[0]["words"]
    assert found[2]["quantity"] == "9.3150"
    assert [Decimal(one["quantity"]) for one in found[4:]] == [Decimal("0.5"), 0]


@pytest.mark.parametrize(
    ("quantity", "price"),
    [
        ("0.0123", "64001.07"),
        ("0.0007", "63999.99"),
        ("1.2345", "50000.01"),
        ("0.3333", "61234.57"),
    ],
)
@pytest.mark.parametrize("side", ["buy", "sell"])
def test_what_is_shown_adds_up(watched: Watched, side: str, quantity: str, price: str) -> None:
    page = watched.trade()
    draft(page, side=side, kind="limit", quantity=quantity, price=price)
    value, fee, total = totals(page)
    assert total == (value + fee if side == "buy" else value - fee)


def test_a_limit_through_the_book_is_valued_at_what_it_would_fill_at(watched: Watched) -> None:
    page = watched.trade()
    draft(page, side="buy", kind="limit", quantity="0.01", price="90000")
    assert totals(page)[0] < 700
    expect(page.locator("#crosses")).to_have_text("Crosses the spread: fills at once, as taker.")
    expect(page.locator("#fee-label")).to_contain_text("taker")
    page.fill("#price", "50000")
    expect(page.locator("#crosses")).to_have_text("")
    expect(page.locator("#fee-label")).to_contain_text("maker")


def test_too_much_says_how_much_it_may_be_and_why(watched: Watched) -> None:
    page = watched.trade()
    place(page, side="buy", kind="limit", quantity="14.9", price="60000")
    error = page.locator("#quantity-error")
    expect(error).to_contain_text("limited by the free USD, fee included")
    expect(error).to_contain_text(re.compile(r"At most \d\.\d{4} BTC"))
    assert not re.search(r"\.\d{5}", error.inner_text()), "no noise of eight decimals"
    place(page, side="sell", kind="limit", quantity="3.9", price="90000")
    expect(error).to_contain_text("limited by the free BTC")
    assert "fee" not in error.inner_text()


@pytest.mark.parametrize("watched", [{"viewport": PHONE}], indirect=True)
def test_no_number_breaks_across_lines(watched: Watched) -> None:
    """Grouping is a space that never breaks; a sentence may, a number may not."""
    page = watched.trade()
    page.click("#phone-tabs [data-panel=ticket]")
    place(page, side="buy", kind="limit", quantity="14.9", price="64000")
    for width in (320, 340, 360, 390):
        page.set_viewport_size({"width": width, "height": 800})
        broken = page.evaluate(
            r"""() => {
              const found = [];
              const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
              while (walk.nextNode()) {
                const node = walk.currentNode;
                for (const match of node.data.matchAll(/\d[\d\u202f\u2009.,]*\d/g)) {
                  const range = document.createRange();
                  range.setStart(node, match.index);
                  range.setEnd(node, match.index + match[0].length);
                  const tops = new Set([...range.getClientRects()].map((box) => Math.round(box.top)));
                  if (tops.size > 1) found.push(match[0]);
                }
              }
              return found;
            }"""
        )
        assert broken == [], width


def test_a_price_chip_puts_in_what_stood_on_it(watched: Watched) -> None:
    page = watched.trade()
    draft(page, side="buy", kind="limit", quantity="0.01")
    chip = page.locator("[data-quote-price=bid]")
    expect(chip).to_have_accessible_name(re.compile(r"Bid \d"))
    chip.hover()
    page.evaluate(
        """() => document.addEventListener("pointerdown", ({ target }) => (window.pressed = target.textContent),
             { capture: true, once: true })"""
    )
    page.mouse.down()
    wait_ticks(page, 2)
    page.mouse.up()
    assert number(page.input_value("#price")) == number(page.evaluate("window.pressed"))


def test_a_pasted_price_may_be_grouped(watched: Watched) -> None:
    """A comma alone could be the decimal point of other countries: that is asked about."""
    page = watched.trade()
    place(page, side="buy", kind="limit", quantity="0.0651", price="50,000.50")
    expect(page.locator("#receipt")).to_contain_text("@ 50\u202f000.50")
    place(page, side="buy", kind="limit", quantity="0.0652", price="50,000")
    expect(page.locator("#price-error")).to_have_text("Use a point for decimals, no commas.")


def test_equity_and_the_days_result_are_what_the_account_has_made(watched: Watched) -> None:
    """Against plain sums of the same fills, prices and balances: what was held, what was traded, fees."""
    page = watched.trade()
    found = page.evaluate(
        """async () => {
          const { Worth } = await import("/static/js/worth.js");
          const at = new Date().toISOString();
          const fill = (trade_id, side, price, quantity, fee, when = at) => ({ trade_id, symbol: "BTC-USD", side, price, quantity, fee, at: when });
          const worth = new Worth({
            seq: 1, account: "x", on: () => {},
            fills: [fill("c", "buy", "110", "1", "0.11"), fill("b", "sell", "120", "2", "0.24")],
            balances: new Map([["USD", { asset: "USD", total: "1000" }], ["BTC", { asset: "BTC", total: "4" }]]),
            tickers: new Map([["BTC-USD", { mark: "105", open_24h: "100", since: null }]]),
          });
          worth.minutes = new Map();
          worth.count([fill("a", "buy", "90", "3", "0.27"), fill("old", "buy", "1", "50", "9", "2020-01-01T00:00:00Z")]);
          worth.counted = new Set(["a", "old"]);
          worth.count(worth.store.fills);
          worth.count(worth.store.fills);
          return [worth.equity(), worth.result().result];
        }"""
    )
    held_before = 4 - (3 - 2 + 1)
    made = Decimal(4 * 105 - held_before * 100 - (3 * 90 - 2 * 120 + 110)) - Decimal("0.62")
    assert [Decimal(text) for text in found] == [Decimal(1420), made]
    expect(page.locator("#equity")).not_to_have_text("–")
    expect(page.locator("#result")).to_have_text(re.compile(r"^[+−]?\d"))
    expect(page.locator("#result-label")).to_have_text("24\u202fh result (USD)")

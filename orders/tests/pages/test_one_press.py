"""One press is one order; closing and flattening can only reduce; nothing stands in the address."""

import re
from decimal import Decimal

import pytest
from playwright.sync_api import Page, Route, expect

from orders.tests.pages.acts import count_orders, hold_down, number, place
from orders.tests.pages.conftest import Watched

pytestmark = pytest.mark.browser


def open_position(page: Page, side: str, quantity: str) -> None:
    place(page, side=side, kind="market", quantity=quantity)
    expect(page.locator("#receipt")).to_have_attribute("data-kind", "good")
    expect(page.locator("#receipt-status")).to_have_text("Filled")


def flat(page: Page) -> None:
    """Begin without a position and without open orders, whatever tests before left."""
    expect(page.locator("#equity")).not_to_have_text("–")  # the account's state has been read
    cancel_all(page)
    page.click("#tab-positions")
    if page.locator("#flatten").is_enabled():
        page.click("#flatten")
        page.click("#flatten-send")
        expect(page.locator("#flatten")).to_be_disabled()


def cancel_all(page: Page) -> None:
    page.click("#tab-open")
    if page.locator("#cancel-all").is_enabled():
        page.click("#cancel-all")
        page.click("#ask button[value=all]")
        expect(page.locator("#cancel-all")).to_be_disabled()


def net(page: Page, symbol: str = "BTC-USD") -> Decimal:
    return number(page.locator(f"#positions-rows tr[data-key={symbol}] td").nth(1).inner_text())


def test_a_held_enter_sends_one_order(watched: Watched) -> None:
    page = watched.trade()
    sent = count_orders(page)
    place(page, side="buy", kind="limit", quantity="0.0411", price="50000")
    expect(page.locator("#open-rows tr", has_text="0.0411")).to_have_count(1)
    page.fill("#quantity", "0.0412")
    hold_down(page, "Enter", 12)
    expect(page.locator("#open-rows tr", has_text="0.0412")).to_have_count(1)
    hold_down(page, "Enter", 4)
    assert [body["quantity"] for body in sent] == ["0.0411", "0.0412"]


def test_an_order_that_was_taken_is_not_sent_again_until_it_is_touched(watched: Watched) -> None:
    """Whatever time lies between the presses; the draft stays."""
    page = watched.trade()
    sent = count_orders(page)
    place(page, side="buy", kind="limit", quantity="0.0413", price="50000")
    expect(page.locator("#receipt-status")).to_have_text("Open")
    for _ in range(3):
        page.press("#quantity", "Enter")
        page.click("#submit", force=True)
    expect(page.locator("#submit-label")).to_have_text("Sent. Change it to send another")
    assert page.input_value("#quantity") == "0.0413"
    assert page.input_value("#price") == "50000"
    page.press("#quantity", "ArrowUp")
    page.press("#quantity", "Enter")
    expect(page.locator("#open-rows tr", has_text="0.0414")).to_have_count(1)
    assert [body["quantity"] for body in sent] == ["0.0413", "0.0414"]


def test_what_was_sent_stays_disarmed_after_reload(watched: Watched) -> None:
    page = watched.trade()
    place(page, side="sell", kind="limit", quantity="0.0415", price="90000")
    expect(page.locator("#receipt-status")).to_have_text("Open")
    watched.trade()
    sent = count_orders(page)
    assert page.input_value("#quantity") == "0.0415"
    page.press("#quantity", "Enter")
    expect(page.locator("#submit-label")).to_have_text("Sent. Change it to send another")
    assert sent == []


def test_an_unknown_outcome_keeps_its_key_over_a_reload(watched: Watched) -> None:
    """The order may have arrived: pressed again after a reload, it is the same one."""
    page = watched.trade()
    keys: list[str] = []

    def lose_the_first(route: Route) -> None:
        keys.append(route.request.headers["idempotency-key"])
        route.abort() if len(keys) == 1 else route.continue_()

    page.route("**/api/orders", lose_the_first)
    place(page, side="buy", kind="limit", quantity="0.0416", price="50000")
    expect(page.locator("#order-error")).to_contain_text("never made twice")
    watched.trade()
    page.press("#quantity", "Enter")
    expect(page.locator("#receipt-status")).to_have_text("Open")
    assert keys[0] == keys[1]
    page.unroute("**/api/orders")


def test_what_is_closing_cannot_be_kept(watched: Watched) -> None:
    """A sheet whose order is on its way stays until it is known: nobody begins a second one beside it."""
    page = watched.trade()
    flat(page)
    open_position(page, "buy", "0.05")
    held: list[Route] = []
    page.route("**/api/orders", lambda route: held.append(route))
    page.click("#tab-positions")
    page.locator("[data-close=BTC-USD]").click()
    page.click("#close-send")
    expect(page.locator("#close-send")).to_have_text("Sending…")
    expect(page.locator("#close button[value=no]")).to_be_disabled()
    page.keyboard.press("Escape")
    expect(page.locator("#close")).to_be_visible()
    held[0].continue_()
    expect(page.locator("#close")).to_be_hidden()
    assert len(held) == 1
    page.unroute("**/api/orders")


def test_an_address_arms_no_order(watched: Watched) -> None:
    """Neither one that was kept from earlier nor one that somebody sends: no size, and it is gone at once."""
    page = watched.page
    sent = count_orders(page)
    watched.open("/trade/BTC-USD/?side=sell&type=market&quantity=0.027")
    page.wait_for_selector("#connection[data-state=live]")
    assert page.input_value("#quantity") == ""
    assert "?" not in page.url
    page.press("#quantity", "Enter")
    expect(page.locator("#quantity-error")).to_have_text("Enter a quantity.")
    assert sent == []


def test_close_is_its_own_command_and_only_reduces(watched: Watched) -> None:
    """Enter, and Enter again: the position is flat, not turned around; the ticket is not touched."""
    page = watched.trade()
    flat(page)
    open_position(page, "buy", "0.077")
    page.fill("#quantity", "0.5")
    address = page.url
    page.click("#tab-positions")
    sent = count_orders(page)
    page.locator("[data-close=BTC-USD]").click()
    expect(page.locator("#close button[value=no]")).to_be_focused()
    page.locator("#close-send").focus()
    hold_down(page, "Enter", 6)
    expect(page.locator("#close")).to_be_hidden()
    expect(page.locator("#positions-rows tr[data-key=BTC-USD] td").nth(1)).to_have_text("0.0000")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    assert page.input_value("#quantity") == "0.5"
    assert page.url == address
    assert [(body["side"], body["quantity"], body["reduce_only"]) for body in sent] == [
        ("sell", "0.0770", True)
    ]
    assert watched.found() == []


def test_close_takes_a_part_and_says_what_it_would_make(watched: Watched) -> None:
    page = watched.trade()
    flat(page)
    open_position(page, "sell", "0.2")
    page.click("#tab-positions")
    page.locator("[data-close=BTC-USD]").click()
    page.click("#close .choices label:has([value='25'])")
    expect(page.locator("#close-send")).to_have_text("Buy 0.0500 BTC at market")
    expect(page.locator("#close-what")).to_contain_text("Short 0.2000 BTC on Main desk")
    assert number(page.locator("#close-fee").inner_text()) > 0
    page.click("#close-send")
    expect(page.locator("#close")).to_be_hidden()
    expect(page.locator("#positions-rows tr[data-key=BTC-USD] td").nth(1)).to_have_text("−0.1500")


def test_close_cancels_what_would_turn_the_position_around(watched: Watched) -> None:
    page = watched.trade()
    flat(page)
    open_position(page, "buy", "0.03")
    place(page, side="sell", kind="limit", quantity="0.03", price="90000")
    expect(page.locator("#receipt-status")).to_have_text("Open")
    page.click("#tab-positions")
    page.locator("[data-close=BTC-USD]").click()
    expect(page.locator("#close-orders")).to_have_text(
        "1 order to sell BTC-USD will be canceled first."
    )
    page.click("#close-send")
    expect(page.locator("#positions-rows tr[data-key=BTC-USD] td").nth(1)).to_have_text("0.0000")
    expect(page.locator("[data-count=open]").first).to_be_hidden()


def test_flatten_cancels_and_closes_everything_once(watched: Watched) -> None:
    page = watched.trade()
    flat(page)
    open_position(page, "buy", "0.04")
    watched.trade("ETH-USD")
    open_position(page, "sell", "0.6")
    place(page, side="buy", kind="limit", quantity="0.2", price="1000")
    expect(page.locator("#receipt-status")).to_have_text("Open")
    sent = count_orders(page)
    page.click("#flatten")
    expect(page.locator("#flatten-rows tr")).to_have_count(2)
    expect(page.locator("#flatten-orders")).to_contain_text(
        re.compile(r"\d+ orders? will be canceled first")  # another test may have left some
    )
    expect(page.locator("#flatten-sheet button[value=no]")).to_be_focused()
    page.locator("#flatten-send").focus()
    hold_down(page, "Enter", 5)
    expect(page.locator("#flatten-sheet")).to_be_hidden()
    expect(page.locator("#flatten")).to_be_disabled()
    expect(page.locator("#cancel-all")).to_be_disabled()
    wanted = [("BTC-USD", "sell", "0.0400", True), ("ETH-USD", "buy", "0.6000", True)]
    told = [(one["symbol"], one["side"], one["quantity"], one["reduce_only"]) for one in sent]
    assert sorted(told) == wanted
    assert watched.found() == []


def test_a_flat_position_has_made_nothing_more(watched: Watched) -> None:
    page = watched.trade()
    flat(page)
    open_position(page, "buy", "0.09")
    watched.trade()
    page.click("#tab-positions")
    page.locator("[data-close=BTC-USD]").click()
    page.click("#close-send")
    cells = page.locator("#positions-rows tr[data-key=BTC-USD] td")
    expect(cells.nth(1)).to_have_text("0.0000")
    expect(cells.nth(5)).to_have_text("0.00")
    expect(cells.nth(2)).to_have_text("–")
    expect(page.locator("[data-close=BTC-USD]")).to_be_hidden()

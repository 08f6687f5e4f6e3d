"""Nothing moves under a pressed mouse: rows stay, the ladder stands still, the price is the one aimed at."""

import re

import pytest
from playwright.sync_api import Page, expect

from orders.tests.pages.acts import place
from orders.tests.pages.conftest import PHONE, Watched
from orders.tests.pages.test_one_press import flat, open_position

pytestmark = pytest.mark.browser
NOTE_ROWS = """(selector) => {
  window.moved = [];
  new MutationObserver((changes) => {
    for (const change of changes) window.moved.push(...change.addedNodes, ...change.removedNodes);
  }).observe(document.querySelector(selector), { childList: true });
}"""
TICKS_SEEN = """(count) => new Promise((done) => {
  let seen = 0;
  const watch = new MutationObserver(() => {
    seen += 1;
    if (seen >= count) { watch.disconnect(); done(); }
  });
  watch.observe(document.querySelector("#spread-mid"), { childList: true, characterData: true, subtree: true });
})"""


def wait_ticks(page: Page, count: int = 3) -> None:
    """Wait until prices moved that often on the page."""
    page.evaluate(TICKS_SEEN, count)


@pytest.mark.parametrize("tab", ["positions", "balances"])
def test_ticks_change_cells_and_replace_no_row(watched: Watched, tab: str) -> None:
    page = watched.trade()
    flat(page)
    open_position(page, "buy", "0.021")
    page.click(f"#tab-{tab}")
    expect(page.locator(f"#{tab}-rows tr").first).to_be_visible()
    page.evaluate(NOTE_ROWS, f"#{tab}-rows")
    wait_ticks(page, 5)
    assert page.evaluate("window.moved.length") == 0


def test_close_takes_a_click_however_long_the_press(watched: Watched) -> None:
    page = watched.trade()
    flat(page)
    open_position(page, "buy", "0.022")
    page.click("#tab-positions")
    button = page.locator("[data-close=BTC-USD]")
    for _ in range(3):
        button.hover()
        page.mouse.down()
        wait_ticks(page, 3)
        page.mouse.up()
        expect(page.locator("#close")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.locator("#close")).to_be_hidden()


def test_a_focused_button_keeps_the_focus_through_ticks(watched: Watched) -> None:
    page = watched.trade()
    flat(page)
    open_position(page, "buy", "0.023")
    page.click("#tab-positions")
    page.locator("[data-close=BTC-USD]").focus()
    wait_ticks(page, 5)
    expect(page.locator("[data-close=BTC-USD]")).to_be_focused()


def test_a_row_does_not_slide_under_a_pressed_mouse(watched: Watched) -> None:
    """A new order comes to the top while Cancel is pressed: the row that was aimed at is canceled."""
    page = watched.trade()
    place(page, side="buy", kind="limit", quantity="0.0501", price="50000")
    row = page.locator("#open-rows tr", has_text="0.0501")
    expect(row).to_contain_text("Open")
    row.get_by_role("button").hover()
    page.mouse.down()
    other = page.context.new_page()
    other.goto(page.url)
    other.wait_for_selector("#connection[data-state=live]")
    place(other, side="buy", kind="limit", quantity="0.0502", price="50000")
    expect(other.locator("#receipt-status")).to_have_text("Open")
    expect(page.locator("[data-count=open]").first).to_have_text(
        other.locator("[data-count=open]").first.inner_text()
    )
    page.mouse.up()
    page.mouse.move(5, 5)
    expect(row).to_have_count(0)
    expect(page.locator("#open-rows tr", has_text="0.0502")).to_have_count(1)
    other.close()


def test_the_focus_of_a_canceled_row_goes_to_its_neighbour(watched: Watched) -> None:
    page = watched.trade()
    for quantity in ("0.0503", "0.0504"):
        place(page, side="buy", kind="limit", quantity=quantity, price="50000")
        expect(page.locator("#open-rows tr", has_text=quantity)).to_contain_text("Open")
    row = page.locator("#open-rows tr", has_text="0.0504")
    row.get_by_role("button").focus()
    page.keyboard.press("Enter")
    expect(row).to_have_count(0)
    assert page.evaluate(
        "document.activeElement.dataset.cancel ?? document.activeElement.className"
    )


def test_a_book_click_takes_the_price_that_was_aimed_at(watched: Watched) -> None:
    page = watched.trade()
    for index in (2, 5, 8):
        button = page.locator("#book-bids .price").nth(index)
        button.hover()
        aimed = button.inner_text().replace("\u202f", "")
        wait_ticks(page, 2)
        page.mouse.down()
        wait_ticks(page, 1)
        page.mouse.up()
        assert page.input_value("#price") == aimed
        page.mouse.move(5, 5)
    expect(page.locator("[value=sell]")).to_be_checked()
    expect(page.locator("#ticket-note")).to_have_text("")
    expect(page.locator("#quantity")).to_be_focused()


def test_a_side_that_a_book_click_turns_is_said(watched: Watched) -> None:
    page = watched.trade()
    page.click(".sides .buy")
    page.locator("#book-bids .price").nth(1).click()
    expect(page.locator("#ticket-note")).to_contain_text("The side is now Sell")


def test_the_ladder_stands_still_under_the_pointer_and_goes_on_without(watched: Watched) -> None:
    page = watched.trade()
    prices = page.locator("#book-asks .price")
    prices.nth(3).hover()
    expect(page.locator("#book-held")).to_be_visible()
    before = prices.all_inner_texts()
    wait_ticks(page, 4)
    assert prices.all_inner_texts() == before
    page.mouse.move(5, 5)
    expect(page.locator("#book-held")).to_be_hidden()
    expect(prices.first).not_to_have_text(before[0])


def test_own_orders_stand_in_the_ladder_with_their_size(watched: Watched) -> None:
    """Also where nobody else is: a bid between the levels gets a row of its own."""
    page = watched.trade()
    levels = [
        text.replace("\u202f", "") for text in page.locator("#book-bids .price").all_inner_texts()
    ]
    price = f"{float(levels[6]) + 0.01:.2f}"
    place(page, side="buy", kind="limit", quantity="0.0505", price=price)
    expect(page.locator("#receipt-status")).to_have_text(re.compile("Open|filled|Filled"))
    own = page.locator("#book-bids tr.own")
    if page.locator("#receipt-status").inner_text() == "Open":
        expect(own.locator(".own-size")).to_have_text("0.0505")


def test_more_than_a_hundred_open_orders_are_reachable(watched: Watched) -> None:
    page = watched.trade()
    page.evaluate(
        """async () => {
          const { post, newKey } = await import("/static/js/api.js");
          const { account } = JSON.parse(document.getElementById("boot").textContent);
          for (let index = 0; index < 120; index += 1) {
            await post("/api/orders", { account_id: account, symbol: "BTC-USD", side: "buy", type: "limit",
              time_in_force: "gtc", quantity: "0.0002", price: "50000" }, newKey());
          }
        }"""
    )
    expect(page.locator("#open-more")).to_contain_text(re.compile(r"100 of 1[2-9]\d shown"))
    page.click("[data-more=open]")
    expect(page.locator("#open-more")).to_be_hidden()
    expect(page.locator("#open-rows tr").nth(119)).to_be_attached()
    page.click("#cancel-all")
    expect(page.locator("#ask-title")).to_contain_text(re.compile(r"Cancel 1[2-9]\d open orders\?"))
    expect(page.locator("#ask-lines")).to_contain_text("Main desk")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    expect(page.locator("#ask")).to_be_visible()
    page.click("#ask button[value=all]")
    expect(page.locator("#cancel-all")).to_be_disabled()
    assert watched.found() == []


@pytest.mark.parametrize("watched", [{}, {"viewport": PHONE}], indirect=True, ids=["desk", "phone"])
def test_the_ladder_shows_as_many_bids_as_asks(watched: Watched) -> None:
    """All of them inside its frame, whatever the height of a row."""
    page = watched.trade()
    if page.locator("#phone-tabs").is_visible():
        page.click("#phone-tabs [data-panel=book]")
    expect(page.locator("#book-bids tr").last).to_be_in_viewport(ratio=0.9)
    asks, bids = (page.locator(f"#book-{side} tr").count() for side in ("asks", "bids"))
    assert asks == bids
    frame = page.locator("#book-frame").bounding_box()
    last = page.locator("#book-bids tr").last.bounding_box()
    assert frame is not None
    assert last is not None
    assert last["y"] + last["height"] <= frame["y"] + frame["height"] + 1

"""The chart in a real browser: candles and volume, what is one's own on them, the depth of the book."""

import re

import pytest
from playwright.sync_api import Page, expect

from orders.tests.pages.acts import place
from orders.tests.pages.conftest import DESKTOP, PHONE, Watched

pytestmark = pytest.mark.browser
INK = """
(canvas) => {
  const { width, height } = canvas;
  const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
  return data.reduce((sum, one, at) => sum + (at % 4 === 3 && one > 0), 0) / (width * height);
}
"""


def chart(watched: Watched, symbol: str = "BTC-USD") -> Page:
    page = watched.trade(symbol)
    expect(page.locator("#chart-empty")).to_be_hidden()
    expect(page.locator("#bar-close")).not_to_be_empty()
    return page


def interval(page: Page) -> str:
    return page.locator("[data-interval][aria-pressed=true]").inner_text()


@pytest.mark.parametrize("watched", [{}, {"viewport": PHONE}], indirect=True)
def test_history_is_there_at_once_and_after_a_reload(watched: Watched) -> None:
    """Candles come from the server: a reload and another symbol have theirs, and no policy is hurt."""
    page = chart(watched)
    assert interval(page) == "1m"
    page.reload()
    expect(page.locator("#bar-open")).to_have_text(re.compile(r"\d\.\d\d$"))
    chart(watched, "XRP-USD")
    expect(page.locator("#bar-open")).to_have_text(re.compile(r"^0\.\d{5}$"))
    assert watched.found() == []


def test_the_pointer_tells_a_candle_and_its_time(watched: Watched) -> None:
    page = chart(watched)
    expect(page.locator("#bar-time")).to_be_empty()
    page.hover("#chart-frame", position={"x": 200, "y": 200})
    expect(page.locator("#bar-time")).to_have_text(re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d$"))
    low, high = (page.locator(f"#bar-{name}").inner_text() for name in ("low", "high"))
    assert low < high
    page.hover("#book-title")
    expect(page.locator("#bar-time")).to_be_empty()


def test_the_interval_is_kept_and_asked_for(watched: Watched) -> None:
    """Pressed, it is asked for; after a reload it is still that one; keys go to the next."""
    page = chart(watched)
    with page.expect_response(lambda answer: "interval=15m" in answer.url):
        page.click("[data-interval='15m']")
    assert interval(page) == "15m"
    with page.expect_response(lambda answer: "interval=15m" in answer.url):
        page.reload()
    page.wait_for_selector("#connection[data-state=live]")
    assert interval(page) == "15m"
    page.evaluate("localStorage.setItem('oms.keys', 'on')")
    page.reload()
    page.wait_for_selector("#trade[data-ready]")
    page.keyboard.press("]")
    assert interval(page) == "1h"
    page.keyboard.press("[")
    page.keyboard.press("[")
    assert interval(page) == "5m"


def test_going_back_brings_older_candles(watched: Watched) -> None:
    """With the keyboard: to the left until more is asked for, then back to now."""
    page = chart(watched)
    page.focus("#chart-frame")
    with page.expect_response(lambda answer: "&to=" in answer.url):
        for _ in range(60):
            page.keyboard.press("ArrowLeft")
            page.evaluate("new Promise((done) => requestAnimationFrame(done))")  # each one moves
    expect(page.locator("#chart-now")).to_be_visible()
    page.click("#chart-now")
    expect(page.locator("#chart-now")).to_be_hidden()


def test_own_orders_are_lines_that_can_be_canceled(watched: Watched) -> None:
    """One far away stands at the edge with its price; × cancels that one and no other."""
    page = chart(watched)
    place(page, side="buy", kind="limit", quantity="0.1234", price="60000")
    tag = page.locator(".chart-tag", has_text="Buy 0.1234")
    expect(tag).to_contain_text("↓ Buy 0.1234 @ 60\u202f000.00")
    place(page, side="sell", kind="limit", quantity="0.5", price="70000")
    expect(page.locator(".chart-tag", has_text="↑ Sell 0.5")).to_be_visible()
    tag.get_by_role("button", name="Cancel Buy 0.1234 at 60\u202f000.00").click()
    expect(tag).to_have_count(0)
    expect(page.locator(".chart-tag", has_text="Sell 0.5")).to_be_visible()
    page.locator(".chart-tag", has_text="Sell 0.5").get_by_role("button").press("Enter")
    expect(page.locator(".chart-tag button")).to_have_count(0)
    assert watched.found() == []


def test_fills_and_the_position_are_on_it(watched: Watched) -> None:
    page = chart(watched)
    place(page, side="buy", kind="market", quantity="0.25")
    expect(page.locator(".chart-tag", has_text="Long")).to_be_visible()


@pytest.mark.parametrize("watched", [{"viewport": DESKTOP}, {"viewport": PHONE}], indirect=True)
def test_depth_is_drawn_from_the_book(watched: Watched) -> None:
    page = chart(watched)
    page.click("[data-view=depth]")
    expect(page.locator("#depth-canvas")).to_be_visible()
    expect(page.locator("#chart-canvas")).to_be_hidden()
    page.wait_for_function(f"({INK})(document.querySelector('#depth-canvas')) > 0.2")
    page.reload()
    expect(page.locator("[data-view=depth]")).to_have_attribute("aria-pressed", "true")
    page.click("[data-view=price]")
    expect(page.locator("#chart-canvas")).to_be_visible()
    assert watched.found() == []


def test_history_that_does_not_come_is_said_and_tried_again(watched: Watched) -> None:
    broken = {"on": True}

    def answer(route, request) -> None:  # type: ignore[no-untyped-def]
        if broken["on"]:
            route.fulfill(
                status=503, json={"detail": "The store is away.", "code": "store_unavailable"}
            )
        else:
            route.continue_()

    watched.page.route("**/api/marketdata/*/candles*", answer)
    page = watched.trade()
    expect(page.locator("#chart-empty")).to_contain_text("The store is away.")
    broken["on"] = False
    expect(page.locator("#chart-empty")).to_be_hidden()

"""What is told of orders: on the ticket, in at most three toasts, and behind the bell."""

import re

import pytest
from playwright.sync_api import Page, expect

from orders.tests.pages.acts import place
from orders.tests.pages.conftest import PHONE, Turn, Watched

pytestmark = pytest.mark.browser
SEND = """async ([quantity, price]) => {
  const { post, newKey } = await import("/static/js/api.js");
  const { account } = JSON.parse(document.getElementById("boot").textContent);
  await post("/api/orders", { account_id: account, symbol: "BTC-USD", side: "buy", type: "limit",
    time_in_force: "gtc", quantity, price }, newKey());
}"""
OVER_SUBMIT = """() => {
  const box = document.querySelector("#submit").getBoundingClientRect();
  const points = [[2, 2], [box.width / 2, box.height / 2], [box.width - 3, box.height - 3]];
  return points.every(([x, y]) => document.elementFromPoint(box.left + x, box.top + y)?.closest("#submit"));
}"""


def reject(page: Page, count: int) -> None:
    """Nine orders of somebody else's program, or another tab, are refused."""
    for index in range(count):
        page.evaluate(SEND, [f"{index + 1}00", "60000"])


@pytest.mark.parametrize("watched", [{}, {"viewport": PHONE}], indirect=True, ids=["desk", "phone"])
def test_rejections_never_cover_the_ticket(watched: Watched) -> None:
    page = watched.trade()
    if page.locator("#phone-tabs").is_visible():
        page.click("#phone-tabs [data-panel=ticket]")
    reject(page, 9)
    expect(page.locator("#bell-count")).to_have_text(re.compile(r"^(9|\d\d)$"))
    assert page.locator(".toast").count() <= 3
    assert page.evaluate(OVER_SUBMIT)
    assert watched.found() == []


def test_what_does_not_fit_is_counted_and_waits_behind_the_bell(watched: Watched) -> None:
    page = watched.trade()
    reject(page, 5)
    expect(page.locator("#toasts-more")).to_have_text("+2 more")
    expect(page.locator(".toast")).to_have_count(3)
    page.click("#toasts-more")
    expect(page.locator("#notices li")).to_have_count(5)
    expect(page.locator("#bell-count")).to_be_hidden()
    expect(page.locator(".toast")).to_have_count(0)
    page.locator("#notices a").first.click()
    expect(page.locator(".story")).to_be_visible()
    page.go_back()
    page.wait_for_selector("#connection[data-state=live]")
    page.click("#bell summary")
    expect(page.locator("#notices li")).to_have_count(5)


def test_what_the_ticket_caused_is_said_on_the_ticket(watched: Watched, turn: Turn) -> None:
    page = watched.trade()
    place(page, side="buy", kind="limit", quantity="0.0601", price="50000")
    expect(page.locator("#receipt")).to_have_text("Open Buy 0.0601 BTC @ 50\u202f000.00")
    expect(page.locator(".toast")).to_have_count(0)
    expect(page.locator("#bell-count")).to_be_hidden()
    turn(max_order_value="1000")
    expect(page.locator("#connection[data-state=live]")).to_be_visible()


def test_a_refusal_by_the_engine_names_value_and_limit(watched: Watched, turn: Turn) -> None:
    page = watched.trade()
    turn(max_order_value="1000")
    page.evaluate(SEND, ["0.0602", "50000"])
    expect(page.locator(".toast.bad", has_text="Order rejected")).to_contain_text(
        "It is 3\u202f010 USD; the limit is 1\u202f000 USD."
    )

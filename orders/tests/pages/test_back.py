"""Back, forward and reload in a real browser: whole pages, with the filters their address says."""

import pytest
from playwright.sync_api import Page, WebSocketRoute, expect

from oms_project.tests.eventually import eventually
from orders.tests.pages.conftest import Watched
from orders.tests.pages.mock_desk import ACCOUNT, OTHER
from orders.tests.pages.test_browser import place

pytestmark = pytest.mark.browser


def an_order(watched: Watched, quantity: str) -> None:
    place(watched.trade(), side="sell", kind="limit", quantity=quantity, price="90000")
    expect(watched.page.locator("#open-rows tr", has_text=quantity).first).to_be_visible()


def is_whole(page: Page) -> None:
    """The page has its head and its styles: it is not a part that htmx once asked for."""
    expect(page.locator("header.top")).to_be_visible()
    assert page.evaluate("document.styleSheets.length") >= 3
    assert page.evaluate("document.compatMode") == "CSS1Compat"


def test_back_from_an_order_shows_the_whole_list_with_its_filters(watched: Watched) -> None:
    an_order(watched, "0.0171")
    page = watched.open("/orders/")
    page.select_option("#f-side", "sell")
    row = page.locator("#orders-table tbody tr", has_text="0.0171")
    expect(row).to_be_visible()
    page.wait_for_url("**side=sell**")
    row.locator(".time a").click()
    expect(page.locator("h1")).to_contain_text("Sell")
    page.go_back()
    is_whole(page)
    expect(page.locator("#f-side")).to_have_value("sell")
    expect(row).to_be_visible()
    page.go_forward()
    is_whole(page)
    expect(page.locator("h1")).to_contain_text("Sell")
    assert watched.found() == []


def test_back_through_filters_sets_rows_and_selects_together(watched: Watched) -> None:
    an_order(watched, "0.0172")
    page = watched.open("/orders/")
    page.select_option("#f-side", "sell")
    page.wait_for_url("**side=sell**")
    page.select_option("#f-status", "REJECTED")
    page.wait_for_url("**status=REJECTED**")
    expect(page.locator("#orders-table", has_text="0.0172")).to_have_count(0)
    page.go_back()
    expect(page.locator("#f-status")).to_have_value("")
    expect(page.locator("#f-side")).to_have_value("sell")
    expect(page.locator("#orders-table tbody tr", has_text="0.0172")).to_be_visible()
    page.reload()
    is_whole(page)
    expect(page.locator("#f-side")).to_have_value("sell")


def test_back_to_an_order_that_had_changed_shows_a_whole_page(watched: Watched) -> None:
    """The order page asks for a part of itself when an event comes."""
    an_order(watched, "0.0173")
    page = watched.page
    page.click("#open-rows tr:has-text('0.0173') .time a")
    page.wait_for_selector(".story li")
    with page.expect_response(lambda answer: answer.request.headers.get("hx-request") == "true"):
        page.click("text=Cancel order")
        page.wait_for_url("**/orders/*/")
    expect(page.locator(".headline")).to_contain_text("Canceled")
    page.click("h1 a")
    page.wait_for_selector("#trade[data-ready=yes]")
    page.go_back()
    is_whole(page)
    expect(page.locator(".headline")).to_contain_text("Canceled")


def test_back_and_reload_of_the_trading_page(watched: Watched) -> None:
    page = watched.trade()
    page.goto(f"{watched.base}/orders/")
    page.go_back()
    is_whole(page)
    page.wait_for_selector("#connection[data-state=live]")
    page.reload()
    is_whole(page)
    page.wait_for_selector("#connection[data-state=live]")
    assert watched.found() == []


@pytest.mark.parametrize("path", ["/orders/", "/trade/BTC-USD/", "/login/"])
def test_no_cache_keeps_a_private_page(watched: Watched, path: str) -> None:
    answer = watched.page.goto(watched.base + path)
    assert answer is not None
    assert "no-store" in answer.headers["cache-control"]
    if path != "/login/":
        assert "HX-Request" in answer.headers["vary"]


def test_two_tabs_keep_their_accounts(watched: Watched) -> None:
    """What one tab looks at changes nothing in the other: each says its account in its address."""
    page = watched.trade()
    other = page.context.new_page()
    other.goto(f"{watched.base}/a/{OTHER}/trade/BTC-USD/")
    expect(other.locator("#account-menu .menu-value")).to_have_text("Research")
    page.click("#symbol-menu summary")
    page.click("#symbol-list a:has-text('ETH-USD')")
    page.wait_for_selector("#trade[data-ready=yes]")
    expect(page.locator("#account-menu .menu-value")).to_have_text("Main desk")
    assert f"/a/{ACCOUNT}/trade/ETH-USD/" in page.url
    with page.expect_request("**/api/orders") as sent:
        place(page, side="buy", kind="limit", quantity="0.11", price="2000")
    assert sent.value.post_data_json["account_id"] == ACCOUNT
    assert watched.found() == []


# ------------------------------------------------------------------ while one looks


@pytest.mark.parametrize("path", ["/positions/", "/orders/"])
def test_a_list_follows_and_a_lost_log_in_leads_to_the_log_in(watched: Watched, path: str) -> None:
    """Under the pointer, too, where no row is pressed; never a log-in page inside a list."""
    an_order(watched, "0.0173")
    page = watched.open(path)
    (page.locator("#positions-table") if path == "/positions/" else page.locator("h1")).hover()
    with page.expect_response(lambda answer: answer.request.headers.get("hx-request") == "true"):
        pass
    page.context.clear_cookies()
    page.wait_for_url(f"**/login/?next={path}")
    expect(page.locator("#id_username")).to_be_visible()
    assert watched.found() == []


def test_an_order_page_whose_log_in_ended_leads_to_the_log_in(watched: Watched) -> None:
    an_order(watched, "0.0174")
    page = watched.page
    sockets: list[WebSocketRoute] = []

    def proxy(socket: WebSocketRoute) -> None:
        sockets.append(socket)
        socket.connect_to_server()

    page.route_web_socket("**/ws/orders", proxy)
    page.locator("#open-rows tr", has_text="0.0174").locator(".time a").click()
    expect(page.locator("h1")).to_contain_text("Sell")
    eventually(lambda: sockets or page.evaluate("1") is None)
    page.context.clear_cookies()
    sockets[-1].close(code=4401)
    page.wait_for_url("**/login/?next=/orders/**")

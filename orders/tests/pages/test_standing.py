"""What everybody on an open page must know at once: halts, whose page it is, which account, how old it is."""

import re

import pytest
from playwright.sync_api import BrowserContext, Route, WebSocketRoute, expect

from orders.tests.pages.acts import count_orders, draft, place
from orders.tests.pages.conftest import Turn, Watched
from orders.tests.pages.mock_desk import ACCOUNT
from orders.tests.pages.test_one_press import flat, open_position

pytestmark = pytest.mark.browser
COVERED = """([under, over]) => {
  const [a, b] = [under, over].map((one) => document.querySelector(one).getBoundingClientRect());
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}"""


@pytest.mark.parametrize(
    ("state", "words"),
    [("HALTED", "Main desk is halted"), ("CANCEL_ONLY", "Main desk may only cancel orders now")],
)
def test_a_halted_account_is_told_on_the_open_page(
    watched: Watched, turn: Turn, state: str, words: str
) -> None:
    page = watched.trade()
    draft(page, side="buy", kind="limit", quantity="0.0701", price="50000")
    sent = count_orders(page)
    top = page.locator("#chart").bounding_box()
    turn(state=state)
    expect(page.locator("#banner")).to_contain_text(words)
    expect(page.locator(".ticket-account")).to_be_in_viewport()
    assert page.evaluate(COVERED, [".ticket-account", "#banner"]) is False
    expect(page.locator("#ticket-blocked")).to_contain_text(words)
    expect(page.locator("#submit-label")).to_have_text("New orders are refused")
    page.press("#quantity", "Enter")
    assert page.locator("#chart").bounding_box() == top, "a banner moves nothing"
    page.reload()
    page.wait_for_selector("#connection[data-state=live]")
    expect(page.locator("#banner")).to_contain_text(words)
    turn()
    expect(page.locator("#banner")).to_be_hidden()
    expect(page.locator("#submit-label")).to_have_text("Buy 0.0701 BTC @ 50\u202f000")
    assert sent == []


def test_an_account_that_may_only_reduce_says_so(watched: Watched, turn: Turn) -> None:
    page = watched.trade()
    turn(state="REDUCE_ONLY")
    expect(page.locator("#banner")).to_contain_text("Main desk may only reduce positions now")
    place(page, side="buy", kind="limit", quantity="0.9", price="50000")
    expect(page.locator("#quantity-error")).to_contain_text("may only reduce its position")


def test_a_halted_symbol_is_told_on_the_open_page(watched: Watched, turn: Turn) -> None:
    page = watched.trade("SOL-USD")
    draft(page, side="buy", kind="limit", quantity="1.5", price="100")
    turn(symbol="SOL-USD", state="HALTED")
    expect(page.locator("#banner")).to_contain_text("SOL-USD is halted: new orders are refused")
    expect(page.locator("#submit")).to_have_attribute("aria-disabled", "true")
    turn(symbol="SOL-USD", state="TRADING")
    expect(page.locator("#banner")).to_be_hidden()
    expect(page.locator("#submit-label")).to_contain_text("Buy 1.5 SOL")


def test_a_refused_symbol_is_no_pointer_to_read(watched: Watched) -> None:
    """The order and the halt can cross: what is said is for a person."""
    page = watched.trade()
    page.route(
        "**/api/orders",
        lambda route: route.fulfill(
            status=422,
            json={
                "code": "validation_error", "detail": "/symbol: It is HALTED.",
                "errors": [{"pointer": "/symbol", "code": "instrument_not_tradable", "detail": "It is HALTED."}],
            },
        ),
    )  # fmt: skip
    place(page, side="buy", kind="limit", quantity="0.0702", price="50000")
    expect(page.locator("#order-error")).to_have_text("Trading in this symbol is halted.")


def test_a_price_far_through_the_market_asks_again(watched: Watched) -> None:
    page = watched.trade()
    sent = count_orders(page)
    place(page, side="buy", kind="limit", quantity="0.0703", price="90000")
    expect(page.locator("#ask button[value=yes]")).to_have_text("Buy 0.0703 BTC @ 90\u202f000")
    expect(page.locator("#ask-lines")).to_contain_text(
        re.compile(r"90.000\.00 is \d\d(\.\d)?.% above the best ask of 6\d.\d{3}\.\d\d")
    )
    page.keyboard.press("Enter")  # the second press of a nervous finger
    expect(page.locator("#ask")).to_be_hidden()
    assert sent == []
    page.press("#quantity", "Enter")
    page.click("#ask button[value=yes]")
    expect(page.locator("#receipt-status")).to_have_text("Filled")
    assert len(sent) == 1


def test_a_market_order_on_old_prices_asks_again(watched: Watched, turn: Turn) -> None:
    page = watched.trade("ETH-USD")
    turn(symbol="ETH-USD", state="TRADING", stale=True)
    expect(page.locator("#connection")).to_have_attribute("data-state", "stale")
    sent = count_orders(page)
    place(page, side="buy", kind="market", quantity="0.5")
    expect(page.locator("#ask-lines")).to_contain_text("The prices on this page are old")
    page.keyboard.press("Escape")
    assert sent == []
    turn(symbol="ETH-USD", state="TRADING", stale=False)
    expect(page.locator("#connection")).to_have_attribute("data-state", "live")


def test_closing_on_old_prices_says_so(watched: Watched, turn: Turn) -> None:
    """In the open sheet, at once, and takes it back."""
    page = watched.trade("ETH-USD")
    flat(page)
    open_position(page, "buy", "0.5")
    page.click("#tab-positions")
    page.locator("[data-close=ETH-USD]").click()
    expect(page.locator("#close-price-label")).to_have_text("Price now")
    turn(symbol="ETH-USD", state="TRADING", stale=True)
    expect(page.locator("#close-price-label")).to_have_text("Last known price")
    expect(page.locator("#close-old")).to_have_text(re.compile("Prices are old"))
    turn(symbol="ETH-USD", state="TRADING", stale=False)
    expect(page.locator("#close-old")).to_be_empty()
    expect(page.locator("#close-price-label")).to_have_text("Price now")


def test_the_account_is_named_on_ticket_and_button_and_goes_with_the_order(
    watched: Watched,
) -> None:
    page = watched.trade()
    sent = count_orders(page)
    expect(page.locator(".ticket-account")).to_contain_text("Main desk")
    draft(page, side="buy", kind="limit", quantity="0.0704", price="50000")
    expect(page.locator("#submit")).to_contain_text("on Main desk")
    for link in ("#symbol-list a", "#open-rows td:nth-child(2) a"):
        for address in page.locator(link).evaluate_all("(all) => all.map((one) => one.pathname)"):
            assert address.startswith(f"/a/{ACCOUNT}/"), link
    page.press("#quantity", "Enter")
    expect(page.locator("#receipt-status")).to_have_text("Open")
    assert sent[0]["account_id"] == ACCOUNT


def test_figures_of_less_than_a_day_say_since_when(watched: Watched, turn: Turn) -> None:
    page = watched.trade("XRP-USD")
    expect(page.locator("[data-since=change]")).to_have_text("24\u202fh change")
    turn(symbol="XRP-USD", state="TRADING", since="2026-11-24T06:11:00.000000Z")
    expect(page.locator("[data-since=change]")).to_have_text("change since 06:11")
    turn(symbol="XRP-USD", state="TRADING", since=None)
    expect(page.locator("[data-since=change]")).to_have_text("24\u202fh change")


def test_an_ended_session_says_so_and_leads_to_the_log_in(watched: Watched) -> None:
    page = watched.page
    sockets: list[WebSocketRoute] = []

    def proxy(socket: WebSocketRoute) -> None:
        sockets.append(socket)
        socket.connect_to_server()

    page.route_web_socket("**/ws/orders", proxy)
    watched.trade()
    draft(page, side="buy", kind="limit", quantity="0.0705", price="50000")
    sockets[0].close(code=4401)
    expect(page.locator("#connection-text")).to_have_text("Logged out")
    expect(page.locator("#banner")).to_contain_text("Your session has ended")
    expect(page.locator("#banner-login")).to_be_visible()
    expect(page.locator("#submit")).to_have_attribute("aria-disabled", "true")


@pytest.mark.parametrize(("status", "code"), [(401, "not_authenticated"), (403, "csrf_failed")])
def test_an_order_without_a_session_leads_to_the_log_in(
    watched: Watched, status: int, code: str
) -> None:
    page = watched.trade()

    def refuse(route: Route) -> None:
        route.fulfill(status=status, json={"code": code, "detail": "Credentials are missing."})

    page.route("**/api/orders", refuse)
    place(page, side="buy", kind="limit", quantity="0.0706", price="50000")
    expect(page.locator("#banner-login")).to_be_visible()
    expect(page.locator("#banner")).not_to_contain_text("Credentials")


def test_somebody_else_logging_in_is_noticed(watched: Watched) -> None:
    page = watched.trade()
    context: BrowserContext = page.context
    other = context.new_page()
    other.goto(watched.base + "/nowhere/")
    other.evaluate("localStorage.setItem('oms.user', 'bob')")
    expect(page.locator("#banner")).to_contain_text("bob has logged in in this browser")
    expect(page.locator("#submit")).to_have_attribute("aria-disabled", "true")
    other.evaluate("localStorage.setItem('oms.user', 'trader')")


def test_draft_tab_and_interval_come_back(watched: Watched) -> None:
    """After a reload and after Back; an address carries nothing of it."""
    page = watched.trade()
    draft(page, side="sell", kind="limit", quantity="0.0707", price="91234.5")
    page.click(".tif label:has([value=ioc])")
    page.click("#tab-fills")
    page.click("[data-interval='15m']")
    for again in (page.reload, lambda: (page.goto(f"{watched.base}/orders/"), page.go_back())):
        again()
        page.wait_for_selector("#connection[data-state=live]")
        assert page.input_value("#price") == "91234.5"
        assert page.input_value("#quantity") == "0.0707"
        expect(page.locator("[value=sell]")).to_be_checked()
        expect(page.locator("[value=ioc]")).to_be_checked()
        expect(page.locator("#tab-fills")).to_have_attribute("aria-selected", "true")
        expect(page.locator("[data-interval='15m']")).to_have_attribute("aria-pressed", "true")
        assert "?" not in page.url


@pytest.mark.parametrize("watched", [{"forced_colors": "active"}], indirect=True)
def test_what_is_chosen_is_seen_in_the_systems_colours(watched: Watched) -> None:
    page = watched.trade()
    pairs = [
        (".sides .buy", ".sides .sell"), (".tabs-like label:nth-of-type(1)", ".tabs-like label:nth-of-type(2)"),
        (".tif label:has([value=gtc])", ".tif label:has([value=ioc])"), ("#tab-open", "#tab-fills"),
        ("[data-interval='1m']", "[data-interval='5m']"),
    ]  # fmt: skip
    look = "(one) => { const style = getComputedStyle(one); return [style.backgroundColor, style.outlineStyle]; }"
    assert watched.found() == []
    for chosen, other in pairs:
        assert page.locator(chosen).evaluate(look) != page.locator(other).evaluate(look), chosen

"""The pages in a real browser, over the mock: no complaints, no barriers, orders by keyboard."""

from decimal import Decimal
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, WebSocketRoute, expect

from oms_project.tests.eventually import eventually
from orders.tests.pages.acts import number, place
from orders.tests.pages.conftest import PHONE, Watched
from orders.tests.pages.mock_desk import OTHER

pytestmark = pytest.mark.browser
AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text()
PAGES = (
    "/",
    "/trade/HALT-USD/",
    f"/a/{OTHER}/trade/BTC-USD/",
    "/orders/",
    "/nowhere/",
    "/forbidden/",
)
SERIOUS = """async () => {
  const found = await axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]});
  return found.violations
    .filter((one) => ["serious", "critical"].includes(one.impact))
    .map((one) => `${one.id}: ${one.nodes.map((node) => node.target.join(" ")).slice(0, 4).join(" | ")}`);
}"""


def barriers(page: Page) -> list[str]:
    page.evaluate(AXE)
    return page.evaluate(SERIOUS)


@pytest.mark.parametrize("path", PAGES)
def test_page_renders_without_a_complaint(watched: Watched, path: str) -> None:
    """No console error, no uncaught error, nothing the content security policy had to stop."""
    page = watched.open(path)
    page.wait_for_load_state("networkidle") if path not in PAGES[
        :3
    ] else watched.page.wait_for_selector("#trade[data-ready=yes]")
    expect(page.locator("h1").first).to_be_attached()
    assert watched.found() == []


def test_policy_forbids_inline_and_foreign_scripts(watched: Watched) -> None:
    """What the other tests rely on: the header is there and as strict as promised."""
    answer = watched.page.goto(f"{watched.base}/login/")
    assert answer is not None
    policy = answer.headers["content-security-policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["script-src"] == "'self'"
    assert rules["style-src"] == "'self'"


@pytest.mark.parametrize("watched", [{}, {"viewport": PHONE}], indirect=True, ids=["desk", "phone"])
def test_no_serious_barrier_on_the_trading_page(watched: Watched) -> None:
    page = watched.trade()
    if page.locator("#phone-tabs").is_visible():
        page.click("#phone-tabs [data-panel=ticket]")
    place(page, side="buy", kind="limit", quantity="0.01", price="60000")
    expect(page.locator("#open-rows tr")).not_to_have_count(0)
    expect(page.locator("#receipt")).to_be_visible()
    assert barriers(page) == []
    if page.locator("#phone-tabs").is_visible():
        page.click("#phone-tabs [data-panel=blotter]")
    assert barriers(page) == []


@pytest.mark.parametrize("path", ["/orders/", "/nowhere/"])
def test_no_serious_barrier_on_other_pages(watched: Watched, path: str) -> None:
    assert barriers(watched.open(path)) == []


@pytest.mark.parametrize("watched", [{"storage_state": None}], indirect=True)
def test_no_serious_barrier_on_the_log_in_page(watched: Watched) -> None:
    page = watched.open("/")
    assert page.url.endswith("/login/?next=/")
    assert barriers(page) == []
    page.fill("#id_username", "trader")
    page.fill("#id_password", "wrong")
    page.press("#id_password", "Enter")
    expect(page.get_by_role("alert")).to_contain_text("do not match")
    assert barriers(page) == []
    assert watched.found() == []


def test_market_order_is_seen_filled_without_reload(watched: Watched) -> None:
    page = watched.trade()
    page.evaluate("window.same = true")
    place(page, side="buy", kind="market", quantity="0.0123")
    expect(page.locator("#receipt")).to_contain_text("0.0123 of 0.0123")
    expect(page.locator("#receipt-status")).to_have_text("Filled")
    page.click("#tab-fills")
    expect(page.locator("#fills-rows tr").first).to_contain_text("BTC-USD")
    page.click("#tab-history")
    expect(page.locator("#history-rows tr", has_text="0.0123").first).to_contain_text("Filled")
    page.click("#tab-positions")
    expect(page.locator("#positions-rows tr").first).to_contain_text("BTC-USD")
    assert page.evaluate("window.same")
    page.click("#receipt-link")
    expect(page.locator(".story li strong").first).to_have_text("Risk passed")
    assert watched.found() == []


def test_limit_order_rests_and_is_canceled(watched: Watched) -> None:
    page = watched.trade()
    place(page, side="buy", kind="limit", quantity="0.0456", price="50000")
    row = page.locator("#open-rows tr", has_text="0.0456")
    expect(row).to_contain_text("Open")
    row.get_by_role("button").click()
    expect(row).to_have_count(0)
    page.click("#tab-history")
    expect(page.locator("#history-rows tr", has_text="0.0456")).to_contain_text("Canceled")
    assert watched.found() == []


def test_two_enters_send_one_order(watched: Watched) -> None:
    """The second comes while the first is on its way; the server holds the first back until then."""
    page = watched.trade()
    held: list[Route] = []
    page.route("**/api/orders", lambda route: held.append(route))
    place(page, side="buy", kind="limit", quantity="0.0789", price="50000")
    page.press("#quantity", "Enter")
    page.press("#quantity", "Enter")
    expect(page.locator("#submit-label")).to_have_text("Sending…")
    expect(page.locator("#submit")).to_have_attribute("aria-disabled", "true")
    assert len(held) == 1
    held[0].continue_()
    expect(page.locator("#open-rows tr", has_text="0.0789")).to_have_count(1)


def test_unknown_outcome_is_retried_with_the_same_key(watched: Watched) -> None:
    page = watched.trade()
    keys: list[str] = []
    page.on(
        "request",
        lambda sent: (
            keys.append(sent.headers["idempotency-key"]) if sent.method == "POST" else None
        ),
    )
    place(page, side="buy", kind="limit", quantity="0.0777", price="50000")
    expect(page.locator("#order-error")).to_contain_text("never made twice")
    page.press("#quantity", "Enter")
    expect(page.locator("#submit-label")).to_contain_text("Buy")
    page.fill("#quantity", "0.0778")
    page.press("#quantity", "Enter")
    expect(page.locator("#open-rows tr", has_text="0.0778")).to_have_count(1)
    assert keys[0] == keys[1] != keys[2]


def test_a_refusal_stands_on_its_field(watched: Watched) -> None:
    """The browser's own check says what is nearest; the server's pointer finds its field too."""
    page = watched.trade()
    place(page, side="buy", kind="limit", quantity="0.01", price="50000.005")
    expect(page.locator("#price-error")).to_have_text(
        "Price must be a multiple of 0.01; nearest 50\u202f000.01."
    )
    expect(page.locator("#price")).to_be_focused()
    place(page, side="buy", kind="limit", quantity="0.0666", price="50000")
    expect(page.locator("#quantity-error")).to_have_text("Refused by the server: use 0.1.")
    expect(page.locator("#price-error")).to_be_hidden()


def test_max_leaves_the_fee(watched: Watched) -> None:
    """Max is what the worst case (taker fee) leaves room for; one lot more is told before sending."""
    page = watched.trade()
    page.click(".sides .buy")
    page.click(".tabs-like label:has([value=limit])")
    page.fill("#price", "50000")
    page.click("[data-share='100']")
    most = Decimal(page.input_value("#quantity"))
    free = number(page.locator("#available").inner_text())
    lot, worst = Decimal("0.0001"), Decimal("50000") * Decimal("1.001")
    assert most * worst <= free < (most + lot) * worst + Decimal("0.01")
    page.press("#quantity", "ArrowUp")
    page.press("#quantity", "Enter")
    expect(page.locator("#quantity-error")).to_contain_text("limited by the free USD, fee included")


def test_stream_resumes_where_it_broke(watched: Watched) -> None:
    """A dropped connection comes back by itself and asks for what it missed, without a reload."""
    page = watched.page
    sockets: list[WebSocketRoute] = []
    asked: list[str] = []

    def proxy(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()
        sockets.append(socket)
        socket.on_message(lambda text: (asked.append(str(text)), server.send(text)))

    page.route_web_socket("**/ws/orders", proxy)
    watched.trade()
    place(page, side="buy", kind="limit", quantity="0.0321", price="50000")
    expect(page.locator("#open-rows tr", has_text="0.0321")).to_contain_text("Open")
    watched.note_states()
    sockets[0].close(code=1012)
    eventually(lambda: "reconnecting" in watched.states(), 30)
    place(page, side="buy", kind="limit", quantity="0.0322", price="50000")
    expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    expect(page.locator("#open-rows tr", has_text="0.0322")).to_contain_text("Open")
    assert "reconnecting" in watched.states(), "it is still the page that saw it"
    subscribed = [text for text in asked if '"subscribe"' in text]
    assert "from_seq" not in subscribed[0]
    assert '"from_seq":' in subscribed[-1]


def test_outage_is_told_until_it_ends(watched: Watched) -> None:
    """While nothing can be reached a banner says that what is shown is old; then it goes."""
    page = watched.page
    open_sockets: list[WebSocketRoute] = []
    is_down = False

    def proxy(socket: WebSocketRoute) -> None:
        if is_down:
            socket.close(code=1012)
            return
        open_sockets.append(socket)
        socket.connect_to_server()

    page.route_web_socket("**/ws/*", proxy)
    watched.trade()
    expect(page.locator("#banner")).to_be_hidden()
    is_down = True
    for socket in open_sockets:
        socket.close(code=1012)
    expect(page.locator("#banner")).to_contain_text("Connection lost")
    expect(page.locator("#connection-text")).to_have_text("Reconnecting")
    is_down = False
    expect(page.locator("#connection-text")).to_contain_text("Live", timeout=20_000)
    expect(page.locator("#banner")).to_be_hidden()


@pytest.mark.parametrize("code", [4401, 4403])
def test_final_refusal_of_a_socket_is_not_retried(watched: Watched, code: int) -> None:
    """A session that has ended leads to the log-in; knocking again and again would not help."""
    page = watched.page
    knocks: list[WebSocketRoute] = []

    def refuse(socket: WebSocketRoute) -> None:
        knocks.append(socket)
        socket.close(code=code)

    page.route_web_socket("**/ws/orders", refuse)
    watched.open("/")
    expect(page.locator("#banner")).to_be_visible()
    expect(page.locator("#banner-login")).to_be_visible(visible=code == 4401)
    assert len(knocks) == 1


@pytest.mark.parametrize("watched", [{"java_script_enabled": False}], indirect=True)
def test_without_scripts_pages_are_read_and_orders_sent(watched: Watched) -> None:
    page = watched.page
    page.goto(f"{watched.base}/trade/BTC-USD/")
    assert page.locator("#book-asks tr").count() == 12
    page.locator("#book-bids a").first.click()
    expect(page.locator("[value=sell]")).to_be_checked()
    assert page.input_value("#price")
    page.click(".sides .buy")
    page.fill("#price", "50000")
    page.fill("#quantity", "0.0666")
    page.click("#submit")
    expect(page.locator("#quantity-error")).to_have_text("Refused by the server: use 0.1.")
    page.fill("#quantity", "0.0987")
    page.click("#submit")
    expect(page.locator("h1")).to_contain_text("Buy 0.0987")
    page.click("text=Cancel order")
    expect(page.locator(".headline")).to_contain_text("Cancel")
    expect(page.get_by_role("button", name="Cancel order")).to_have_count(0)


def test_ladder_price_goes_into_the_ticket_by_keyboard(watched: Watched) -> None:
    page = watched.trade()
    page.click(".tabs-like label:has([value=market])")
    page.locator("#book-frame button[tabindex='0']").focus()
    page.keyboard.press("ArrowDown")
    row = page.locator("#book-bids tr").first
    expect(row.get_by_role("button")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("[value=sell]")).to_be_checked()
    expect(page.locator("[value=limit]")).to_be_checked()
    assert page.input_value("#price")


def test_shortcuts_are_off_until_switched_on(watched: Watched) -> None:
    page = watched.trade()
    page.keyboard.press("s")
    expect(page.locator("[value=buy]")).to_be_checked()
    page.click("#user-menu summary")
    page.click("#keys-open")
    page.check("#keys-on")
    page.click("#keys button")
    page.keyboard.press("s")
    expect(page.locator("[value=sell]")).to_be_checked()
    expect(page.locator("#quantity")).to_be_focused()
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    expect(page.locator("#symbol-filter")).to_be_focused()


def test_orders_are_filtered_without_reload(watched: Watched) -> None:
    watched.trade()
    place(watched.page, side="sell", kind="limit", quantity="0.0135", price="90000")
    expect(watched.page.locator("#open-rows tr", has_text="0.0135")).to_be_visible()
    page = watched.open("/orders/")
    page.evaluate("window.same = true")
    page.select_option("#f-side", "buy")
    expect(page.locator("#orders-table", has_text="0.0135")).to_have_count(0)
    page.select_option("#f-side", "sell")
    expect(page.locator("#orders-table tbody tr", has_text="0.0135")).to_be_visible()
    assert page.evaluate("window.same")
    assert "side=sell" in page.url
    assert watched.found() == []


def test_an_order_that_ends_by_itself_shows_its_end(watched: Watched) -> None:
    """The field is there for GTD only, an hour ahead by itself; a market order never rests, and a limit
    order rests again as it did."""
    page = watched.trade()
    ends = page.locator("#expires_at")
    expect(ends).to_be_hidden()
    page.click(".tif label:has([value=gtd])")
    expect(ends).to_be_visible()
    assert page.input_value("#expires_at")
    page.click(".tabs-like label:has([value=market])")
    expect(ends).to_be_hidden()
    expect(page.locator(".tif label:has([value=day])")).to_be_hidden()
    page.click(".tabs-like label:has([value=limit])")
    expect(page.locator("[value=gtd]")).to_be_checked()
    page.fill("#price", "50000")
    page.fill("#quantity", "0.0127")
    page.fill("#expires_at", "")
    page.click("#submit")
    expect(page.locator("#expires_at-error")).to_have_text("Enter when it ends.")
    page.fill("#expires_at", "2099-12-31T18:30")
    page.click("#submit")
    expect(page.locator("#open-rows tr", has_text="0.0127")).to_contain_text("GTD 31 Dec 18:30")
    assert watched.found() == []


def test_each_type_asks_only_for_what_it_needs(watched: Watched) -> None:
    page = watched.trade()
    shown = {
        "limit": {"price"}, "market": set(), "stop": {"stop_price"},
        "stop_limit": {"stop_price", "price"}, "take_profit": {"stop_price"},
        "take_profit_limit": {"stop_price", "price"}, "trailing_stop": {"trail_amount"},
    }  # fmt: skip
    for kind, fields in shown.items():
        page.click(f".tabs-like label:has([value={kind}])")
        for name in ("price", "stop_price", "trail_amount"):
            assert page.locator(f"#{name}").is_visible() is (name in fields), (kind, name)
        waits_for_market = kind in ("stop", "take_profit", "trailing_stop")
        assert page.locator(".tif label:has([value=ioc])").is_visible() is not waits_for_market
        assert page.locator(".tif label:has([value=gtc])").is_visible() is (kind != "market")
    page.fill("#quantity", "0.0131")
    page.click("#submit")
    expect(page.locator("#trail_amount-error")).to_have_text("Enter a distance.")
    page.fill("#trail_amount", "150")
    page.select_option("[name=trail_in]", "bps")
    expect(page.locator("#submit-label")).to_have_text("Buy 0.0131 BTC at market, trailing 150 bp")
    page.click(".tabs-like label:has([value=stop_limit])")
    page.fill("#stop_price", "90000")
    page.fill("#price", "90100")
    expect(page.locator("#submit-label")).to_contain_text("when 90")
    assert watched.found() == []

"""axe finds nothing serious or moderate on the trading page, in whatever state it is."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from orders.tests.pages.acts import draft, place
from orders.tests.pages.conftest import PHONE, Turn, Watched
from orders.tests.pages.test_news import reject
from orders.tests.pages.test_one_press import flat, open_position

pytestmark = pytest.mark.browser
AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text()
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
FIND = """async (tags) => {
  const found = await axe.run(document, { runOnly: tags });
  return found.violations
    .filter((one) => one.impact !== "minor")
    .map((one) => `${one.impact} ${one.id}: ${one.nodes.map((node) => node.target.join(" ")).slice(0, 4).join(" | ")}`);
}"""


def barriers(page: Page) -> list[str]:
    if not page.evaluate("Boolean(window.axe)"):
        page.evaluate(AXE)
    return page.evaluate(FIND, TAGS)


def test_every_tab_with_something_in_it(watched: Watched) -> None:
    page = watched.trade()
    flat(page)
    open_position(page, "buy", "0.05")
    place(page, side="buy", kind="limit", quantity="0.06", price="50000")
    expect(page.locator("#receipt-status")).to_have_text("Open")
    for tab in ("open", "positions", "balances", "fills", "history"):
        page.click(f"#tab-{tab}")
        assert barriers(page) == [], tab


def test_every_sheet_and_menu(watched: Watched) -> None:
    page = watched.trade()
    flat(page)
    open_position(page, "buy", "0.05")
    for opened, closed in (
        ("#symbol-menu summary", "Escape"), ("#bell summary", "Escape"), ("#account-menu summary", "Escape"),
        ("#user-menu summary", "Escape"), ("#flatten", "Escape"), ("[data-close=BTC-USD]", "Escape"),
    ):  # fmt: skip
        page.click("#tab-positions")
        page.click(opened)
        assert barriers(page) == [], opened
        page.keyboard.press(closed)
    place(page, side="buy", kind="limit", quantity="0.01", price="90000")
    expect(page.locator("#ask")).to_be_visible()
    assert barriers(page) == []
    page.keyboard.press("Escape")
    page.keyboard.press("Tab")
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    assert barriers(page) == []


def test_errors_toasts_and_a_halt(watched: Watched, turn: Turn) -> None:
    page = watched.trade()
    place(page, side="sell", kind="limit", quantity="0.01", price="50000.005")
    expect(page.locator("#price-error")).to_be_visible()
    assert barriers(page) == []
    reject(page, 4)
    expect(page.locator(".toast")).to_have_count(3)
    assert barriers(page) == []
    draft(page, side="sell", kind="market", quantity="0.01")
    assert barriers(page) == []
    turn(state="HALTED")
    expect(page.locator("#banner")).to_be_visible()
    assert barriers(page) == []


@pytest.mark.parametrize("watched", [{"viewport": PHONE}], indirect=True)
def test_every_panel_of_the_phone(watched: Watched) -> None:
    page = watched.trade()
    for panel in ("chart", "book", "ticket", "blotter", "account"):
        page.click(f"#phone-tabs [data-panel={panel}]")
        assert barriers(page) == [], panel


@pytest.mark.parametrize(
    "watched",
    [{"viewport": {"width": 820, "height": 1180}}, {"viewport": {"width": 1920, "height": 1080}}],
    indirect=True,
    ids=["tablet", "wide"],
)
def test_other_sizes(watched: Watched) -> None:
    assert barriers(watched.trade()) == []


def test_a_halted_symbol_and_a_viewer(watched: Watched) -> None:
    assert barriers(watched.open("/trade/HALT-USD/")) == []

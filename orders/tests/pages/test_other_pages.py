"""Every page besides the trading page: no barrier, no complaint, the look of one product."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from orders.domain import demo
from orders.tests.pages.conftest import DESKTOP, Watched, watch
from orders.tests.pages.test_barriers import barriers
from orders.tests.pages.test_product import PATIENCE_MS, Up, up  # noqa: F401

pytestmark = pytest.mark.browser
ACCOUNT = f"/admin/access/account/{demo.ACCOUNTS[0].account_id}/"
PAGES = {
    "alice": ("/orders/", "/positions/", "/password/", "/api/docs/", "/nowhere/"),
    "rita": ("/positions/", "/orders/", f"{ACCOUNT}change/"),
    "olga": ("/ops/",),
    "admin": (
        "/admin/", "/admin/access/account/", "/admin/access/user/", "/admin/access/user/add/",
        "/admin/marketdata/instrument/", "/admin/marketdata/instrument/BTC-USD/change/",
        f"{ACCOUNT}adjust/", f"{ACCOUNT}history/",
    ),
}  # fmt: skip
Enter = Callable[[str], Watched]


@pytest.fixture
def enter(chromium: Browser, up: Up) -> Iterator[Enter]:  # noqa: F811
    """Log somebody in; their page listens to what is complained about."""
    contexts = []

    def log_in(name: str) -> Watched:
        context = chromium.new_context(viewport=DESKTOP)
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        watched = watch(context, up.url)
        if name:
            page = watched.open("/login/")
            page.fill("#id_username", name)
            page.fill("#id_password", demo.PASSWORD)
            page.press("#id_password", "Enter")
            page.wait_for_selector("#user-menu", state="attached")
        return watched

    yield log_in
    for context in contexts:
        context.close()


def look(watched: Watched, path: str) -> Page:
    page = watched.open(path)
    page.wait_for_load_state("networkidle") if "docs" in path else page.wait_for_load_state()
    assert watched.found() == [], path  # before axe, whose own styles the policy stops
    return page


@pytest.mark.parametrize("name", PAGES)
def test_no_barrier_and_no_complaint(enter: Enter, name: str) -> None:
    watched = enter(name)
    for path in PAGES[name]:
        page = look(watched, path)
        expect(page.locator(".simulated").first).to_be_visible()
        assert barriers(page) == [], path
        watched.complaints.clear()


@pytest.mark.parametrize("path", ["/login/", "/admin/login/"])
def test_no_barrier_before_the_log_in(enter: Enter, path: str) -> None:
    assert barriers(look(enter(""), path)) == []


@pytest.mark.parametrize(
    ("name", "heading"), [("rita", "Positions"), ("olga", "Operations"), ("admin", "Operations")]
)
def test_the_log_in_leads_to_the_page_of_the_role(enter: Enter, name: str, heading: str) -> None:
    page = enter(name).page
    expect(page.locator("h1")).to_have_text(heading)

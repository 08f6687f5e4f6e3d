"""manage.py screenshots: pictures of the real pages, taken from a product of its own."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from oms_project import env
from oms_project.adapters import chromium
from oms_project.adapters.clock import NS_PER_S, SystemClock
from oms_project.adapters.servers import HOST, free_port
from orders.domain import demo

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

DESKTOP: Final = {"width": 1440, "height": 900}
PHONE: Final = {"width": 390, "height": 844}
OTHER: Final = {"tablet": {"width": 820, "height": 1180}, "wide": {"width": 1920, "height": 1080}}
START_S: Final = 240
PRICES_MS: Final = 45_000
"""How long the chart is left to draw a line worth looking at."""
SETTLE_MS: Final = 500


class Command(BaseCommand):
    help = (
        "Take pictures of the real pages: starts a product in a folder of its own, trades a little "
        "as a person would, ends it.\n\n  manage.py screenshots --folder docs/images"
    )

    def add_arguments(self, parser) -> None:
        parser.add_argument("--folder", type=Path, default=settings.BASE_DIR / "docs" / "images")

    def handle(self, *, folder: Path, **_: object) -> None:
        try:
            path = chromium.path()
        except LookupError as error:
            raise CommandError(str(error)) from error
        try:
            from playwright.sync_api import sync_playwright
        except ImportError as error:
            raise CommandError("Playwright is needed: make setup-dev") from error
        folder.mkdir(parents=True, exist_ok=True)
        with product() as url, sync_playwright() as play:
            browser = play.chromium.launch(executable_path=path, args=chromium.FLAGS)
            for name in take(browser, url, folder):
                self.stdout.write(f"{folder / name}.png")
            browser.close()


@contextmanager
def product() -> Iterator[str]:
    """Run `manage.py up` over an empty folder; yield its address."""
    port, clock = free_port(), SystemClock()
    with tempfile.TemporaryDirectory(prefix="oms-pictures-", ignore_cleanup_errors=True) as data:
        command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "up", "--port", str(port)]
        variables = env.child(OMS_DATA_DIR=data)
        process = subprocess.Popen(command, env=variables, stderr=subprocess.DEVNULL)
        try:
            deadline_ns = clock.monotonic_ns() + START_S * NS_PER_S
            while not _is_ready(port):
                if process.poll() is not None or clock.monotonic_ns() > deadline_ns:
                    raise CommandError("The product did not start; try `manage.py up` to see why.")
            yield f"http://{HOST}:{port}"
        finally:
            process.terminate()
            process.wait()


def _is_ready(port: int) -> bool:
    connection = HTTPConnection(HOST, port, timeout=1)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def take(browser: "Browser", url: str, folder: Path) -> Iterator[str]:
    """Take every picture; yield its name."""
    context = browser.new_context(viewport=DESKTOP)
    page = context.new_page()
    page.goto(f"{url}/login/")
    yield _save(page, folder, "login")
    page.fill("#id_username", "alice")
    page.fill("#id_password", demo.PASSWORD)
    page.press("#id_password", "Enter")
    page.wait_for_selector("#connection[data-state=live]")
    page.wait_for_timeout(PRICES_MS)
    _trade(page)
    yield _save(page, folder, "trading")
    page.click("#tab-history")
    page.locator("#history-rows .time a").first.click()
    page.wait_for_selector(".story li >> nth=2")
    yield _save(page, folder, "order")
    page.goto(f"{url}/orders/")
    yield _save(page, folder, "orders")
    yield from _phone(browser, context, url, folder)
    yield from _other(browser, context, url, folder)


def _trade(page: "Page") -> None:
    """Buy at the market, sell some of it, and leave two orders in the book."""
    for side, quantity in (("buy", "0.75"), ("sell", "0.2"), ("buy", "0.35")):
        page.click(".tabs-like label:has([value=market])")
        page.click(f".sides .{side}")
        page.fill("#quantity", quantity)
        page.press("#quantity", "Enter")
        page.wait_for_selector(f"#receipt:has-text('{quantity} of {quantity}')")
    for row, quantity in ((4, "1.25"), (8, "2.5")):
        page.locator("#book-bids tr").nth(row).click()
        page.click(".sides .buy")
        page.fill("#quantity", quantity)
        page.press("#quantity", "Enter")
        page.wait_for_selector(f"#receipt:has-text('Open'):has-text('{quantity} BTC')")
    page.wait_for_timeout(SETTLE_MS)


def _phone(browser: "Browser", context: "BrowserContext", url: str, folder: Path) -> Iterator[str]:
    phone = browser.new_context(
        viewport=PHONE, storage_state=context.storage_state(), device_scale_factor=2,
        has_touch=True, is_mobile=True,
    )  # fmt: skip
    page = phone.new_page()
    page.goto(f"{url}/trade/BTC-USD/")
    page.wait_for_selector("#connection[data-state=live]")
    page.wait_for_selector("#chart-empty", state="hidden")
    page.wait_for_timeout(SETTLE_MS)
    for panel in ("chart", "book", "ticket", "blotter"):
        page.click(f"#phone-tabs [data-panel={panel}]")
        yield _save(page, folder, f"phone-{panel}")


def _other(browser: "Browser", context: "BrowserContext", url: str, folder: Path) -> Iterator[str]:
    for name, size in OTHER.items():
        page = browser.new_context(viewport=size, storage_state=context.storage_state()).new_page()
        page.goto(f"{url}/trade/BTC-USD/")
        page.wait_for_selector("#connection[data-state=live]")
        page.wait_for_selector("#chart-empty", state="hidden")
        page.wait_for_timeout(SETTLE_MS)
        yield _save(page, folder, name)


def _save(page: "Page", folder: Path, name: str) -> str:
    page.screenshot(path=folder / f"{name}.png")
    return name

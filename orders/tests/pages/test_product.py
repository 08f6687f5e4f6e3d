"""The whole product as `manage.py up` runs it, driven from a browser: the main job, end to end."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Response, expect

from oms_project import env
from oms_project.adapters.servers import HOST, free_port
from oms_project.tests.eventually import eventually
from orders.domain import demo
from orders.tests.pages.conftest import DESKTOP, ROOT, Watched, watch

pytestmark = pytest.mark.browser
START_S = 240
PATIENCE_MS = 30_000
ROLES = "engine,projector,marketdata,web"
LIBRARY = "lightweight-charts"


class Up:
    """`manage.py up` in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"http://{HOST}:{self.port}"
        self._log = folder / "up.log"
        command = [sys.executable, "manage.py", "up", "--port", str(self.port), "--only", ROLES]
        with self._log.open("wb") as output:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=env.child(OMS_DATA_DIR=str(folder), OMS_HISTORY_HOURS="1"), stdout=output,
                stderr=output, start_new_session=True,
            )  # fmt: skip

    def is_ready(self) -> bool:
        assert self.process.poll() is None, self._log.read_text()
        connection = HTTPConnection(HOST, self.port, timeout=2)
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()

    def kill_web(self) -> None:
        """SIGKILL the web role; `up` starts it again by itself."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        web = [pid for pid in children.split() if b"run_web" in _command(pid)]
        assert len(web) == 1
        subprocess.run(["kill", "-KILL", web[0]], check=True)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


def _command(pid: str) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


@pytest.fixture(scope="module")
def up(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """Started only where there is a browser to drive it."""
    started = Up(tmp_path_factory.mktemp("product"))
    try:
        eventually(started.is_ready, START_S)
        yield started
    finally:
        started.stop()


@pytest.fixture
def alice(chromium: Browser, up: Up) -> Iterator[Watched]:
    """Alice at her desk, on the trading page, everything live."""
    context = chromium.new_context(viewport=DESKTOP)
    context.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    watched = watch(context, up.url)
    page = watched.open("/login/")
    page.fill("#id_username", "alice")
    page.fill("#id_password", demo.PASSWORD)
    page.press("#id_password", "Enter")
    page.wait_for_url("**/")
    watched.trade()
    expect(page.locator("#equity")).not_to_have_text("–")
    yield watched
    expect.set_options(timeout=None)
    context.close()


def send(page: Page, *, side: str, kind: str, quantity: str, price: str = "") -> None:
    page.click(f".sides .{side}")
    page.click(f".tabs-like label:has([value={kind}])")
    if price:
        page.fill("#price", price)
    page.fill("#quantity", quantity)
    page.press("#quantity", "Enter")


def test_orders_are_placed_filled_and_canceled_without_reload(alice: Watched) -> None:
    """A market order fills, a limit order rests and is canceled; the order page knows why."""
    page = alice.page
    page.evaluate("window.same = true")
    send(page, side="buy", kind="market", quantity="0.0123")
    expect(page.locator("#receipt")).to_contain_text("0.0123 of 0.0123")
    expect(page.locator("#receipt-status")).to_have_text("Filled")
    page.click("#tab-positions")
    expect(page.locator("#positions-rows tr", has_text="BTC-USD")).to_contain_text("+0.0123")
    page.click("#tab-fills")
    expect(page.locator("#fills-rows tr").first).to_contain_text("Taker")
    page.click("#tab-open")
    send(page, side="buy", kind="limit", quantity="0.0456", price="50000")
    row = page.locator("#open-rows tr", has_text="0.0456")
    expect(row).to_contain_text("Open")
    row.get_by_role("button").click()
    expect(row).to_have_count(0)
    send(page, side="sell", kind="limit", quantity="0.01", price="900000")
    expect(page.locator("#receipt[data-kind=bad]")).to_contain_text("too far from the market")
    page.click("#tab-history")
    expect(page.locator("#history-rows tr", has_text="0.0456")).to_contain_text("Canceled")
    assert page.evaluate("window.same")
    assert alice.found() == []
    page.locator("#history-rows tr", has_text="0.0123").locator(".time a").click()
    expect(page.locator(".story li")).to_contain_text(["Risk passed", "Accepted", "Fill"])


def test_page_goes_on_after_the_server_was_killed(alice: Watched, up: Up) -> None:
    """SIGKILL of the web role: the page says so, comes back by itself, and nothing happened twice."""
    page = alice.page
    alice.note_states()
    send(page, side="buy", kind="limit", quantity="0.0321", price="50000")
    expect(page.locator("#open-rows tr", has_text="0.0321")).to_contain_text("Open")
    up.kill_web()
    eventually(lambda: "reconnecting" in alice.states(), 30)
    expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    expect(page.locator("#banner")).to_be_hidden()
    send(page, side="buy", kind="limit", quantity="0.0322", price="50000")
    expect(page.locator("#open-rows tr", has_text="0.0322")).to_have_count(1)
    expect(page.locator("#open-rows tr", has_text="0.0321")).to_have_count(1)
    page.click("#cancel-all")
    page.click("#ask button[value=all]")
    expect(page.locator("#open-rows tr")).to_have_count(0)
    assert "reconnecting" in alice.states(), "it is still the page that saw it"
    assert [said for said in alice.found() if "WebSocket connection" not in said] == []


def test_cold_trading_page_is_small_and_its_files_are_kept(alice: Watched) -> None:
    """Page and own files under 130 kB on the wire (besides: the library that draws candles, market data);
    what is named by its content is asked for once."""
    context = alice.page.context
    page = context.new_page()
    wire = context.new_cdp_session(page)
    wire.send("Network.enable")
    wire.send("Network.setCacheDisabled", {"cacheDisabled": True})
    urls: dict[str, str] = {}
    sizes: dict[str, float] = {}
    wire.on(
        "Network.responseReceived",
        lambda seen: urls.update({seen["requestId"]: seen["response"]["url"]}),
    )
    wire.on(
        "Network.loadingFinished",
        lambda seen: sizes.update({urls.get(seen["requestId"], ""): seen["encodedDataLength"]}),
    )
    kept: list[str] = []

    def look(answer: Response) -> None:
        if "/static/" in answer.url:
            kept.append(answer.headers["cache-control"])

    page.on("response", look)
    page.goto(f"{alice.base}/trade/BTC-USD/")
    page.wait_for_selector("#connection[data-state=live]")
    own = {url: n for url, n in sizes.items() if LIBRARY not in url and "/api/" not in url}
    assert sum(own.values()) < 130_000, sorted(own.items(), key=lambda one: -one[1])[:8]
    assert len(kept) > 10
    assert all("immutable" in said for said in kept), kept

"""Chromium and the mock server, one of each a module; what a page complains about fails its test."""

import contextlib
import json
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from oms_project import env
from oms_project.adapters.servers import HOST, free_port
from oms_project.tests.eventually import eventually
from oms_project.tests.servers import unavailable

ROOT = Path(__file__).parents[3]
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
DESKTOP = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}
WATCH_CSP = """
window.violations = [];
addEventListener("securitypolicyviolation",
  (event) => window.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
"""
Turn = Callable[..., None]
NOTE_STATES = """
() => {
  const badge = document.querySelector("#connection");
  window.states = [];
  new MutationObserver(() => window.states.push(badge.dataset.state))
    .observe(badge, { attributeFilter: ["data-state"] });
}
"""


@dataclass
class Watched:
    """A page and everything it complained about."""

    page: Page
    base: str
    complaints: list[str] = field(default_factory=list)

    def open(self, path: str) -> Page:
        self.page.goto(self.base + path)
        return self.page

    def trade(self, symbol: str = "BTC-USD") -> Page:
        """Open the trading page and wait until its scripts and its streams are there."""
        self.open(f"/trade/{symbol}/")
        self.page.wait_for_selector("#connection[data-state=live]")
        self.page.wait_for_selector("#book-asks tr[data-price]", state="attached")
        return self.page

    def note_states(self) -> None:
        """Keep every state the connection badge shows from now on: they may be short."""
        self.page.evaluate(NOTE_STATES)

    def states(self) -> list[str]:
        """Return the states since `note_states`."""
        return self.page.evaluate("window.states")

    def found(self) -> list[str]:
        """Return what was complained about so far, CSP violations of this page included."""
        violations = self.page.evaluate("window.violations ?? []")
        return self.complaints + [f"CSP: {text}" for text in violations]


@pytest.fixture(scope="module")
def mock_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The mock's address, its state fresh for the module."""
    folder, port = tmp_path_factory.mktemp("mock"), free_port()
    command = [
        sys.executable, "-m", "uvicorn", "orders.tests.pages.mock_server:application",
        "--host", HOST, "--port", str(port), "--log-level", "warning",
    ]  # fmt: skip
    variables = env.child(
        DJANGO_SETTINGS_MODULE="orders.tests.pages.mock_settings", OMS_DATA_DIR=str(folder)
    )
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=variables, stdout=output, stderr=output)
    try:
        eventually(lambda: process.poll() is not None or _answers(port), 30)
        assert process.poll() is None, log.read_text()
        yield f"http://{HOST}:{port}"
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((HOST, port), 1):
        return True
    return False


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    path = env.service_for_tests("CHROMIUM") or next(filter(None, map(shutil.which, CHROMIUM)), "")
    if not path:
        unavailable("Chromium is not installed (Debian: apt-get install chromium)")
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def session(chromium: Browser, mock_server: str) -> dict[str, object]:
    """The cookies of a logged-in trader."""
    context = chromium.new_context()
    page = context.new_page()

    def logged_in() -> bool:
        """A busy machine hashes no password within the door's patience, and says so."""
        page.goto(f"{mock_server}/login/")
        page.fill("#id_username", "trader")
        page.fill("#id_password", "trader-demo-1")
        with page.expect_navigation():
            page.press("#id_password", "Enter")
        return page.locator("#trade").count() == 1

    eventually(logged_in, 120)
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def watched(
    chromium: Browser, mock_server: str, session: dict[str, object], request: pytest.FixtureRequest
) -> Iterator[Watched]:
    """A page of a logged-in trader. Parameters of the context can be given indirectly."""
    options = getattr(request, "param", {})
    context = chromium.new_context(**{"viewport": DESKTOP, "storage_state": session, **options})
    context.set_default_timeout(10_000)
    yield watch(context, mock_server)
    context.close()


def watch(context: BrowserContext, base: str) -> Watched:
    """Open a page in *context* and listen to what it complains about."""
    context.add_init_script(WATCH_CSP)
    watched = Watched(context.new_page(), base)
    watched.page.on("pageerror", lambda error: watched.complaints.append(f"error: {error}"))
    watched.page.on("console", lambda message: _heard(watched, message.type, message.text))
    return watched


def _heard(watched: Watched, kind: str, text: str) -> None:
    # Chromium reports every answer from 400 on; the tests that provoke one look at it themselves.
    if kind in {"error", "warning"} and not text.startswith("Failed to load resource"):
        watched.complaints.append(f"{kind}: {text}")


@pytest.fixture
def turn(mock_server: str) -> Iterator[Turn]:
    """What the risk desk does meanwhile: turn(state="HALTED"), turn(symbol=…, state=…), turn(max_order_value=…)."""
    symbols: set[str] = set()

    def tell(**asked: Any) -> None:
        request = Request(f"{mock_server}/turn/", json.dumps(asked).encode(), method="POST")
        with urlopen(request) as answer:
            assert answer.status == 200

    def turned(*, state: str = "ACTIVE", symbol: str = "", **more: Any) -> None:
        if symbol:
            symbols.add(symbol)
            tell(symbol=symbol, state=state, **more)
        else:
            tell(state=state, limits={"max_order_value": None, **more})

    yield turned
    turned()
    for symbol in symbols:
        turned(symbol=symbol, state="TRADING", since=None)

"""bench page: what the trading page costs its reader: bytes, main thread, long tasks, press to painted fill.

In a real Chromium against a product of its own. Needs what `make setup` installs for the tests.
"""

from typing import TYPE_CHECKING, Any, Final

from oms_project.adapters import chromium
from orders.bench import workload
from orders.bench.product import Product
from orders.bench.result import Result

if TYPE_CHECKING:
    from playwright.sync_api import CDPSession, Page

ORDERS: Final = 30
WIRE_KB_MAX: Final = 210
"""130 of our own, the library that draws the candles, and the first prices."""
MAIN_MS_A_S_MAX: Final = 60
TASK_MS_MAX: Final = 50
FILL_MS_MAX: Final = 80
SETTLE_MS: Final = 5_000
"""Until a page that was opened has its history, its fonts and its first minute of prices drawn."""

_WATCH = """
window.longest = 0;
new PerformanceObserver((seen) => {
  for (const one of seen.getEntries()) window.longest = Math.max(window.longest, one.duration);
}).observe({ type: "longtask" });
"""
_WATCH_FILL = """
(quantity) => {
  const receipt = document.querySelector("#receipt");
  let begun = 0;
  addEventListener("keydown", () => (begun = performance.now()), { capture: true, once: true });
  window.filled = new Promise((done, fail) => {
    const watch = new MutationObserver(() => {
      const told = receipt.textContent;
      if (!begun || !told.includes("illed") || !told.includes(quantity)) return;
      watch.disconnect();
      requestAnimationFrame(() => setTimeout(() => done(performance.now() - begun)));
    });
    watch.observe(receipt, { childList: true, characterData: true, subtree: true });
    setTimeout(() => fail(new Error(`not filled: ${receipt.textContent}`)), 10000);
  });
  window.filled.catch(() => {});
}
"""


def measure(running: Product, seconds: int) -> Result:
    """Open the page cold, leave it alone for *seconds*, then trade on it.

    Raises:
        LookupError: there is no Chromium.
    """
    from playwright.sync_api import sync_playwright

    path = chromium.path()
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=path, args=chromium.FLAGS)
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        page = context.new_page()
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.add_init_script(_WATCH)
        page.goto(f"http://127.0.0.1:{running.port}/login/")
        page.fill("#id_username", "bench")
        page.fill("#id_password", workload.PASSWORD)
        wire = context.new_cdp_session(page)
        wire_bytes = _count_bytes(wire)
        page.press("#id_password", "Enter")
        _ready(page)
        loaded_kb = sum(wire_bytes) // 1024
        main_ms, longest_ms = _alone(page, wire, seconds)
        fills = sorted(_fills(page))
        browser.close()
    found = {
        f"wire_kb ({WIRE_KB_MAX})": (loaded_kb, WIRE_KB_MAX),
        f"main_ms_a_s ({MAIN_MS_A_S_MAX})": (round(main_ms, 1), MAIN_MS_A_S_MAX),
        f"longest_task_ms ({TASK_MS_MAX})": (round(longest_ms), TASK_MS_MAX),
        f"press_to_painted_fill_ms ({FILL_MS_MAX})": (round(fills[len(fills) // 2]), FILL_MS_MAX),
    }
    wrong = [f"{name}: {value}" for name, (value, most) in found.items() if value > most]
    notes: dict[str, Any] = {name: value for name, (value, _) in found.items()}
    notes |= {"fills_ms": f"{fills[0]:.0f} to {fills[-1]:.0f}", "complaints": complaints}
    return Result(
        scenario="page", orders=len(fills), seconds=seconds, orders_per_s=0, wrong=wrong + complaints,
        verified=not wrong and not complaints, rss_mb=running.rss_mb(), notes=notes,
    )  # fmt: skip


def _count_bytes(wire: "CDPSession") -> list[int]:
    """Count what comes over the wire from now on, as it comes: compressed, with heads."""
    found: list[int] = []
    wire.send("Network.enable")
    wire.send("Network.clearBrowserCache")
    wire.send("Performance.enable")
    wire.on("Network.loadingFinished", lambda seen: found.append(int(seen["encodedDataLength"])))
    return found


def _ready(page: "Page") -> None:
    page.wait_for_selector("#connection[data-state=live]")
    page.wait_for_selector("#book-asks tr[data-price]", state="attached")
    page.wait_for_timeout(SETTLE_MS)


def _main_s(wire: "CDPSession") -> float:
    metrics = wire.send("Performance.getMetrics")["metrics"]
    return next(float(one["value"]) for one in metrics if one["name"] == "TaskDuration")


def _alone(page: "Page", wire: "CDPSession", seconds: int) -> tuple[float, float]:
    """Return milliseconds of the main thread a second, and the longest task, while nobody touches it."""
    page.evaluate("window.longest = 0")
    before = _main_s(wire)
    page.wait_for_timeout(seconds * 1_000)
    return (_main_s(wire) - before) * 1_000 / seconds, float(page.evaluate("window.longest"))


def _fills(page: "Page") -> list[float]:
    """Return milliseconds from the press to the frame with the fill, a market order at a time."""
    page.click(".tabs-like label:has([value=market])")
    found = []
    for number in range(ORDERS):
        page.click(f".sides .{'buy' if number % 2 else 'sell'}")
        quantity = f"0.0{111 + number + number // 9}"  # none ends in a zero, which is not shown
        page.fill("#quantity", quantity)
        page.focus("#quantity")
        page.evaluate(_WATCH_FILL, quantity)
        page.keyboard.press("Enter")
        found.append(float(page.evaluate("() => window.filled")))
    return found

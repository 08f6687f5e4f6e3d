"""What a trader does on the page, and what the desk around them does: shared by the browser tests."""

from decimal import Decimal
from typing import Any

from playwright.sync_api import Page

THIN = "\u202f"


def draft(page: Page, *, side: str, kind: str, quantity: str, price: str = "") -> None:
    """Fill the ticket; the focus is on the quantity."""
    page.click(f".sides .{side}")
    page.click(f".tabs-like label:has([value={kind}])")
    if price:
        page.fill("#price", price)
    page.fill("#quantity", quantity)
    page.focus("#quantity")


def place(page: Page, *, side: str, kind: str, quantity: str, price: str = "") -> None:
    """Fill the ticket and send it with the keyboard."""
    draft(page, side=side, kind=kind, quantity=quantity, price=price)
    page.press("#quantity", "Enter")


def number(text: str) -> Decimal:
    """Read a number as the page shows it."""
    return Decimal(text.replace(THIN, "").replace("\u2212", "-").strip())


def count_orders(page: Page) -> list[dict[str, Any]]:
    """Return the bodies of the orders this page sends, filled as they are sent."""
    sent: list[dict[str, Any]] = []

    def note(request: Any) -> None:
        if request.method == "POST" and request.url.endswith("/api/orders"):
            sent.append(request.post_data_json)

    page.on("request", note)
    return sent


def hold_down(page: Page, key: str, repeats: int) -> None:
    """Hold a key: one press and the repeats the keyboard makes of it."""
    client = page.context.new_cdp_session(page)
    text = "\r" if key == "Enter" else ""
    common = {"key": key, "code": key, "windowsVirtualKeyCode": 13, "text": text}
    for index in range(repeats + 1):
        client.send(
            "Input.dispatchKeyEvent", {"type": "keyDown", "autoRepeat": index > 0, **common}
        )
        page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
    client.send("Input.dispatchKeyEvent", {"type": "keyUp", **common})

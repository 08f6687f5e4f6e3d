"""How numbers, times and words look in templates. static/js/format.js prints the same.

Template builtins (settings.TEMPLATES): `{{ order.price|num:places }}`.
"""

from collections.abc import Mapping
from typing import Any

from django import template
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from orders.pages import reasons

register = template.Library()

THIN = "\u202f"  # narrow and never broken across lines
MINUS = "\u2212"
NOTHING = "–"
STATUS = {
    "NEW": "New",
    "TRIGGER_PENDING": "Waiting",
    "ACCEPTED": "Open",
    "PARTIALLY_FILLED": "Partly filled",
    "PENDING_CANCEL": "Canceling",
    "FILLED": "Filled",
    "CANCELED": "Canceled",
    "EXPIRED": "Expired",
    "REJECTED": "Rejected",
}
TYPES = {
    "limit": "Limit", "market": "Market", "stop": "Stop", "stop_limit": "Stop limit",
    "take_profit": "Take profit", "take_profit_limit": "TP limit", "trailing_stop": "Trailing",
}  # fmt: skip
_MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec"


def split(text: str, places: int = 0, *, signed: bool = False) -> tuple[str, str]:
    """Return (bright part, dimmed trailing zeros) of a decimal text, grouped by thin spaces."""
    negative = text.startswith("-")
    whole, _, fraction = text.lstrip("-").partition(".")
    kept = fraction.rstrip("0")
    zeros = "0" * max(0, places - len(kept))
    grouped = f"{int(whole or '0'):,}".replace(",", THIN)
    is_zero = not kept and grouped == "0"
    lead = MINUS if negative and not is_zero else "+" if signed and not is_zero else ""
    if kept:
        return f"{lead}{grouped}.{kept}", zeros
    return f"{lead}{grouped}", f".{zeros}" if zeros else ""


def _number(text: str | None, places: int, *, signed: bool) -> SafeString | str:
    if text is None or text == "":
        return NOTHING
    bright, zeros = split(str(text), places or 0, signed=signed)
    if zeros:
        return format_html('{}<span class="z">{}</span>', bright, zeros)
    return format_html("{}", bright)


@register.simple_tag
def trade_url(account: Mapping[str, str] | None, symbol: str) -> str:
    """The trading page of *symbol* on that account: every link carries the account it is about."""
    if not account:
        return reverse("market", args=[symbol])
    return reverse("trade", args=[account["account_id"], symbol])


@register.filter
def num(text: str | None, places: int = 0) -> SafeString | str:
    """A decimal with at least *places* decimals, trailing zeros dimmed."""
    return _number(text, places, signed=False)


@register.filter
def signed(text: str | None, places: int = 0) -> SafeString | str:
    """As num, with a plus sign for what is above zero."""
    return _number(text, places, signed=True)


@register.filter
def tone(text: str | None) -> str:
    """The class of a number that is good or bad: up, down or nothing."""
    if not text or not str(text).strip("-0."):
        return ""
    return "down" if str(text).startswith("-") else "up"


@register.filter
def cents(text: str | None) -> str | None:
    """Cut a decimal to two decimals: profit is read at a glance."""
    return cut(text, 2)


@register.filter
def cut(text: str | None, places: int) -> str | None:
    """Cut a decimal to that many decimals."""
    if not text:
        return text
    whole, _, fraction = str(text).partition(".")
    return f"{whole}.{fraction[:places]}"


@register.filter
def code(text: str) -> SafeString:
    """Escape a text; what stands between backticks is code."""
    parts = text.split("`")
    rows = (
        (format_html("<code>{}</code>" if at % 2 else "{}", part),) for at, part in enumerate(parts)
    )
    return format_html_join("", "{}", rows)


@register.filter
def clock(iso: str | None) -> str:
    """12:04:05 of an ISO time (UTC)."""
    return iso[11:19] if iso else NOTHING


@register.filter
def stamp(iso: str | None) -> str:
    """21 Nov 12:04:05 of an ISO time (UTC)."""
    if not iso:
        return NOTHING
    month = (int(iso[5:7]) - 1) * 3
    return f"{iso[8:10]} {_MONTHS[month : month + 3]} {iso[11:19]}"


@register.filter
def exact(iso: str | None) -> str:
    """2026-11-21 12:04:05.123456 of an ISO time (UTC)."""
    return iso.rstrip("Z").replace("T", " ") if iso else NOTHING


@register.filter
def kind_words(order: Mapping[str, Any]) -> str:
    """Limit, Stop 60 000.00, Trailing 50 bp: an order's type, and what it waits for."""
    name = TYPES.get(order["type"], order["type"])
    if order.get("trail_bps"):
        return f"{name} {order['trail_bps']} bp"
    waits = order.get("trail_amount") or order.get("stop_price")
    return f"{name} {''.join(split(waits, order.get('price_places', 0)))}" if waits else name


@register.filter
def status_words(status: str) -> str:
    return STATUS.get(status, status.replace("_", " ").capitalize())


@register.filter
def reason_words(code: str | None) -> str:
    return reasons.text(code) if code else ""


@register.filter
def rate(text: str) -> str:
    """A rate like "0.001" as "0.1 %"."""
    whole, _, fraction = text.partition(".")
    fraction = fraction.ljust(2, "0")
    percents = f"{int(whole + fraction[:2])}.{fraction[2:]}".rstrip("0").rstrip(".")
    return f"{percents}{THIN}%"

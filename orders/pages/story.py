"""What an event means, in one sentence: the order page's history."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from orders.pages import reasons
from orders.pages.filters import exact, kind_words, split, stamp

Event = Mapping[str, Any]
TONES: Final = {
    "OrderFilled": "good",
    "OrderDenied": "bad",
    "TriggerRefused": "bad",
    "OrderRejected": "bad",
    "CancelRejected": "warn",
    "OrderQuarantined": "bad",
    "OrderCanceled": "end",
    "OrderExpired": "end",
    "OrderExternal": "bad",
}


def _number(text: Any) -> str:
    return "".join(split(str(text))) if text not in (None, "") else "–"


def _terms(event: Event, order: Event) -> str:
    price = event.get("price") or order.get("price")
    at = f"at {_number(price)}" if price else "at market"
    kind = event.get("order_type") or order["type"]
    if kind not in ("limit", "market"):
        at = f"{at}, {kind_words({**order, **event, 'type': kind})}"
    ends = event.get("expires_at") or order.get("expires_at")
    until = f" until {stamp(ends)} UTC" if ends else ""
    leaves = event.get("deadline") or order.get("deadline")
    by = f", to leave before {exact(leaves)} UTC" if leaves else ""
    return (
        f"{order['side'].title()} {_number(order['quantity'])} {order['symbol']} {at}, "
        f"{order['time_in_force'].upper()}{until}{by}"
    )


def _routed(event: Event, order: Event) -> str:
    held = (
        f" {_number(event['hold'])} {event.get('hold_asset', '')} held.".replace(" .", ".")
        if (event.get("hold"))
        else ""
    )
    return f"{_terms(event, order)}. Every risk check passed; sent to the venue.{held}"


def _held(event: Event, order: Event) -> str:
    return f"{_terms(event, order)}. Every risk check passed; the venue does not know of it yet."


def _refused(event: Event, order: Event) -> str:
    why = reasons.text(event.get("reason") or "unknown")
    if event.get("limit") is None:
        return f"{_terms(event, order)}. {why}"
    unit = event.get("unit", "")
    return (
        f"{_terms(event, order)}. {why} It measured {_number(event['measured'])} {unit}; "
        f"the limit is {_number(event['limit'])} {unit}."
    )


def _filled(event: Event, order: Event) -> str:
    role = event.get("liquidity") or ("maker" if event.get("maker") else "taker")
    late = " It came after the order was closed." if event.get("late_fill") else ""
    return (
        f"{_number(event.get('quantity'))} at {_number(event.get('price'))} as {role}, "
        f"fee {_number(event.get('fee'))} {event.get('fee_asset') or order['fee_asset']}.{late}"
    )


def _canceled(event: Event, _: Event) -> str:
    code = event.get("reason") or ""
    return f"The rest is no longer in the market. {reasons.text(code) if code else ''}".strip()


def _said(text: str) -> Callable[[Event, Event], str]:
    return lambda event, order: text


STORIES: Final[Mapping[str, tuple[str, Callable[[Event, Event], str]]]] = {
    "OrderRouted": ("Risk passed", _routed),
    "OrderHeld": ("Waits here for its price", _held),
    "OrderTriggered": (
        "Its price is there",
        lambda event, _: (
            f"The mark is {_number(event.get('mark_price'))}; on its way to the venue."
        ),
    ),
    "TriggerRefused": (
        "Refused by us",
        lambda event, _: reasons.text(event.get("reason") or "unknown"),
    ),
    "OrderDenied": ("Refused by us", _refused),
    "OrderAccepted": ("Accepted by the venue", _said("The order is in the venue's book.")),
    "OrderRejected": ("Rejected by the venue", _refused),
    "OrderFilled": ("Fill", _filled),
    "OrderCancelRequested": ("Cancel requested", _said("Sent to the venue; not yet answered.")),
    "OrderExpiryRequested": (
        "Its time is over",
        _said("The venue was asked to end it; not yet answered."),
    ),
    "OrderCanceled": ("Canceled", _canceled),
    "OrderExpired": ("Expired", _canceled),
    "OrderExternal": (
        "A trade of an order that is not known here",
        lambda event, _: f"Booked as {_number(event.get('quantity'))}; somebody has to explain it.",
    ),
    "CancelRejected": (
        "Cancel refused",
        lambda event, _: reasons.text(event.get("reason") or "unknown"),
    ),
    "OrderQuarantined": (
        "Set aside for a person",
        lambda event, _: str(event.get("detail") or event.get("reason") or ""),
    ),
}


def tell(event: Event, order: Event) -> tuple[str, str]:
    """Return a title and a sentence for *event* of *order*."""
    title, text = STORIES.get(event["type"], (event["type"], _said("")))
    return title, text(event, order)

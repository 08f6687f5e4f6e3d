"""What a person has to look at, said when it happens: one log line and one count each."""

from collections.abc import Sequence
from typing import Final

import structlog
from prometheus_client import Counter

from orders.domain import events as e

ALERTS: Final = Counter("oms_alerts_total", "Events that need a person", ["what"])
_logger = structlog.get_logger(__name__)

_WHAT: Final[dict[type, str]] = {
    e.OrderQuarantined: "report_quarantined",
    e.OrderExternal: "external_order",
    e.CommandSetAside: "command_set_aside",
    e.AdjustmentRefused: "adjustment_refused",
    e.ChangeRefused: "change_refused",
}


def what_of(event: e.Event) -> str:
    """Return why *event* needs a person, "" if it does not."""
    if isinstance(event, e.OrderFilled):
        if event.late:
            return "late_fill"
        return "overfill" if event.overfilled else ""
    if isinstance(event, e.AccountChanged):
        return event.reason if event.reason in _BY_LAW else ""
    return _WHAT.get(type(event), "")


_BY_LAW: Final = frozenset({"overfill", "trade_mismatch", "rejected_after_trade"})


def raise_for(account_id: str, events: Sequence[e.Event]) -> None:
    """Alert to what is among *events* of an account."""
    for event in events:
        if type(event) in _PLAIN:
            continue
        what = what_of(event)
        if what:
            ALERTS.labels(what).inc()
            _logger.warning(
                "needs_a_person", what=what, account_id=account_id,
                order_id=getattr(event, "order_id", ""), reason=getattr(event, "reason", ""),
            )  # fmt: skip


_PLAIN: Final = frozenset(
    {e.OrderRouted, e.OrderHeld, e.OrderAccepted, e.BalanceChanged, e.PositionChanged}
)
"""The many that never need anybody: told apart first."""

"""Periodic work on candles. Every task may run twice, late, or not at all without harm."""

from collections.abc import Callable
from typing import Any, Final

import structlog
from celery import shared_task
from django.db import DatabaseError

from marketdata import wiring
from oms_project.kernel.numbers import NS_PER_S

BUDGET_S: Final = 20
SOFT_LIMIT_S: Final = 30
HARD_LIMIT_S: Final = 45

_logger = structlog.get_logger(__name__)
_limits: Final = {"soft_time_limit": SOFT_LIMIT_S, "time_limit": HARD_LIMIT_S}


def _budget() -> Callable[[], bool]:
    """Return what tells whether the task's time is used up."""
    clock = wiring.clock()
    end_ns = clock.monotonic_ns() + BUDGET_S * NS_PER_S
    return lambda: clock.monotonic_ns() > end_ns


@shared_task(name="marketdata.roll_up", **_limits)
def roll_up(**_: Any) -> None:
    """Put minutes together to what is longer, as far as they are whole."""
    try:
        written = wiring.candles_store().roll_up(_budget())
    except DatabaseError as error:
        _logger.warning("roll_up_waits", error=repr(error))
        return
    if written:
        _logger.info("candles_rolled_up", candles=written)


@shared_task(name="marketdata.forget_candles", **_limits)
def forget_candles(**_: Any) -> None:
    """Delete candles older than their interval is kept (adapters/candles.py: KEEP_DAYS)."""
    try:
        gone = wiring.candles_store().forget(wiring.clock().now_ns() // NS_PER_S)
    except DatabaseError as error:
        _logger.warning("forgetting_candles_waits", error=repr(error))
        return
    if gone:
        _logger.info("candles_forgotten", candles=gone)

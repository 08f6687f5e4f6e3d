"""Periodic work on candles. Every task may run twice, late, or not at all without harm."""

from typing import Any

import structlog
from celery import shared_task
from django.db import DatabaseError

from marketdata import wiring
from oms_project.budget import LIMITS, budget
from oms_project.kernel.numbers import NS_PER_S

_logger = structlog.get_logger(__name__)


@shared_task(name="marketdata.roll_up", **LIMITS)
def roll_up(**_: Any) -> None:
    """Put minutes together to what is longer, as far as they are whole."""
    try:
        written = wiring.candles_store().roll_up(budget(wiring.clock()))
    except DatabaseError as error:
        _logger.warning("roll_up_waits", error=repr(error))
        return
    if written:
        _logger.info("candles_rolled_up", candles=written)


@shared_task(name="marketdata.forget_candles", **LIMITS)
def forget_candles(**_: Any) -> None:
    """Delete candles older than their interval is kept (adapters/candles.py: KEEP_DAYS)."""
    try:
        gone = wiring.candles_store().forget(wiring.clock().now_ns() // NS_PER_S)
    except DatabaseError as error:
        _logger.warning("forgetting_candles_waits", error=repr(error))
        return
    if gone:
        _logger.info("candles_forgotten", candles=gone)

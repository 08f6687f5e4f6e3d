"""Periodic background work. Every task may run twice, late, or not at all without harm.

Rules of this file:
- Arguments by keyword, unknown ones ignored: an old scheduler may talk to a newer worker.
- A task ends by itself when its budget is used up, and the next run goes on (oms_project/budget.py).
- No result is kept in the broker; what is worth knowing is noted in the database and the logs.
"""

import threading
from typing import Any, Final

import structlog
from celery import shared_task
from django.conf import settings

from marketdata import wiring as market
from oms_project.access import users
from oms_project.adapters.clock import NS_PER_MS
from oms_project.budget import LIMITS, budget
from oms_project.kernel.errors import TransportError
from orders import integrity, upkeep, wiring
from orders.domain import commands

MS_PER_DAY: Final = 86_400_000
LOOK_AGAIN_S: Final = 0.05

_logger = structlog.get_logger(__name__)


@shared_task(name="orders.trim_log", **LIMITS)
def trim_log(**_: Any) -> None:
    """Trim the log behind the older kept snapshot, OMS_LOG_KEEP_RECORDS records stay."""
    try:
        done = upkeep.trim_log(
            wiring.log(), wiring.store(), settings.ENV.log_keep_records, budget(wiring.clock())
        )
    except TransportError as error:
        _logger.warning("trim_waits", error=str(error))
        return
    for one in done:
        if one.records:
            _logger.info(
                "log_trimmed", topic=one.topic, partition=one.partition, before=one.before,
                records=one.records,
            )  # fmt: skip


@shared_task(name="orders.forget_claims", **LIMITS)
def forget_claims(**_: Any) -> None:
    """Forget idempotency keys older than OMS_CLAIM_DAYS; client_order_ids stay for ever."""
    before_ms = wiring.clock().now_ns() // NS_PER_MS - settings.ENV.claim_days * MS_PER_DAY
    try:
        gone = upkeep.forget_claims(wiring.intake(), before_ms, budget(wiring.clock()))
    except TransportError as error:
        _logger.warning("forgetting_waits", error=str(error))
        return
    if gone:
        _logger.info("claims_forgotten", claims=gone, days=settings.ENV.claim_days)


@shared_task(name="orders.heal_reference", **LIMITS)
def heal_reference(**_: Any) -> None:
    """Say the newest listing of an instrument again where a partition does not have it."""
    try:
        for one in wiring.listings_told().parted():
            _logger.warning(
                "partitions_parted", symbol=one.instrument.symbol, version=one.version,
                behind=one.behind,
            )  # fmt: skip
            command = commands.SetInstrument(one.instrument, one.version + 1)
            wiring.gateway().broadcast(command, actor="oms-heal")
    except TransportError as error:
        _logger.warning("healing_waits", error=str(error))


@shared_task(name="orders.check_integrity", **LIMITS)
def check_integrity(**_: Any) -> None:
    """Do the books of every account touched since the last look add up? An error if not."""
    before = wiring.integrity()
    try:
        result = integrity.check(
            wiring.store(), sorted(users.account_ids()), market.units,
            at_ns=wiring.clock().now_ns(), before=before.seen if before is not None else {},
            over=budget(wiring.clock()), pause=lambda: threading.Event().wait(LOOK_AGAIN_S),
        )  # fmt: skip
    except TransportError as error:
        _logger.warning("integrity_waits", error=str(error))
        return
    wiring.save_integrity(result)
    for breach in result.breaches:
        _logger.error("integrity_breach", breach=breach)
    for concern in result.concerns:
        _logger.warning("integrity_concern", concern=concern)

"""Forgets what is of no use any more: log-ins that ended, and old notes of who came when.

The rules are those of orders/tasks.py: every run may come late, twice or never without harm.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

import structlog
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from celery import shared_task
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import DatabaseError
from django.db.models import QuerySet

from oms_project.access.models import TokenFamily
from oms_project.adapters.clock import NS_PER_S, SystemClock, utc
from oms_project.budget import LIMITS, budget

BATCH: Final = 1_000
NOTES_DAYS: Final = 90
"""How long axes' notes of log-ins are kept: longer than anybody asks for them, and the logs have them."""

_logger = structlog.get_logger(__name__)


@shared_task(name="access.purge", **LIMITS)
def purge(**_: Any) -> None:
    """Delete ended token families and sessions, and notes older than NOTES_DAYS."""
    now_ns = SystemClock.now_ns()
    now = utc(now_ns)
    # Nothing a family gave is good once its newest refresh token has expired.
    life: timedelta = settings.TOKENS["REFRESH_TOKEN_LIFETIME"]
    ended_s = now_ns // NS_PER_S - int(life.total_seconds())
    old = now - timedelta(days=NOTES_DAYS)
    over = budget(SystemClock())
    try:
        gone = {
            "families": _delete(
                TokenFamily.objects.filter(turned_at_s__lt=ended_s, created_at__lt=now - life), over
            ),
            "sessions": _delete(Session.objects.filter(expire_date__lt=now), over),
            "attempts": _delete(AccessAttempt.objects.filter(attempt_time__lt=old), over),
            "log_ins": _delete(AccessLog.objects.filter(attempt_time__lt=old), over),
            "failures": _delete(AccessFailureLog.objects.filter(attempt_time__lt=old), over),
        }
    except DatabaseError as error:
        _logger.warning("purge_waits", error=repr(error))
        return
    if any(gone.values()):
        _logger.info("access_purged", **gone)


def _delete(rows: QuerySet[Any], over: Callable[[], bool]) -> int:
    """Delete *rows* in batches, so that nobody waits long for a lock; return how many went."""
    gone = 0
    while not over():
        keys = list(rows.values_list("pk", flat=True)[:BATCH])
        if not keys:
            break
        gone += rows.model.objects.filter(pk__in=keys).delete()[0]
    return gone

"""Who came in, who did not, who left: one line each, from wherever it happened."""

from typing import Any

import structlog
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.dispatch import receiver
from django.http import HttpRequest

from oms_project.access.throttle import NAME_CHARS_MAX, address_of

_logger = structlog.get_logger(__name__)


def _where(request: HttpRequest | None) -> dict[str, str]:
    if request is None:
        return {}
    return {"address": address_of(request), "path": request.path}


@receiver(user_logged_in)
def _came_in(request: HttpRequest | None, user: Any, **_: Any) -> None:
    _logger.info("logged_in", user_id=str(user.pk), username=user.get_username(), **_where(request))


@receiver(user_login_failed)
def _did_not(credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    name = str(credentials.get("username", ""))[:NAME_CHARS_MAX]
    _logger.warning("login_failed", username=name, **_where(request))


@receiver(user_logged_out)
def _left(request: HttpRequest | None, user: Any, **_: Any) -> None:
    if user is not None:
        _logger.info(
            "logged_out", user_id=str(user.pk), username=user.get_username(), **_where(request)
        )

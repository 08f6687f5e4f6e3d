"""How often somebody may try to log in: per address and per name, before a password costs anything.

Every log-in goes through Django's backends, on pages, in the admin and over REST; this one stands in
front of the others. Counts live in Redis where there is one, so all web processes share them; without
it, or while it is away, each process counts for itself.

The lock of one name from one address after wrong passwords is axes' (settings.py). What is here is
against those who try many names, or one name from many addresses, and against the work itself.
"""

from functools import cache
from typing import Any, Final

import structlog
from django.conf import settings
from django.http import HttpRequest
from limits import RateLimitItem, parse
from limits.errors import StorageError
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import RateLimiter, SlidingWindowCounterRateLimiter

from oms_project.access.errors import AccessError
from oms_project.adapters.clock import NS_PER_S, SystemClock

PER_ADDRESS: Final = (parse("30/minute"), parse("300/hour"))
PER_NAME: Final = (parse("20/minute"), parse("100/hour"))
REDIS_S_MAX: Final = 0.2
NAME_CHARS_MAX: Final = 150

_logger = structlog.get_logger(__name__)


@cache
def _here() -> RateLimiter:
    return SlidingWindowCounterRateLimiter(MemoryStorage())


@cache
def _shared() -> RateLimiter | None:
    url = settings.ENV.redis_url
    if not url:
        return None
    storage = RedisStorage(
        url, wrap_exceptions=True, key_prefix="oms:login", socket_timeout=REDIS_S_MAX,
        socket_connect_timeout=REDIS_S_MAX,
    )  # fmt: skip
    return SlidingWindowCounterRateLimiter(storage)


# Addresses that were refused, and until when: the door turns them away without any work at all.
_away_until_s: dict[str, float] = {}
AWAY_MAX: Final = 10_000


def wait_s_of(address: str) -> int:
    """Return how many seconds *address* was told to wait and has not; never waits itself."""
    until_s = _away_until_s.get(address)
    if until_s is None:
        return 0
    left_s = until_s - _now_s()
    if left_s <= 0:
        _away_until_s.pop(address, None)
        return 0
    return int(left_s) + 1


def _turn_away(address: str, wait_s: int) -> None:
    if len(_away_until_s) >= AWAY_MAX:
        _away_until_s.clear()  # they are only asked properly again
    _away_until_s[address] = _now_s() + wait_s


def _now_s() -> float:
    return SystemClock.now_ns() / NS_PER_S


def forget_all() -> None:
    """Count anew in this process: for tests."""
    _away_until_s.clear()
    _here.cache_clear()
    _shared.cache_clear()


def address_of(request: HttpRequest) -> str:
    """Return who asks: the peer, or what a proxy of OMS_PROXIES says of it (server.py)."""
    return str(request.META.get("REMOTE_ADDR", ""))


def check(request: HttpRequest, username: str) -> None:
    """Count one attempt.

    Raises:
        AccessError: rate_limited, with the seconds to wait.
    """
    address = address_of(request)
    for limits, kind, who in (
        (PER_ADDRESS, "address", address),
        (PER_NAME, "name", username[:NAME_CHARS_MAX]),
    ):
        for limit in limits:
            wait_s = _hit(limit, kind, who)
            if wait_s:
                _logger.warning(
                    "login_throttled", per=kind, limit=str(limit), address=address,
                    username=username[:NAME_CHARS_MAX],
                )  # fmt: skip
                if kind == "address":
                    _turn_away(address, wait_s)
                raise AccessError("rate_limited", wait_s)


def _hit(limit: RateLimitItem, kind: str, who: str) -> int:
    """Count one; return how many seconds to wait, 0 if there is room."""
    shared = _shared()
    if shared is not None:
        try:
            return _hit_in(shared, limit, kind, who)
        except StorageError as error:
            _logger.warning("throttle_counts_alone", error=repr(error.storage_error))
    return _hit_in(_here(), limit, kind, who)


def _hit_in(limiter: RateLimiter, limit: RateLimitItem, kind: str, who: str) -> int:
    if limiter.hit(limit, kind, who):
        return 0
    until_s = limiter.get_window_stats(limit, kind, who).reset_time
    return max(1, int(until_s - _now_s()) + 1)


class ThrottleBackend:
    """Django's first authentication backend: lets nobody in, and some not even try."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, **_: Any
    ) -> None:
        if request is not None and username is not None:
            check(request, username)

"""How much a caller may ask for: windows of time, each with an amount; all of a request's, or none.

What a request costs is charged at once to several counters: what it asks for (an order, a cancel, or a
read by its weight) to the caller (an API key, else the user), and orders to their account, too. Either
all of them have room and all are charged, or none is: a refusal costs nothing, and is told with how long
to wait.

- Cancels have counters of their own: no number of orders leaves no room for them.
- Without Redis a process counts for itself. With it all processes count in one place, one call a
  request; while it is away each counts for itself, which /health tells.
- Windows begin at whole multiples of their length since 1970, so a client can reckon with them.

The library `limits` counts log-ins and addresses (throttle.py); it asks one limit a call, and here several
must hold at once (docs/decisions).
"""

import hashlib
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final, NamedTuple, Protocol

import structlog
from django.conf import settings
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError
from redis.retry import Retry

from oms_project.access.principal import Principal
from oms_project.adapters.clock import NS_PER_S, SystemClock
from oms_project.kernel.ports import Clock
from oms_project.problem import Problem

DAY_S: Final = 24 * 60 * 60
COUNTERS_MAX: Final = 100_000
REDIS_S_MAX: Final = 0.1
REST_NS: Final = NS_PER_S
PREFIX: Final = "oms:quota:"
_logger = structlog.get_logger(__name__)


class Limit(NamedTuple):
    """So much in each window of so many seconds."""

    name: str
    amount: int
    window_s: int

    @property
    def policy(self) -> str:
        return f'"{self.name}";q={self.amount};w={self.window_s}'


class Limits(NamedTuple):
    """Those of this installation."""

    requests: Limit
    orders: Limit
    orders_day: Limit
    cancels: Limit


@cache
def limits() -> Limits:
    """Return the limits that the environment sets."""
    env = settings.ENV
    return Limits(
        Limit("requests", env.requests_per_10s, 10),
        Limit("orders", env.orders_per_s, 1),
        Limit("orders-day", env.orders_per_day, DAY_S),
        Limit("cancels", env.cancels_per_10s, 10),
    )


WEIGHTS: Final[Mapping[str, int]] = {
    "orders": 5,
    "order-events": 5,
    "order-fills": 2,
    "account-fills": 5,
    "accounts": 2,
    "keys-api": 5,
    "key-rotate-api": 5,
    "key-revoke-api": 5,
}
"""What a request of a route counts, by the route's name; 1 where it is not named."""


class Charge(NamedTuple):
    """So much of a limit for somebody."""

    limit: Limit
    who: str
    amount: int


class Verdict(NamedTuple):
    """limit: the one that has least room, and refused if `refused`; left: its room; reset_s: until it
    begins anew."""

    limit: Limit
    refused: bool
    left: int
    reset_s: int

    @property
    def fields(self) -> dict[str, str]:
        """Return the header fields of draft-ietf-httpapi-ratelimit-headers."""
        found = {
            "RateLimit-Policy": self.limit.policy,
            "RateLimit": f'"{self.limit.name}";r={self.left};t={self.reset_s}',
        }
        if self.refused:
            found["Retry-After"] = str(self.reset_s)
        return found

    @property
    def problem(self) -> Problem:
        detail = f"At most {self.limit.amount} {self.limit.name} in {self.limit.window_s} s."
        return Problem("rate_limited", detail, headers=self.fields)


class Counters(Protocol):
    """blocks: a call waits for a wire, so an event loop asks from a thread."""

    blocks: bool

    def charge(self, charges: Sequence[Charge]) -> Verdict:
        """Charge all of *charges*, or none."""


class LocalCounters:
    """Those of this process."""

    blocks = False

    def __init__(self, clock: Clock | None = None) -> None:
        self._now_ns = (clock or SystemClock()).now_ns
        self._lock = threading.Lock()
        self._used: dict[tuple[str, str], tuple[int, int]] = {}

    def charge(self, charges: Sequence[Charge]) -> Verdict:
        now_s = self._now_ns() // NS_PER_S
        used = []
        with self._lock:
            for limit, who, _ in charges:
                window, count = self._used.get((limit.name, who), (0, 0))
                used.append(count if window == now_s // limit.window_s else 0)
            verdict = _verdict(charges, used, now_s)
            if not verdict.refused:
                if len(self._used) > COUNTERS_MAX:
                    self._forget(now_s)
                for (limit, who, amount), count in zip(charges, used, strict=True):
                    self._used[limit.name, who] = (now_s // limit.window_s, count + amount)
        return verdict

    def _forget(self, now_s: int) -> None:
        """Drop the counters of windows that are over; a day's are kept."""
        lengths = {limit.name: limit.window_s for limit in limits()}
        self._used = {
            key: found
            for key, found in self._used.items()
            if found[0] == now_s // lengths.get(key[0], 1)
        }


_SCRIPT: Final = """
local used, ok = {}, 1
for i, key in ipairs(KEYS) do
  used[i] = tonumber(redis.call('GET', key) or '0')
  if used[i] + tonumber(ARGV[3 * i - 2]) > tonumber(ARGV[3 * i - 1]) then ok = 0 end
end
if ok == 1 then
  for i, key in ipairs(KEYS) do
    if redis.call('INCRBY', key, ARGV[3 * i - 2]) == tonumber(ARGV[3 * i - 2]) then
      redis.call('EXPIRE', key, ARGV[3 * i])
    end
  end
end
return used
"""
_SHA: Final = hashlib.sha1(_SCRIPT.encode(), usedforsecurity=False).hexdigest()


class RedisCounters:
    """Those of all processes: one call. *here* counts alone while Redis is away."""

    blocks = True

    def __init__(self, url: str, here: Counters, clock: Clock | None = None) -> None:
        self._here = here
        self._clock = clock or SystemClock()
        self._rest_until_ns = 0
        self.away = False
        self._redis = Redis.from_url(
            url, socket_timeout=REDIS_S_MAX, socket_connect_timeout=REDIS_S_MAX,
            retry=Retry(NoBackoff(), 0),
        )  # fmt: skip

    def charge(self, charges: Sequence[Charge]) -> Verdict:
        if self._clock.monotonic_ns() < self._rest_until_ns:
            return self._here.charge(charges)
        now_s = self._clock.now_ns() // NS_PER_S
        names = [
            f"{PREFIX}{{{one.who}}}:{one.limit.name}:{now_s // one.limit.window_s}"
            for one in charges
        ]
        numbers: list[int] = []
        for one in charges:
            numbers += (one.amount, one.limit.amount, 2 * one.limit.window_s)
        try:
            used: Any = self._run(names, numbers)
        except RedisError as error:
            self._rest_until_ns = self._clock.monotonic_ns() + REST_NS
            if not self.away:
                _logger.warning("quotas_count_alone", error=repr(error))
            self.away = True
            return self._here.charge(charges)
        self.away = False
        return _verdict(charges, used, now_s)

    def _run(self, names: list[str], numbers: list[int]) -> Any:
        try:
            return self._redis.evalsha(_SHA, len(names), *names, *numbers)
        except NoScriptError:
            return self._redis.eval(_SCRIPT, len(names), *names, *numbers)


def _verdict(charges: Sequence[Charge], used: Sequence[int], now_s: int) -> Verdict:
    """Return the limit that refuses, else the one with the smallest part left."""
    tightest: Verdict | None = None
    for (limit, _, amount), count in zip(charges, used, strict=True):
        left = limit.amount - count
        refused = amount > left
        room = left if refused else left - amount
        found = Verdict(limit, refused, max(0, room), limit.window_s - now_s % limit.window_s)
        if refused:
            return found
        if tightest is None or room * tightest.limit.amount < tightest.left * limit.amount:
            tightest = found
    assert tightest is not None  # noqa: S101  # a charge of nothing is no question
    return tightest


@cache
def counters() -> Counters:
    """Return this process' view of what is used up."""
    here = LocalCounters()
    url = settings.ENV.redis_url
    return RedisCounters(url, here) if url else here


def count_alone() -> bool:
    """Tell whether this process counts for itself though it should not."""
    return bool(getattr(counters(), "away", False))


# ------------------------------------------------------------------ what a request is charged
def of_orders(who: Principal, account_id: str, orders: int) -> list[Charge]:
    """Return what placing *orders* costs; account_id "": it could not be read, and is charged all the same."""
    found, caller = limits(), caller_of(who)
    charges = [Charge(found.orders, caller, orders), Charge(found.orders_day, caller, orders)]
    if account_id:
        account = f"account {account_id}"
        charges += [
            Charge(found.orders, account, orders), Charge(found.orders_day, account, orders)
        ]  # fmt: skip
    return charges


def of_cancel(who: Principal) -> list[Charge]:
    return [Charge(limits().cancels, caller_of(who), 1)]


def of_route(who: Principal, name: str) -> list[Charge]:
    """Return what a request of the route *name* costs."""
    return [Charge(limits().requests, caller_of(who), WEIGHTS.get(name, 1))]


def caller_of(who: Principal) -> str:
    return f"key {who.key_id}" if who.key_id else f"user {who.user_id}"

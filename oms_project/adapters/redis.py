"""A copy of settled claims in Redis, in front of the durable store. Losing all of it loses nothing.

Rules of this file:
- Only what can never change again is copied: a claim with its answer, or one that is done and older
  than any answer still to come. So no copy is ever stale, whatever Redis lost, kept or brought back.
- One round trip a batch. Redis away, slow or read-only: the durable store answers alone, and Redis
  is left in peace for REST_NS.
"""

import hashlib
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, TypeVar

import msgspec
import structlog
from prometheus_client import Counter
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from oms_project.adapters.clock import NS_PER_MS, NS_PER_S, SystemClock
from oms_project.kernel.ports import Claim, ClaimState, Clock, IdempotencyStore

PREFIX: Final = "oms:orders:claim:"
TTL_S: Final = 24 * 60 * 60
WAIT_S_MAX: Final = 0.1
ANSWER_MS_MAX: Final = 120_000
"""Longer than any request waits before it settles its answer (Prefer: wait)."""
REST_NS: Final = NS_PER_S
WARN_EVERY_NS: Final = 60 * NS_PER_S

T = TypeVar("T")

failures = Counter("oms_claim_copy_failures_total", "Redis calls that failed and were done without")

_logger = structlog.get_logger(__name__)
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(ClaimState).decode


class RedisIdempotencyCopy:
    """The IdempotencyStore port: *inner* is the truth, Redis spares it the replays."""

    def __init__(
        self,
        inner: IdempotencyStore,
        url: str,
        ttl_s: int = TTL_S,
        *,
        clock: Clock | None = None,
        prefix: str = PREFIX,
    ) -> None:
        self._inner = inner
        self._prefix = prefix
        self._ttl_s = ttl_s
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._rest_until_ns = 0
        self._warned_at_ns = -WARN_EVERY_NS
        self._redis = Redis.from_url(
            url,
            socket_timeout=WAIT_S_MAX,
            socket_connect_timeout=WAIT_S_MAX,
            retry=Retry(NoBackoff(), 0),
        )
        self.find = inner.find
        self.find_by_ids_base = inner.find_by_ids_base
        self.forget = inner.forget
        self.done = inner.done  # an answer may still come: nothing to copy yet
        self.ping = inner.ping

    def claim(self, claims: Sequence[Claim]) -> list[ClaimState]:
        copies = self._copies(claims)
        missing = [claim for claim, copy in zip(claims, copies, strict=True) if copy is None]
        found = iter(self._inner.claim(missing) if missing else ())
        states = []
        final = []
        for copy in copies:
            state = copy if copy is not None else next(found)
            states.append(state)
            if copy is None and self._is_final(state):
                final.append(state)
        self._keep(final)
        return states

    def settle(self, claim: Claim, status: int, body: bytes) -> None:
        self._inner.settle(claim, status, body)
        # The first answer stays, and it may not be ours: the copy is made from what is stored.
        state = self._inner.find_by_ids_base(claim.ids_base)
        if state is not None and self._is_final(state):
            self._keep([state])

    def close(self) -> None:
        self._redis.close()

    def _is_final(self, state: ClaimState) -> bool:
        if not state.done:
            return False
        age_ms = self._clock.now_ns() // NS_PER_MS - state.claim.at_ms
        return state.answer is not None or age_ms > ANSWER_MS_MAX

    def _copies(self, claims: Sequence[Claim]) -> list[ClaimState | None]:
        names = [self._name(claim) for claim in claims]
        values = self._try(lambda: self._redis.mget(names)) if names else []
        if values is None:
            return [None] * len(claims)
        return [_read(value, claim) for value, claim in zip(values, claims, strict=True)]

    def _keep(self, states: Iterable[ClaimState]) -> None:
        pairs = [(self._name(state.claim), _encode(state)) for state in states]
        if not pairs:
            return

        def write() -> Any:
            pipeline = self._redis.pipeline(transaction=False)
            for name, value in pairs:
                pipeline.set(name, value, ex=self._ttl_s)
            return pipeline.execute()

        self._try(write)

    def _try(self, call: Callable[[], T]) -> T | None:
        """Return what Redis says, or None if it says nothing useful in time."""
        now_ns = self._clock.monotonic_ns()
        if now_ns < self._rest_until_ns:
            return None
        try:
            return call()
        except (RedisError, OSError) as error:
            failures.inc()
            with self._lock:
                self._rest_until_ns = now_ns + REST_NS
                warn = now_ns - self._warned_at_ns >= WARN_EVERY_NS
                self._warned_at_ns = now_ns if warn else self._warned_at_ns
            if warn:
                _logger.warning("claim_copy_away", error=repr(error))
            return None

    def _name(self, claim: Claim) -> str:
        parts = (claim.account_id, claim.endpoint, claim.key)
        return self._prefix + hashlib.sha256("\x1f".join(parts).encode()).hexdigest()


def _read(value: bytes | None, asked: Claim) -> ClaimState | None:
    """Return the copy in *value* if it is one, and of the claim that was asked for."""
    if value is None:
        return None
    try:
        state = _decode(value)
    except msgspec.DecodeError:
        return None
    kept = state.claim
    same = (kept.account_id, kept.endpoint, kept.key) == (
        asked.account_id,
        asked.endpoint,
        asked.key,
    )
    return state if same and state.done and not state.fresh else None

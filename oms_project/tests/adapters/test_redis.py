"""The copy of claims in Redis: it may vanish, lie in wait or come back, and nothing changes."""

from collections.abc import Iterator

import pytest
from prometheus_client import REGISTRY
from redis import Redis

from oms_project.adapters.clock import NS_PER_MS, NS_PER_S, FakeClock
from oms_project.adapters.memory import MemoryIdempotencyStore
from oms_project.adapters.redis import ANSWER_MS_MAX, RedisIdempotencyCopy
from oms_project.adapters.servers import LocalServer
from oms_project.kernel.ports import Claim, ClaimState
from oms_project.tests.contracts.claiming import AT_MS, a_claim

pytestmark = pytest.mark.services


class Asked(MemoryIdempotencyStore):
    """Counts the claims it is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def claim(self, claims: list[Claim]) -> list[ClaimState]:
        self.asked += [claim.key for claim in claims]
        return super().claim(claims)


class Copy:
    """A copy, what is behind it, and Redis itself."""

    def __init__(self, server: LocalServer) -> None:
        self.server = server
        self.inner = Asked()
        self.clock = FakeClock(AT_MS * NS_PER_MS)
        self.store = RedisIdempotencyCopy(self.inner, server.url, clock=self.clock)
        self.redis = Redis.from_url(server.url)

    def claim(self, *claims: Claim) -> list[ClaimState]:
        return self.store.claim(claims)

    def answered(self, key: str = "key") -> Claim:
        """Return a claim that is done and has its answer."""
        claim = a_claim(key)
        self.claim(claim)
        self.store.done([(claim, 1, 7)])
        self.store.settle(claim, 202, b"body")
        self.inner.asked.clear()
        return claim


def failures() -> float:
    return REGISTRY.get_sample_value("oms_claim_copy_failures_total") or 0.0


@pytest.fixture
def copy(own_valkey: LocalServer) -> Iterator[Copy]:
    copy = Copy(own_valkey)
    yield copy
    copy.store.close()
    copy.redis.close()


def test_a_settled_claim_is_answered_by_redis(copy: Copy) -> None:
    """Whole, for another process too; the durable store is not asked."""
    claim = copy.answered()
    other = RedisIdempotencyCopy(copy.inner, copy.server.url, clock=copy.clock)
    expected = ClaimState(claim, False, True, 1, 7, (202, b"body"))
    assert other.claim([a_claim(at_ms=AT_MS + 5)]) == [expected]
    assert copy.inner.asked == []
    other.close()


def test_a_batch_asks_only_for_what_is_missing(copy: Copy) -> None:
    """One question to Redis, one to the store."""
    copy.answered("a")
    copy.answered("b")
    states = copy.claim(a_claim("new"), a_claim("a"), a_claim("newer"), a_claim("b"))
    assert copy.inner.asked == ["new", "newer"]
    assert [state.fresh for state in states] == [True, False, True, False]


def test_what_may_still_change_is_not_copied(copy: Copy) -> None:
    """In flight, or done and perhaps still to be answered: the store is asked each time."""
    claim = a_claim()
    copy.claim(claim)
    copy.claim(claim)
    copy.store.done([(claim, 0, 3)])
    copy.claim(claim)
    assert copy.inner.asked == ["key"] * 3
    assert copy.redis.keys() == []
    copy.clock.advance_ns((ANSWER_MS_MAX + 1) * NS_PER_MS)
    copy.claim(claim)
    assert len(copy.redis.keys()) == 1


def test_a_copy_ends_with_its_time(copy: Copy) -> None:
    copy.answered()
    (name,) = copy.redis.keys()
    assert name.startswith(b"oms:orders:claim:")
    assert 0 < copy.redis.ttl(name) <= 24 * 60 * 60


def test_flushed_is_not_forgotten(copy: Copy) -> None:
    claim = copy.answered()
    copy.redis.flushall()
    (state,) = copy.claim(claim)
    assert (state.fresh, state.answer) == (False, (202, b"body"))
    assert copy.inner.asked == ["key"]


def test_rubbish_in_redis_is_no_answer(copy: Copy) -> None:
    """Neither broken bytes nor somebody else's claim under this name."""
    claim = copy.answered()
    other = copy.answered("other")
    names = {copy.store._name(claim), copy.store._name(other)}
    stolen = copy.redis.get(copy.store._name(other))
    for value in (b"\xc1rubbish", stolen):
        copy.redis.set(copy.store._name(claim), value)
        (state,) = copy.claim(claim)
        assert (state.claim, state.answer) == (claim, (202, b"body"))
    assert {name.decode() for name in copy.redis.keys("*")} == names


def test_without_redis_the_store_answers(copy: Copy) -> None:
    """Killed: every call works, and Redis is asked again only after a rest."""
    claim = copy.answered()
    copy.server.kill()
    before = failures()
    for _ in range(10):
        assert copy.claim(claim)[0].answer == (202, b"body")
    copy.store.settle(claim, 500, b"late")
    assert failures() == before + 1
    assert copy.inner.asked == ["key"] * 10

    copy.server.start()
    copy.clock.advance_ns(NS_PER_S)
    copy.claim(claim)
    copy.inner.asked.clear()
    copy.claim(claim)
    assert copy.inner.asked == []


def test_a_read_only_redis_is_done_without(copy: Copy) -> None:
    """A replica after a failover: reads work, writes do not."""
    claim = copy.answered()
    copy.redis.flushall()
    copy.redis.replicaof("127.0.0.1", 1)
    assert copy.claim(claim)[0].answer == (202, b"body")
    assert copy.claim(claim)[0].answer == (202, b"body")


def test_a_stalled_redis_costs_a_tenth_of_a_second_once(copy: Copy) -> None:
    """CLIENT PAUSE: the first call gives up in time, the next ones do not even ask."""
    claim = copy.answered()
    copy.redis.execute_command("CLIENT", "PAUSE", "2000", "ALL")
    before = failures()
    for _ in range(3):
        assert copy.claim(claim)[0].answer == (202, b"body")
    assert failures() == before + 1
    assert copy.inner.asked == ["key"] * 3

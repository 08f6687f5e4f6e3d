"""Rate limits: all of a request's or none, told in headers, the same for every process."""

import asyncio
import dataclasses
import json
import time
from collections.abc import Iterator
from typing import Any, Final

import pytest
from django.conf import settings
from django.test import Client

from oms_project.access import keys, quota
from oms_project.access.quota import Charge, Limit, LocalCounters, RedisCounters
from oms_project.adapters.clock import NS_PER_S, FakeClock
from oms_project.kernel.words import Role
from oms_project.tests.programs import Desk, code_of
from orders.tests.world import World

TEN: Final = Limit("ten", 10, 1)
DAY: Final = Limit("day", 1_000, quota.DAY_S)
NO_REDIS: Final = "redis://127.0.0.1:1/0"


@pytest.fixture
def small(monkeypatch: Any) -> Iterator[None]:
    """An installation with little room."""
    env = dataclasses.replace(
        settings.ENV, requests_per_10s=20, orders_per_s=3, orders_per_day=5, cancels_per_10s=4
    )
    monkeypatch.setattr(settings, "ENV", env)
    quota.limits.cache_clear()
    quota.counters.cache_clear()
    yield
    monkeypatch.undo()
    quota.limits.cache_clear()
    quota.counters.cache_clear()


# ------------------------------------------------------------------ counting
def test_exactly_as_much_as_there_is() -> None:
    """2,000 keys, each asking for more than its limit: each gets its limit, in every window."""
    clock = FakeClock()
    counters = LocalCounters(clock)
    for _ in range(3):
        got = 0
        for key in range(2_000):
            for _ in range(12):
                got += not counters.charge([Charge(TEN, f"key {key}", 1)]).refused
        assert got == 2_000 * TEN.amount
        clock.advance_s(1)


def test_all_or_none() -> None:
    """What one limit refuses is charged to no other."""
    counters = LocalCounters(FakeClock())
    both = [Charge(DAY, "ann", 4), Charge(TEN, "ann", 4)]
    assert [counters.charge(both).refused for _ in range(3)] == [False, False, True]
    assert counters.charge([Charge(DAY, "ann", 1)]).left == 1_000 - 9
    assert counters.charge([Charge(TEN, "ann", 2)]).left == 0


def test_what_a_client_is_told() -> None:
    """The limit with least room, in the draft's form; a refusal says how long to wait."""
    clock = FakeClock()
    counters = LocalCounters(clock)
    found = counters.charge([Charge(DAY, "ann", 1), Charge(TEN, "ann", 9)])
    assert found.fields == {"RateLimit-Policy": '"ten";q=10;w=1', "RateLimit": '"ten";r=1;t=1'}
    refused = counters.charge([Charge(DAY, "ann", 1), Charge(TEN, "ann", 9)])
    assert (refused.refused, refused.fields["Retry-After"]) == (True, "1")
    assert counters.charge([Charge(TEN, "ann", 11)]).refused  # never, in no window


def test_old_counters_are_forgotten(monkeypatch: Any) -> None:
    """Whoever came once does not stay in memory; a day's counters do, for the day."""
    monkeypatch.setattr(quota, "COUNTERS_MAX", 100)
    clock = FakeClock()
    counters = LocalCounters(clock)
    day = quota.limits().orders_day
    counters.charge([Charge(day, "ann", 5)])
    for number in range(1_000):
        counters.charge([Charge(quota.limits().orders, f"key {number}", 1)])
        clock.advance_ns(NS_PER_S // 50)
    assert len(counters._used) < 300
    assert counters.charge([Charge(day, "ann", 1)]).left == day.amount - 6


def test_it_costs_little() -> None:
    """What an order is charged: four counters, in less than 10 µs of a core (the best of some runs)."""
    counters = LocalCounters()
    charges = [Charge(one, who, 1) for one in (TEN, DAY) for who in ("key a", "account b")]
    best_ns = 10**9
    for _ in range(50):
        begun_ns = time.thread_time_ns()
        for _ in range(100):
            counters.charge(charges)
        best_ns = min(best_ns, (time.thread_time_ns() - begun_ns) // 100)
    assert best_ns < 10_000


@pytest.mark.services
def test_two_processes_share_their_counters(valkey_server: Any) -> None:
    """In Redis they count together."""
    clock = FakeClock(now_ns=1_790_000_000 * NS_PER_S)
    first, second = (
        RedisCounters(valkey_server.url, LocalCounters(clock), clock) for _ in range(2)
    )
    charges = [Charge(DAY, "shared", 1), Charge(TEN, "shared", 1)]
    refused = [one.charge(charges).refused for _ in range(8) for one in (first, second)]
    assert refused.count(False) == TEN.amount
    assert first.charge([Charge(DAY, "shared", 1)]).left == 1_000 - 11
    assert (first.away, second.away) == (False, False)


def test_redis_away() -> None:
    """This process counts for itself, says so, and asks again a second later."""
    clock = FakeClock()
    counters = RedisCounters(NO_REDIS, LocalCounters(clock), clock)
    charges = [Charge(TEN, "ann", 1)]
    assert [counters.charge(charges).refused for _ in range(11)] == [False] * 10 + [True]
    assert counters.away


# ------------------------------------------------------------------ at the doors
@pytest.mark.django_db(databases=["default", "store"], transaction=True)
class TestDoors:
    @pytest.fixture
    def desk(self, small: None) -> Iterator[Desk]:
        found = Desk()
        yield found
        found.loop.close()

    def orders_until(self, desk: Desk, made: keys.Made, times: int) -> list[str]:
        return [
            code_of(desk.signed(made, "POST", "/api/orders", body=desk.order(), key=f"{made.key.pk}{n}"))
            for n in range(times)
        ]  # fmt: skip

    def test_orders_have_an_end_and_cancels_another(self, desk: Desk) -> None:
        """A key that used up its orders still cancels; another key meets its account's limit."""
        made, other = desk.key(), desk.key()
        codes = self.orders_until(desk, made, 7)
        assert codes.count("202") <= 5
        assert codes[-1] == "rate_limited"
        answer = desk.signed(made, "POST", "/api/orders", body=desk.order(), key="again")
        assert answer.headers["ratelimit"].startswith('"orders')
        assert int(answer.headers["retry-after"]) >= 1
        body = json.dumps({"account_id": desk.account}).encode()
        canceled = desk.signed(made, "POST", "/api/orders/cancel", body=body, key="c-1")
        assert (canceled.status, canceled.headers["ratelimit-policy"]) == (
            202,
            '"cancels";q=4;w=10',
        )
        assert (
            sum(one == "202" for one in self.orders_until(desk, other, 7)) + codes.count("202") <= 5
        )

    def test_what_is_not_valid_counts(self, desk: Desk) -> None:
        """A flood of nonsense is a flood."""
        made = desk.key()
        codes = [
            code_of(desk.signed(made, "POST", "/api/orders", body=b"{", key=f"k-{n}"))
            for n in range(8)
        ]
        assert codes[-1] == "rate_limited"

    def test_reads_by_their_weight(self, desk: Desk) -> None:
        """Told with every answer, and published."""
        made = desk.key()
        first = desk.signed(made, target="/api/orders")
        assert first.headers["ratelimit-policy"] == '"requests";q=20;w=10'
        codes = [code_of(desk.signed(made, target="/api/orders")) for _ in range(9)]
        assert "rate_limited" in codes
        told = Client().get("/api/meta/limits").json()
        assert told["weights"]["orders"] == 5
        assert {one["name"]: one["amount"] for one in told["limits"]} == {
            "requests": 20, "orders": 3, "orders-day": 5, "cancels": 4,
        }  # fmt: skip


@pytest.mark.django_db(databases=["default", "store"], transaction=True)
def test_people_are_counted_too(small: None) -> None:
    """By their user, whatever token they come with; strangers not here."""
    world = World()
    user = world.user("ann", {world.account(): Role.TRADER})
    statuses = []
    for _ in range(21):  # more than two windows hold
        headers = {"authorization": f"Bearer {world.token(user)}"}
        statuses.append(Client().get("/api/accounts", headers=headers).status_code)
    assert statuses[:10] == [200] * 10
    assert 429 in statuses
    assert Client().get("/api/meta/time").status_code == 200


def test_loops_do_not_share_state() -> None:
    """The counters need no event loop."""
    counters = LocalCounters(FakeClock())

    async def once() -> bool:
        return counters.charge([Charge(TEN, "ann", 6)]).refused

    assert [asyncio.run(once()) for _ in range(2)] == [False, True]

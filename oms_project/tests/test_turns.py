"""Fair turns: a crowd of one key delays its own, and others by one turn."""

import asyncio
from collections.abc import Callable

import pytest

from oms_project.adapters.clock import NS_PER_MS, FakeClock
from oms_project.rest.turns import NoTurnError, Turns
from oms_project.tests.eventually import eventually_async


def make(**settings: int) -> Turns:
    return Turns(FakeClock(), **{"slots": 1, "per_key": 1, "waiting_max": 9, **settings})


class Work:
    """Work that begins in its turn and ends when it is told to."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.begun: list[str] = []
        self.ends: dict[str, asyncio.Event] = {}

    def start(self, name: str) -> "asyncio.Task[None]":
        """Begin work of the key that is *name*'s first letter."""
        self.ends[name] = asyncio.Event()
        return asyncio.create_task(self._run(name))

    async def _run(self, name: str) -> None:
        async with self.turns.turn(name[0]):
            self.begun.append(name)
            await self.ends[name].wait()

    def has_begun(self, count: int) -> Callable[[], bool]:
        return lambda: len(self.begun) == count


async def test_keys_take_turns_whatever_their_crowd() -> None:
    """Eight of a came first: b, who comes last, waits for one of them."""
    work = Work(make())
    tasks = [work.start(f"a{number}") for number in range(8)]
    await eventually_async(work.has_begun(1))
    tasks.append(work.start("b0"))
    await asyncio.sleep(0)
    for count in range(1, 10):
        await eventually_async(work.has_begun(count))
        work.ends[work.begun[-1]].set()
    await asyncio.gather(*tasks)
    assert work.begun.index("b0") <= 2
    assert work.begun[-1] == "a7"


async def test_one_key_never_has_more_than_its_own() -> None:
    """Also while the other slots are empty."""
    work = Work(make(slots=3, per_key=2))
    tasks = [work.start(name) for name in ("a0", "a1", "a2", "b0")]
    await eventually_async(work.has_begun(3))
    assert sorted(work.begun) == ["a0", "a1", "b0"]
    for name in work.ends:
        work.ends[name].set()
    await asyncio.gather(*tasks)
    assert len(work.begun) == 4


async def test_too_many_of_one_key_are_refused_at_once() -> None:
    """And its refusal takes nothing from others."""
    turns = make(waiting_max=1)
    work = Work(turns)
    tasks = [work.start("a0"), work.start("a1")]
    await eventually_async(work.has_begun(1))
    with pytest.raises(NoTurnError) as refused:
        async with turns.turn("a"):
            raise AssertionError
    assert refused.value.own
    tasks.append(work.start("b0"))
    for name in work.ends:
        work.ends[name].set()
    await asyncio.gather(*tasks)
    assert sorted(work.begun) == ["a0", "a1", "b0"]


async def test_who_waits_too_long_goes_and_loses_no_slot() -> None:
    turns = make()
    work = Work(turns)
    task = work.start("a0")
    await eventually_async(work.has_begun(1))
    with pytest.raises(NoTurnError) as refused:
        async with turns.turn("b", 0.01):
            raise AssertionError
    assert not refused.value.own, "it is a that has the only slot"
    work.ends["a0"].set()
    await task
    async with turns.turn("b", 0.01):
        pass


async def test_who_leaves_while_waiting_takes_no_slot_along() -> None:
    work = Work(make())
    first, second = work.start("a0"), work.start("b0")
    await eventually_async(work.has_begun(1))
    second.cancel()
    work.ends["a0"].set()
    await first
    async with work.turns.turn("b", 1.0):
        pass
    assert work.begun == ["a0"]


async def test_a_long_turn_rests_its_key_and_nobody_else() -> None:
    """What took 50 ms is followed by 50 ms of others."""
    clock = FakeClock()
    turns = Turns(clock, slots=1, per_key=1, waiting_max=9, rest_over_ns=5 * NS_PER_MS)
    async with turns.turn("a"):
        clock.advance_ns(50 * NS_PER_MS)
    async with turns.turn("b", 0.001):
        pass
    with pytest.raises(NoTurnError):
        async with turns.turn("a", 0.001):
            raise AssertionError
    async with turns.turn("a", 5.0):
        pass

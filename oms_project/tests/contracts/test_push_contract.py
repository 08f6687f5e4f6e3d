"""What every Push promises: a hint reaches who watches the group, and nobody else."""

import asyncio
from collections.abc import Iterator

import pytest

from oms_project.tests.contracts.adapters import PUSHES, PushCase, each

WAIT_S = 5.0


@pytest.fixture(params=each(PUSHES))
def case(request: pytest.FixtureRequest) -> Iterator[PushCase]:
    with request.param(request) as case:
        yield case


async def test_a_hint_reaches_its_group(case: PushCase) -> None:
    """With what it says, and the type that names the consumer's handler."""
    receive = await case.watch("account.a")
    await case.push.publish("account.a", {"type": "more", "seq": 7})
    assert await asyncio.wait_for(receive(), WAIT_S) == {"type": "more", "seq": 7}


async def test_a_hint_reaches_no_other_group(case: PushCase) -> None:
    """The watcher of b gets b's hint first, though a's was sent before."""
    receive = await case.watch("account.b")
    await case.push.publish("account.a", {"type": "more", "seq": 1})
    await case.push.publish("account.b", {"type": "more", "seq": 2})
    assert (await asyncio.wait_for(receive(), WAIT_S))["seq"] == 2


async def test_nobody_watches(case: PushCase) -> None:
    """No matter."""
    await case.push.publish("account.nobody", {"type": "more", "seq": 1})


async def test_a_stream_of_a_partition_is_a_group_too(case: PushCase) -> None:
    """Its name has a character that channel layers do not allow."""
    receive = await case.watch("account.~0")
    await case.push.publish("account.~0", {"type": "more", "seq": 3})
    assert (await asyncio.wait_for(receive(), WAIT_S))["seq"] == 3

"""The pusher: one hint an account and round, of what is stored; a broken push owes, and pays."""

import asyncio
from collections.abc import Callable, Mapping

import pytest

from oms_project.adapters.memory import MemoryPush
from oms_project.kernel.errors import TransportError
from oms_project.kernel.ports import OrderStore
from orders.adapters.memory_store import MemoryStore
from orders.pusher import Pusher, group_of
from orders.tests.contracts.rows import ACCOUNT, OTHER, a_chunk, changes


class BrittlePush(MemoryPush):
    """Publishes so many hints, then breaks until it is mended."""

    def __init__(self, lasts: int) -> None:
        super().__init__()
        self.lasts = lasts

    async def publish(self, group: str, message: Mapping[str, object]) -> None:
        if not self.lasts:
            raise TransportError("push", "away")
        self.lasts -= 1
        await super().publish(group, message)


class CountingStore(MemoryStore):
    """Counts how often it was asked while it was away."""

    refused = 0

    def ping(self) -> None:
        try:
            super().ping()
        except TransportError:
            self.refused += 1
            raise


async def until(holds: Callable[[], object]) -> None:
    """Poll until it holds, or fail at a deadline."""
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0.001)


def seqs(push: MemoryPush) -> list[tuple[str, object]]:
    return [(group, message["seq"]) for group, message in push.published]


def tell(store: MemoryStore, offset: int, stream: str, first: int, last: int) -> None:
    chunk = a_chunk(offset, first, last, stream=stream)
    store.apply(changes(offset + 1, last_command=offset, chunks=[chunk]))


async def begun(store: OrderStore, push: MemoryPush) -> Pusher:
    """Return a pusher that has seen what was stored before it."""
    pusher = Pusher(store, push, 1)
    assert await pusher.run_once() == 0
    return pusher


async def test_what_is_new_is_hinted_at_once_an_account() -> None:
    """Many commands of one account are one hint, with the newest seq."""
    store, push = MemoryStore(), MemoryPush()
    pusher = await begun(store, push)
    tell(store, 0, ACCOUNT, 1, 3)
    tell(store, 1, OTHER, 1, 1)
    tell(store, 2, ACCOUNT, 4, 9)
    assert await pusher.run_once() == 2
    assert seqs(push) == [(group_of(ACCOUNT), 9), (group_of(OTHER), 1)]
    assert all(message["type"] == "more" for _, message in push.published)
    assert await pusher.run_once() == 0
    tell(store, 3, ACCOUNT, 10, 10)
    assert await pusher.run_once() == 1


async def test_what_was_stored_before_is_not_hinted_at() -> None:
    """Whoever subscribes reads it."""
    store, push = MemoryStore(), MemoryPush()
    tell(store, 0, ACCOUNT, 1, 3)
    pusher = await begun(store, push)
    assert await pusher.run_once() == 0
    tell(store, 1, ACCOUNT, 4, 4)
    assert await pusher.run_once() == 1
    assert seqs(push) == [(group_of(ACCOUNT), 4)]


@pytest.mark.parametrize("lasts", [0, 1, 2])
async def test_a_broken_push_owes_the_rest(lasts: int) -> None:
    """Each hint once, with the newest seq by the time it is paid."""
    store, push = MemoryStore(), BrittlePush(lasts)
    pusher = await begun(store, push)
    for offset, stream in enumerate(("a", "b", "c")):
        tell(store, offset, stream, 1, 1)
    with pytest.raises(TransportError):
        await pusher.run_once()
    assert len(push.published) == lasts
    tell(store, 3, "c", 2, 2)
    push.lasts = 99
    await pusher.run_once()
    assert seqs(push) == [("account.a", 1), ("account.b", 1), ("account.c", 2)]
    assert await pusher.run_once() == 0


async def test_a_broken_store_is_waited_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pusher goes on by itself when the store is back."""
    monkeypatch.setattr("orders.pusher.BROKEN_S", 0.001)
    store, push = CountingStore(), MemoryPush()
    pusher = await begun(store, push)
    stop = asyncio.Event()
    store.break_wire(broken=True)
    running = asyncio.create_task(pusher.run(stop))
    await until(lambda: store.refused > 1)
    store.break_wire(broken=False)
    tell(store, 0, ACCOUNT, 1, 1)
    await until(lambda: push.published)
    stop.set()
    await running
    assert seqs(push) == [(group_of(ACCOUNT), 1)]

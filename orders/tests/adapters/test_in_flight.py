"""A process takes only so many orders ahead of what is shown; who comes then waits, or is refused."""

import asyncio
from collections.abc import Iterator

import pytest

from oms_project.adapters.clock import FakeClock
from oms_project.kernel.errors import TransportError
from oms_project.kernel.ports import Claim, ClaimState, Progress
from orders.adapters import in_flight as module
from orders.adapters.in_flight import InFlight
from orders.adapters.memory_store import MemoryStore


class Store(MemoryStore):
    """Shows commands up to `shown`; counts how often it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.shown = -1
        self.asked = 0
        self.broken = False

    def progress(self, partition: int) -> Progress:
        self.asked += 1
        if self.broken:
            raise TransportError("store", "away")
        return Progress(partition, 0, self.shown)


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def flow(store: Store) -> InFlight:
    return InFlight(store, FakeClock(), 10)


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nobody waits long, nor does the one who looks."""
    monkeypatch.setattr(module, "WAIT_S", 0.05)
    monkeypatch.setattr(module, "LOOK_S", 0.001)
    return


def state(offset: int, *, fresh: bool = True) -> ClaimState:
    claim = Claim("account", "orders", f"key-{offset}", b"", "base", 0)
    return ClaimState(claim, fresh=fresh, done=True, partition=0, offset=offset)


def send(flow: InFlight, orders: int, offset: int, *, fresh: bool = True) -> None:
    """Do what a door does with a request that was committed."""
    assert flow.take(orders)
    with flow.lease(orders) as lease:
        lease.sent(state(offset, fresh=fresh))


def test_room_is_held_until_the_store_shows_it(flow: InFlight, store: Store) -> None:
    send(flow, 6, 1)
    send(flow, 4, 2)
    assert not flow.take(1)
    store.shown = 1
    flow.look()
    assert flow.orders == 4
    assert flow.take(6)
    assert not flow.take(1)


def test_what_was_not_written_holds_no_room(flow: InFlight) -> None:
    """A broken wire, and a request that was taken before."""
    assert flow.take(10)
    with pytest.raises(TransportError), flow.lease(10):
        raise TransportError("log")
    send(flow, 10, 7, fresh=False)
    assert flow.orders == 0


def test_one_request_always_fits_into_an_empty_process(flow: InFlight) -> None:
    assert flow.take(500)
    assert not flow.take(1)


def test_what_never_shows_is_given_up(flow: InFlight) -> None:
    """Poison has no events: after a minute it does not hold up the others."""
    send(flow, 10, 1)
    flow.look()
    assert flow.orders == 10
    flow._clock.advance_s(61)  # type: ignore[attr-defined]
    flow.look()
    assert flow.orders == 0


async def test_cancels_pass(flow: InFlight) -> None:
    """They carry no orders: also while others wait."""
    send(flow, 10, 1)
    waiting = asyncio.create_task(flow.room(1))
    await asyncio.sleep(0)
    assert await flow.room(0)
    waiting.cancel()


async def test_room_given_to_who_just_left_comes_back(flow: InFlight) -> None:
    """The client hangs up between the grant and the moment its request is woken by it."""
    send(flow, 10, 1)
    request = asyncio.create_task(flow.room(5))
    await asyncio.sleep(0)
    (_, turn), flow.orders = flow._waiting.pop("").popleft(), 5
    turn.set_result(None)
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    assert flow.orders == 0


@pytest.mark.usefixtures("brief")
async def test_no_room_in_time(flow: InFlight) -> None:
    send(flow, 10, 1)
    assert not await flow.room(1)
    assert flow.orders == 10


async def test_who_waits_is_let_in_in_order(flow: InFlight, store: Store) -> None:
    """A large request is not overtaken by a small one that would fit."""
    send(flow, 6, 1)
    send(flow, 4, 2)
    entered: list[str] = []

    async def ask(name: str, orders: int) -> None:
        assert await flow.room(orders)
        entered.append(name)

    tasks = [asyncio.create_task(ask("large", 9)), asyncio.create_task(ask("small", 1))]
    store.shown = 1
    while flow.orders != 4:
        await asyncio.sleep(0)
    assert entered == []
    store.shown = 2
    await asyncio.gather(*tasks)
    assert entered == ["large", "small"]
    assert flow.orders == 10


async def test_many_who_wait_ask_the_store_once(flow: InFlight, store: Store) -> None:
    send(flow, 10, 1)
    store.shown = 1
    store.asked = 0
    assert all(await asyncio.gather(*(flow.room(1) for _ in range(10))))
    assert store.asked == 1


async def test_a_store_that_is_away(flow: InFlight, store: Store) -> None:
    """Everybody who waits is told, and the next one asks again."""
    send(flow, 10, 1)
    store.broken = True
    told = await asyncio.gather(*(flow.room(1) for _ in range(3)), return_exceptions=True)
    assert [type(one) for one in told] == [TransportError] * 3
    store.broken = False
    store.shown = 1
    assert await flow.room(1)


# ------------------------------------------------------------------ not one pot for all


def hold(flow: InFlight, orders: int, offset: int, account_id: str) -> None:
    assert flow.take(orders, account_id)
    with flow.lease(orders, account_id) as lease:
        lease.sent(state(offset))


async def test_one_account_leaves_half_of_the_room_to_others(flow: InFlight) -> None:
    """A flood of one trader is never what another is told `overloaded` for."""
    hold(flow, 5, 1, "a")
    assert not flow.take(1, "a")
    assert flow.take(1, "b")
    assert await flow.room(1, "c")


def test_a_share_comes_back_with_what_is_shown(flow: InFlight, store: Store) -> None:
    hold(flow, 5, 1, "a")
    store.shown = 1
    flow.look()
    assert flow.take(5, "a")
    assert not flow.take(1, "a")
    with flow.lease(5, "a"):
        pass  # refused: nothing of it is under way
    assert flow.take(5, "a")


async def test_accounts_that_wait_take_turns(flow: InFlight, store: Store) -> None:
    """Three of a came first; b, who comes last, is let in second."""
    hold(flow, 5, 1, "x")
    hold(flow, 5, 2, "y")
    let_in: list[str] = []

    async def come(account_id: str) -> None:
        if await flow.room(5, account_id):
            let_in.append(account_id)

    tasks = [asyncio.create_task(come(account_id)) for account_id in ("a", "a", "a", "b")]
    await asyncio.sleep(0)
    store.shown = 2
    await asyncio.gather(*tasks[:1], tasks[3])
    assert sorted(let_in) == ["a", "b"]
    for task in tasks:
        task.cancel()


async def test_who_waits_for_the_own_share_holds_up_nobody(flow: InFlight) -> None:
    """There is room, only not for more of a."""
    hold(flow, 5, 1, "a")
    more = asyncio.create_task(flow.room(1, "a"))
    await asyncio.sleep(0)
    async with asyncio.timeout(0.5):
        assert await flow.room(2, "b")
    more.cancel()


async def test_who_is_held_up_by_its_own_share_holds_up_nobody(flow: InFlight) -> None:
    """a waits for what a has itself; c, who comes later, needs one of the four places that are free."""
    hold(flow, 5, 1, "a")
    hold(flow, 1, 2, "b")
    waiting = asyncio.create_task(flow.room(5, "a"))
    await asyncio.sleep(0)
    assert await flow.room(1, "c")
    assert not waiting.done()
    waiting.cancel()

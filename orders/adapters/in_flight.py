"""Flow control at the door: how many acknowledged orders are not shown yet, and who waits for room.

A backlog serves nobody. The venue's reports queue behind it in the same log, so every fill comes
late; the engine holds all of its orders in memory; the projector writes each of them twice. So a
process takes no more than *orders_max* ahead of what the store shows. Who comes then waits a moment
for room, and is told `overloaded` if there is none. Cancels carry no orders: they always pass.

It is not one pot for all: one account has at most half of the room, and accounts that wait take turns.
"""

import asyncio
import threading
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from asgiref.sync import sync_to_async

from oms_project.adapters.clock import NS_PER_S
from oms_project.kernel.ports import ClaimState, Clock, OrderStore

WAIT_S: Final = 1.0
LOOK_S: Final = 0.01
ACCOUNT_SHARE: Final = 2
"""One account has at most the room by this."""
GIVEN_UP_NS: Final = 60 * NS_PER_S
"""What is not shown by then never will be (poison): it does not hold its room for ever."""


class Lease:
    """Room for some orders, until they are shown (`sent`) or the lease ends without that."""

    __slots__ = ("sent_to",)

    def __init__(self) -> None:
        self.sent_to: tuple[int, int] | None = None

    def sent(self, state: ClaimState) -> None:
        """Keep the room until the store shows *state*'s command; a repeated one needs none."""
        if state.fresh and state.done:
            self.sent_to = state.partition, state.offset


class InFlight:
    """The orders of one process. Safe to use from threads and from one event loop at a time."""

    def __init__(self, store: OrderStore, clock: Clock, orders_max: int) -> None:
        self._store = store
        self._clock = clock
        self._orders_max = orders_max
        self._lock = threading.Lock()
        self._looking = threading.Lock()
        self._share_max = max(1, orders_max // ACCOUNT_SHARE)
        self._sent: dict[int, deque[tuple[int, int, int, str]]] = {}
        self._waiting: dict[str, deque[tuple[int, asyncio.Future[None]]]] = {}
        self._watch: asyncio.Task[None] | None = None
        self._of: Counter[str] = Counter()
        self.orders = 0

    @contextmanager
    def lease(self, orders: int, account_id: str = "") -> Iterator[Lease]:
        """Give back what `take` or `room` took, now or once it is shown."""
        lease = Lease()
        try:
            yield lease
        finally:
            with self._lock:
                if lease.sent_to is None:
                    self._give(orders, account_id)
                elif orders:
                    partition, offset = lease.sent_to
                    sent = self._sent.setdefault(partition, deque())
                    sent.append((offset, orders, self._clock.monotonic_ns(), account_id))

    def take(self, orders: int, account_id: str = "") -> bool:
        """Take room for *orders* if there is any. One request always fits into an empty process."""
        with self._lock:
            if self._full(orders) or self._has_its_share(orders, account_id):
                return False
            self.orders += orders
            if account_id:
                self._of[account_id] += orders
            return True

    def _full(self, orders: int) -> bool:
        return bool(orders and self.orders and self.orders + orders > self._orders_max)

    def _has_its_share(self, orders: int, account_id: str) -> bool:
        held = self._of[account_id] if account_id and orders else 0
        return bool(held and held + orders > self._share_max)

    def _give(self, orders: int, account_id: str) -> None:
        """Take room back. The lock is held."""
        self.orders -= orders
        if account_id:
            self._of[account_id] -= orders
            if self._of[account_id] <= 0:
                del self._of[account_id]

    async def room(self, orders: int, account_id: str = "") -> bool:
        """Take room, waiting up to WAIT_S for it; False: there was none.

        Accounts take turns, and one task looks for all.

        Raises:
            TransportError: the store cannot be asked.
        """
        if not orders or (not self._waiting and self.take(orders, account_id)):
            return True
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(account_id, deque()).append((orders, turn))
        if account_id and len(self._waiting) > 1:
            self._let_in()  # those before it may all wait for their own share
        if self._watch is None or self._watch.done():
            self._watch = asyncio.create_task(self._serve())
        try:
            async with asyncio.timeout(WAIT_S):
                await turn
        except TimeoutError:
            # Room that was given in the very moment in which the wait ended is ours all the same.
            return _granted(turn)
        except asyncio.CancelledError:
            if _granted(turn):  # the client went away in that moment: nobody will take it
                with self._lock:
                    self._give(orders, account_id)
            raise
        return True

    async def _serve(self) -> None:
        """Let in who waits as room comes up."""
        look = sync_to_async(self.look, thread_sensitive=False)
        try:
            while self._waiting:
                await look()
                self._let_in()
                await asyncio.sleep(LOOK_S)
        except Exception as error:  # each of those who wait raises it
            for line in self._waiting.values():
                for _, turn in line:
                    if not turn.done():
                        turn.set_exception(error)
            self._waiting.clear()

    def _let_in(self) -> None:
        """Let in one of each account and round, until the room is full or none may."""
        some = True
        while some:
            some = False
            for account_id in list(self._waiting):
                line = self._waiting[account_id]
                while line and line[0][1].done():
                    line.popleft()  # given up
                if line and self._has_its_share(line[0][0], account_id):
                    continue  # held up by what it has itself: that is nobody else's matter
                if line and self._full(line[0][0]):
                    return  # whose turn it is, waits for the room: nobody overtakes a large one
                if line and self.take(line[0][0], account_id):
                    line.popleft()[1].set_result(None)
                    some = True
                    self._waiting[account_id] = self._waiting.pop(account_id)
                if not line:
                    del self._waiting[account_id]

    def look(self) -> None:
        """Give back the room of what the store shows by now. One thread looks, the others go on."""
        if not self._looking.acquire(blocking=False):
            return
        try:
            with self._lock:
                partitions = [partition for partition, sent in self._sent.items() if sent]
            for partition in partitions:
                self._shown(partition, self._store.progress(partition).last_command)
        finally:
            self._looking.release()

    def _shown(self, partition: int, last_command: int) -> None:
        too_old_ns = self._clock.monotonic_ns() - GIVEN_UP_NS
        with self._lock:
            sent = self._sent[partition]
            while sent and (sent[0][0] <= last_command or sent[0][2] < too_old_ns):
                _, orders, _, account_id = sent.popleft()
                self._give(orders, account_id)


def _granted(turn: "asyncio.Future[None]") -> bool:
    return turn.done() and not turn.cancelled() and turn.exception() is None

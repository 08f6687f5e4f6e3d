"""Flow control at the door: how many acknowledged orders are not shown yet, and who waits for room.

A backlog serves nobody. The venue's reports queue behind it in the same log, so every fill comes
late; the engine holds all of its orders in memory; the projector writes each of them twice. So a
process takes no more than *orders_max* ahead of what the store shows. Who comes then waits a moment
for room, and is told `overloaded` if there is none. Cancels carry no orders: they always pass.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from asgiref.sync import sync_to_async

from oms_project.adapters.clock import NS_PER_S
from oms_project.kernel.ports import ClaimState, Clock, OrderStore

WAIT_S: Final = 1.0
LOOK_S: Final = 0.01
GIVEN_UP_NS: Final = 60 * NS_PER_S
"""What is not shown by then never will be (poison): it does not hold its room for ever."""


class Lease:
    """Room for some orders, until they are shown (`sent`) or the lease ends without that."""

    __slots__ = ("_flow", "orders", "sent_to")

    def __init__(self, flow: "InFlight", orders: int) -> None:
        self._flow = flow
        self.orders = orders
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
        self._sent: dict[int, deque[tuple[int, int, int]]] = {}
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._watch: asyncio.Task[None] | None = None
        self.orders = 0

    @contextmanager
    def lease(self, orders: int) -> Iterator[Lease]:
        """Give back what `room` or `room_async` took, now or once it is shown."""
        lease = Lease(self, orders)
        try:
            yield lease
        finally:
            with self._lock:
                if lease.sent_to is None:
                    self.orders -= orders
                elif orders:
                    partition, offset = lease.sent_to
                    sent = self._sent.setdefault(partition, deque())
                    sent.append((offset, orders, self._clock.monotonic_ns()))

    def take(self, orders: int) -> bool:
        """Take room for *orders* if there is any. One request always fits into an empty process."""
        with self._lock:
            if orders and self.orders and self.orders + orders > self._orders_max:
                return False
            self.orders += orders
            return True

    def room(self, orders: int) -> bool:
        """Take room, waiting up to WAIT_S for it; False: there was none.

        Raises:
            TransportError: the store cannot be asked.
        """
        if self.take(orders):
            return True
        pause = threading.Event()
        deadline_ns = self._clock.monotonic_ns() + int(WAIT_S * NS_PER_S)
        while self._clock.monotonic_ns() < deadline_ns:
            self.look()
            if self.take(orders):
                return True
            pause.wait(LOOK_S)
        return False

    async def room_async(self, orders: int) -> bool:
        """As `room`, for an event loop: first come, first served, and one task looks for all."""
        if not orders or (not self._waiting and self.take(orders)):
            return True
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((orders, turn))
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
                    self.orders -= orders
            raise
        return True

    async def _serve(self) -> None:
        """Let in who waits, in order, as room comes up."""
        look = sync_to_async(self.look, thread_sensitive=False)
        try:
            while self._waiting:
                await look()
                while self._waiting:
                    orders, turn = self._waiting[0]
                    if not turn.done():
                        if not self.take(orders):
                            break
                        turn.set_result(None)
                    self._waiting.popleft()
                await asyncio.sleep(LOOK_S)
        except Exception as error:  # each of those who wait raises it
            while self._waiting:
                _, turn = self._waiting.popleft()
                if not turn.done():
                    turn.set_exception(error)

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
                self.orders -= sent.popleft()[1]


def _granted(turn: "asyncio.Future[None]") -> bool:
    return turn.done() and not turn.cancelled() and turn.exception() is None

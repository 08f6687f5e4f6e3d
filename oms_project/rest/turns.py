"""Fair turns: who may work now, when one key (a user, an account, an address) wants too much at once.

Rules of this file:
- At most `slots` work at once in the process, at most `per_key` of one key.
- Keys take turns: who waits longest *of the next key* goes first, so a crowd of one key delays its
  own, and others by one turn.
- A turn that took long rests its key for as long again: what a key is given is bounded by what it
  costs, not by how often it asks.
"""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from oms_project.kernel.numbers import NS_PER_S
from oms_project.kernel.ports import Clock


class NoTurnError(Exception):
    """There is no turn for this key in time. own: because of what this key has under way itself."""

    def __init__(self, key: str, *, own: bool) -> None:
        super().__init__(key)
        self.own = own


class Turns:
    """Turns of one process and one event loop at a time.

    waiting_max: of one key; more are refused at once. rest_over_ns: turns shorter than this need no
    rest.
    """

    def __init__(
        self, clock: Clock, *, slots: int, per_key: int, waiting_max: int, rest_over_ns: int = 0
    ) -> None:
        self._clock = clock
        self._slots = slots
        self._per_key = per_key
        self._waiting_max = waiting_max
        self._rest_over_ns = rest_over_ns
        self._working: Counter[str] = Counter()
        self._at_work = 0
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    @asynccontextmanager
    async def turn(self, key: str, wait_s: float | None = None) -> AsyncIterator[None]:
        """Work when it is this key's turn.

        Raises:
            NoTurnError: not within *wait_s*, or too many of this key wait already.
        """
        if not self._take(key):
            await self._wait(key, wait_s)
        begun_ns = self._clock.monotonic_ns()
        try:
            yield
        finally:
            self._at_work -= 1
            took_ns = self._clock.monotonic_ns() - begun_ns
            if self._rest_over_ns and took_ns > self._rest_over_ns:
                rest_s = took_ns / NS_PER_S
                asyncio.get_running_loop().call_later(rest_s, self._leave, key)
                self._next()
            else:
                self._leave(key)

    def _take(self, key: str) -> bool:
        """Begin at once if nobody waits whose turn it would be."""
        if self._waiting or not self._free(key):
            return False
        self._begin(key)
        return True

    def _free(self, key: str) -> bool:
        return self._at_work < self._slots and self._working[key] < self._per_key

    def _begin(self, key: str) -> None:
        self._working[key] += 1
        self._at_work += 1

    async def _wait(self, key: str, wait_s: float | None) -> None:
        line = self._waiting.setdefault(key, deque())
        if len(line) >= self._waiting_max:
            raise NoTurnError(key, own=True)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line.append(turn)
        self._next()  # those who wait may all be of keys that are busy: then this one need not
        try:
            async with asyncio.timeout(wait_s):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self._at_work -= 1  # it was given in the very moment in which the wait ended
                self._leave(key)
            else:
                self._forget(key, turn)
            if isinstance(error, TimeoutError):
                own = self._working[key] >= self._per_key
                raise NoTurnError(key, own=own) from error
            raise

    def _forget(self, key: str, turn: "asyncio.Future[None]") -> None:
        line = self._waiting.get(key)
        if line is not None and turn in line:
            line.remove(turn)
            if not line:
                del self._waiting[key]

    def _leave(self, key: str) -> None:
        self._working[key] -= 1
        if not self._working[key]:
            del self._working[key]
        self._next()

    def _next(self) -> None:
        """Let in who waits, one a key and round, for as long as there are slots."""
        while self._round():
            pass

    def _round(self) -> bool:
        let_in = False
        for key in list(self._waiting):
            line = self._waiting[key]
            while line and line[0].done():  # given up
                line.popleft()
            if line and self._free(key):
                line.popleft().set_result(None)
                self._begin(key)
                let_in = True
                if line:  # the key's others wait behind all other keys
                    self._waiting[key] = self._waiting.pop(key)
            if not line:
                self._waiting.pop(key, None)
        return let_in

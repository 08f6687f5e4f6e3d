"""The clients: they order, cancel, repeat and err, note everything, and never give a request up.

Rules of this file:
- A request without a definite answer is UNKNOWN. It is sent again, with the same key and the same
  bytes, until there is one: while the faults go on, and afterwards for SETTLE_S.
- Nothing is concluded here; the judge reads the journal.
"""

import asyncio
from collections import deque
from typing import Final

import msgspec

from oms_project.adapters.clock import NS_PER_MS, NS_PER_S, SystemClock
from oms_project.adapters.ids import seeded
from orders.bench import client
from orders.faults.bodies import Bodies
from orders.faults.journal import (
    PLACES,
    Answer,
    Journal,
    Kind,
    Request,
    Seen,
    Silence,
    Try,
    is_definite,
)

CLIENTS: Final = 8
ANSWER_S: Final = 15.0
SETTLE_S: Final = 90.0
CONNECT_PAUSE_S: Final = 0.1
AGAIN_AFTER_NS: Final = 200 * NS_PER_MS
PAUSE_MS_MAX: Final = 40
RACERS: Final = 3
RECENT_MAX: Final = 200
SHOWN_MAX: Final = 2_000

_now_ns = SystemClock.monotonic_ns


class _Ack(msgspec.Struct):
    order_id: str


class _Shown(msgspec.Struct):
    status: str
    filled_quantity: str
    rejected_by: str | None = None
    reason: str | None = None


_read_shown = msgspec.json.Decoder(_Shown).decode
_read_ack = msgspec.json.Decoder(_Ack).decode


class Load:
    """Some clients at work against one web role."""

    def __init__(self, port: int, token: str, bodies: Bodies, journal: Journal, seed: int) -> None:
        self._port = port
        self._token = token
        self._bodies = bodies
        self._journal = journal
        self._dice = seeded(seed)
        self._unknown: deque[tuple[int, Request]] = deque()
        self._taken: deque[Request] = deque(maxlen=RECENT_MAX)
        self._orders: deque[tuple[str, str]] = deque(maxlen=RECENT_MAX)
        self._shown: deque[tuple[str, str]] = deque(maxlen=SHOWN_MAX)
        self._over = asyncio.Event()
        self._free: list[client.Connection] = []

    # -------------------------------------------------------------- life

    async def run(self, clients: int = CLIENTS) -> None:
        """Send until `stop`."""
        await asyncio.gather(*(self._client() for _ in range(clients)))

    def stop(self) -> None:
        self._over.set()

    async def settle(self) -> int:
        """Send what is unknown again until nothing is; return how many still are at the deadline."""
        until_ns = _now_ns() + int(SETTLE_S * NS_PER_S)
        while self._unknown and _now_ns() < until_ns:
            _, request = self._unknown.popleft()
            if not await self._send(request):
                await asyncio.sleep(CONNECT_PAUSE_S)
        return len(self._unknown)

    async def close_all(self, account_ids: list[str]) -> None:
        """Cancel whatever is open, so that the books can be compared with the fills."""
        for account_id in account_ids:
            await self._first(self._bodies.cancel_all(account_id))
        await self.settle()

    async def repeat_all(self, count: int) -> None:
        """Send the newest taken requests once more: their answers must not have changed."""
        for request in list(self._taken)[-count:]:
            await self._send(request)

    def hang_up(self) -> None:
        while self._free:
            self._free.pop().close()

    # -------------------------------------------------------------- one client

    async def _client(self) -> None:
        while not self._over.is_set():
            await self._act()
            await asyncio.sleep(self._dice.randrange(PAUSE_MS_MAX) / 1000)

    async def _act(self) -> None:
        """Draw one thing to do."""
        draw = self._dice.randrange(100)
        if self._unknown and _now_ns() >= self._unknown[0][0] and draw < 60:
            await self._send(self._unknown.popleft()[1])
        elif draw < 42:
            await self._first(self._bodies.single())
        elif draw < 56:
            await self._first(self._bodies.batch())
        elif draw < 70 and self._taken:
            await self._send(self._dice.choice(self._taken))
        elif draw < 76:
            await self._race(self._bodies.single())
        elif draw < 79 and self._taken:
            await self._first(self._bodies.reuse(self._dice.choice(self._taken)))
        elif draw < 84 and self._shown:
            await self._look(*self._dice.choice(self._shown))
        elif draw < 91 and self._orders:
            account_id, order_id = self._orders.popleft()
            await self._first(self._bodies.cancel(account_id, order_id))
        else:
            await self._first(self._bodies.bad())

    async def _first(self, request: Request) -> None:
        self._journal.write(request)
        await self._send(request)

    async def _race(self, request: Request) -> None:
        """Several at once with one key: one order, and one answer for all."""
        self._journal.write(request)
        await asyncio.gather(*(self._send(request, note=i == 0) for i in range(RACERS)))

    async def _send(self, request: Request, *, note: bool = True) -> bool:
        """Send once and note what comes; tell whether that settled it.

        note: if it did not, it is for us to send it again later.
        """
        self._journal.write(Try(request.number))
        begun_ns = _now_ns()
        try:
            answer = await self._send_request(request)
        except (OSError, TimeoutError, ConnectionError) as error:
            took_ms = (_now_ns() - begun_ns) // NS_PER_MS
            self._journal.write(Silence(request.number, repr(error)[:120], took_ms))
            if note:
                self._later(request)
            await asyncio.sleep(CONNECT_PAUSE_S)
            return False
        took_ms = (answer.at_ns - begun_ns) // NS_PER_MS
        text = answer.body.decode("utf-8", "replace")
        self._journal.write(Answer(request.number, answer.status, text, took_ms))
        if not is_definite(answer.status, answer.body):
            if note:
                self._later(request)
            return False
        if answer.status == 202:
            self._remember(request, answer.body)
        return True

    def _later(self, request: Request) -> None:
        self._unknown.append((_now_ns() + AGAIN_AFTER_NS, request))

    def _remember(self, request: Request, body: bytes) -> None:
        if request.kind in PLACES or request.kind is Kind.CANCEL:
            self._taken.append(request)
        if request.kind is Kind.SINGLE:
            self._orders.append((request.account_id, _read_ack(body).order_id))
            self._shown.append(self._orders[-1])

    async def _look(self, account_id: str, order_id: str) -> None:
        """Read an order and note what is shown of it: that must never be taken back."""
        raw = client.request("GET", f"/api/orders/{order_id}", b"", token=self._token)
        try:
            answer = await self._exchange(raw)
        except (OSError, TimeoutError, ConnectionError):
            await asyncio.sleep(CONNECT_PAUSE_S)
            return
        if answer.status == 200:
            shown = _read_shown(answer.body)
            self._journal.write(
                Seen(
                    account_id, order_id, shown.status, shown.rejected_by or "",
                    shown.reason or "", shown.filled_quantity,
                )
            )  # fmt: skip

    async def _send_request(self, request: Request) -> client.Answer:
        return await self._exchange(
            client.request(
                "POST", request.path, request.body.encode(), token=self._token, key=request.key
            )
        )

    async def _exchange(self, raw: bytes) -> client.Answer:
        connection = self._free.pop() if self._free else await client.connect(self._port)
        try:
            async with asyncio.timeout(ANSWER_S):
                answer = await connection.send(raw)
        except BaseException:
            connection.close()
            raise
        self._free.append(connection)
        return answer

"""Everything but order entry takes turns: so many requests at once in Django, and few of one caller.

Django gives each request a thread; without a bound a flood of lists or pages would be a flood of
threads, connections and memory, and whoever sends most would be served most. Who waits too long is
told to come again (503), nothing done. Order entry has its own room (orders/adapters/in_flight.py).

The body is read before the turn and the answer sent after it: a caller who is slow to send the one or
to take the other holds up nobody.
"""

import asyncio
from typing import Final

from oms_project.access import key_ring, principal, signing
from oms_project.access.errors import AccessError
from oms_project.adapters.clock import NS_PER_MS, SystemClock
from oms_project.problem import Problem
from oms_project.rest.door import App, Message, Receive, Scope, Send, answer
from oms_project.rest.strict_json import headers_of
from oms_project.rest.turns import NoTurnError, Turns

AT_ONCE: Final = 8
AT_ONCE_OF_ONE: Final = 2
REST_OVER_NS: Final = 5 * NS_PER_MS
"""Who asks for what takes longer than that rests as long: it costs the others' orders, too."""
WAITING_OF_ONE_MAX: Final = 64
WAIT_S_MAX: Final = 5.0
HELD_BYTES_MAX: Final = 1024 * 1024
BUSY: Final = Problem("overloaded", "Too many requests wait.", headers={"Retry-After": "1"})


def fairly(app: App) -> App:
    """Return *app* behind the turns."""
    turns = _Turns()

    async def admitted(scope: Scope, receive: Receive, send: Send) -> None:
        told = await _whole(receive)
        if told[-1]["type"] == "http.disconnect":
            return

        async def again() -> Message:
            return told.pop(0) if told else await receive()

        made = _Answer(send)
        begun = False
        try:
            async with turns.here().turn(caller_of(scope), WAIT_S_MAX):
                begun = True
                await app(scope, again, made.send)
        except NoTurnError:
            if begun:
                raise
            await answer(scope, send, BUSY)
        await made.let_go()

    return admitted


class _Turns:
    """The turns of the running event loop: those of one that ended are nobody's any more."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._turns: Turns | None = None

    def here(self) -> Turns:
        loop = asyncio.get_running_loop()
        if self._turns is None or loop is not self._loop:
            self._loop = loop
            self._turns = Turns(
                SystemClock(), slots=AT_ONCE, per_key=AT_ONCE_OF_ONE,
                waiting_max=WAITING_OF_ONE_MAX, rest_over_ns=REST_OVER_NS,
            )  # fmt: skip
        return self._turns


class _Answer:
    """Holds an answer until its turn is over; one that is longer than HELD_BYTES_MAX streams."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._held: list[Message] = []
        self._bytes = 0

    async def send(self, message: Message) -> None:
        self._held.append(message)
        self._bytes += len(message.get("body", b""))
        if self._bytes > HELD_BYTES_MAX:
            await self.let_go()

    async def let_go(self) -> None:
        while self._held:
            await self._send(self._held.pop(0))


async def _whole(receive: Receive) -> list[Message]:
    """Return all messages of the body; the door in front bounds their bytes and their time."""
    told = [await receive()]
    while told[-1].get("more_body", False):
        told.append(await receive())
    return told


def caller_of(scope: Scope) -> str:
    """Return whose turn it is: a user's, if we know without asking anybody, else an address'.

    A signature is not looked at here, so an address may name a key and still waits only for itself.
    """
    headers = headers_of(scope["headers"])
    found = None
    client = scope.get("client")
    address = client[0] if client else ""
    key_id = headers.get(signing.KEY, b"").decode("latin-1")
    if key_id and key_ring.cached(key_id) is not None:
        return f"key {key_id} from {address}"
    try:
        authorization = headers.get(b"authorization")
        if authorization is not None:
            token = principal.bearer_of(authorization.decode("latin-1"))
            found = principal.cached_bearer(token)
        elif b"cookie" in headers:
            cookies = principal.cookies_of(headers[b"cookie"].decode("latin-1"))
            found = principal.cached_session(principal.session_key_of(cookies))
    except AccessError:
        pass  # no credential: it is refused behind this, as whoever it comes from
    if found is not None:
        return f"user {found.user_id}"
    return f"address {address}"

"""The outermost ASGI door for websockets: origin, who it is, how many, and whether still welcome.

A socket opens with a session cookie *and* our own Origin, or with a token as the sub-protocol
`bearer.<jwt>` (or an Authorization header, for programs); a token ignores cookies and needs no
Origin. Never in the query string: those are logged. Consumers find `scope["seat"]`.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

import structlog
from channels.db import database_sync_to_async
from django.conf import settings
from django.db import DatabaseError
from django.urls import re_path

from oms_project import metrics
from oms_project.access import principal as access
from oms_project.access.errors import AccessError
from oms_project.access.principal import Principal
from oms_project.adapters.clock import NS_PER_MS, SystemClock
from oms_project.kernel.errors import TransportError
from oms_project.rest.door import App, Message, Receive, Scope, Send, served, with_plain_cookies
from oms_project.rest.strict_json import headers_of
from oms_project.rest.turns import Turns

UNAUTHENTICATED: Final = 4401
FORBIDDEN: Final = 4403
HEARTBEAT_LOST: Final = 4408
TOO_MANY: Final = 4429
OVERLOADED: Final = 1013

SOCKETS_PER_USER_MAX: Final = 32
SWEEP_S: Final = 2.0
"""How often everybody is looked up again; with the principal's cache this stays below 5 s."""
READS_AT_ONCE: Final = 2
"""Of all sockets; at most one of a user's. The other threads are for everybody else's work."""
REST_OVER_NS: Final = NS_PER_MS
"""What took longer is followed by a rest as long: half of a thread is the most one user gets."""
SWEEP_AT_ONCE: Final = 4
PROTOCOL: Final = "oms.v1"
BEARER: Final = "bearer."

_logger = structlog.get_logger(__name__)


class RefusedError(Exception):
    """The socket is closed at once with this code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Seat:
    """One open socket. principal: replaced when rights change; gone: set when it must close.

    reads: whose turn it is to read for its socket; given with the seat.
    """

    reads: Turns

    def __init__(self, principal: Principal, look_up: Callable[[], Principal], key: str) -> None:
        self.principal = principal
        self.look_up = look_up
        self.key = key
        self.gone = asyncio.Event()


class Seats:
    """All sockets of this process. One event loop."""

    def __init__(self) -> None:
        self._by_key: dict[str, set[Seat]] = defaultdict(set)
        self._per_user: Counter[str] = Counter()
        self.reads = Turns(
            SystemClock(), slots=READS_AT_ONCE, per_key=1, waiting_max=2 * SOCKETS_PER_USER_MAX,
            rest_over_ns=REST_OVER_NS,
        )  # fmt: skip

    def take(self, seat: Seat) -> None:
        """Give a socket its seat.

        Raises:
            RefusedError: 4429, the user has too many.
        """
        user_id = seat.principal.user_id
        if self._per_user[user_id] >= SOCKETS_PER_USER_MAX:
            raise RefusedError(TOO_MANY)
        seat.reads = self.reads
        self._per_user[user_id] += 1
        self._by_key[seat.key].add(seat)

    def leave(self, seat: Seat) -> None:
        self._by_key[seat.key].discard(seat)
        if not self._by_key[seat.key]:
            del self._by_key[seat.key]
        user_id = seat.principal.user_id
        self._per_user[user_id] -= 1
        if not self._per_user[user_id]:
            del self._per_user[user_id]

    async def sweep(self) -> None:
        """Look everybody up again, each credential once, some at once."""
        keys = list(self._by_key)
        for start in range(0, len(keys), SWEEP_AT_ONCE):
            await asyncio.gather(*map(self._look, keys[start : start + SWEEP_AT_ONCE]))

    async def _look(self, key: str) -> None:
        """Look one credential up again. A database that is away changes nothing."""
        seats = list(self._by_key.get(key, ()))
        if not seats:
            return
        try:
            found = await _in_thread(seats[0].look_up)
        except AccessError:
            for seat in seats:
                seat.gone.set()
        except (TransportError, DatabaseError) as error:
            _logger.warning("sweep_failed", error=repr(error))
        else:
            for seat in seats:
                seat.principal = found

    async def watch(self) -> None:
        """Sweep for ever."""
        while True:
            await asyncio.sleep(SWEEP_S)
            await self.sweep()


SEATS: Final = Seats()


def guarded(app: App, seats: Seats = SEATS) -> App:
    """Return *app* behind the door."""

    async def door(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        try:
            seat = await _seat(scope)
            seats.take(seat)
        except RefusedError as error:
            await _refuse(scope, receive, send, error.code)
            return
        gauge = metrics.SOCKETS.labels(_label(path))
        gauge.inc()
        try:
            scope["seat"] = seat
            scope["principal"] = scope["user"] = seat.principal
            socket = _Socket(seat, receive, send, _chosen(scope), _label(path))
            await app(scope, socket.receive, socket.send)
        finally:
            gauge.dec()
            seats.leave(seat)

    return door


# ------------------------------------------------------------------ who it is
async def _seat(scope: Scope) -> Seat:
    headers = headers_of(with_plain_cookies(scope["headers"]))
    if not served(headers.get(b"host", b"")):
        raise RefusedError(FORBIDDEN)
    try:
        token = _token(scope, headers)
        if token:
            found = access.cached_bearer(token)
            return await _looked_up(lambda: access.from_bearer(token), found, f"token {token}")
        cookies = access.cookies_of(headers.get(b"cookie", b"").decode("latin-1"))
        key = access.session_key_of(cookies)
        if not key:
            raise RefusedError(UNAUTHENTICATED)
        if not _our_origin(scope, headers):
            raise RefusedError(FORBIDDEN)
        found = access.cached_session(key)
        return await _looked_up(lambda: access.from_session(cookies), found, f"session {key}")
    except AccessError as error:
        raise RefusedError(UNAUTHENTICATED) from error


async def _in_thread(look_up: Callable[[], Principal]) -> Principal:
    found: Principal = await database_sync_to_async(look_up, thread_sensitive=False)()
    return found


async def _looked_up(look_up: Callable[[], Principal], found: Principal | None, key: str) -> Seat:
    return Seat(found or await _in_thread(look_up), look_up, key)


def _token(scope: Scope, headers: dict[bytes, bytes]) -> str:
    for protocol in scope.get("subprotocols", ()):
        if protocol.startswith(BEARER):
            return str(protocol[len(BEARER) :])
    authorization = headers.get(b"authorization")
    return access.bearer_of(authorization.decode("latin-1")) if authorization else ""


def _our_origin(scope: Scope, headers: dict[bytes, bytes]) -> bool:
    """A browser says where the page came from; without that a cookie proves nothing.

    The scheme is a part of it: what was loaded without TLS may have been anybody's.
    """
    origin = headers.get(b"origin", b"").decode("latin-1")
    if origin in settings.CSRF_TRUSTED_ORIGINS:
        return True
    parts = urlsplit(origin)
    host = headers.get(b"host", b"").decode("latin-1")
    secure = settings.ENV.secure_cookies or scope.get("scheme") in ("wss", "https")
    ours = "https" if secure else "http"
    return parts.scheme == ours and parts.netloc.lower() == host.lower()


def _chosen(scope: Scope) -> str | None:
    """Return the sub-protocol to answer with: ours or none. An answer's header may be logged, so
    a token is never sent back; a browser, which needs one of those it offered, offers both."""
    return PROTOCOL if PROTOCOL in scope.get("subprotocols", ()) else None


def _label(path: str) -> str:
    return path if path in ("/ws/orders", "/ws/market") else "other"


async def _refuse(scope: Scope, receive: Receive, send: Send, code: int) -> None:
    """Accept, only to say why: a browser shows no code of a handshake that was refused."""
    message = await receive()
    if message["type"] != "websocket.connect":
        return
    metrics.SOCKETS_CLOSED.labels(_label(scope["path"]), str(code)).inc()
    await send({"type": "websocket.accept", "subprotocol": _chosen(scope)})
    await send({"type": "websocket.close", "code": code})


# ------------------------------------------------------------------ still welcome
class _Socket:
    """Stands between the server and a consumer: ends the connection when the seat is gone."""

    def __init__(
        self, seat: Seat, receive: Receive, send: Send, protocol: str | None, label: str
    ) -> None:
        self._seat = seat
        self._receive = receive
        self._send = send
        self._protocol = protocol
        self._label = label
        self._closed = False
        self._pending: asyncio.Future[Any] | None = None

    async def receive(self) -> Message:
        if self._pending is None:
            self._pending = asyncio.ensure_future(self._receive())
        gone = asyncio.ensure_future(self._seat.gone.wait())
        try:
            await asyncio.wait((self._pending, gone), return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
        if self._seat.gone.is_set():
            await self.send({"type": "websocket.close", "code": UNAUTHENTICATED})
            self._pending.cancel()
            return {"type": "websocket.disconnect", "code": UNAUTHENTICATED}
        message: Message = self._pending.result()
        self._pending = None
        return message

    async def send(self, message: Message) -> None:
        if self._closed:
            return  # the consumer may not have noticed yet
        if message["type"] == "websocket.accept" and not message.get("subprotocol"):
            message = {**message, "subprotocol": self._protocol}
        if message["type"] == "websocket.close":
            self._closed = True
            code = str(message.get("code", 1000))
            metrics.SOCKETS_CLOSED.labels(self._label, code).inc()
        await self._send(message)


async def _nothing_here(scope: Scope, receive: Receive, send: Send) -> None:
    """A path with no consumer: the handshake is refused (the server answers 403)."""
    await receive()
    await send({"type": "websocket.close", "code": 1000})


unknown: Final = re_path(r"", _nothing_here)
"""The last route of the sockets."""

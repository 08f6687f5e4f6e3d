"""The outermost ASGI door for websockets: origin, who it is, how many, and whether still welcome.

A socket opens with a session cookie *and* our own Origin, or with what a program has (callers.py): a
token as the sub-protocol `bearer.<token>`, a signature as `signed.<key>.<timestamp>.<nonce>.<hex>`, or
either as header fields; then cookies count for nothing and no Origin is needed. Never in the query
string: those are logged. Consumers find `scope["seat"]`.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import structlog
from channels.db import database_sync_to_async
from django.conf import settings
from django.db import DatabaseError
from django.urls import re_path

from oms_project import metrics
from oms_project.access import callers, changes, signing
from oms_project.access import principal as access
from oms_project.access.callers import Call
from oms_project.access.errors import AccessError
from oms_project.access.principal import Principal
from oms_project.adapters.clock import NS_PER_MS, NS_PER_S, SystemClock
from oms_project.codes import CODES
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

T = TypeVar("T")
_monotonic_ns = SystemClock.monotonic_ns
_logger = structlog.get_logger(__name__)


class RefusedError(Exception):
    """The socket is closed at once with this code; reason: a code of the catalogue, if there is one."""

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.reason = reason


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
        """Sweep for ever; at once when somebody's rights changed, in whatever process."""
        known = None
        swept_ns = 0
        while True:
            await asyncio.sleep(changes.LOOK_S)
            number = await self._changes()
            changed = number is not None and number != known
            if changed:
                known = number
                changes.forget()
            if changed or _monotonic_ns() - swept_ns >= SWEEP_S * NS_PER_S:
                swept_ns = _monotonic_ns()
                await self.sweep()

    async def _changes(self) -> int | None:
        """Return how many changes of rights there were; None: the database is away."""
        try:
            found: int = await database_sync_to_async(changes.number, thread_sensitive=False)()
        except (TransportError, DatabaseError) as error:
            _logger.warning("changes_not_read", error=repr(error))
            return None
        return found


SEATS: Final = Seats()


def guarded(app: App, seats: Seats = SEATS) -> App:
    """Return *app* behind the door."""

    async def door(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        try:
            seat = await _seat(scope)
            seats.take(seat)
        except RefusedError as error:
            await _refuse(scope, receive, send, error)
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
        program = _program(scope, headers)
        if program is not None:
            return await _in_thread(program)
        cookies = access.cookies_of(headers.get(b"cookie", b"").decode("latin-1"))
        key = access.session_key_of(cookies)
        if not key:
            raise RefusedError(UNAUTHENTICATED)
        if not _our_origin(scope, headers):
            raise RefusedError(FORBIDDEN)
        found = access.cached_session(key) or await _in_thread(lambda: access.from_session(cookies))
        return Seat(found, lambda: access.from_session(cookies), f"session {key}")
    except AccessError as error:
        code = FORBIDDEN if CODES[error.code].status == 403 else UNAUTHENTICATED
        reason = f"{error.code} {error.server_time}".strip()
        raise RefusedError(code, reason) from error


def _program(scope: Scope, headers: dict[bytes, bytes]) -> Callable[[], Seat] | None:
    """Return how to seat a program, which may ask the database; None: it is a page."""
    query = scope.get("query_string", b"")
    target = scope.get("raw_path") or scope["path"].encode()
    client = scope.get("client")
    call = Call(
        "GET", target + b"?" + query if query else target, headers, client[0] if client else ""
    )
    for protocol in scope.get("subprotocols", ()):
        if protocol.startswith(BEARER):
            sent = {b"authorization": b"Bearer " + protocol[len(BEARER) :].encode("latin-1")}
            return lambda: _seated(callers.asked(call._replace(headers=sent)), call, sent)
        if protocol.startswith(signing.IN_PROTOCOL):
            return lambda: _seated(callers.by_protocol(protocol, call), call, {})
    if not callers.has_credentials(headers):
        return None
    return lambda: _seated(callers.asked(call), call, headers)


def _seated(found: Principal, call: Call, headers: Mapping[bytes, bytes]) -> Seat:
    """Return a program's seat; later it is looked up by its key, or by the token it sent."""
    if found.key_id:
        key_id, address = found.key_id, call.address
        return Seat(found, lambda: callers.again(key_id, address), f"key {key_id} {address}")
    token = callers.bearer_of(call._replace(headers=headers))
    return Seat(found, lambda: access.from_bearer(token), f"token {token}")


async def _in_thread(ask: Callable[[], T]) -> T:
    found: T = await database_sync_to_async(ask, thread_sensitive=False)()
    return found


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


async def _refuse(scope: Scope, receive: Receive, send: Send, error: RefusedError) -> None:
    """Accept, only to say why: a browser shows no code of a handshake that was refused."""
    message = await receive()
    if message["type"] != "websocket.connect":
        return
    metrics.SOCKETS_CLOSED.labels(_label(scope["path"]), str(error.code)).inc()
    await send({"type": "websocket.accept", "subprotocol": _chosen(scope)})
    await send({"type": "websocket.close", "code": error.code, "reason": error.reason})


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

"""The web role's server: uvicorn with the limits it does not have.

Everything that can be said before a request is complete is bounded here, because nothing behind it
sees a request earlier: how long its header may take and how many bytes it and its target may have,
how long a connection may be silent, and how many there may be, in all and from one address. What a
complete request may be is the door's business (rest/door.py).

Rules of this file: one deadline runs while a header is owed, from the first byte of the connection
or of the next request; refusals are problems, like everywhere; no line of a log holds a target's
query string.
"""

import asyncio
import ipaddress
import logging
import resource
from collections.abc import Sequence
from typing import Any, Final

import httptools
import uvicorn
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from oms_project import metrics
from oms_project.problem import CONTENT_TYPE, Problem
from oms_project.rest.door import HEADER_BYTES_MAX, HOST_BYTES_MAX, TARGET_BYTES_MAX
from oms_project.rest.feed import FRAME_BYTES_MAX

HEADER_S_MAX: Final = 10.0
BODY_S_MAX: Final = 30.0
KEEP_ALIVE_S: Final = 15
"""A connection may be silent for that long between two requests. Longer than a proxy's own limit."""
DRAIN_S: Final = 5
STUCK_S: Final = 15.0
"""Longer than a socket's own patience (rest/feed.py: SEND_S), which ends with a code."""
ADDRESS_SHARE: Final = 2
"""One address gets at most the connections by this: the others' half is never hers."""
DESCRIPTORS_SPARE: Final = 256
"""For files, stores and the log, beside the connections."""
_URL_BYTES_MAX: Final = TARGET_BYTES_MAX + HOST_BYTES_MAX + len("https://")


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class _Joined:
    """A connection's transport that sends what is written in one turn of the loop at once.

    An answer is written as a head and a body: joined they are one call of the kernel, and one wake-up
    of the client, instead of two. Everything else is the transport's own.
    """

    def __init__(self, plain: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self.plain = plain
        self._call_soon = loop.call_soon
        self._held: list[bytes] = []
        self.is_closing = plain.is_closing

    def write(self, data: bytes) -> None:
        if not self._held:
            self._call_soon(self._flush)
        self._held.append(data)

    def _flush(self) -> None:
        if self._held:
            data = self._held[0] if len(self._held) == 1 else b"".join(self._held)
            self._held.clear()
            self.plain.write(data)

    def close(self) -> None:
        self._flush()
        self.plain.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.plain, name)


class Http(HttpToolsProtocol):
    """One connection. `connections_max` and `trusted` are set by `config` for all of them."""

    connections_max = 1_000
    trusted: "tuple[Network, ...]" = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._owed = True  # a header
        self._head_bytes = 0
        self._deadline: asyncio.TimerHandle | None = None
        self.url = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.transport = _Joined(transport, self.loop)  # type: ignore[assignment]
        if self._crowded():
            self._refuse(Problem("overloaded", "Too many connections are open."))
        else:
            self._set_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        self._drop_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        self._head_bytes += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if not self._owed:
            if self._deadline is None:
                self._deadline = self.loop.call_later(BODY_S_MAX, self._body_late)
            return
        if not self._head_bytes:
            return
        if len(self.url) > _URL_BYTES_MAX:
            self._refuse(Problem("uri_too_long", f"More than {TARGET_BYTES_MAX} bytes."))
        elif self._head_bytes > HEADER_BYTES_MAX:
            self._refuse(Problem("headers_too_large", f"More than {HEADER_BYTES_MAX} bytes."))
        elif self._deadline is None:
            self._set_deadline()

    def on_headers_complete(self) -> None:
        self._owed, self._head_bytes = False, 0
        self._drop_deadline()
        if self.url[:1] not in (b"/", b"*"):
            self._believe_the_target()
        super().on_headers_complete()

    def _believe_the_target(self) -> None:
        """`GET http://host/ …` means that host, whatever the Host header says (RFC 9112, 3.2.2)."""
        target = httptools.parse_url(self.url)
        if target.host:
            port = b":%d" % target.port if target.port else b""
            self.headers[:] = [field for field in self.headers if field[0] != b"host"]
            host = b"[%b]" % target.host if b":" in target.host else target.host  # IPv6
            self.headers.append((b"host", host + port))

    def on_message_complete(self) -> None:
        self._owed, self._head_bytes = True, 0
        self._drop_deadline()
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        self._refuse(Problem("bad_request", msg))

    def _crowded(self) -> bool:
        if len(self.connections) > self.connections_max:
            return True
        address = self.client[0] if self.client else ""
        if not address or any(ipaddress.ip_address(address) in one for one in self.trusted):
            return False  # everybody comes from there
        same = sum(1 for one in self.connections if one.client and one.client[0] == address)
        return same > self.connections_max // ADDRESS_SHARE

    def _set_deadline(self) -> None:
        self._deadline = self.loop.call_later(HEADER_S_MAX, self._late)

    def _drop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _late(self) -> None:
        self._deadline = None
        if self.transport.is_closing():
            return
        if self.cycle is not None and not self.cycle.response_complete:
            self._set_deadline()  # we are the slow ones: a request before it is not answered yet
        elif self._head_bytes:
            self._refuse(Problem("request_timeout", f"No header within {HEADER_S_MAX:g} s."))
        else:
            self.transport.close()

    def _body_late(self) -> None:
        """Answer for the application if it has not; it is told that the client went away."""
        self._deadline = None
        if self.transport.is_closing():
            return
        if self.cycle is not None and self.cycle.response_started:
            self.transport.close()
        else:
            self._refuse(Problem("request_timeout", f"No whole body within {BODY_S_MAX:g} s."))

    def handle_websocket_upgrade(self) -> None:
        self.transport = self.transport.plain  # type: ignore[attr-defined]
        super().handle_websocket_upgrade()

    def _refuse(self, problem: Problem) -> None:
        """Answer without a request and close: nothing of it goes any further."""
        self._drop_deadline()
        metrics.REQUESTS_REFUSED.labels(problem.code).inc()
        body = problem.to_bytes("", "")
        fields = f"content-type: {CONTENT_TYPE}\r\ncontent-length: {len(body)}\r\n"
        head = STATUS_LINE[problem.status] + fields.encode() + b"connection: close\r\n\r\n"
        self.transport.write(head + body)
        self.transport.close()


class Sockets(WebSocketsSansIOProtocol):
    """A websocket. Text that is no UTF-8 is the client's fault (1007) and no line in our log.

    A client that takes nothing for STUCK_S is cut: a polite close would wait behind those bytes.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._stuck: asyncio.TimerHandle | None = None

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stuck = self.loop.call_later(STUCK_S, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._unstick()

    def connection_lost(self, exc: Exception | None) -> None:
        self._unstick()
        super().connection_lost(exc)

    def _unstick(self) -> None:
        if self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None

    def send_receive_event_to_app(self) -> None:
        if self.curr_msg_data_type == "text" and not self.close_sent:
            try:
                b"".join(self.frames).decode()
            except UnicodeDecodeError:
                self.conn.send_close(1007)
                self.handle_parser_exception()
                return
        super().send_receive_event_to_app()


def config(
    app: Any,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    connections_max: int = 1_000,
    proxies: Sequence[str] = (),
    keep_alive_s: int = KEEP_ALIVE_S,
    drain_s: int = DRAIN_S,
) -> uvicorn.Config:
    """Return how *app* is served. *proxies*: networks whose X-Forwarded-* headers are believed."""
    trusted = tuple(ipaddress.ip_network(one) for one in proxies)
    limits = {"connections_max": connections_max, "trusted": trusted}
    quiet_uvicorn()
    return uvicorn.Config(
        app, host=host, port=port, http=type("Http", (Http,), limits), ws=Sockets, loop="uvloop",
        lifespan="on", log_config=None, access_log=False, server_header=False,
        proxy_headers=bool(proxies), forwarded_allow_ips=list(proxies),
        timeout_keep_alive=keep_alive_s, timeout_graceful_shutdown=drain_s,
        ws_max_size=FRAME_BYTES_MAX, ws_per_message_deflate=False,
        ws_ping_interval=None,  # the heartbeat is the application's (rest/feed.py)
    )  # fmt: skip


def quiet_uvicorn() -> None:
    """Its INFO lines name a whole target, token and all; its warnings are about what clients send."""
    for name in ("uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).setLevel(logging.ERROR)


def raise_descriptor_limit(connections_max: int) -> int:
    """Ask for enough descriptors; return how many connections fit into what we have got."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections_max + DESCRIPTORS_SPARE
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY:
        return connections_max
    return max(1, min(connections_max, soft - DESCRIPTORS_SPARE))

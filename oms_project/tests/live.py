"""The real server on a free port of this machine, in a thread: for tests of what only bytes can show."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from oms_project import server as web
from oms_project.tests.eventually import eventually


@contextmanager
def server(app: Any, **options: Any) -> Iterator[int]:
    """Serve *app* as `manage.py run_web` does; yield the port; end it at the end."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    port: int = listener.getsockname()[1]
    served = uvicorn.Server(web.config(app, drain_s=2, **options))
    thread = threading.Thread(target=served.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        eventually(lambda: served.started or not thread.is_alive())
        assert served.started, "the server did not start"
        yield port
    finally:
        served.should_exit = True
        thread.join(10)
        listener.close()
    assert not thread.is_alive(), "the server did not stop"


def exchange(port: int, *pieces: bytes, until: bytes = b"") -> bytes:
    """Send raw bytes; return what comes back until *until* is in it or the other side closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as wire:
        found = b""
        try:
            for piece in pieces:
                wire.sendall(piece)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it has heard enough: what it says to that is still to be read
        while not until or until not in found:
            try:
                part = wire.recv(65536)
            except ConnectionResetError:
                break
            if not part:
                break
            found += part
        return found

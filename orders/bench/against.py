"""Runs the baseline's server and measures it, so that every figure has its yardstick from the same run."""

import socket
import subprocess
import threading

from django.conf import settings

from oms_project import env
from oms_project.adapters.clock import NS_PER_S, SystemClock
from oms_project.adapters.servers import free_port
from orders.bench import client
from orders.bench.product import python

CONNECTIONS = 8
REQUESTS_MAX = 20_000
START_TRIES = 200
_clock = SystemClock()


def baseline(requests_of: "list[bytes]", account_ids: list[str], seconds: int = 4) -> float:
    """Return orders a second of the plain DRF view, for requests like *requests_of*.

    Raises:
        RuntimeError: it refused an order: then it measured nothing.
    """
    children = env.child(DJANGO_SETTINGS_MODULE="")
    subprocess.run(
        python("-m", "orders.bench.baseline", *account_ids), cwd=settings.BASE_DIR, env=children,
        check=True,
    )  # fmt: skip
    port = free_port()
    server = subprocess.Popen(
        python(
            "-m", "gunicorn", "orders.bench.baseline:application", "--bind", f"127.0.0.1:{port}",
            "--workers", "1", "--worker-class", "gthread", "--threads", str(CONNECTIONS),
            "--keep-alive", "30", "--log-level", "error",
        ),
        cwd=settings.BASE_DIR, env=children,
    )  # fmt: skip
    try:
        _wait(port)
        refused: list[bytes] = []
        answered = 0

        def take(_: int, answer: client.Answer) -> None:
            nonlocal answered
            answered += 1
            if answer.status != 202:
                refused.append(answer.body)

        begun_ns = _clock.monotonic_ns()
        until_ns = begun_ns + seconds * NS_PER_S
        client.run(client.closed_loop(port, CONNECTIONS, requests_of, take, until_ns))
        took_s = (_clock.monotonic_ns() - begun_ns) / NS_PER_S
        if refused:
            raise RuntimeError(f"the baseline refused: {refused[0][:200]!r}")
        return round(answered / took_s, 1)
    finally:
        server.terminate()
        server.wait()


def _wait(port: int) -> None:
    pause = threading.Event()
    for _ in range(START_TRIES):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        pause.wait(0.05)
    raise TimeoutError("the baseline's server did not start")

"""A whole product of its own for one measurement: its processes, their CPU and their memory."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Final

from django.conf import settings

from oms_project import env
from oms_project.adapters.clock import NS_PER_S, SystemClock

READY_S: Final = 60.0
_TICK_US: Final = 1_000_000 // os.sysconf("SC_CLK_TCK")
_PAGE_KIB: Final = os.sysconf("SC_PAGE_SIZE") // 1024


@contextmanager
def folder(keep: bool = False, prefix: str = "oms-bench-") -> Iterator[Path]:
    """Give a data folder and remove it afterwards."""
    path = Path(tempfile.mkdtemp(prefix=prefix))
    try:
        yield path
    finally:
        if not keep:
            shutil.rmtree(path, ignore_errors=True)


class Product:
    """The roles as child processes over this process' own settings (same OMS_DATA_DIR)."""

    def __init__(self, commands: Mapping[str, list[str]], port: int) -> None:
        self.port = port
        self.commands = dict(commands)
        self.processes: dict[str, subprocess.Popen] = {}
        self._logs = settings.ENV.data_dir / "logs"
        self._logs.mkdir(parents=True, exist_ok=True)
        self._clock = SystemClock()
        self._pause = threading.Event()

    def start(self, *roles: str, **changes: str) -> None:
        """Start the named roles, or all that do not run; *changes*: to their environment."""
        for role in roles or tuple(self.commands):
            process = self.processes.get(role)
            if process is not None and process.poll() is None:
                continue
            with (self._logs / f"{role}.log").open("ab") as log:
                self.processes[role] = subprocess.Popen(
                    self.commands[role], stdout=log, stderr=log, cwd=settings.BASE_DIR,
                    env=env.child(**changes),
                )  # fmt: skip

    def kill(self, role: str) -> None:
        """SIGKILL a role, as a power button would, and collect it."""
        process = self.processes[role]
        process.send_signal(signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def wait_ready(self, path: str = "/health") -> None:
        """Return when the web role says that all of it is ready.

        Raises:
            TimeoutError: it did not within READY_S; the message names the logs.
        """
        deadline_ns = self._clock.monotonic_ns() + int(READY_S * NS_PER_S)
        while self._clock.monotonic_ns() < deadline_ns:
            if self._answers(path):
                return
            self._pause.wait(0.1)
        raise TimeoutError(f"not ready within {READY_S:g} s; see {self._logs}")

    def _answers(self, path: str) -> bool:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()

    def cpu_us(self) -> dict[str, int]:
        """Return the CPU time each running role (with its children) has used."""
        return {role: _cpu_us(process.pid) for role, process in self._running()}

    def rss_mb(self) -> dict[str, int]:
        """Return the resident memory of each running role."""
        return {role: _rss_kib(process.pid) // 1024 for role, process in self._running()}

    def _running(self) -> Iterator[tuple[str, subprocess.Popen]]:
        return ((role, one) for role, one in self.processes.items() if one.poll() is None)


def own_cpu_us() -> int:
    """Return the CPU time of this process: the load itself costs, too."""
    return _cpu_us(os.getpid())


def _cpu_us(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(value) for value in fields[11:15]) * _TICK_US


def _rss_kib(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_KIB


def python(*arguments: str) -> list[str]:
    return [sys.executable, *arguments]

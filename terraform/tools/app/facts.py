"""What the application is, told by itself as JSON: for the tests that hold terraform against it.

    python facts.py names            variables, topics, roles
    python facts.py lines            log lines as a pod writes them, really written
    python facts.py rights           what each role touches of the log in a real run
    python facts.py read < OUTPUTS   what its own adapters make of terraform's outputs

Run by the application's Python (.venv); everything it makes is in a folder of its own, and goes.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path.insert(0, str(ROOT))
WAIT_S = 240


def names() -> dict:
    import django
    django.setup()
    from oms_project import env
    from oms_project.kernel.words import Topic
    from oms_project.management.commands import up
    from orders import engine, projector
    return {"variables": sorted(env.VARS), "topics": sorted(Topic), "roles": sorted(up.ROLES),
            "groups": sorted({engine.GROUP, projector.GROUP})}


# ------------------------------------------------------------------ log lines
def lines() -> list[dict]:
    """One line of each kind that a filter looks for, and the ones it must leave alone."""
    code = """
import django; django.setup()
from oms_project import log; log.configure("INFO", "json")
import logging, structlog
from oms_project.adapters import dead_letters as d
from oms_project.adapters.clock import SystemClock
from oms_project.adapters.memory import MemoryLog
from oms_project.kernel.ports import StoredRecord
found = structlog.get_logger("oms")
found.info("calm", level_of_water="ERROR")
found.warning("careful")
logging.getLogger("django").error("a library's error")
logging.getLogger("celery").critical("a library's end")
letters = d.DeadLetters(MemoryLog(1), "oms.commands", SystemClock(), actor="t", per_minute_max=1)
letters.put(0, [d.Poison(StoredRecord(0, n, "", b"x"), ValueError("bad")) for n in range(3)])
from types import SimpleNamespace
from orders import tasks
tasks.wiring.integrity = lambda: None
tasks.wiring.save_integrity = lambda result: None
tasks.users.account_ids = lambda: ()
found = SimpleNamespace(breaches=["USD is 1 off"], concerns=["late"])
tasks.integrity.check = lambda *a, **k: found
tasks.check_integrity()
"""
    out = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=_env(Path(tempfile.mkdtemp())),
                         capture_output=True, text=True, check=False)
    assert out.returncode == 0, out.stderr[-3000:]
    return [json.loads(line) for line in out.stderr.splitlines() if line.startswith("{")]


# ------------------------------------------------------------------ rights
def rights() -> dict:
    """Start every role with a recording log, let it work, break it, start it again."""
    with tempfile.TemporaryDirectory(prefix="oms-rights-") as folder:
        run = _Run(Path(folder))
        try:
            run.all()
        finally:
            run.stop()
        found: dict[str, dict[str, list[str]]] = {}
        for line in sorted(set(run.notes.read_text().splitlines())):
            role, right, name = line.split()
            found.setdefault(role, {}).setdefault(right, []).append(name)
        return found


def _env(folder: Path, **more: str) -> dict[str, str]:
    clean = {k: v for k, v in os.environ.items()
             if not k.startswith("OMS_") and k not in ("LOG_URL", "REDIS_URL", "DATABASE_URL",
                                                       "ORDER_STORE_URL")}
    return clean | {"OMS_DATA_DIR": str(folder), "OMS_LOG_FORMAT": "json", "PYTHONPATH": str(ROOT),
                    "DJANGO_SETTINGS_MODULE": "oms_project.settings"} | more


class _Run:
    """The embedded product, each role through recorder.py."""

    def __init__(self, folder: Path):
        from oms_project.management.commands.up import _free_port
        self.notes = folder / "notes"
        self.notes.touch()
        self.web, self.inner = _free_port(0), _free_port(0)
        self._env = _env(folder / "data", OMS_SNAPSHOT_RECORDS="50", OMS_PARTITIONS="2")
        self._logs = folder
        self._processes: dict[str, subprocess.Popen] = {}

    def all(self) -> None:
        self._manage("prepare", "migrate")
        self._manage("prepare", "migrate", "--database", "store")
        self._manage("prepare", "demo", "--verbosity", "0")
        for role, line in {
            "engine": ["run_engine"], "projector": ["run_projector"],
            "marketdata": ["run_marketdata"],
            "web": ["run_web", "--port", str(self.web), "--inner-port", str(self.inner)],
        }.items():
            self._start(role, *line)
        self._until(lambda: self._get(self.inner, "/readyz"))
        token = self._order(None)
        self._poison()
        for role in ("engine", "projector", "marketdata"):  # a start is also a look back
            self._end(role)
        self._order(token)  # not decided: the door itself must know it
        for role, line in (("engine", "run_engine"), ("projector", "run_projector"),
                           ("marketdata", "run_marketdata")):
            self._start(role, line)
        self._until(lambda: self._get(self.inner, "/readyz"))
        self._tasks()
        self._tools()

    def _order(self, token: str | None) -> str:
        login = {"username": "alice", "password": self._password()}
        token = token or self._post("/api/auth/login", login)["access"]
        account = self._json("/api/accounts", token)["accounts"][0]["account_id"]
        body = {"account_id": account, "client_order_id": f"rights-{time.monotonic_ns()}",
                "symbol": "BTC-USD", "side": "buy", "type": "market", "quantity": "0.001"}
        made = self._post("/api/orders", body, token)
        self._json(f"/api/orders/{made['order_id']}", token)
        self._json("/api/orders", token)
        return token

    @staticmethod
    def _password() -> str:
        from orders.domain.demo import PASSWORD
        return PASSWORD

    def _poison(self) -> None:
        code = ("from oms_project.kernel.ports import Record; from orders import wiring\n"
                "for topic in ('oms.commands', 'oms.events'):\n"
                "    wiring.log().append(topic, [Record(n, '', b'unreadable') for n in (0, 1)])\n"
                # One that can be read and does not fit where it stands: it can be sent again.
                "from marketdata import wiring as m; from oms_project.access import users\n"
                "from orders.domain import commands\n"
                "wiring.gateway().broadcast(commands.SetInstrument(m.known_instruments()[0], 77),"
                " account_id=sorted(users.account_ids())[0], actor='t')")
        self._manage("nobody", "shell", "-c", code)
        self._until(lambda: all(f"{role} write oms.deadletter" in self.notes.read_text()
                                for role in ("engine", "projector")))

    def _tasks(self) -> None:
        """The worker's tasks, each once, with an instrument to heal."""
        run = ("from types import SimpleNamespace as S\n"
               "from django.conf import settings; from marketdata import wiring as m\n"
               "from oms_project.celery import app; from orders import tasks\n"
               "behind = [S(instrument=m.known_instruments()[0], version=1, behind=(0,))]\n"
               "tasks.wiring.listings_told = lambda: S(parted=lambda: behind)\n"
               "app.loader.import_default_modules()\n"
               "for one in settings.CELERY_BEAT_SCHEDULE.values(): app.tasks[one['task']]()")
        self._manage("worker", "shell", "-c", run)
        self._start("worker", "run_worker", "--beat", "--inner-port", str(self.inner + 1))
        self._until(lambda: self._get(self.inner + 1, "/readyz"))

    def _tools(self) -> None:
        self._manage("tools", "doctor", ok=(0, 1))
        self._manage("tools", "deadletter", "list")
        find = ("from orders import deadletters as d, wiring\n"
                "found = sorted(d.letters(wiring.log()), key=lambda x: -len(x.value))\n"
                "print(*(one.id for one in found if one.topic == 'oms.commands'))")
        found = self._manage("nobody", "shell", "-v0", "-c", find).split()
        self._manage("tools", "deadletter", "retry", found[0], "--by", "t")
        self._manage("tools", "deadletter", "drop", found[1], "--by", "t", "--note", "t")
        self._manage("tools", "replay", ok=(0, 1))
        self._manage("tools", "check_invariants", ok=(0, 1))

    # -------------------------------------------------------------- processes and requests

    def _line(self, role: str, *arguments: str) -> list[str]:
        return [sys.executable, str(HERE / "recorder.py"), str(self.notes), role, *arguments]

    def _manage(self, role: str, *arguments: str, ok: tuple[int, ...] = (0,)) -> str:
        done = subprocess.run(self._line(role, *arguments), cwd=ROOT, env=self._env,
                              capture_output=True, text=True, check=False, timeout=WAIT_S,
                              input="y\n")  # yes, I mean it
        assert done.returncode in ok, (arguments, done.stdout[-1000:], done.stderr[-3000:])
        return done.stdout

    def _start(self, role: str, *arguments: str) -> None:
        with (self._logs / f"{role}.log").open("ab") as log:
            self._processes[role] = subprocess.Popen(self._line(role, *arguments), cwd=ROOT,
                                                     env=self._env, stdout=log, stderr=log)

    def _end(self, role: str) -> None:
        process = self._processes.pop(role)
        process.send_signal(signal.SIGTERM)
        process.wait(WAIT_S)

    def stop(self) -> None:
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(15)
            process.kill()

    def _until(self, holds) -> None:
        deadline = time.monotonic() + WAIT_S
        while not holds():
            if time.monotonic() > deadline:
                logs = {p.name: p.read_text()[-1500:] for p in self._logs.glob("*.log")}
                raise TimeoutError(f"{holds}: {json.dumps(logs, indent=1)}")
            time.sleep(0.2)

    def _get(self, port: int, path: str) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def _json(self, path: str, token: str) -> dict:
        request = urllib.request.Request(f"http://127.0.0.1:{self.web}{path}")
        request.add_header("Authorization", f"Bearer {token}")
        return _answer(request)

    def _post(self, path: str, body: dict, token: str = "") -> dict:
        request = urllib.request.Request(f"http://127.0.0.1:{self.web}{path}",
                                         json.dumps(body).encode(), method="POST")
        request.add_header("Content-Type", "application/json")
        if token:
            request.add_header("Authorization", f"Bearer {token}")
            request.add_header("Idempotency-Key", f"k{time.monotonic_ns()}")
        return _answer(request)


def _answer(request: urllib.request.Request) -> dict:
    """The answer as JSON; who is told to come back later does."""
    deadline = time.monotonic() + WAIT_S
    while True:
        try:
            with urllib.request.urlopen(request, timeout=WAIT_S) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as refused:
            if refused.code not in (429, 503) or time.monotonic() > deadline:
                raise RuntimeError(f"{request.full_url}: {refused.read().decode()}") from refused
            time.sleep(1)


# ------------------------------------------------------------------ reading terraform's outputs
def read(given: dict) -> dict:
    """given: environment as a pod would have it. What each adapter understands of it."""
    import certifi
    from oms_project import databases, env
    from oms_project.adapters.logs import kafka_address
    found = env.read(given)
    wrong = env.unsafe(found)
    brokers, options = kafka_address(found.log_url)
    from pymongo import MongoClient
    bundle = "/etc/ssl/rds/global-bundle.pem"
    client = MongoClient(found.order_store_url.replace(bundle, certifi.where()), connect=False)
    mongo = client.options
    credentials = mongo._options.get("authsource"), mongo.pool_options._credentials
    database = databases.server(found.database_url, found.database_pool)
    import redis
    cache = redis.Redis.from_url(found.redis_url).connection_pool.connection_kwargs
    return {
        "unsafe": wrong, "unknown": env.unknown(given),
        "brokers": brokers, "security": options.client(),
        "mongo": {"tls": mongo.pool_options._ssl_context is not None,
                  "replica_set": mongo.replica_set_name, "retry_writes": mongo.retry_writes,
                  "database": client.get_default_database().name,
                  "username": credentials[1].username, "password": credentials[1].password,
                  "source": credentials[1].source},
        "database": {k: database[k] for k in ("USER", "PASSWORD", "HOST", "NAME")}
        | {"sslmode": database["OPTIONS"].get("sslmode"),
           "pool": database["OPTIONS"]["pool"]["max_size"]},
        "redis": {"password": cache["password"], "host": cache["host"],
                  "certificates": cache.get("ssl_cert_reqs")},
        "proxies": found.proxies, "hosts": found.allowed_hosts,
        "inner": [found.inner_host, found.inner_port],
        "partitions": found.partitions,
    }


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "oms_project.settings")
    what = sys.argv[1]
    if what == "read":
        result: object = read(json.load(sys.stdin))
    else:
        result = {"names": names, "lines": lines, "rights": rights}[what]()
    json.dump(result, sys.stdout, indent=1)


if __name__ == "__main__":
    main()

"""Is everything there that the product needs? One function a question; each knows how to fix it.

A check says what it found, or raises: whatever it raises is the finding. It never changes anything.
"""

import contextlib
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec
import redis
from django.conf import settings
from django.db import connections
from django.db.migrations.executor import MigrationExecutor

from marketdata import wiring as market
from oms_project import env, health
from oms_project.adapters.clock import NS_PER_S
from oms_project.kernel import wire
from oms_project.kernel.errors import BadRecordError
from oms_project.kernel.words import Topic
from orders import deadletters, wiring
from orders.domain import commands

OK, WARN, FAIL = "ok", "warn", "fail"
GIB: Final = 2**30
FREE_MIN_BYTES: Final = 1 * GIB
FREE_LOW_BYTES: Final = 5 * GIB
LAG_MAX: Final = 2_000
REDIS_S: Final = 2
CLOCK_BEHIND_MAX_NS: Final = 2 * NS_PER_S
CLOCK_BEGIN_NS: Final = 1_735_689_600 * NS_PER_S
"""2025: a clock before that was never set."""
TASKS_AGE_MAX_S: Final = 300
PYTHONS: Final = ((3, 11), (3, 14))


class Finding(msgspec.Struct, frozen=True):
    """One answer. fix: what to do, in a sentence; empty when all is well."""

    name: str
    level: str
    found: str
    fix: str = ""


class TroubleError(Exception):
    """A check's own finding. level: WARN or FAIL; fix: if it differs from the check's usual one."""

    def __init__(self, found: str, *, level: str = FAIL, fix: str = "") -> None:
        super().__init__(found)
        self.level = level
        self.fix = fix


Check = Callable[[], str]


# ------------------------------------------------------------------ this machine
def python() -> str:
    version = ".".join(str(part) for part in sys.version_info[:3])
    least, most = PYTHONS
    if sys.version_info[:2] < least:
        raise TroubleError(f"Python {version}")
    if sys.version_info[:2] > most:
        raise TroubleError(f"Python {version} is newer than what is tested", level=WARN)
    return f"Python {version}"


def environment() -> str:
    mistakes = env.unknown(env.source())
    if mistakes:
        raise TroubleError(f"unknown variables: {', '.join(mistakes)}", level=WARN)
    if settings.DEBUG and settings.ENV.secure_cookies:
        raise TroubleError("OMS_DEBUG is on behind https", fix="Set OMS_DEBUG=0.")
    return f"{settings.ENV.partitions} partitions" + (", debug mode" if settings.DEBUG else "")


def data_dir() -> str:
    folder = settings.ENV.data_dir
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(b"x")
    free = shutil.disk_usage(folder).free
    text = f"{folder}, {free / GIB:.1f} GiB free"
    if free < FREE_MIN_BYTES:
        raise TroubleError(text)
    if free < FREE_LOW_BYTES:
        raise TroubleError(text, level=WARN)
    return text


def clock() -> str:
    now_ns = wiring.clock().now_ns()
    if now_ns < CLOCK_BEGIN_NS:
        raise TroubleError("the clock says it is before 2025")
    newest_ns = max((at_ns for at_ns in _newest_commands()), default=0)
    if newest_ns > now_ns + CLOCK_BEHIND_MAX_NS:
        ahead_s = (newest_ns - now_ns) // NS_PER_S
        raise TroubleError(f"the newest command in the log is {ahead_s} s ahead of this clock")
    return "not behind the log"


def _newest_commands() -> Iterator[int]:
    log = wiring.log()
    for partition in range(log.partitions):
        end = log.end_offset(Topic.COMMANDS, partition)
        if end:
            record = log.read(Topic.COMMANDS, partition, end - 1, 1)[0]
            with contextlib.suppress(BadRecordError):  # it goes to the dead letters
                yield wire.open_envelope(record.value, commands.SCHEMA).at_ns


# ------------------------------------------------------------------ what it stands on
def database() -> str:
    for alias in settings.DATABASES:
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT 1")
    return ", ".join(f"{alias}: {connections[alias].vendor}" for alias in settings.DATABASES)


def migrations() -> str:
    waiting = set()
    for alias in settings.DATABASES:
        executor = MigrationExecutor(connections[alias])
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
        waiting |= {f"{step.app_label}.{step.name}" for step, _ in plan}
    if waiting:
        raise TroubleError(f"{len(waiting)} not applied: {', '.join(sorted(waiting)[:3])} …")
    return "all applied"


def log() -> str:
    found = wiring.log()
    ends = [found.end_offset(Topic.COMMANDS, one) for one in range(found.partitions)]
    scheme = settings.ENV.log_url.partition("://")[0]
    return f"{scheme}, commands up to {', '.join(str(end) for end in ends)}"


def store() -> str:
    wiring.store().ping()
    scheme = settings.ENV.order_store_url.partition("://")[0]
    kept = [len(wiring.store().snapshots(one)) for one in range(settings.ENV.partitions)]
    return f"{scheme}, snapshots kept: {', '.join(str(count) for count in kept)}"


def redis_server() -> str:
    url = settings.ENV.redis_url
    if not url:
        return "not used (REDIS_URL is empty)"
    with redis.Redis.from_url(
        url, socket_timeout=REDIS_S, socket_connect_timeout=REDIS_S
    ) as client:
        client.ping()
        return f"version {client.info('server').get('redis_version', '?')}"


def instruments() -> str:
    listings = market.listings()
    if not listings:
        raise TroubleError("none is listed")
    waiting = [symbol for symbol, one in listings.items() if not one.in_force]
    if waiting:
        text = f"{', '.join(waiting)} not in force yet"
        raise TroubleError(text, level=WARN, fix="Start the engine and the projector.")
    return f"{len(listings)} in force"


# ------------------------------------------------------------------ what must be running
def prices() -> str:
    view = market.view()
    view.refresh()
    symbols = view.symbols()
    if not symbols:
        raise TroubleError("no prices in the log")
    stale = [symbol for symbol in symbols if view.is_stale(symbol)]
    if stale:
        ages = ", ".join(f"{one} {(view.age_ms(one) or 0) / 1000:.0f} s" for one in stale[:5])
        raise TroubleError(f"stale: {ages}")
    return f"{len(symbols)} symbols, at most {max(view.age_ms(one) or 0 for one in symbols)} ms old"


def the_engine() -> str:
    """The group's own offset is at most a second old; marks keep it moving while prices come."""
    return _lag(health.engine_lags(), "commands")


def the_projector() -> str:
    return _lag(health.projector_lags(), "events")


def _lag(behind: dict[int, int], what: str) -> str:
    text = f"{max(behind.values())} {what} behind"
    if max(behind.values()) > LAG_MAX:
        raise TroubleError(text)
    return text


def books() -> str:
    result = wiring.integrity()
    if result is None:
        fix = "Wait a minute: the first check follows the start. If it does not, start the worker (run_worker --beat)."
        raise TroubleError("not checked yet", level=WARN, fix=fix)
    age_s = (wiring.clock().now_ns() - result.at_ns) // NS_PER_S
    if not result.good:
        fix = "Stop trading and run `manage.py check_invariants`; see docs/operations.md."
        raise TroubleError(f"{len(result.breaches)} breaches: {result.breaches[0]}", fix=fix)
    if age_s > TASKS_AGE_MAX_S:
        raise TroubleError(f"last checked {age_s} s ago", level=WARN)
    return f"{result.accounts} accounts add up, checked {age_s} s ago"


def partitions_agree() -> str:
    parted = wiring.listings_told().parted()
    if parted:
        symbols = ", ".join(one.instrument.symbol for one in parted)
        raise TroubleError(f"{symbols} not the same in all partitions", level=WARN)
    return "instruments are the same in all partitions"


def dead_letters() -> str:
    paused = deadletters.pauses(wiring.log())
    if paused:
        where = ", ".join(f"{pause.topic}/{pause.partition}" for pause in paused)
        fix = "Look at them (`manage.py deadletter list`), undo a bad deploy, or `manage.py deadletter resume`."
        raise TroubleError(f"{where} paused: {paused[0].reason}", fix=fix)
    waiting = [one for one in deadletters.letters(wiring.log()) if one.state == deadletters.WAITING]
    if waiting:
        raise TroubleError(f"{len(waiting)} wait for a decision", level=WARN)
    return "none"


STANDING: Final[tuple[tuple[str, Check, str], ...]] = (
    ("python", python, "Install Python 3.11, 3.12, 3.13 or 3.14 and make the venv anew."),
    ("environment", environment, "Correct the names: `manage.py check_env` lists what exists."),
    ("data folder", data_dir, "Make OMS_DATA_DIR writable and free some space on its disk."),
    ("database", database, "Start the server of DATABASE_URL, or correct the address."),
    (
        "migrations",
        migrations,
        "Run `manage.py migrate` and, embedded, `manage.py migrate --database store` (`manage.py up` does both).",
    ),
    ("log", log, "Start the brokers of LOG_URL, or correct LOG_URL and OMS_PARTITIONS."),
    ("store", store, "Start the server of ORDER_STORE_URL, or correct the address."),
    ("redis", redis_server, "Start the server of REDIS_URL, or correct the address."),
    ("clock", clock, "Set this machine's clock (NTP): orders are judged by it."),
    ("instruments", instruments, "Run `manage.py demo`, or list instruments in the admin."),
)
RUNNING: Final[tuple[tuple[str, Check, str], ...]] = (
    ("prices", prices, "Start `manage.py run_marketdata` (or `manage.py up`)."),
    ("engine", the_engine, "Start `manage.py run_engine`, or look into its log."),
    ("projector", the_projector, "Start `manage.py run_projector`, or look into its log."),
    (
        "books",
        books,
        "Look into the worker's log, or start it (`manage.py run_worker --beat`; `manage.py up` has one).",
    ),
    (
        "partitions",
        partitions_agree,
        "Wait a minute: the worker tells them again. If it stays, look into the worker's log.",
    ),
    ("dead letters", dead_letters, "Decide about them: `manage.py deadletter list`."),
)


def examine(*, running: bool) -> Iterator[Finding]:
    """Yield a finding a check, in the order in which to repair; *running*: also what must run."""
    for name, check, fix in (*STANDING, *(RUNNING if running else ())):
        try:
            yield Finding(name, OK, check())
        except TroubleError as trouble:
            yield Finding(name, trouble.level, str(trouble), trouble.fix or fix)
        except Exception as error:  # whatever it is, this is what is wrong
            yield Finding(name, FAIL, f"{type(error).__name__}: {_first_line(error)}", fix)


def _first_line(error: Exception) -> str:
    lines: list[Any] = str(error).strip().splitlines()
    return lines[0] if lines else "no text"

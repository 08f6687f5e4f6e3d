"""The only file that reads the environment. One line a variable: type, default, meaning.

`.env.example` is checked against this file by a test; `manage.py check_env` prints it as a table.
"""

import ipaddress
import os
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

BASE_DIR = Path(__file__).resolve().parent.parent
_FOR_TESTS = ("OMS_TEST_", "OMS_REQUIRE_SERVICES")


def _flag(text: str) -> bool:
    if text.lower() in {"1", "true", "yes", "on"}:
        return True
    if text.lower() in {"", "0", "false", "no", "off"}:
        return False
    raise ValueError(f"{text!r} is not a yes or no")


def _networks(text: str) -> tuple[str, ...]:
    found = _list(text)
    for one in found:
        ipaddress.ip_network(one)  # raises ValueError, naming it
    return found


def _list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


@dataclass(frozen=True, slots=True)
class Var:
    """One variable: its default as text, how it is read and what it means."""

    default: str
    read: Callable[[str], Any]
    meaning: str


VARS: Mapping[str, Var] = {
    "OMS_DATA_DIR": Var("data", Path, "folder of the embedded databases and logs"),
    "OMS_STATIC_DIR": Var(
        "", str, "folder of the collected static files; empty: static in OMS_DATA_DIR"
    ),
    "OMS_DEBUG": Var("0", _flag, "Django's debug mode; never in production"),
    "OMS_SECRET_KEY": Var("", str, "signs sessions; empty: made once and kept in OMS_DATA_DIR"),
    "OMS_JWT_KEY": Var("", str, "signs access tokens; empty: derived from the secret key"),
    "OMS_SECRET_KEYS_OLD": Var(
        "", _list, "secret keys of before: what they signed stays good until it ends"
    ),
    "OMS_JWT_KEYS_OLD": Var("", _list, "the same for access tokens"),
    "OMS_ALLOWED_HOSTS": Var("localhost,127.0.0.1,[::1]", _list, "host names served"),
    "OMS_TRUSTED_ORIGINS": Var("", _list, "https://host of each proxy name, for CSRF and sockets"),
    "OMS_SECURE_COOKIES": Var("0", _flag, "1 behind https: secure cookies, HSTS"),
    "DATABASE_URL": Var("", str, "Django's own tables; empty: SQLite in OMS_DATA_DIR"),
    "OMS_DATABASE_POOL": Var(
        "16", int, "PostgreSQL connections of a process at most; 0: one made for each use"
    ),
    "LOG_URL": Var(
        "", str, "sqlite:///folder | kafka://host:port,…; empty: SQLite in OMS_DATA_DIR"
    ),
    "ORDER_STORE_URL": Var(
        "django://", str, "django:// | mongodb://…: where orders are shown from"
    ),
    "REDIS_URL": Var(
        "", str, "redis://…: channel layer, idempotency copy, Celery; empty: in memory"
    ),
    "OMS_PARTITIONS": Var("2", int, "partitions of every topic; never changed once there is a log"),
    "OMS_VENUE_LATENCY_MS": Var("2-15", str, "simulated venue's answer time, min-max"),
    "OMS_VENUE_SEED": Var("7", int, "seed of the simulated venue"),
    "OMS_HISTORY_HOURS": Var("24", int, "hours of the simulated market's past told at a start"),
    "OMS_SNAPSHOT_RECORDS": Var("500000", int, "commands between two snapshots of a partition"),
    "OMS_LOG_KEEP_RECORDS": Var("200000", int, "records kept behind the snapshots before trimming"),
    "OMS_CLAIM_DAYS": Var(
        "7", int, "days the answer under an idempotency key is kept; its order stays one for ever"
    ),
    "OMS_IN_FLIGHT_MAX": Var(
        "10000", int, "orders a web process takes ahead of what is shown; then 503 overloaded"
    ),
    "OMS_REQUESTS_PER_10S": Var(
        "100000", int, "weight of reads that an API key or a user has in 10 s"
    ),
    "OMS_ORDERS_PER_S": Var("50000", int, "orders a second of a key or user, and of an account"),
    "OMS_ORDERS_PER_DAY": Var("500000000", int, "the same for a UTC day"),
    "OMS_CANCELS_PER_10S": Var(
        "50000", int, "cancels of a key or user in 10 s, whatever they ordered"
    ),
    "OMS_LOG_LEVEL": Var("INFO", str, "DEBUG, INFO, WARNING, ERROR"),
    "OMS_LOG_FORMAT": Var("console", str, "console | json"),
    "OMS_CRASH": Var("", str, "name:nth, kills the process at a named crash point; tests only"),
    "OMS_CLOCK_JUMP": Var(
        "", str, "seconds@after: the product's clock jumps so long after a start; tests only"
    ),
    "OMS_WEB_PORT": Var("8000", int, "port of the pages and the API"),
    "OMS_INNER_PORT": Var(
        "0", int, "port of a role's /livez, /readyz, /health and /metrics; 0: none"
    ),
    "OMS_INNER_HOST": Var("127.0.0.1", str, "address of the inner port; 0.0.0.0 in a pod"),
    "OMS_CONNECTIONS_MAX": Var(
        "1000", int, "connections of a web process; one address gets half of them"
    ),
    "OMS_PROXIES": Var(
        "", _networks, "addresses or networks of proxies whose X-Forwarded-* headers are believed"
    ),
}


@dataclass(frozen=True, slots=True)
class Env:
    """The environment, read once at start. Field names are the variables', lower case, no prefix."""

    data_dir: Path
    static_dir: str
    debug: bool
    secret_key: str
    jwt_key: str
    secret_keys_old: tuple[str, ...]
    jwt_keys_old: tuple[str, ...]
    allowed_hosts: tuple[str, ...]
    trusted_origins: tuple[str, ...]
    secure_cookies: bool
    database_url: str
    database_pool: int
    log_url: str
    order_store_url: str
    redis_url: str
    partitions: int
    venue_latency_ms: str
    venue_seed: int
    history_hours: int
    snapshot_records: int
    log_keep_records: int
    claim_days: int
    in_flight_max: int
    requests_per_10s: int
    orders_per_s: int
    orders_per_day: int
    cancels_per_10s: int
    log_level: str
    log_format: str
    crash: str
    clock_jump: str
    web_port: int
    inner_port: int
    inner_host: str
    connections_max: int
    proxies: tuple[str, ...]


def read(source: Mapping[str, str]) -> Env:
    """Return the environment in *source*.

    Raises:
        ValueError: a variable that cannot be read, naming it and its meaning.
    """
    values: dict[str, Any] = {}
    for name, var in VARS.items():
        text = source.get(name, var.default)
        try:
            values[name.removeprefix("OMS_").lower()] = var.read(text)
        except ValueError as error:
            raise ValueError(f"{name}={text!r}: {error} ({var.meaning})") from error
    data_dir: Path = values["data_dir"]
    if not data_dir.is_absolute():
        data_dir = BASE_DIR / data_dir
    values["data_dir"] = data_dir
    values["log_url"] = values["log_url"] or f"sqlite://{data_dir / 'log'}"
    for name in (
        "in_flight_max", "partitions", "requests_per_10s", "orders_per_s", "orders_per_day",
        "cancels_per_10s",
    ):  # fmt: skip
        if values[name] < 1:
            raise ValueError(f"OMS_{name.upper()} must be at least 1")
    if values["connections_max"] < 2:
        raise ValueError("OMS_CONNECTIONS_MAX must be at least 2")
    assert set(values) == {field.name for field in fields(Env)}, "VARS and Env name the same things"
    return Env(**values)


KEY_CHARS_MIN: Final = 32


def unsafe(env: Env) -> list[str]:
    """Return why *env* must not serve people over https: what has no default there, or a bad one."""
    if not env.secure_cookies:
        return []
    keys = {"OMS_SECRET_KEY": env.secret_key, "OMS_JWT_KEY": env.jwt_key}
    found = [
        f"{name}: give it {KEY_CHARS_MIN} random characters or more, the same to every process. One "
        "made on each host would end the sessions and tokens of all others."
        for name, key in keys.items()
        if len(key) < KEY_CHARS_MIN
    ]
    if env.secret_key and env.secret_key == env.jwt_key:
        found.append("OMS_JWT_KEY: not the same as OMS_SECRET_KEY; who learns one has both.")
    if env.debug:
        found.append("OMS_DEBUG: 0; its pages show the settings to everybody.")
    return found


def load() -> Env:
    """Return this process' environment; makes the data folder and its secret key if needed.

    Ends the process, and says why, if it must not serve people like this.
    """
    env = read(source())
    wrong = unsafe(env)
    if wrong:
        lines = "\n".join(f"  {line}" for line in wrong)
        raise SystemExit(f"OMS_SECURE_COOKIES=1 (production) needs:\n{lines}")
    env.data_dir.mkdir(parents=True, exist_ok=True)
    return env


def source() -> dict[str, str]:
    """Return what .env and the environment say; the environment wins."""
    return {**_dotenv(BASE_DIR / ".env"), **os.environ}


def unknown(names: Iterable[str]) -> list[str]:
    """Return the names that look like ours and are not: spelling mistakes, most likely."""
    ours = (name for name in names if name.startswith("OMS_"))
    return sorted(name for name in ours if name not in VARS and not name.startswith(_FOR_TESTS))


def secret_key(env: Env) -> str:
    """Return the signing key: the given one, or one made on the first start and kept (mode 0600)."""
    if env.secret_key:
        return env.secret_key
    path = env.data_dir / "secret_key"
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    key = secrets.token_urlsafe(50)
    with os.fdopen(descriptor, "w") as file:
        file.write(key)
    return key


def child(**changes: str) -> dict[str, str]:
    """Return an environment for a child process: ours with *changes*."""
    return {**os.environ, **changes}


def service_for_tests(name: str) -> str:
    """Return the address of somebody's own server for tests (OMS_TEST_KAFKA, …) or ""."""
    return os.environ.get(f"OMS_TEST_{name}", "")


def services_required() -> bool:
    """Tell whether a test server that cannot start must fail the test instead of skipping it."""
    return _flag(os.environ.get("OMS_REQUIRE_SERVICES", ""))


def _dotenv(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    lines = (line.strip() for line in path.read_text().splitlines())
    pairs = (line.split("=", 1) for line in lines if line and not line.startswith("#"))
    return {name.strip(): value.strip() for name, value in pairs}

"""What `manage.py check --deploy` asks beside Django's own: the settings of a product that serves people.

Rule of this file: what must never be ends a start (env.unsafe); what may be meant is a warning here.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Tags, Warning, register

from oms_project.env import Env

LOCAL: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
TLS: Final = {"redis_url": ("rediss",), "order_store_url": ("django", "mongodb", "mongodb+srv")}


def _plain_http(env: Env) -> str:
    return "" if env.secure_cookies else "OMS_SECURE_COOKIES is 0: cookies travel in the clear."


def _hosts(env: Env) -> str:
    bad = "*" in env.allowed_hosts or set(env.allowed_hosts) <= LOCAL
    return "OMS_ALLOWED_HOSTS names no host that people ask for, or every one." if bad else ""


def _proxies(env: Env) -> str:
    wide = [one for one in env.proxies if one.endswith("/0")]
    if wide:
        return "OMS_PROXIES believes everybody: an address of one's own choice passes every list."
    return (
        "" if env.proxies else "OMS_PROXIES is empty: behind a proxy every caller has its address."
    )


def _redis(env: Env) -> str:
    plain = env.redis_url and urlsplit(env.redis_url).scheme not in TLS["redis_url"]
    return (
        "REDIS_URL is not rediss://: sessions of sockets and limits travel in the clear."
        if plain
        else ""
    )


def _sqlite(env: Env) -> str:
    return (
        ""
        if env.database_url
        else "DATABASE_URL is empty: users and keys are in a file of one host."
    )


def _crash(env: Env) -> str:
    return (
        "OMS_CRASH or OMS_CLOCK_JUMP is set: they are for tests."
        if env.crash or env.clock_jump
        else ""
    )


CHECKS: Final[tuple[tuple[str, Callable[[Env], str]], ...]] = (
    ("oms.W001", _plain_http), ("oms.W002", _hosts), ("oms.W003", _proxies), ("oms.W004", _redis),
    ("oms.W005", _sqlite), ("oms.W006", _crash),
)  # fmt: skip


def found(env: Env) -> Iterator[CheckMessage]:
    """Yield what is worth a second look before *env* serves people."""
    for identifier, check in CHECKS:
        wrong = check(env)
        if wrong:
            yield Warning(wrong, id=identifier)


@register(Tags.security, deploy=True)
def check_deploy(app_configs: Any, **_: Any) -> list[CheckMessage]:
    return list(found(settings.ENV))

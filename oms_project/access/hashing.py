"""Passwords are hashed by few threads that give way: guessing them must not slow the desk down.

One hash takes some 50 ms of a core and 16 MiB, on purpose. Whoever asks waits in a line; if the line
is long, or does not move, there is no answer rather than a slow product.
"""

import contextlib
import os
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from functools import cache
from typing import Final

from django.contrib.auth.hashers import ScryptPasswordHasher

from oms_project.access.errors import AccessError

AT_ONCE: Final = max(1, (os.cpu_count() or 1) // 2)
WAITING_MAX: Final = 16
WAIT_S_MAX: Final = 5.0
NICENESS: Final = 10
NICEST: Final = 19
RETRY_S: Final = 2

_line: Final = threading.BoundedSemaphore(AT_ONCE + WAITING_MAX)
_serving: list[object] = []


@contextlib.asynccontextmanager
async def in_line() -> AsyncIterator[None]:
    """Let callers stand in line while this process serves. A command hashes here and now, however long
    it takes: it has no desk to slow down, and nobody who tries again."""
    this = object()
    _serving.append(this)
    try:
        yield
    finally:
        _serving.remove(this)


def _give_way() -> None:
    """Let the other threads of this process go first. (On Linux a thread has a niceness.)"""
    this = threading.get_native_id()
    ours = os.getpriority(os.PRIO_PROCESS, this)
    os.setpriority(os.PRIO_PROCESS, this, min(NICEST, ours + NICENESS))


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(AT_ONCE, thread_name_prefix="scrypt", initializer=_give_way)


class BoundedScrypt(ScryptPasswordHasher):
    """Django's scrypt, AT_ONCE at a time in this process.

    Raises AccessError rate_limited instead of an answer: too many wait already, or for too long.
    """

    def encode(
        self, password: str, salt: str, n: int | None = None, r: int | None = None,
        p: int | None = None,
    ) -> str:  # fmt: skip
        if not _serving:
            return super().encode(password, salt, n, r, p)
        if not _line.acquire(blocking=False):
            raise AccessError("rate_limited", RETRY_S)
        try:
            hashing = _pool().submit(super().encode, password, salt, n, r, p)
        except BaseException:
            _line.release()
            raise
        hashing.add_done_callback(lambda _: _line.release())
        try:
            return hashing.result(WAIT_S_MAX)
        except FutureTimeoutError as error:
            hashing.cancel()
            raise AccessError("rate_limited", RETRY_S) from error

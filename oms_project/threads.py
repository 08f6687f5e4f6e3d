"""The threads of a web process, and the database connections they hold.

The event loop gives blocking work to a few threads that live as long as it does. Django keeps a
connection a thread and closes it at the end of a *request*, which these threads do not have: one that
broke would stay broken for ever, and one of a pool would never come back to it.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final

from django.db import connections

THREADS_MAX: Final = min(32, (os.cpu_count() or 1) + 4)
"""As many as asyncio would have."""


class Releasing(ThreadPoolExecutor):
    """Runs jobs, and gives back after each what a server's database lent for it."""

    def submit(self, job: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        def run() -> Any:
            try:
                return job(*args, **kwargs)
            finally:
                release()

        return super().submit(run)


def release() -> None:
    """Give this thread's connections back, but those to a file: they are cheap to keep, not to make."""
    for connection in connections.all(initialized_only=True):
        if connection.vendor != "sqlite" or connection.errors_occurred:
            connection.close_if_unusable_or_obsolete()


@contextlib.asynccontextmanager
async def releasing() -> AsyncIterator[None]:
    """Let the running event loop use such threads. (It ends them itself.)"""
    executor = Releasing(THREADS_MAX, thread_name_prefix="web")
    asyncio.get_running_loop().set_default_executor(executor)
    yield

"""Starts and stops what runs beside the requests of a web process, as the server tells it to.

A part is an async context manager: entered at the start, in order; left at the end, the last first.
A part that cannot start ends the process; one that breaks later is logged and begun again.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Final

import structlog

from oms_project.rest.door import Receive, Scope, Send

Part = Callable[[], AbstractAsyncContextManager[object]]
STOP_S: Final = 5.0
BACK_OFF_S: Final = (0.1, 0.5, 2.0, 5.0)

_logger = structlog.get_logger(__name__)


class Lifespan:
    """The ASGI lifespan application over a list of parts."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        async with AsyncExitStack() as stack:
            try:
                for part in self._parts:
                    await stack.enter_async_context(part())
            except Exception as error:
                _logger.exception("start_failed")
                await send({"type": "lifespan.startup.failed", "message": repr(error)})
                raise
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})


@contextlib.asynccontextmanager
async def running(name: str, run: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Keep the coroutine function *run* running while the context lasts."""
    task = asyncio.create_task(_again_and_again(name, run), name=name)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, TimeoutError):
            await asyncio.wait_for(task, STOP_S)


async def _again_and_again(name: str, run: Callable[[], Awaitable[None]]) -> None:
    failures = 0
    while True:
        try:
            await run()
            return
        except Exception as error:
            back_off_s = BACK_OFF_S[min(failures, len(BACK_OFF_S) - 1)]
            failures += 1
            _logger.error("part_broke", part=name, wait_s=back_off_s, exc_info=error)
            await asyncio.sleep(back_off_s)

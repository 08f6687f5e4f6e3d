"""Waiting in tests: poll until it holds, or fail at a deadline. Never a sleep for luck."""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PAUSE_S = 0.005


def eventually(ask: Callable[[], T], deadline_s: float = 10.0) -> T:
    """Return the first truthy value of *ask*."""
    end = time.monotonic() + deadline_s
    while True:
        value = ask()
        if value:
            return value
        assert time.monotonic() < end, f"{ask} did not hold within {deadline_s} s: {value!r}"
        time.sleep(PAUSE_S)


async def eventually_async(ask: Callable[[], T], deadline_s: float = 10.0) -> T:
    """Return the first truthy value of *ask*, letting the event loop go on meanwhile."""
    end = time.monotonic() + deadline_s
    while True:
        value = ask()
        if value:
            return value
        assert time.monotonic() < end, f"{ask} did not hold within {deadline_s} s: {value!r}"
        await asyncio.sleep(PAUSE_S)

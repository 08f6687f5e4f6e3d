"""How long a periodic task may take: it ends by itself, and the next run goes on.

A worker without processes of its own (the embedded one) cannot be stopped from outside in the middle.
"""

from collections.abc import Callable
from typing import Final

from oms_project.kernel.numbers import NS_PER_S
from oms_project.kernel.ports import Clock

BUDGET_S: Final = 20
LIMITS: Final = {"soft_time_limit": 30, "time_limit": 45}
"""Celery's, for a task that does not end by itself."""


def budget(clock: Clock) -> Callable[[], bool]:
    """Return what tells whether the time of a task that begins now is used up."""
    end_ns = clock.monotonic_ns() + BUDGET_S * NS_PER_S
    return lambda: clock.monotonic_ns() > end_ns

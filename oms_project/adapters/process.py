"""What every long-running process does with its operating system."""

import gc
import signal
import threading
from typing import Final

GEN0_OBJECTS: Final = 200_000

_role = "manage"


def become(role: str) -> None:
    """Name this process: in the log's brokers, in its own log lines. Before anything is opened."""
    global _role
    _role = role


def role() -> str:
    """Return what this process is: web, engine, …; "manage" for a command of an operator."""
    return _role


def stop_on_signals() -> threading.Event:
    """Return an event that SIGTERM and SIGINT set: finish the round, then leave."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def calm_collector(gen0_objects: int = GEN0_OBJECTS) -> None:
    """Let the cycle collector look rarely: the hot path makes objects by the million, no cycles.

    What is there now (modules, tables made at the start) is never looked at again.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(gen0_objects, 20, 100)

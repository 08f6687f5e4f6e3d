"""Named places at which a test may kill the process, as `kill -9` would.

`OMS_CRASH=name:nth` (read by env.py, handed to `arm` at start) ends the process with SIGKILL at
the nth passage of `crash(name)`. Unarmed, a passage costs one comparison.

Rule of this file: every `crash("…")` in the code has its line in POINTS, and every line is passed
somewhere; a test compares the two.
"""

import os
import signal
from typing import Final

POINTS: Final[dict[str, str]] = {
    "intake.before_claim": "a batch of submissions is taken; nothing is durable",
    "intake.after_claim": "the claims are durable and in flight; no record is in the log",
    "intake.after_append": "the records are durable; the claims still say in flight",
    "intake.after_done": "claims and records are durable; nobody was answered",
    "loop.after_poll": "records are in hand; nothing was done with them",
    "loop.after_handle": "the effect is durable; dead letters and offset are not",
    "loop.after_dead_letter": "the dead letters are durable; the offset has not moved",
    "loop.after_commit": "the group knows the offset",
    "log.before_commit": "records are inserted; the transaction is open",
    "log.after_commit": "records are durable; the appender does not know",
    "engine.before_open_epoch": "the partition is ours in the store; the log does not say so",
    "engine.after_epoch": "the partition is ours; its book is not made yet",
    "engine.after_replay": "the book is made, missing events are told; nothing is back at the venue",
    "engine.after_resume": "what is open is back at the venue; nothing is handled",
    "engine.before_lose": "told to leave; the last snapshot is not made",
    "engine.before_events": "commands are decided in memory; their events are nowhere",
    "engine.after_events": "events are durable; no order has left for the venue",
    "engine.after_route": "orders are at the venue; it has not reported",
    "engine.before_reports": "the venue reported; the log does not have it",
    "engine.after_reports": "the venue's reports are commands in the log",
    "engine.before_snapshot": "a snapshot is made; it is not kept",
    "engine.after_snapshot": "the snapshot is kept",
    "projector.before_apply": "events are folded; nothing is stored",
    "projector.after_reference": "accounts and instruments are in force; orders are not stored",
    "projector.after_apply": "rows and progress are stored; the group does not know",
    "store.before_commit": "rows are written; the transaction is open",
    "store.after_commit": "rows and progress are committed",
}

_name: str | None = None
_passages_left = 0


def arm(spec: str) -> None:
    """Arm the point in *spec* ("name" or "name:nth"); "" disarms.

    Raises:
        ValueError: no such point, or nth is not a positive number.
    """
    global _name, _passages_left
    if not spec:
        _name = None
        return
    name, _, nth = spec.partition(":")
    if name not in POINTS:
        raise ValueError(f"OMS_CRASH: no crash point {name!r}; there are {', '.join(POINTS)}")
    passages = int(nth or "1")
    if passages < 1:
        raise ValueError(f"OMS_CRASH: {nth!r} is not a passage to crash at")
    _name, _passages_left = name, passages


def crash(name: str) -> None:
    """End the process here if *name* is armed and this is the passage."""
    if _name is not None:
        _pass(name)


def _pass(name: str) -> None:
    global _passages_left
    if name != _name:
        return
    _passages_left -= 1
    if _passages_left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

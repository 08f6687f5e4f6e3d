"""A run's figures as people and programs read them."""

from typing import Any, Final

import msgspec
from rich.console import Console
from rich.table import Table

from orders.faults.chaos import Outage

ANSWER_MS_MAX: Final = 10_000
SHOWN_MAX: Final = 12
LINE: Final = (
    "kills", "acked", "unknown", "retried", "lost", "doubled", "illegal", "gaps", "books",
    "differing", "changed", "unresolved", "hash", "seed",
)  # fmt: skip


class Result(msgspec.Struct, kw_only=True):
    """One run. The names of the judge's figures are explained in orders/faults/judge.py.

    changed: fates taken back (None: of a run that did not look); looks: orders read meanwhile.
    killed: SIGKILLs by role; deaths: of roles nobody killed; slowest_ms: of all answers;
    recovery_*_ms: from a fault until a new command was decided, stored and shown.
    """

    backend: str
    seed: int
    right: bool = False
    seconds: float = 0.0
    kills: int = 0
    killed: dict[str, int] = {}
    points: dict[str, str] = {}
    outages: list[Outage] = []
    redis_flushes: int = 0
    jumps: int = 0
    restores: int = 0
    poison: int = 0
    requests: int = 0
    answers: dict[str, int] = {}
    keys: int = 0
    acked: int = 0
    unknown: int = 0
    retried: int = 0
    replays_equal: int = 0
    bad_inputs: int = 0
    orders: int = 0
    events: int = 0
    commands: int = 0
    statuses: dict[str, int] = {}
    lost: int = 0
    doubled: int = 0
    differing: int = 0
    illegal: int = 0
    gaps: int = 0
    books: int = 0
    changed: int | None = None
    looks: int = 0
    unresolved: int = 0
    hash: str = ""
    slowest_ms: int = 0
    recoveries: int = 0
    recovery_p50_ms: int = 0
    recovery_max_ms: int = 0
    deaths: list[str] = []
    wrong: list[str] = []
    command: str = ""

    def line(self) -> str:
        """Return the one line that says it all."""
        values: dict[str, Any] = msgspec.to_builtins(self)
        values["kills"] = self.kills + sum(one != "not passed" for one in self.points.values())
        if self.hash != "equal":
            values["hash"] = "different"
        return " ".join(f"{name}={values[name]}" for name in LINE)


def show(result: Result, *, as_json: bool) -> None:
    """Print one JSON object, or the table and the line."""
    console = Console(soft_wrap=True)
    if as_json:
        console.out(msgspec.json.encode(result).decode(), highlight=False)
        return
    table = Table(title=f"faults, {result.backend}", show_header=False, title_justify="left")
    for name, value in msgspec.to_builtins(result).items():
        if value in (None, {}, [], "") or name in ("backend", "command"):
            continue
        bad = name == "wrong" or (name == "right" and value is False)
        if name == "wrong":
            value = value[:SHOWN_MAX]
        table.add_row(name, _text(value), style="red" if bad else "")
    console.print(table)
    console.out(result.line(), highlight=False)


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return "\n".join(f"{key} {inner}" for key, inner in value.items())
    if isinstance(value, list):
        return "\n".join(str(inner) for inner in value)
    return f"{value:,.1f}" if isinstance(value, float) else str(value)

"""A measurement as people and programs read it."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from rich.console import Console
from rich.table import Table

LINE_MAX: Final = 6
"""Figures shown in one line."""


class Result(msgspec.Struct, kw_only=True):
    """One scenario's figures. cpu_us_per_order: by role, the load's own beside it as "client"."""

    scenario: str
    orders: int
    seconds: float
    orders_per_s: float
    p50_ms: float | None = None
    p99_ms: float | None = None
    p999_ms: float | None = None
    max_ms: float | None = None
    errors: int = 0
    verified: bool = False
    statuses: dict[str, int] = {}
    wrong: list[str] = []
    baseline: float | None = None
    ratio: float | None = None
    cpu_us_per_order: dict[str, float] = {}
    rss_mb: dict[str, int] = {}
    notes: dict[str, Any] = {}


def percentiles(nanoseconds: Sequence[int]) -> dict[str, float]:
    """Return p50, p99, p99.9 and the largest, in milliseconds."""
    ordered = sorted(nanoseconds)

    def at(ppm: int) -> float:
        return round(ordered[min(len(ordered) - 1, len(ordered) * ppm // 1_000_000)] / 1e6, 2)

    return {
        "p50_ms": at(500_000),
        "p99_ms": at(990_000),
        "p999_ms": at(999_000),
        "max_ms": round(ordered[-1] / 1e6, 2),
    }


def show(result: Result, *, as_json: bool) -> None:
    """Print one JSON object, or a table."""
    if as_json:
        Console(soft_wrap=True).out(msgspec.json.encode(result).decode(), highlight=False)
        return
    table = Table(title=f"bench {result.scenario}", show_header=False, title_justify="left")
    for name, value in msgspec.to_builtins(result).items():
        if value in (None, {}, []) or name == "scenario":
            continue
        if isinstance(value, dict):
            between = "\n" if len(value) > LINE_MAX else "  "
            value = between.join(f"{key} {inner}" for key, inner in value.items())
        elif isinstance(value, list):
            value = "\n".join(value)
        elif isinstance(value, float):
            value = f"{value:,.2f}"
        style = "red" if name in {"wrong"} or (name == "verified" and value is False) else ""
        table.add_row(name, str(value), style=style)
    Console().print(table)

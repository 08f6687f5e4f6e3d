"""Turns kept runs into the tables of docs/guarantees.md: no figure there that was not measured."""

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from oms_project.adapters.crash import POINTS
from orders.faults import points
from orders.faults.result import Result

DOCUMENT: Final = Path("docs/guarantees.md")
MEASUREMENTS: Final = Path("docs/measurements")
PREFIX: Final = "faults-"

GUARANTEES: Final[tuple[tuple[str, str], ...]] = (
    ("Acknowledged and lost", "lost"),
    ("Made twice", "doubled"),
    ("Answers that differ", "differing"),
    ("Illegal", "illegal"),
    ("Gaps in streams", "gaps"),
    ("Books that do not add up", "books"),
    ("Decisions taken back", "changed"),
    ("Never answered", "unresolved"),
)


class Fault(msgspec.Struct, frozen=True):
    """A row of the matrix: how often a run did it."""

    name: str
    times: Callable[[Result], int]


def _killed(role: str) -> Callable[[Result], int]:
    def times(result: Result) -> int:
        crashed = sum(
            how != "not passed"
            for name, how in result.points.items()
            if name.startswith(f"{role}/")
        )
        own = (role, f"{role} starting")
        return crashed + sum(result.killed.get(name, 0) for name in own)

    return times


def _outages(server: str) -> Callable[[Result], int]:
    return lambda result: sum(one.server == server for one in result.outages)


FAULTS: Final = (
    Fault("SIGKILL of web", _killed("web")),
    Fault("SIGKILL of the engine", _killed("engine")),
    Fault("SIGKILL of the projector", _killed("projector")),
    Fault("SIGKILL of market data", _killed("marketdata")),
    Fault("SIGKILL of Kafka, then a start", _outages("kafka")),
    Fault("SIGKILL of the document store, then a start", _outages("secantusdb")),
    Fault("SIGKILL of Valkey, then a start", _outages("valkey")),
    Fault("FLUSHALL of Valkey", lambda result: result.redis_flushes),
    Fault("Requests without an answer, or a 503", lambda result: result.unknown),
    Fault("The same key again", lambda result: result.retried),
    Fault("Bad input", lambda result: result.bad_inputs),
    Fault("Poison records in the log", lambda result: result.poison),
    Fault("The clock jumps by an hour", lambda result: result.jumps),
    Fault("The store is restored from a backup", lambda result: result.restores),
)


# ------------------------------------------------------------------ kept runs
def keep(base: Path, name: str, result: Result) -> Path:
    """Write *result* where `write` finds it."""
    path = base / MEASUREMENTS / f"{PREFIX}{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n")
    return path


def kept(base: Path) -> list[Result]:
    """Return the kept runs, by the names of their files."""
    paths = sorted((base / MEASUREMENTS).glob(f"{PREFIX}*.json"))
    return [msgspec.json.decode(path.read_bytes(), type=Result) for path in paths]


def write(base: Path) -> None:
    """Put the tables of the kept runs into the document."""
    path = base / DOCUMENT
    path.write_text(render(path.read_text(), kept(base)))


def render(text: str, results: Sequence[Result]) -> str:
    """Return *text* with what stands between the marks of each block made anew.

    Raises:
        ValueError: a block is missing.
    """
    blocks = {
        "runs": _runs(results),
        "matrix": _matrix(results),
        "outages": _outage_table(results),
        "points": _points(results),
    }
    for name, lines in blocks.items():
        begin, end = f"<!-- begin: {name} -->", f"<!-- end: {name} -->"
        body = "\n".join((begin, "", *lines, "", end))
        pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
        text, found = pattern.subn(lambda _, body=body: body, text)
        if found != 1:
            raise ValueError(f"{DOCUMENT}: {found} blocks {name!r}, not 1")
    return text


# ------------------------------------------------------------------ tables
def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    rule = ["---"] + ["---:"] * (len(head) - 1)
    lines = [head, rule, *rows]
    return ["| " + " | ".join(str(cell) for cell in line) + " |" for line in lines]


def _runs(results: Sequence[Result]) -> list[str]:
    head = (
        "Run", "Seed", "Seconds", "Kills", "Requests", "Orders acknowledged", "Unknown", "Retried",
        "Slowest answer, ms", "Recovery p50 / max, ms", "Replay", "Right",
    )  # fmt: skip
    rows = [
        (
            f"`{one.command}`", one.seed, f"{one.seconds:.0f}", _kills(one),
            f"{one.requests:,}", f"{one.acked:,}", f"{one.unknown:,}", f"{one.retried:,}",
            f"{one.slowest_ms:,}", f"{one.recovery_p50_ms:,} / {one.recovery_max_ms:,}",
            "equal" if one.hash == "equal" else "**different**", "yes" if one.right else "**no**",
        )
        for one in results
    ]  # fmt: skip
    return _table(head, rows)


def _kills(result: Result) -> int:
    return result.kills + sum(how != "not passed" for how in result.points.values())


def _sum(results: Sequence[Result], field: str) -> str:
    """Return the sum of a figure; of runs that did not measure it there is none."""
    values = [getattr(one, field) for one in results]
    return "not measured" if None in values else str(sum(values))


def _matrix(results: Sequence[Result]) -> list[str]:
    head = ("Fault", "Times", *(name for name, _ in GUARANTEES), "Replays that differ")
    rows = []
    for fault in FAULTS:
        hit = [result for result in results if fault.times(result)]
        violations = [_sum(hit, field) for _, field in GUARANTEES]
        differ = sum(one.hash != "equal" for one in hit)
        times = sum(fault.times(one) for one in hit)
        if hit:
            rows.append((fault.name, f"{times:,}", *violations, f"{differ} of {len(hit)}"))
    return _table(head, rows)


def _outage_table(results: Sequence[Result]) -> list[str]:
    head = (
        "Server", "Away, ms", "`/readyz` named it after, ms", "A list of orders meanwhile",
        "All well after its start, ms",
    )  # fmt: skip
    rows = [
        (
            one.server, f"{one.down_ms:,}", f"{one.named_ms:,}",
            f"{one.read_status} in {one.read_ms:,} ms", f"{one.well_ms:,}",
        )
        for result in results
        for one in result.outages
    ]  # fmt: skip
    return _table(head, rows)


def _points(results: Sequence[Result]) -> list[str]:
    head = ("Crash point", "What is durable then", "Role", "Embedded", "Services")
    rows = []
    for name, meaning in POINTS.items():
        for point in points.PLAN:
            if point.name == name:
                cells = [_how(results, point, backend) for backend in points.BOTH]
                rows.append((f"`{name}`", meaning, point.role, *cells))
    return _table(head, rows)


def _how(results: Sequence[Result], point: points.Point, backend: str) -> str:
    if backend not in point.backends:
        return "not on this way"
    hits = [
        result.right
        for result in results
        if result.backend == backend
        and result.points.get(f"{point.role}/{point.name}", "not passed") != "not passed"
    ]
    if not hits:
        return "not run"
    return f"died {len(hits)} ×, {'right' if all(hits) else '**wrong**'}"

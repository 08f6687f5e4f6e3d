"""Crash points: they kill where they say, and the list of them is the code's."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from oms_project.adapters import crash as points

ROOT = Path(__file__).parents[3]
SCRIPT = """
from oms_project.adapters.crash import arm, crash
arm({spec!r})
for n in range(5):
    print(n, flush=True)
    crash("loop.after_poll")
    crash("loop.after_commit")
"""


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    points.arm("")


def passages(spec: str) -> tuple[int, int]:
    """Return (exit code, passages begun) of a process armed with *spec*."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(spec=spec)],
        cwd=ROOT,
        capture_output=True,
        timeout=30,
        check=False,
    )
    return done.returncode, len(done.stdout.split())


@pytest.mark.parametrize(
    ("spec", "outcome"),
    [
        ("", (0, 5)),
        ("loop.after_poll", (-signal.SIGKILL, 1)),
        ("loop.after_commit:3", (-signal.SIGKILL, 3)),
        ("loop.after_handle", (0, 5)),
    ],
)
def test_the_nth_passage_kills(spec: str, outcome: tuple[int, int]) -> None:
    """With SIGKILL: no handler, no flush, no goodbye."""
    assert passages(spec) == outcome


@pytest.mark.parametrize("spec", ["nowhere", "nowhere:1", "loop.after_poll:0", "loop.after_poll:x"])
def test_a_wrong_spec_is_told(spec: str) -> None:
    """A typing error must not be a test that never crashes."""
    with pytest.raises(ValueError, match=r"crash point|passage|invalid literal"):
        points.arm(spec)


def test_every_point_is_passed_and_listed() -> None:
    """A name that is nowhere in the code tests nothing; one that is not listed cannot be armed."""
    passed = set()
    for app in ("oms_project", "orders", "risk", "marketdata"):
        for path in (ROOT / app).rglob("*.py"):
            if "tests" not in path.parts and path.name != "crash.py":
                passed |= set(re.findall(r'crash\("([a-z_.]+)"\)', path.read_text()))
    assert passed == set(points.POINTS)

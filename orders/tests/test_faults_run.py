"""Short real runs: real processes, real SIGKILL, judged like the long ones."""

import subprocess
import sys

import msgspec
import pytest
from django.conf import settings

from oms_project import env
from orders.faults.result import Result

RUN_S = 150.0
pytestmark = pytest.mark.faults


def faults(*arguments: str) -> Result:
    """Run `manage.py faults --json` and return its result."""
    line = [sys.executable, str(settings.BASE_DIR / "manage.py"), "faults", "--json", *arguments]
    done = subprocess.run(
        line, capture_output=True, timeout=RUN_S, check=False, cwd=settings.BASE_DIR,
        env=env.child(OMS_LOG_LEVEL="WARNING"),
    )  # fmt: skip
    assert done.stdout, done.stderr.decode()[-3_000:]
    result = msgspec.json.decode(done.stdout, type=Result)
    assert done.returncode == (0 if result.right else 1)
    return result


def test_killed_processes_lose_and_double_nothing() -> None:
    result = faults("--kills", "3", "--seed", "11")
    assert result.right, result.wrong
    assert result.kills >= 3
    assert result.acked > 100


def test_named_crash_points_lose_and_double_nothing() -> None:
    names = ("intake.after_append", "engine.before_events", "store.before_commit")
    result = faults(*(part for name in names for part in ("--point", f"{name}:3")))
    assert result.right, result.wrong
    assert set(result.points.values()) == {"died at passage 3"}

"""What the tests share: the schema, one running stand-in provider, one run of each size.

Everything expensive happens once a session, in a copy of the tree: the source is only read.
"""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import subprocess
import time
from dataclasses import dataclass

import pytest

from tfkit import extract, legal, provider, terraform

CACHE = pathlib.Path(os.environ.get("TFKIT_CACHE", terraform.SOURCE / ".venv-infra/cache"))
CHECKOV = pathlib.Path(os.environ.get("TFKIT_CHECKOV", terraform.SOURCE / ".venv-checkov"))
FIGURES: dict[str, str] = {}


@pytest.fixture(scope="session")
def figures() -> dict[str, str]:
    """What was measured; printed at the end."""
    return FIGURES


def pytest_collection_modifyitems(items: list) -> None:
    """What needs checkov goes last: it is still being installed when the first tests run."""
    items.sort(key=lambda item: "checkov" in item.fixturenames)


def pytest_terminal_summary(terminalreporter) -> None:
    for name, value in FIGURES.items():
        terminalreporter.write_line(f"infra: {name}: {value}")


@pytest.fixture(scope="session")
def wheel() -> pathlib.Path:
    """The bindings that the schema is read from."""
    return next(CACHE.glob("cdktn_provider_aws-*.whl"))


@pytest.fixture(scope="session")
def schema_file(wheel: pathlib.Path) -> pathlib.Path:
    """The schema of the types we use, extracted once for these types and this extractor."""
    only = extract.types_named_in(terraform.SOURCE)
    code = b"".join(p.read_bytes() for p in sorted((terraform.TOOLS / "tfkit").glob("*a*ch*.py")))
    code += pathlib.Path(extract.__file__).read_bytes()
    key = hashlib.sha256(repr((wheel.name, sorted(only))).encode() + code).hexdigest()[:12]
    file = CACHE / f"schema-{key}.json"
    if not file.is_file():
        file.write_text(json.dumps(extract.extract(wheel, only)))
    return file


@pytest.fixture(scope="session")
def schema(schema_file: pathlib.Path) -> dict:
    return json.loads(schema_file.read_text())


@pytest.fixture(scope="session")
def socket(schema: dict) -> str:
    """A running stand-in provider, with the service's own lists of legal values."""
    legal.lists()
    server, path = provider.start(schema)
    yield path
    server.stop(0)


@pytest.fixture(scope="session")
def new_tree(tmp_path_factory: pytest.TempPathFactory, socket: str):
    """Makes copies of the tree that terraform works in."""
    def make(name: str) -> terraform.Terraform:
        return terraform.Terraform(tmp_path_factory.mktemp(name) / "terraform", socket)
    return make


@pytest.fixture(scope="session")
def tree(new_tree) -> terraform.Terraform:
    """The copy that nobody changes."""
    made = new_tree("tree")
    made.init()
    return made


@dataclass(frozen=True)
class SizeRun:
    """One size: planned, applied, planned again."""

    plan: dict
    state: dict
    left: int
    second: dict
    folder: pathlib.Path
    seconds: float


@pytest.fixture(scope="session")
def run_of(tree: terraform.Terraform, figures: dict[str, str]):
    """run_of("prod") is that size's SizeRun, made at most once."""
    done: dict[str, SizeRun] = {}

    def run(size: str) -> SizeRun:
        if size not in done:
            started = time.monotonic()
            plan, state = tree.plan(size), tree.apply(size)
            left, second = tree.second_plan(size)
            seconds = time.monotonic() - started
            done[size] = SizeRun(plan, state, left, second, tree.folder, seconds)
            count = sum(r["mode"] == "managed" for r in terraform.resources(state))
            figures[f"{size} applied"] = f"{count} resources, {seconds:.0f} s with both plans"
        return done[size]
    return run


@pytest.fixture(scope="session")
def checkov():
    """Runs checkov, once its installation (behind us) is done; its reports as JSON."""
    stamp, patience = CHECKOV / ".stamp", time.monotonic() + 900
    while not stamp.is_file() and time.monotonic() < patience:
        time.sleep(1)
    assert stamp.is_file(), f"checkov is not installed in {CHECKOV}"

    def run(*args: str, cwd: pathlib.Path) -> list[dict]:
        env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        done = subprocess.run([str(CHECKOV / "bin/checkov"), *args, "-o", "json", "--compact"],
                              cwd=cwd, env=env, capture_output=True, text=True, check=False)
        assert done.returncode in (0, 1) and done.stdout, done.stderr[-2000:]
        reports = json.loads(done.stdout)
        return reports if isinstance(reports, list) else [reports]
    return run

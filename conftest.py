"""Fixtures of the whole suite: a data folder of its own, and the real servers where they exist."""

import atexit
import dataclasses
import shutil
import tempfile
from pathlib import Path

import pytest
from django.conf import settings

from oms_project.access import throttle

pytest_plugins = ["oms_project.tests.servers"]

# Tests never touch the data of somebody's running product, nor of another test run. pytest-django
# has read the settings before this file, so they are changed here and not in the environment.
_FOLDER = Path(tempfile.mkdtemp(prefix="oms-test-"))
atexit.register(shutil.rmtree, _FOLDER, ignore_errors=True)
settings.ENV = dataclasses.replace(
    settings.ENV, data_dir=_FOLDER, log_url=f"sqlite://{_FOLDER / 'log'}"
)
for _alias, _database in settings.DATABASES.items():
    if "sqlite" in _database["ENGINE"]:
        _database["TEST"]["NAME"] = str(_FOLDER / f"test_{_alias}.sqlite3")


@pytest.fixture(autouse=True)
def _log_ins_are_counted_anew() -> None:
    """All tests log in from one address."""
    throttle.forget_all()


def pytest_addoption(parser: pytest.Parser) -> None:
    """--seed repeats one history of the simulation."""
    parser.addoption("--seed", type=int, default=None, help="simulation: live this history alone")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give `seeds` in chunks that workers share, or the one that is asked for."""
    if "seeds" in metafunc.fixturenames:
        seed = metafunc.config.getoption("seed")
        count, chunk = metafunc.module.HISTORIES, metafunc.module.CHUNK
        chunks = [range(at, at + chunk) for at in range(0, count, chunk)]
        seeds = chunks if seed is None else [range(seed, seed + 1)]
        metafunc.parametrize("seeds", seeds, ids=lambda one: f"{one[0]}-{one[-1]}")

"""Thousands of histories in which everything goes wrong, each repeatable by its seed.

A failure names its seed and shows its steps; `pytest orders/tests/simulation --seed N` repeats it.
"""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from oms_project import env
from oms_project.adapters import dead_letters, loop
from orders import engine as engine_module
from orders import projector as projector_module
from orders.adapters import departure, memory_store
from orders.domain import apply, law, used
from orders.domain.law import Kind
from orders.engine import Engine
from orders.tests.simulation.world import World

HISTORIES: Final = 5_000
CHUNK: Final = 250
PLANTED_SEEDS: Final = range(2000)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory lets go after few orders, so that histories of forty steps feel it."""
    monkeypatch.setattr(apply, "CLOSED_KEPT", 6)
    monkeypatch.setattr(apply, "EVICTED_AT_ONCE", 3)
    monkeypatch.setattr(used, "SEGMENT_PAIRS", 4)
    monkeypatch.setattr(used, "FIRST_SIZE", 1_000)


def live(seed: int, monkeypatch: pytest.MonkeyPatch) -> World:
    """Return the world after its history."""
    world = World(seed)
    for module in (engine_module, projector_module, loop, dead_letters):
        monkeypatch.setattr(module, "crash", world.weather.crash_point)
    try:
        world.run()
    except Exception as error:
        error.add_note(
            "\n".join([f"repeat it: pytest orders/tests/simulation --seed {seed}", *world.steps])
        )
        raise
    return world


def test_histories(seeds: range, monkeypatch: pytest.MonkeyPatch) -> None:
    """No acknowledged order is lost, doubled or changes its fate; books, rows and replay agree."""
    for seed in seeds:
        live(seed, monkeypatch)


def test_a_seed_is_one_history(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = live(7, monkeypatch), live(7, monkeypatch)
    assert first.steps == second.steps
    assert first.seen == second.seen


TOLD: Final = """
import hashlib, django
django.setup()
from orders.tests.simulation.world import World
for seed in range(20):
    world = World(seed)
    world.run()
    print(hashlib.sha256(repr((world.steps, world.seen)).encode()).hexdigest())
"""


def test_a_seed_is_one_history_in_every_process(tmp_path: Path) -> None:
    """Nothing hangs on how Python hashes texts this time."""
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", TOLD], stdout=subprocess.PIPE, text=True,
            env=env.child(
                PYTHONHASHSEED=hashing, OMS_DATA_DIR=str(tmp_path), OMS_LOG_LEVEL="ERROR",
                DJANGO_SETTINGS_MODULE="oms_project.settings",
            ),
        )
        for hashing in ("1", "2")
    ]  # fmt: skip
    first, second = (run.communicate(timeout=120)[0] for run in runs)
    assert len(first.splitlines()) == 20
    assert first == second


# ------------------------------------------------------------------ bugs that must be found


def _forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """What memory let go of is looked up in the store, which is wherever the projector is (D1)."""
    stores: list[memory_store.MemoryStore] = []
    init = World.__init__

    def remember(self: World, seed: int) -> None:
        init(self, seed)
        stores[:] = [self]  # type: ignore[list-item]

    def in_store(self: used.UsedIds, key: int) -> bool:
        world: World = stores[0]  # type: ignore[assignment]
        rows = world.kept._orders.values()
        shown = {
            used.client_key(used.account_hash(row.account_id), row.client_order_id) for row in rows
        }
        return key in shown or (key in self.state.fresh and self.state.fresh[key] == 0)

    monkeypatch.setattr(World, "__init__", remember)
    monkeypatch.setattr(used.UsedIds, "__contains__", in_store)


def _filled_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """A report that is sent again is a second trade."""
    kind_of = law.kind_of

    def forgetful(order: law.Order, report: law.Report) -> Kind:
        kind = kind_of(order, report)
        return Kind.TRADE if kind is Kind.TRADE_AGAIN else kind

    monkeypatch.setattr(law, "kind_of", forgetful)


def _canceled_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cancel that is sent again is decided again."""
    monkeypatch.setattr(apply, "use", lambda *_: None)


def _ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """A snapshot is taken although a power cut took the events that led to it."""
    newest = Engine._newest_book
    monkeypatch.setattr(Engine, "_newest_book", lambda self, one, _: newest(self, one, 10**12))


def _late_leaver(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody looks at the clock when an order leaves."""
    monkeypatch.setattr(departure, "in_time", lambda routes, now_ns: (routes, []))


@pytest.mark.parametrize(
    ("plant", "law"),
    [
        (_forgetful, "was OrderRouted, is OrderDenied"),
        (_filled_twice, "a book breaks its laws"),
        (_canceled_twice, "decided twice"),
        (_late_leaver, "left after its deadline"),
        (_ahead, "the projector never arrives"),
    ],
)
def test_a_planted_bug_is_found(
    plant: Callable[[pytest.MonkeyPatch], None], law: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A simulation that finds nothing may be blind."""
    plant(monkeypatch)
    for seed in PLANTED_SEEDS:
        try:
            live(seed, monkeypatch)
        except AssertionError as error:
            if law in str(error):
                return
    pytest.fail(f"not found in {len(PLANTED_SEEDS)} histories")

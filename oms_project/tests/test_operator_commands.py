"""doctor, check_env and docs_generate: what they find, what they say to do, how they end."""

import dataclasses
import io
import json
import re
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command, load_command_class
from django.core.management.base import CommandError

from oms_project import doctor, documents, env
from oms_project.kernel.errors import TransportError
from oms_project.kernel.words import Status
from orders import integrity, wiring
from orders.domain.law import Kind
from orders.tests.product import Product, product

__all__ = ("product",)
pytestmark = pytest.mark.django_db(databases=["default", "store"], transaction=True)
COMMANDS = {
    "oms_project": ("doctor", "check_env", "docs_generate"),
    "orders": ("orders", "positions", "replay", "check_invariants", "deadletter"),
}


def run(*arguments: Any, code: int = 0, **options: Any) -> str:
    out = io.StringIO()
    try:
        call_command(*arguments, stdout=out, **options)
        found = 0
    except SystemExit as end:
        found = end.code
    assert found == code, out.getvalue()
    return out.getvalue()


@pytest.fixture
def well(product: Product) -> Product:
    """A product in good health."""
    product.open()
    product.clock.advance_s(2)
    product.price("BTC-USD", 2_000_000, 2_000_100)
    product.work()
    wiring.save_integrity(integrity.Result(product.clock.now_ns(), accounts=1))
    return product


def answers(**options: Any) -> dict[str, Any]:
    code = options.pop("code", 0)
    found = json.loads(run("doctor", json=True, code=code, **options))
    assert found["ok"] == (code == 0)
    return {one["name"]: one for one in found["checks"]}


def test_all_is_well(well: Product) -> None:
    """Every check answers, none has anything to fix."""
    found = answers()
    assert {name: one["level"] for name, one in found.items() if one["level"] != "ok"} == {}
    assert all(not one["fix"] for one in found.values())
    assert "All is well" in run("doctor")


def test_before_the_first_start(product: Product) -> None:
    """Nothing runs: with --offline only what must stand is asked."""
    found = answers(offline=True, code=1)
    assert "engine" not in found
    assert found["instruments"]["level"] == "fail"
    assert "manage.py demo" in found["instruments"]["fix"]


class Away:
    """A log or a store that does not answer."""

    partitions = 2

    def __getattr__(self, name: str) -> Any:
        def fail(*_: Any, **__: Any) -> None:
            raise TransportError("somebody", "connection refused")

        return fail


def test_a_log_that_is_away(well: Product, monkeypatch: Any) -> None:
    """Its own check fails with the fix; the doctor lives on to look at the rest."""
    monkeypatch.setattr(wiring, "log", Away)
    found = answers(code=1)
    assert "connection refused" in found["log"]["found"]
    assert "LOG_URL" in found["log"]["fix"]
    assert found["store"]["level"] == "ok"


def test_a_store_that_is_away(well: Product, monkeypatch: Any) -> None:
    monkeypatch.setattr(wiring, "store", Away)
    found = answers(code=1)
    assert (found["store"]["level"], found["log"]["level"]) == ("fail", "ok")


def test_stale_prices(well: Product) -> None:
    """How old, and which role to start."""
    well.clock.advance_s(30)
    found = answers(code=1)["prices"]
    assert "BTC-USD 30 s" in found["found"]
    assert "run_marketdata" in found["fix"]


def test_an_engine_that_does_not_run(well: Product, monkeypatch: Any) -> None:
    """Commands wait behind the group's offset."""
    monkeypatch.setattr(doctor, "LAG_MAX", 5)
    for _ in range(10):
        well.price("BTC-USD", 2_000_000, 2_000_100)
    found = answers(code=1)["engine"]
    assert found["level"] == "fail"
    assert "run_engine" in found["fix"]


def test_a_clock_behind_the_log(well: Product) -> None:
    well.clock.jump_ns(-60 * 10**9)
    assert "ahead of this clock" in answers(code=1)["clock"]["found"]


def test_broken_books_and_old_checks(well: Product) -> None:
    """A breach fails; a check that is not repeated warns."""
    wiring.save_integrity(integrity.Result(well.clock.now_ns(), breaches=["USD: sums to 1"]))
    assert "sums to 1" in answers(code=1)["books"]["found"]
    wiring.save_integrity(integrity.Result(well.clock.now_ns() - 400 * 10**9))
    assert answers()["books"]["level"] == "warn"


@pytest.mark.parametrize(("free_gib", "level", "code"), [(0, "fail", 1), (2, "warn", 0)])
def test_a_full_disk(well: Product, monkeypatch: Any, free_gib: int, level: str, code: int) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: usage(10**12, 0, free_gib * 2**30))
    assert answers(code=code)["data folder"]["level"] == level


def test_migrations_that_wait(well: Product, monkeypatch: Any) -> None:
    """Asked of every database."""
    steps = [(namedtuple("step", "app_label name")("orders", "0009_more"), False)]
    monkeypatch.setattr(doctor.MigrationExecutor, "migration_plan", lambda *_: steps)
    found = answers(code=1)["migrations"]
    assert "orders.0009_more" in found["found"]
    assert "migrate" in found["fix"]


# ------------------------------------------------------------------ check_env
def test_the_environment_with_secrets_masked(monkeypatch: Any) -> None:
    """What is set, what is a default, and no secret anywhere."""
    monkeypatch.setattr(
        env, "source",
        lambda: {
            "OMS_SECRET_KEY": "hush", "REDIS_URL": "redis://user:hush@host:1/0",
            "DATABASE_URL": "postgres://oms:hu@sh@db/oms", "OMS_PARTITIONS": "4",
        },
    )  # fmt: skip
    text = run("check_env")
    assert "hush" not in text
    assert "sh@db" not in text
    rows = {row["name"]: row for row in json.loads(run("check_env", json=True))["variables"]}
    assert set(rows) == set(env.VARS)
    assert (rows["OMS_PARTITIONS"]["value"], rows["OMS_PARTITIONS"]["set"]) == ("4", True)
    assert rows["REDIS_URL"]["value"].endswith("@host:1/0")
    assert not rows["OMS_CLAIM_DAYS"]["set"]


def test_a_misspelt_variable(monkeypatch: Any) -> None:
    """It would be ignored in silence; test switches are not mistakes."""
    monkeypatch.setattr(env, "source", lambda: {"OMS_PARTITION": "4", "OMS_TEST_KAFKA": "x:1"})
    assert "OMS_PARTITION means nothing" in run("check_env", code=1)
    assert json.loads(run("check_env", json=True, code=1))["unknown"] == ["OMS_PARTITION"]


# ------------------------------------------------------------------ documents
def test_documents_are_current() -> None:
    """docs/order-states.md, docs/env.md and .env.example are what the code says."""
    call_command("docs_generate", check=True, stdout=io.StringIO())


def test_the_check_can_fail(tmp_path: Path, monkeypatch: Any) -> None:
    """A stale document is named, and written anew."""
    monkeypatch.setattr(documents, "ROOT", tmp_path)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "env.md").write_text("old")
    with pytest.raises(CommandError, match=r"env\.md"):
        call_command("docs_generate", check=True)
    call_command("docs_generate", stdout=io.StringIO())
    call_command("docs_generate", check=True, stdout=io.StringIO())


def test_the_example_is_a_working_environment(tmp_path: Path) -> None:
    """Uncommented it names every variable, and reads as the defaults do."""
    text = (settings.BASE_DIR / ".env.example").read_text()
    file = tmp_path / ".env"
    file.write_text(re.sub(r"^# ((?:OMS_)?[A-Z0-9_]+=)", r"\1", text, flags=re.MULTILINE))
    values = env._dotenv(file)
    assert set(values) == set(env.VARS)
    assert env.read(values) == env.read({})
    assert dataclasses.asdict(env.read(values))["partitions"] == 2


def test_the_diagram_is_walked() -> None:
    """Every status is reached, and what ends an order leaves only for FILLED."""
    edges = documents.edges()
    begun = {Status.NEW, Status.TRIGGER_PENDING}
    assert {after for *_, after in edges} | begun == set(Status)
    assert (Status.TRIGGER_PENDING, Kind.TRIGGERED, Status.REJECTED) in edges, "asked again then"
    assert (Status.CANCELED, Kind.TRADE, Status.FILLED) in edges, "a late fill that completes it"
    ended = (Status.CANCELED, Status.EXPIRED, Status.REJECTED)
    assert {after for before, _, after in edges if before in ended} == {Status.FILLED}
    assert not [edge for edge in edges if edge[0] is Status.FILLED]


# ------------------------------------------------------------------ help
@pytest.mark.parametrize(("app", "name"), [(a, n) for a, names in COMMANDS.items() for n in names])
def test_help_has_examples(app: str, name: str) -> None:
    """On lines of their own, to be copied."""
    text = load_command_class(app, name).create_parser("manage.py", name).format_help()
    assert re.search(rf"^  manage\.py {name}", text, flags=re.MULTILINE), text

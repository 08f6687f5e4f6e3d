"""Thousands of requests nobody would write, made from the OpenAPI document, at the door that runs.

All of schemathesis' default checks: what a schema allows is taken, what it forbids is refused, every
answer, status, header and refusal is one that the document tells, and nothing is a 500.
"""

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from django.conf import settings

from marketdata import wiring as market
from oms_project import env
from oms_project.asgi import application
from oms_project.kernel.words import Role
from oms_project.tests.live import server
from orders.entry import plans
from orders.tests.world import World, publish

pytestmark = pytest.mark.django_db(databases=["default", "store"], transaction=True)

RUN_S: Final = 20
SEED: Final = 7


def test_the_contract_is_true(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`schemathesis run` finds nothing. schemathesis.toml holds what a schema cannot say."""
    monkeypatch.setattr(plans, "WAIT_S_MAX", 0.05)  # nobody decides here
    world = World()
    account_id = world.account()
    world.order(account_id, filled=1)
    token = world.token(world.user("ann", {account_id: Role.TRADER}))
    for one in market.known_instruments():
        publish(one.symbol, 2_000_000, 2_000_100)
    with server(application) as port:
        line = [
            str(Path(sys.executable).parent / "schemathesis"), "run",
            f"http://127.0.0.1:{port}/api/schema/", "-H", f"Authorization: Bearer {token}",
            "--max-time", str(RUN_S), "--seed", str(SEED), "--request-timeout", "20",
            "--report-dir", str(tmp_path), "--continue-on-failure",
        ]  # fmt: skip
        found = subprocess.run(
            line, cwd=settings.BASE_DIR, capture_output=True, text=True, check=False,
            timeout=RUN_S * 6, env=env.child(NO_COLOR="1"),
        )  # fmt: skip
    assert found.returncode == 0, found.stdout[-6_000:] + found.stderr[-2_000:]
    generated = int(found.stdout.split(" generated, ")[0].rsplit(maxsplit=1)[-1])
    assert generated > 300, found.stdout[-2_000:]

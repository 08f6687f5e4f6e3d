"""GET /api/integrity and what /health says of the books."""

from typing import Any

import pytest
from django.test import Client

from oms_project import health
from orders import tasks
from orders.domain.events import BalanceChanged
from orders.models import Balance
from orders.tests.world import World

pytestmark = pytest.mark.django_db(databases=["default", "store"], transaction=True)


def ask(world: World, desk_role: str) -> Any:
    token = world.token(world.user(f"user-{desk_role}", desk_role=desk_role))
    return Client().get("/api/integrity", headers={"authorization": f"Bearer {token}"})


def test_before_the_first_check() -> None:
    """Nobody knows yet, and says so."""
    body = ask(World(), "operator").json()
    assert (body["status"], body["checked_at"]) == ("unknown", None)


def test_the_result_of_the_newest_check() -> None:
    """Good books, then a damaged row: the breach in words, here and as a failed check of /health."""
    world = World()
    account_id = world.account()
    world.tell(account_id, BalanceChanged("USD", 5, 0, 0, 0, -5))
    tasks.check_integrity.apply().get()
    body = ask(world, "risk_officer").json()
    assert (body["status"], body["accounts"], body["checked"]) == ("ok", 1, 1)
    assert body["checked_at"].endswith("Z")
    Balance.objects.all().update(external=-6)
    world.tell(account_id, BalanceChanged("EUR", 0, 0, 0, 0, 0))
    tasks.check_integrity.apply().get()
    body = ask(world, "operator").json()
    assert body["status"] == "breached"
    assert "sums to -1 units" in body["breaches"][0]
    check = health.checks("web").results()["integrity"]
    assert (check.status, check.required) == ("failed", False)


@pytest.mark.parametrize("desk_role", ["trader", "viewer"])
def test_others_may_not(desk_role: str) -> None:
    """It tells of all accounts."""
    answer = ask(World(), desk_role)
    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")

"""bench read measures what is there: its orders, its fills, and every list it asks for."""

import pytest
from django.test import Client

from oms_project.kernel.words import Role, Status
from orders import wiring
from orders.adapters import stream
from orders.bench.read import BATCH, ROUND, Filled
from orders.tests.world import World

pytestmark = pytest.mark.django_db(databases=["default", "store"], transaction=True)


def test_every_list_that_it_asks_for_is_there() -> None:
    world = World()
    account_ids = [world.account() for _ in range(3)]
    token = world.token(world.user("ann", dict.fromkeys(account_ids, Role.TRADER)))
    filled = Filled(account_ids)
    filled.tell(BATCH * ROUND)
    store = wiring.store()
    last = store.get(filled.order_ids[-1], account_ids)
    assert last is not None
    assert last.status in {Status.FILLED, Status.CANCELED, Status.ACCEPTED}
    assert len(stream.fills_of_account(store, account_ids[0], limit=50).rows) == 50
    for name, paths in filled.reads().items():
        answer = Client().get(paths[0], headers={"authorization": f"Bearer {token}"})
        assert answer.status_code == 200, (name, answer.content)
        found = answer.json()
        rows = found.get("orders", found.get("fills", [1]))
        assert bool(rows) is not ("of none" in name or name in EMPTY), name


EMPTY = {
    "fills of none", "status=NEW", "status=PARTIALLY_FILLED",
    "status=PENDING_CANCEL", "status=EXPIRED", "status=REJECTED", "status=TRIGGER_PENDING",
}  # fmt: skip

"""A store that was lost, or restored from a backup, is filled again from the log."""

import pytest

from orders import models
from orders.tests.product import ACCOUNT, Product

pytestmark = pytest.mark.django_db(databases=["default", "store"], transaction=True)
TABLES = (
    models.Name, models.Order, models.Step, models.Position, models.Balance, models.Chunk, models.Progress,
    models.Owner, models.Snapshot,
)  # fmt: skip


def test_from_nothing_but_the_log(product: Product) -> None:
    """Rows, streams and books come back, and trading goes on: epochs do not begin again."""
    product.open()
    for _ in range(3):
        product.restart()
        product.work()
    product.order(lots=10)
    product.work()
    before = (
        product.store.positions((ACCOUNT,)), product.store.balances((ACCOUNT,)),
        product.store.last_seq(ACCOUNT),
    )  # fmt: skip
    for table in TABLES:
        table.objects.all().delete()
    product.restart()
    product.work()
    assert before == (
        product.store.positions((ACCOUNT,)), product.store.balances((ACCOUNT,)),
        product.store.last_seq(ACCOUNT),
    )  # fmt: skip
    product.price("BTC-USD", 2_000_000, 2_000_100)
    product.work()
    order_id = product.order(lots=10)
    product.work()
    row = product.store.get(order_id, (ACCOUNT,))
    assert row is not None
    assert row.status == "FILLED"

"""A cancel that is repeated is answered as the first time, whatever became of the order since."""

from typing import Any

import pytest

from oms_project.access.principal import Principal
from oms_project.kernel.words import Role, Status
from oms_project.rest.problem import Problem
from orders.entry import plans
from orders.entry.plans import Answer, Plan
from orders.tests.product import ACCOUNT, Product

pytestmark = pytest.mark.django_db(databases=["default", "store"], transaction=True)
RESTING_TICKS = 1_900_000


def a_trader() -> Principal:
    return Principal("1", "ann", "trader", {ACCOUNT: Role.TRADER}, "token")


def cancel(product: Product, order_id: str, key: str) -> Answer | Problem:
    """Ask as curl does: no body, so no Content-Type."""
    headers = {b"idempotency-key": key.encode()}
    plan: Any = plans.plan_cancel(product.gateway, a_trader(), headers, b"", order_id)
    if not isinstance(plan, Plan):
        return plan
    if plan.instead is not None and plans.known(product.gateway, plan) is None:
        return plan.instead
    state = product.gateway.group.submit(plan.submission).result(10)
    return plans.told(product.gateway, plan, state)


def status(product: Product, order_id: str) -> Status:
    row = product.store.get(order_id, (ACCOUNT,))
    assert row is not None
    return row.status


def test_the_same_key_after_the_cancel_took_effect(product: Product) -> None:
    product.open()
    order_id = product.order(ticks=RESTING_TICKS)
    product.work()
    first = cancel(product, order_id, "one")
    product.work()
    assert status(product, order_id) is Status.CANCELED
    again = cancel(product, order_id, "one")
    assert isinstance(first, Answer)
    assert isinstance(again, Answer)
    assert (again.status, again.body) == (first.status, first.body)
    assert again.headers == {"Idempotent-Replayed": "true"}


def test_the_same_key_after_the_order_was_filled(product: Product) -> None:
    """The first cancel came too late. Its answer was 202, and stays it."""
    product.open()
    order_id = product.order()
    first = cancel(product, order_id, "one")
    product.work()
    assert status(product, order_id) is Status.FILLED
    again = cancel(product, order_id, "one")
    assert isinstance(first, Answer)
    assert isinstance(again, Answer)
    assert again.body == first.body


def test_a_new_key_is_told_how_the_order_stands(product: Product) -> None:
    product.open()
    filled, resting = product.order(), product.order(ticks=RESTING_TICKS)
    product.work()
    cancel(product, resting, "one")
    product.work()
    too_late = cancel(product, filled, "two")
    assert isinstance(too_late, Problem)
    assert too_late.code == "invalid_state_transition"
    done = cancel(product, resting, "three")
    assert isinstance(done, Answer)
    assert b'"CANCELED"' in done.body


def test_a_used_key_is_of_its_order(product: Product) -> None:
    product.open()
    first, second = product.order(ticks=RESTING_TICKS), product.order(ticks=RESTING_TICKS)
    product.work()
    cancel(product, first, "one")
    cancel(product, second, "two")
    product.work()
    reused = cancel(product, second, "one")
    assert isinstance(reused, Problem)
    assert reused.code == "idempotency_key_reused"

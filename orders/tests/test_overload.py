"""Overload at the door: nothing is written, and what was sent before is told again."""

import msgspec

from oms_project.problem import Problem
from orders.entry import plans
from orders.entry.plans import Plan
from orders.tests.door import Door, door
from orders.tests.test_bodies_catalogue import but

__all__ = ("door",)


def test_an_order_too_many(door: Door) -> None:
    """503 overloaded; a repeated request needs no room."""
    first = door.order(but())
    told = door.commit(first)
    assert isinstance(first, Plan)
    assert plans.overloaded(door.gateway, first) == msgspec.structs.replace(
        told, headers={"Idempotent-Replayed": "true"}
    )
    second = door.order(but(), idempotency_key="key-2")
    assert isinstance(second, Plan)
    refused = plans.overloaded(door.gateway, second)
    assert isinstance(refused, Problem)
    assert (refused.code, refused.status) == ("overloaded", 503)
    assert refused.headers == {"Retry-After": "1"}
    assert door.records() == 1

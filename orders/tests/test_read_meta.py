"""What anybody may read of how orders work."""

import pytest
from django.test import Client

from orders.domain.law import Kind
from orders.domain.order import Asked, Filled, Life

pytestmark = pytest.mark.django_db


def test_what_the_state_machine_is() -> None:
    """Generated from the table of moves, to anybody."""
    found = Client().get("/api/meta/order-states").json()
    assert len(found["law"]) == len(Life) * len(Filled) * len(Kind)
    assert {"life", "filled", "event", "outcome", "code", "reason", "clause"} == set(
        found["law"][0]
    )
    assert {one["asked"] for one in found["requests"]} == {one.name for one in Asked}

"""Overload at the door: nothing is written, and what was sent before is told again."""

from typing import Any

import msgspec
import pytest

from oms_project.rest.problem import Problem, ProblemError
from orders import wiring
from orders.rest import entry, entry_views
from orders.rest.entry import Plan
from orders.tests.door import Door, door
from orders.tests.test_bodies_catalogue import but

__all__ = ("door",)


def test_an_order_too_many(door: Door) -> None:
    """503 overloaded; a repeated request needs no room."""
    first = door.order(but())
    told = door.commit(first)
    assert isinstance(first, Plan)
    assert entry.overloaded(door.gateway, first) == msgspec.structs.replace(
        told, headers={"Idempotent-Replayed": "true"}
    )
    second = door.order(but(), idempotency_key="key-2")
    assert isinstance(second, Plan)
    refused = entry.overloaded(door.gateway, second)
    assert isinstance(refused, Problem)
    assert (refused.code, refused.status) == ("overloaded", 503)
    assert refused.headers == {"Retry-After": "1"}
    assert door.records() == 1


def test_the_view_refuses(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full process says so before anything is written."""
    monkeypatch.setattr(wiring, "gateway", lambda: door.gateway)
    monkeypatch.setattr(entry_views.market, "listings", lambda: ())
    monkeypatch.setattr(door.gateway.flow, "room", lambda orders: not orders)

    with pytest.raises(ProblemError, match="under way"):
        entry_views.answered(_bare(), lambda *_: door.order(but()))
    assert door.untouched()


def _bare() -> Any:
    """Return as much of a request as a planner of ours looks at."""
    inner = type("Inner", (), {"body": b""})()
    return type("Request", (), {"headers": {}, "user": None, "_request": inner})()

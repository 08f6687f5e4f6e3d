"""What docs/api.md tells people to post is taken by the door, or refused as it says there."""

import re
from pathlib import Path

import pytest

from marketdata import wiring as market
from marketdata.domain import demo
from marketdata.domain.instrument import Units
from oms_project.problem import Problem
from orders.entry.plans import Plan
from orders.tests.door import MINE, Door

TEXT = Path(__file__).parents[2].joinpath("docs/api.md").read_text().replace("'$ALPHA'", MINE)
POSTS = re.findall(
    r"\$BASE(/api/orders\S*) -H 'Idempotency-Key: ([^']+)'(?: -H '[^']*')* -d '([^']*)'", TEXT
)
REFUSED = {"ex-10": "price_tick"}
UNITS = {one.symbol: Units(one) for one in demo.INSTRUMENTS}


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch) -> Door:
    monkeypatch.setattr(market, "known_units", UNITS.get)
    return Door()


@pytest.mark.parametrize(("path", "key", "body"), POSTS, ids=[key for _, key, _ in POSTS])
def test_an_example_of_the_docs(door: Door, path: str, key: str, body: str) -> None:
    plan = {
        "/api/orders": door.order, "/api/orders/batch": door.batch,
        "/api/orders/cancel": door.cancel_all,
    }[path](body.encode(), idempotency_key=key)  # fmt: skip
    if key in REFUSED:
        assert isinstance(plan, Problem)
        assert [entry.code for entry in plan.errors] == [REFUSED[key]]
    else:
        assert isinstance(plan, Plan), plan
        assert plan.instead is None


def test_the_docs_have_examples() -> None:
    assert len(POSTS) >= 7
    assert REFUSED.keys() <= {key for _, key, _ in POSTS}

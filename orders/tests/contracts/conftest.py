"""The stores under test."""

from collections.abc import Iterator

import pytest

from oms_project.kernel import ports as p
from orders.tests.contracts.stores import StoreCase, each_store


@pytest.fixture(params=each_store())
def case(request: pytest.FixtureRequest) -> Iterator[StoreCase]:
    with request.param(request) as case:
        yield case


@pytest.fixture
def store(case: StoreCase) -> p.OrderStore:
    return case.open()

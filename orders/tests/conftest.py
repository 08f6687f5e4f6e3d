"""Fixtures of the orders app's tests."""

from orders.tests.contracts.stores import postgres_alias
from orders.tests.product import product

__all__ = ("postgres_alias", "product")

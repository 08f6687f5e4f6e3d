"""Fixtures of the orders app's tests."""

from orders.tests.product import product

__all__ = ("product",)

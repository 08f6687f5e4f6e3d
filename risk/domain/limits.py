"""What an account is allowed. 0 or empty means: no limit of this kind."""

import msgspec

from oms_project.kernel.numbers import Count


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """An account's limits.

    max_open_orders: orders not closed; max_order_value: worst-case notional of one order in
    smallest units of its quote asset; restricted_symbols: may not be traded.
    """

    max_open_orders: Count = 0
    max_order_value: Count = 0
    restricted_symbols: tuple[str, ...] = ()

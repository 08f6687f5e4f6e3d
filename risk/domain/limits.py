"""What an account is allowed. 0 or empty means: no limit of this kind."""

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An account's limits.

    max_open_orders: orders not closed; max_order_value: worst-case notional of one order in
    smallest units of its quote asset; restricted_symbols: may not be traded.
    """

    max_open_orders: int = 0
    max_order_value: int = 0
    restricted_symbols: tuple[str, ...] = ()

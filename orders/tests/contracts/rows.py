"""Builders of stored rows with defaults."""

from oms_project.kernel import ids
from oms_project.kernel import ports as p
from oms_project.kernel.terms import Terms
from oms_project.kernel.words import OrderType, Side, Status, TimeInForce

ACCOUNT = "11111111-2222-4333-8444-555555555555"
OTHER = "99999999-2222-4333-8444-555555555555"
AT_NS = 1_790_000_000_000_000_000


def order_id(number: int) -> str:
    """Return the id of an order that came *number* milliseconds after AT_NS."""
    return f"{ids.first_id(AT_NS + number * 1_000_000)[:13]}-7000-8000-{number:012d}"


def terms(**changes: object) -> Terms:
    values: dict = {
        "symbol": "BTC-USD", "side": Side.BUY, "type": OrderType.LIMIT,
        "time_in_force": TimeInForce.GTC, "lots": 10, "ticks": 2_000_000,
    }  # fmt: skip
    return Terms(**{**values, **changes})


def an_order(number: int = 1, **changes: object) -> p.OrderRow:
    values: dict = {
        "order_id": order_id(number), "account_id": ACCOUNT, "client_order_id": f"c{number}",
        "terms": terms(), "cap_ticks": 0, "status": Status.NEW,
        "version": 1, "last_seq": number, "created_ns": AT_NS + number,
        "updated_ns": AT_NS + number, "actor": "user:1", "first_seq": number,
    }  # fmt: skip
    of_terms = {name: changes.pop(name) for name in Terms.__struct_fields__ if name in changes}
    if of_terms:
        changes["terms"] = terms(**of_terms)
    return p.OrderRow(**{**values, **changes})


def an_update(number: int = 1, **changes: object) -> p.OrderUpdate:
    values: dict = {
        "order_id": order_id(number), "account_id": ACCOUNT, "status": Status.PARTIALLY_FILLED,
        "cum_lots": 4, "cost": 8_000_000, "fee": 12, "rejected_by": "", "reason": "",
        "late_fill": False, "overfilled": False, "version": 3, "end_seq": 0, "last_seq": 102,
        "updated_ns": AT_NS + 500,
    }  # fmt: skip
    return p.OrderUpdate(**{**values, **changes})


def a_step(seq: int = 101, **changes: object) -> p.StepRow:
    values: dict = {"account_id": ACCOUNT, "order_id": order_id(1), "seq": seq}
    return p.StepRow(**{**values, **changes})


def a_position(seq: int = 101, **changes: object) -> p.PositionRow:
    values: dict = {
        "account_id": ACCOUNT, "symbol": "BTC-USD", "net_lots": -4, "cost": -8_000_000,
        "realized": 5, "seq": seq,
    }  # fmt: skip
    return p.PositionRow(**{**values, **changes})


def a_balance(seq: int = 101, **changes: object) -> p.BalanceRow:
    values: dict = {
        "account_id": ACCOUNT, "asset": "USD", "free": 10**15, "locked": 7, "fees": 3,
        "venue": -5, "external": -(10**15) - 5, "seq": seq,
    }  # fmt: skip
    return p.BalanceRow(**{**values, **changes})


def a_chunk(offset: int, first_seq: int, last_seq: int, **changes: object) -> p.Chunk:
    values: dict = {
        "stream": ACCOUNT, "first_seq": first_seq, "last_seq": last_seq, "partition": 0,
        "offset": offset, "body": f"{first_seq}-{last_seq}".encode() + b"\x00\xff",
    }  # fmt: skip
    return p.Chunk(**{**values, **changes})


def changes(next_offset: int = 1, **rows: object) -> p.Changes:
    values: dict = {
        "partition": 0, "next_offset": next_offset, "last_command": next_offset * 10,
        "orders": [], "updates": [], "steps": [], "positions": [], "balances": [], "chunks": [],
    }  # fmt: skip
    return p.Changes(**{**values, **rows})

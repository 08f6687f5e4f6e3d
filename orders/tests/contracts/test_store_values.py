"""What every OrderStore promises of values: any text, any number of 64 bits, and poison beyond."""

import pytest

from oms_project.kernel import ports as p
from oms_project.kernel.errors import PoisonError
from oms_project.kernel.terms import Extras
from orders.tests.contracts.rows import (
    ACCOUNT,
    a_balance,
    a_position,
    an_order,
    an_update,
    changes,
    order_id,
)

LONG = "n" * 150
TEXTS = [LONG, "'\"; DROP TABLE orders_order; --", "żółć 漢字 \U0001f680", "%s", "\\", " ", ""]


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_is_kept_as_it_was_told(store: p.OrderStore, text: str) -> None:
    """Whatever its length and letters: the log has it already, so there must be a place for it."""
    order = an_order(1, client_order_id=text, reason=text, actor=f"user:7:{text}")
    store.apply(changes(1, orders=[order]))
    assert store.get(order_id(1), [ACCOUNT]) == order
    assert store.find(p.OrderQuery(account_ids=(ACCOUNT,), client_order_id=text)) == [order]


@pytest.mark.parametrize(
    "extras", [None, Extras(expires_ns=2**53 + 1), Extras(deadline_ns=1), Extras(3, 2**62)]
)
def test_what_an_order_wants_besides_is_kept(store: p.OrderStore, extras: Extras | None) -> None:
    order = an_order(1, extras=extras)
    store.apply(changes(1, orders=[order]))
    assert store.get(order_id(1), [ACCOUNT]) == order
    assert store.find(p.OrderQuery(account_ids=(ACCOUNT,))) == [order]


def test_a_nul_in_a_text_stops_nothing(store: p.OrderStore) -> None:
    """PostgreSQL has none in a text; elsewhere it stays. Asking with one finds what has one."""
    order = an_order(1, client_order_id="a\0b", actor="user:7:\0")
    store.apply(changes(1, orders=[order, an_order(2)]))
    (found,) = store.find(p.OrderQuery(account_ids=(ACCOUNT,), client_order_id="a\0b"))
    assert found.client_order_id in ("a\0b", "a\ufffdb")
    assert store.get("\0", [ACCOUNT]) is None
    assert store.get(order_id(2), ["\0", ACCOUNT]) == an_order(2)


@pytest.mark.parametrize("number", [2**63 - 1, -(2**63), 2**53 + 1])
def test_a_number_of_64_bits_is_kept(store: p.OrderStore, number: int) -> None:
    order = an_order(1, cost=number, fee=number, created_ns=number, updated_ns=number)
    position = a_position(cost=number)
    balance = a_balance(free=number, external=-1 - number)
    step = changes(1, orders=[order], positions=[position], balances=[balance])
    store.apply(step)
    assert store.get(order_id(1), [ACCOUNT]) == order
    assert (store.positions([ACCOUNT]), store.balances([ACCOUNT])) == ([position], [balance])


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 2**64, 10**30])
@pytest.mark.parametrize("row", [{"orders": [1]}, {"updates": [1]}, {"balances": [1]}])
def test_a_number_beyond_64_bits_is_poison(store: p.OrderStore, number: int, row: dict) -> None:
    """Not a broken wire, which would be waited out for ever; the next step finds it all right."""
    bad = {
        "orders": [an_order(2, cost=number)], "updates": [an_update(1, cost=number)],
        "balances": [a_balance(free=number)],
    }  # fmt: skip
    store.apply(changes(1, orders=[an_order(1)]))
    with pytest.raises(PoisonError):
        store.apply(changes(2, **{name: bad[name] for name in row}))
    assert store.progress(0).next_offset == 1
    assert store.get(order_id(1), [ACCOUNT]) == an_order(1)
    store.apply(changes(2, orders=[an_order(3)]))
    assert store.get(order_id(3), [ACCOUNT]) == an_order(3)

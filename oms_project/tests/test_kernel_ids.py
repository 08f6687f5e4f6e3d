"""Ids that can be made again: the same from the same claim, valid, sorted by time."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oms_project.kernel import ids
from oms_project.tests.examples import examples

AT_MS = 1_790_000_000_000
ACCOUNT = "11111111-2222-4333-8444-555555555555"
times = st.integers(0, 2**48 - 1)


@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=255), times)
@examples(60)
def test_every_id_is_a_uuid_of_version_7(account: str, endpoint: str, key: str, at: int) -> None:
    """RFC 9562 §5.7: version, variant and 48 bits of milliseconds; canonical text."""
    base = ids.order_id_base(account, endpoint, key, at)
    assert len(base) == 32
    for index in (0, 1, 1023, 1024, ids.INDEX_MAX):
        made = ids.order_id(base, index)
        parsed = uuid.UUID(made)
        assert str(parsed) == made
        assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)
        assert parsed.int >> 80 == at
        assert (ids.base_of(made), ids.index_of(made)) == (base, index)


def test_all_indexes_of_a_claim_differ_and_sort() -> None:
    """65,536 of them: as texts they sort as they were sent."""
    base = ids.order_id_base(ACCOUNT, "batch", "key", AT_MS)
    made = [ids.order_id(base, index) for index in range(ids.INDEX_MAX + 1)]
    assert len(set(made)) == 65_536
    assert made == sorted(made)


def test_the_same_claim_makes_the_same_ids() -> None:
    """Fixed for ever: a retry years later must compute what was computed then."""
    base = ids.order_id_base(ACCOUNT, "orders", "key", AT_MS)
    assert ids.order_id(base, 7) == "01a0c450-6c00-771f-9d44-31f2b3720007"


@pytest.mark.parametrize(
    "other",
    [
        ("11111111-2222-4333-8444-555555555556", "orders", "key"),
        (ACCOUNT, "batch", "key"),
        (ACCOUNT, "orders", "key2"),
        (ACCOUNT, "order", "skey"),  # the parts do not run into each other
        (ACCOUNT + "o", "rders", "key"),
    ],
)
def test_another_claim_makes_other_ids(other: tuple[str, str, str]) -> None:
    base = ids.order_id_base(ACCOUNT, "orders", "key", AT_MS)
    assert ids.order_id_base(*other, AT_MS) != base


@given(times, times)
@examples(100)
def test_ids_sort_by_the_claims_time(one: int, two: int) -> None:
    """Whatever the hash: an index on them grows at its end."""
    early, late = sorted((one, two))
    if early != late:
        first = ids.order_id_base(ACCOUNT, "orders", "b", early)
        assert first < ids.order_id_base(ACCOUNT, "orders", "a", late)


@given(st.text(min_size=1, max_size=40), st.integers(1, 64))
@examples(100)
def test_an_account_has_one_partition(account: str, partitions: int) -> None:
    assert 0 <= ids.partition_of(account, partitions) < partitions
    assert ids.partition_of(account, partitions) == ids.partition_of(account, partitions)


def test_partitions_do_not_move() -> None:
    """Fixed for ever, whatever Python: an account's log is where it was."""
    assert [ids.partition_of(f"account-{n}", 16) for n in range(8)] == [6, 0, 10, 12, 15, 9, 3, 5]


def test_streams() -> None:
    """What has no account is the partition's."""
    assert ids.stream_of(ACCOUNT, 3) == ACCOUNT
    assert ids.stream_of("", 3) == "~3"


def test_trade_ids_are_of_the_execution() -> None:
    assert ids.trade_id("SIM", "order", 3) == "SIM-order-3"
    assert ids.trade_id("SIM", "order", 3) != ids.trade_id("SIM", "order", 4)

"""What every IdempotencyStore promises: one (account, endpoint, key) has one claim."""

import threading
from collections.abc import Iterator

import pytest
from django.db import connection

from oms_project.kernel.ports import Claim, ClaimState
from oms_project.tests.contracts.adapters import CLAIMS, ClaimsCase, each
from oms_project.tests.contracts.claiming import AT_MS, a_claim

RACERS = 8


@pytest.fixture(params=each(CLAIMS))
def case(request: pytest.FixtureRequest) -> Iterator[ClaimsCase]:
    with request.param(request) as case:
        yield case


def claim_one(case: ClaimsCase, claim: Claim) -> ClaimState:
    return case.store.claim([claim])[0]


def test_the_first_is_fresh(case: ClaimsCase) -> None:
    """It is in flight until it is said to be done."""
    claim = a_claim()
    assert claim_one(case, claim) == ClaimState(claim, True, False, -1, -1)
    assert claim_one(case, claim) == ClaimState(claim, False, False, -1, -1)


def test_the_stored_claim_comes_back(case: ClaimsCase) -> None:
    """Not the one that was offered: its body, its time and its ids are another's."""
    first = a_claim(body="first")
    later = a_claim(body="other", at_ms=AT_MS + 9_000)
    claim_one(case, first)
    assert claim_one(case, later).claim == first
    assert later.ids_base != first.ids_base


def test_keys_are_of_an_account_and_an_endpoint(case: ClaimsCase) -> None:
    claim_one(case, a_claim(endpoint="orders"))
    assert claim_one(case, a_claim(endpoint="batch")).fresh


def test_a_batch_answers_in_order(case: ClaimsCase) -> None:
    """Known, new and twice the same, each in its place."""
    known, new = a_claim("known"), a_claim("new")
    claim_one(case, known)
    states = case.store.claim([new, known, new, a_claim("last")])
    assert [state.fresh for state in states] == [True, False, False, True]
    assert [state.claim.key for state in states] == ["new", "known", "new", "last"]


def test_more_than_one_statement_takes(case: ClaimsCase) -> None:
    """A batch has no size."""
    claims = [a_claim(str(n)) for n in range(1_201)]
    assert all(state.fresh for state in case.store.claim(claims))
    case.store.done([(claim, 0, n) for n, claim in enumerate(claims)])
    assert [state.offset for state in case.store.claim(claims)] == list(range(1_201))


def test_done_says_where(case: ClaimsCase) -> None:
    claim = a_claim()
    claim_one(case, claim)
    case.store.done([(claim, 1, 42)])
    assert claim_one(case, claim) == ClaimState(claim, False, True, 1, 42)


def test_the_first_answer_stays(case: ClaimsCase) -> None:
    """Byte for byte, whoever answers later."""
    claim = a_claim()
    claim_one(case, claim)
    case.store.done([(claim, 1, 42)])
    case.store.settle(claim, 201, b'{"a": 1}')
    case.store.settle(claim, 202, b"other")
    state = claim_one(case, claim)
    assert state.answer == (201, b'{"a": 1}')
    assert (state.done, state.partition, state.offset) == (True, 1, 42)


def test_it_is_found_by_its_ids(case: ClaimsCase) -> None:
    claim = a_claim()
    claim_one(case, claim)
    assert case.store.find_by_ids_base(claim.ids_base) == ClaimState(claim, False, False, -1, -1)
    assert case.store.find_by_ids_base(a_claim("other").ids_base) is None


def test_it_is_found_by_its_key(case: ClaimsCase) -> None:
    """Asking claims nothing."""
    claim = a_claim()
    assert case.store.find(claim.account_id, claim.endpoint, claim.key) is None
    assert claim_one(case, claim).fresh
    found = case.store.find(claim.account_id, claim.endpoint, claim.key)
    assert found == ClaimState(claim, False, False, -1, -1)
    assert case.store.find(claim.account_id, "other", claim.key) is None


def test_forget_takes_the_old(case: ClaimsCase) -> None:
    """Also those that were left in flight: nobody has come for them in all that time."""
    old, open_, young = a_claim("old"), a_claim("open"), a_claim("young", at_ms=AT_MS + 1_000)
    case.store.claim([old, open_, young])
    case.store.done([(old, 0, 1), (young, 0, 2)])
    assert case.store.forget(AT_MS + 1, 10) == 2
    assert case.store.forget(AT_MS + 1, 10) == 0
    assert [state.fresh for state in case.store.claim([old, open_, young])] == [True, True, False]


def test_forget_is_limited(case: ClaimsCase) -> None:
    claims = [a_claim(str(n), at_ms=AT_MS + n) for n in range(5)]
    case.store.claim(claims)
    case.store.done([(claim, 0, 0) for claim in claims])
    assert case.store.forget(AT_MS + 100, 3) == 3
    assert [state.fresh for state in case.store.claim(claims)] == [True] * 3 + [False] * 2


def test_a_store_that_answers_does_not_complain(case: ClaimsCase) -> None:
    case.store.ping()


def test_of_many_at_once_one_is_fresh(case: ClaimsCase) -> None:
    """Threads with the same key: one wins, all see the winner's claim."""
    barrier = threading.Barrier(RACERS)
    states: list[ClaimState] = []

    def race(number: int) -> None:
        claim = a_claim(body=str(number), at_ms=AT_MS + number % 2)
        barrier.wait()
        states.append(claim_one(case, claim))
        connection.close()

    threads = [threading.Thread(target=race, args=(number,)) for number in range(RACERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(states) == RACERS
    assert sum(state.fresh for state in states) == 1
    assert len({state.claim.fingerprint for state in states}) == 1

"""What every Intake promises: a claim's record is in the log once, and only if it was first."""

import threading
from collections.abc import Iterator

import pytest
from django.db import connection

from oms_project.kernel.ids import partition_of
from oms_project.kernel.ports import ClaimState, StoredRecord, Submission
from oms_project.tests.contracts.adapters import INTAKES, PARTITIONS, IntakeCase, each
from oms_project.tests.contracts.claiming import ACCOUNT, AT_MS, a_submission

RACERS = 8


@pytest.fixture(params=each(INTAKES))
def case(request: pytest.FixtureRequest) -> Iterator[IntakeCase]:
    with request.param(request) as case:
        yield case


def commit(case: IntakeCase, *submissions: Submission) -> list[ClaimState]:
    states = []
    for outcome in case.intake.commit(submissions):
        assert isinstance(outcome, ClaimState), outcome
        states.append(outcome)
    return states


def logged(case: IntakeCase) -> list[StoredRecord]:
    return case.log.read(case.topic, partition_of(ACCOUNT, PARTITIONS), 0, 1_000)


def test_a_fresh_submission_is_in_the_log(case: IntakeCase) -> None:
    """done means durable: the record lies where the state says."""
    submission = a_submission()
    (state,) = commit(case, submission)
    assert (state.claim, state.fresh, state.done) == (submission.claim, True, True)
    (record,) = logged(case)
    assert (record.partition, record.offset) == (state.partition, state.offset)
    assert (record.key, record.value) == (ACCOUNT, submission.record.value)


def test_a_second_time_is_a_replay(case: IntakeCase) -> None:
    """Later, with other ids offered: the first's ids and place come back, nothing is written."""
    (first,) = commit(case, a_submission())
    (again,) = commit(case, a_submission(at_ms=AT_MS + 10_000))
    assert (again.fresh, again.done) == (False, True)
    assert (again.claim, again.partition, again.offset) == (
        first.claim,
        first.partition,
        first.offset,
    )
    assert len(logged(case)) == 1


def test_another_body_under_the_key_is_seen(case: IntakeCase) -> None:
    """The stored fingerprint comes back for the door to compare; nothing is written."""
    first = a_submission(body="first")
    commit(case, first)
    (state,) = commit(case, a_submission(body="other"))
    assert not state.fresh
    assert state.claim.fingerprint == first.claim.fingerprint
    assert len(logged(case)) == 1


def test_a_batch_writes_what_is_new(case: IntakeCase) -> None:
    """In the order given; the same key twice in one batch is one record."""
    commit(case, a_submission("known"))
    states = commit(
        case, a_submission("a"), a_submission("known"), a_submission("a"), a_submission("b")
    )
    assert [state.fresh for state in states] == [True, False, False, True]
    keys = [record.value.split()[0] for record in logged(case)]
    assert keys == [b"known", b"a", b"b"]
    assert [states[0].offset, states[3].offset] == [1, 2]


def test_of_many_at_once_one_is_written(case: IntakeCase) -> None:
    """Threads with the same key: one record, one fresh answer, the others wait or replay."""
    barrier = threading.Barrier(RACERS)
    outcomes: list[ClaimState | Exception] = []

    def race(number: int) -> None:
        submission = a_submission(at_ms=AT_MS + number)
        barrier.wait()
        outcomes.extend(case.intake.commit([submission]))
        connection.close()

    threads = [threading.Thread(target=race, args=(number,)) for number in range(RACERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    states = [outcome for outcome in outcomes if isinstance(outcome, ClaimState)]
    assert len(states) == RACERS
    assert sum(state.fresh for state in states) == 1
    assert len({state.claim.ids_base for state in states}) == 1
    assert len(logged(case)) == 1


def test_the_first_answer_stays(case: IntakeCase) -> None:
    submission = a_submission()
    commit(case, submission)
    case.intake.settle(submission.claim, 202, b"first")
    case.intake.settle(submission.claim, 409, b"other")
    (state,) = commit(case, submission)
    assert state.answer == (202, b"first")


def test_it_is_found_by_its_ids(case: IntakeCase) -> None:
    """An order that is not projected yet is read from its claim."""
    submission = a_submission()
    commit(case, submission)
    found = case.intake.find_by_ids_base(submission.claim.ids_base)
    assert found is not None
    assert (found.claim, found.done) == (submission.claim, True)
    assert case.intake.find_by_ids_base(a_submission("other").claim.ids_base) is None


def test_it_is_found_by_its_key(case: IntakeCase) -> None:
    """Asking claims nothing: the first submission is still fresh."""
    submission = a_submission()
    claim = submission.claim
    assert case.intake.find(claim.account_id, claim.endpoint, claim.key) is None
    (state,) = commit(case, submission)
    assert state.fresh
    found = case.intake.find(claim.account_id, claim.endpoint, claim.key)
    assert found is not None
    assert (found.claim, found.fresh, found.done) == (claim, False, True)
    assert case.intake.find(claim.account_id, "other", claim.key) is None


def test_a_forgotten_key_is_new_again(case: IntakeCase) -> None:
    """Behind the retention, client_order_id is what still refuses."""
    commit(case, a_submission("old"), a_submission("young", at_ms=AT_MS + 1_000))
    assert case.intake.forget(AT_MS + 500, 10) == 1
    states = commit(case, a_submission("old", at_ms=AT_MS + 2_000), a_submission("young"))
    assert [state.fresh for state in states] == [True, False]

"""The claimed door between its steps, and the group commit in front of it."""

import asyncio
import threading
from collections.abc import Iterator, Sequence

import pytest

from oms_project.adapters import intake as module
from oms_project.adapters.clock import NS_PER_MS, FakeClock
from oms_project.adapters.intake import ABANDONED_MS, REDRIVE_AFTER_MS, ClaimedIntake, GroupCommit
from oms_project.adapters.memory import MemoryIdempotencyStore, MemoryLog
from oms_project.kernel.errors import TransportError, UnknownOutcomeError
from oms_project.kernel.ids import partition_of
from oms_project.kernel.ports import Claim, ClaimState, Record, Submission
from oms_project.kernel.words import Topic
from oms_project.tests.contracts.adapters import PARTITIONS
from oms_project.tests.contracts.claiming import ACCOUNT, AT_MS, a_submission
from oms_project.tests.eventually import eventually

WAIT_S = 10.0


class FlakyLog(MemoryLog):
    """Fails the next append: before anything is written, or after (the answer is lost)."""

    fails: str = ""

    def append(self, topic: str, records: Sequence[Record]) -> list[int]:
        fails, self.fails = self.fails, ""
        if fails == "before":
            raise TransportError("log", "away")
        offsets = super().append(topic, records)
        if fails == "after":
            raise UnknownOutcomeError("log", "no answer")
        return offsets


class ForgetfulClaims(MemoryIdempotencyStore):
    """Cannot note that a claim is done while `fails` is set."""

    fails = False

    def done(self, claims: Sequence[tuple[Claim, int, int]]) -> None:
        if self.fails:
            raise TransportError("claims", "away")
        super().done(claims)


class Door:
    """A claimed intake on twins that fail on request."""

    def __init__(self) -> None:
        self.log = FlakyLog(PARTITIONS)
        self.claims = ForgetfulClaims()
        self.clock = FakeClock(AT_MS * NS_PER_MS)
        self.intake = ClaimedIntake(self.claims, self.log, self.clock)

    def commit(self, submission: Submission) -> ClaimState | Exception:
        return self.intake.commit([submission])[0]

    def values(self) -> list[bytes]:
        partition = partition_of(ACCOUNT, PARTITIONS)
        return [record.value for record in self.log.read(Topic.COMMANDS, partition, 0, 100)]

    def later(self, ms: int) -> Submission:
        """Let time pass and return the retry the client sends then, with ids of its own time."""
        self.clock.advance_ns(ms * NS_PER_MS)
        return a_submission(at_ms=self.clock.now_ns() // NS_PER_MS)


@pytest.fixture
def door() -> Door:
    return Door()


@pytest.mark.parametrize(("fails", "written"), [("before", 0), ("after", 1)])
def test_a_claim_left_behind_is_driven_on_with_its_own_ids(
    door: Door, fails: str, written: int
) -> None:
    """In flight at first; after five seconds the retry appends the record the first should have."""
    first = a_submission()
    door.log.fails = fails
    assert isinstance(door.commit(first), TransportError)
    assert len(door.values()) == written

    early = door.commit(door.later(REDRIVE_AFTER_MS))
    assert isinstance(early, ClaimState)
    assert (early.fresh, early.done) == (False, False)
    assert len(door.values()) == written

    late = door.commit(door.later(1))
    assert isinstance(late, ClaimState)
    assert (late.fresh, late.done, late.claim) == (False, True, first.claim)
    assert door.values() == [first.record.value] * (written + 1)

    replay = door.commit(door.later(1))
    assert isinstance(replay, ClaimState)
    assert (replay.offset, len(door.values())) == (late.offset, written + 1)


def test_another_body_does_not_drive_a_claim_on(door: Door) -> None:
    """The key is taken, even by a request whose record never came."""
    door.log.fails = "before"
    door.commit(a_submission(body="first"))
    door.clock.advance_s(600)
    state = door.commit(a_submission(body="other"))
    assert isinstance(state, ClaimState)
    assert (state.fresh, state.done) == (False, False)
    assert door.values() == []


def test_a_retry_that_cannot_rebuild_waits_for_one_that_can(door: Door) -> None:
    """A record with other ids would be a second order."""
    first = a_submission()
    door.log.fails = "before"
    door.commit(first)
    retry = door.later(60_000)
    state = door.commit(Submission(retry.claim, retry.record))
    assert isinstance(state, ClaimState)
    assert not state.done
    assert door.values() == []
    same = door.commit(Submission(first.claim, first.record))
    assert isinstance(same, ClaimState)
    assert same.done


def test_two_retries_in_one_batch_drive_once(door: Door) -> None:
    door.log.fails = "before"
    door.commit(a_submission())
    retry = door.later(60_000)
    states = door.intake.commit([retry, retry])
    assert [isinstance(state, ClaimState) and state.done for state in states] == [True, False]
    assert len(door.values()) == 1


def test_durable_in_the_log_is_durable(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """The claims could not be marked: the answer stands, readers know it, the mark is made up for."""
    monkeypatch.setattr(module, "OWED_EVERY_S", 0.01)
    door.claims.fails = True
    first = a_submission()
    state = door.commit(first)
    assert isinstance(state, ClaimState)
    assert (state.fresh, state.done, state.offset) == (True, True, 0)
    stored = door.claims.find_by_ids_base(first.claim.ids_base)
    assert stored is not None
    assert not stored.done
    assert door.intake.find_by_ids_base(first.claim.ids_base) == ClaimState(
        first.claim, False, True, state.partition, 0
    )
    retry = door.commit(door.later(60_000))
    assert isinstance(retry, ClaimState)
    assert (retry.fresh, retry.done, retry.offset) == (False, True, 0), "this door knows it"
    door.claims.fails = False

    def marked() -> bool:
        found = door.claims.find_by_ids_base(first.claim.ids_base)
        return found is not None and found.done

    eventually(marked)
    again = door.commit(door.later(60_000))
    assert isinstance(again, ClaimState)
    assert (again.fresh, again.done) == (False, True)
    assert door.values() == [first.record.value]


def test_a_door_that_ends_makes_up_for_its_marks(door: Door) -> None:
    door.claims.fails = True
    door.commit(a_submission())
    door.claims.fails = False
    door.intake.close()
    found = door.claims.find_by_ids_base(a_submission().claim.ids_base)
    assert found is not None
    assert found.done


@pytest.mark.parametrize("skew_ms", [-60_000, 60_000])
def test_another_doors_clock_drives_nothing_on(door: Door, skew_ms: int) -> None:
    """A claim that is under way at a door whose clock is a minute off is left to it, as any other."""
    theirs = a_submission(at_ms=AT_MS + skew_ms)
    door.claims.claim([theirs.claim])
    state = door.commit(door.later(1_000))
    assert isinstance(state, ClaimState)
    assert not state.done
    assert door.values() == []
    late = door.commit(door.later(REDRIVE_AFTER_MS + 1))
    assert isinstance(late, ClaimState)
    assert (late.done, late.claim) == (True, theirs.claim)


def test_an_abandoned_claim_is_driven_on_at_once(door: Door) -> None:
    """Its door ended long ago; who comes for it need not come twice."""
    theirs = a_submission(at_ms=AT_MS - ABANDONED_MS - 1)
    door.claims.claim([theirs.claim])
    state = door.commit(a_submission())
    assert isinstance(state, ClaimState)
    assert state.done
    assert door.values() == [theirs.record.value]


def test_claims_that_are_away_write_nothing(door: Door) -> None:
    door.claims.break_wire(broken=True)
    outcomes = door.intake.commit([a_submission("a"), a_submission("b")])
    assert all(isinstance(outcome, TransportError) for outcome in outcomes)
    assert door.values() == []


# ------------------------------------------------------------------ group commit


class SlowIntake(ClaimedIntake):
    """Waits at a gate, so that a test decides what gathers meanwhile; may fail as a whole."""

    def __init__(self) -> None:
        super().__init__(MemoryIdempotencyStore(), MemoryLog(PARTITIONS), FakeClock())
        self.gate = threading.Event()
        self.batches: list[int] = []
        self.error: Exception | None = None

    def commit(self, submissions: Sequence[Submission]) -> list[ClaimState | Exception]:
        self.batches.append(len(submissions))
        assert self.gate.wait(WAIT_S)
        if self.error is not None:
            raise self.error
        return super().commit(submissions)


@pytest.fixture
def intake() -> SlowIntake:
    return SlowIntake()


@pytest.fixture
def group(intake: SlowIntake) -> Iterator[GroupCommit]:
    group = GroupCommit(intake, submissions_max=4, queue_max=8)
    yield group
    intake.gate.set()
    group.close()


def fill(group: GroupCommit, intake: SlowIntake, count: int) -> list:
    """Hold the worker with one submission and queue *count* behind it."""
    futures = [group.submit(a_submission("first"))]
    eventually(lambda: intake.batches)
    return futures + [group.submit(a_submission(str(n))) for n in range(count)]


def test_what_waits_is_one_batch(group: GroupCommit, intake: SlowIntake) -> None:
    """Up to the limit, in the order they came, each with its own answer."""
    futures = fill(group, intake, 6)
    intake.gate.set()
    states = [future.result(WAIT_S) for future in futures]
    assert intake.batches == [1, 4, 2]
    assert [state.claim.key for state in states] == ["first", *"012345"]
    assert all(state.done and state.fresh for state in states)


def test_a_full_queue_refuses(group: GroupCommit, intake: SlowIntake) -> None:
    """At once and honestly: nothing was written of it."""
    fill(group, intake, 8)
    with pytest.raises(TransportError, match="8 submissions wait"):
        group.submit(a_submission("one too many"))


def test_close_commits_what_waits_and_refuses_what_comes(
    group: GroupCommit, intake: SlowIntake
) -> None:
    futures = fill(group, intake, 6)
    intake.gate.set()
    group.close()
    assert all(future.result(0).done for future in futures)
    with pytest.raises(TransportError, match="closed"):
        group.submit(a_submission("late"))
    group.close()


@pytest.mark.parametrize(
    ("error", "told"),
    [(TransportError("log"), TransportError), (RuntimeError("bug"), UnknownOutcomeError)],
)
def test_an_intake_that_fails_answers_everybody(
    group: GroupCommit, intake: SlowIntake, error: Exception, told: type[Exception]
) -> None:
    """A bug is not "refused": it may have been written. The worker goes on."""
    intake.error = error
    intake.gate.set()
    with pytest.raises(told):
        group.submit(a_submission()).result(WAIT_S)
    intake.error = None
    assert group.submit(a_submission()).result(WAIT_S).done


async def test_callers_on_a_loop_are_woken(group: GroupCommit, intake: SlowIntake) -> None:
    """Each with its answer, errors too; one that went away is no matter."""
    futures = [group.submit_async(a_submission(str(n))) for n in range(5)]
    futures[2].cancel()
    intake.gate.set()
    kept = [future for n, future in enumerate(futures) if n != 2]
    states = await asyncio.wait_for(asyncio.gather(*kept), WAIT_S)
    assert [state.claim.key for state in states] == ["0", "1", "3", "4"]
    intake.error = TransportError("log")
    with pytest.raises(TransportError):
        await asyncio.wait_for(group.submit_async(a_submission("later")), WAIT_S)


async def test_a_caller_waits_so_long_and_no_longer(intake: SlowIntake) -> None:
    """It may yet be written: that is no refusal. The worker goes on."""
    group = GroupCommit(intake, patience_s=0.01)
    futures = [group.submit_async(a_submission(key)) for key in "ab"]
    for future in futures:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(future), WAIT_S)
    intake.gate.set()
    assert (await asyncio.to_thread(group.submit(a_submission("c")).result, WAIT_S)).done
    group.close()


def test_a_loop_that_is_gone_does_not_stop_the_worker(
    group: GroupCommit, intake: SlowIntake
) -> None:
    async def submit() -> None:
        group.submit_async(a_submission("gone"))

    asyncio.run(submit())
    intake.gate.set()
    assert group.submit(a_submission("here")).result(WAIT_S).done


def test_one_call_a_loop_and_batch(group: GroupCommit, intake: SlowIntake) -> None:
    """A thousand orders a second must not be a thousand wake-ups."""
    woken = []

    async def callers() -> None:
        loop = asyncio.get_running_loop()
        threadsafe = loop.call_soon_threadsafe
        loop.call_soon_threadsafe = lambda *call: (woken.append(call), threadsafe(*call))[1]  # type: ignore[method-assign]
        first = group.submit_async(a_submission("first"))
        while not intake.batches:
            await asyncio.sleep(0)
        rest = [group.submit_async(a_submission(str(n))) for n in range(4)]
        intake.gate.set()
        await asyncio.wait_for(asyncio.gather(first, *rest), WAIT_S)

    asyncio.run(callers())
    assert intake.batches == [1, 4]
    assert len(woken) == 2

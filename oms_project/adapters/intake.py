"""The durable door over a log with claims beside it, and the group commit in front of any door.

Order of things (design: claim → append → done), and what a crash between two of them leaves:
- before the claim: nothing; the client's retry is the first.
- claim, no record: in flight; nobody was answered. A retry appends the record with the claim's own
  ids, once this door has seen the claim in flight for REDRIVE_AFTER_MS. By the door's own watch, for
  the claim's time is of another door's clock; a claim as old as ABANDONED_MS is nobody's any more.
- record, claim not done: the same; the second record has the same id and the engine refuses it.
- record, and the claim cannot be marked done: the answer stands, the mark is owed and made up for.
"""

import asyncio
import queue
import threading
import weakref
from collections import defaultdict, deque
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Final
from weakref import WeakKeyDictionary

import structlog

from oms_project.adapters.clock import NS_PER_MS
from oms_project.adapters.crash import crash
from oms_project.kernel.errors import TransportError, UnknownOutcomeError
from oms_project.kernel.ports import (
    Claim,
    ClaimState,
    Clock,
    IdempotencyStore,
    Intake,
    Log,
    Record,
    Submission,
)
from oms_project.kernel.words import Topic

REDRIVE_AFTER_MS: Final = 5_000
CLOSE_S_MAX: Final = 10.0
ABANDONED_MS: Final = 120_000
OWED_EVERY_S: Final = 0.5
SEEN_MAX: Final = 20_000
SUBMISSIONS_MAX: Final = 256
QUEUE_MAX: Final = 10_000
COMMIT_S_MAX: Final = 8.0
LOOK_S: Final = 0.5

_logger = structlog.get_logger(__name__)

Outcome = ClaimState | Exception


class ClaimedIntake:
    """Intake for a log that cannot share a transaction with the claims (Kafka)."""

    def __init__(
        self,
        claims: IdempotencyStore,
        log: Log,
        clock: Clock,
        topic: str = Topic.COMMANDS,
    ) -> None:
        self._claims = claims
        self._log = log
        self._clock = clock
        self._topic = topic
        self._seen: dict[str, int] = {}  # ids_base of what is in flight -> since when, our watch
        self._owed: dict[str, tuple[Claim, int, int]] = {}
        self._owing = threading.Lock()
        self._payer: threading.Thread | None = None
        self._ended = threading.Event()
        self.find = claims.find
        self.settle = claims.settle
        self.forget = claims.forget

    def commit(self, submissions: Sequence[Submission]) -> list[Outcome]:
        crash("intake.before_claim")
        try:
            states = self._claims.claim([submission.claim for submission in submissions])
        except TransportError as error:
            return [error] * len(submissions)
        crash("intake.after_claim")
        if self._owed:
            states = [self._with_owed(state) for state in states]
        outcomes: list[Outcome] = list(states)
        records = self._to_append(submissions, states)
        if records:
            self._append(records, states, outcomes)
        return outcomes

    def _to_append(
        self, submissions: Sequence[Submission], states: Sequence[ClaimState]
    ) -> dict[int, Record]:
        """Return the records to write, by index: of fresh claims, and of those left behind."""
        records: dict[int, Record] = {}
        driven: set[str] = set()
        for index, (submission, state) in enumerate(zip(submissions, states, strict=True)):
            if state.fresh:
                records[index] = submission.record
            elif self._left_behind(submission.claim, state):
                record = submission.again(state.claim)
                if record is not None and state.claim.ids_base not in driven:
                    driven.add(state.claim.ids_base)
                    records[index] = record
        return records

    def _left_behind(self, claim: Claim, state: ClaimState) -> bool:
        if state.done or state.claim.fingerprint != claim.fingerprint:
            return False
        if state.claim.at_ms < self._clock.now_ns() // NS_PER_MS - ABANDONED_MS:
            return True
        since_ns = self._see(state.claim)
        return self._clock.monotonic_ns() - since_ns > REDRIVE_AFTER_MS * NS_PER_MS

    def _see(self, claim: Claim) -> int:
        """Return since when we know that *claim* is in flight."""
        if len(self._seen) >= SEEN_MAX:
            self._seen.clear()  # who waits is seen anew, a few seconds later
        return self._seen.setdefault(claim.ids_base, self._clock.monotonic_ns())

    def _append(
        self,
        records: dict[int, Record],
        states: Sequence[ClaimState],
        outcomes: list[Outcome],
    ) -> None:
        try:
            offsets = self._log.append(self._topic, list(records.values()))
        except TransportError as error:
            # The claims stay in flight: the clients come again with the same keys.
            for index in records:
                outcomes[index] = error
                self._see(states[index].claim)
            return
        crash("intake.after_append")
        done = []
        for (index, record), offset in zip(records.items(), offsets, strict=True):
            state = states[index]
            done.append((state.claim, record.partition, offset))
            self._seen.pop(state.claim.ids_base, None)
            outcomes[index] = ClaimState(
                state.claim,
                fresh=state.fresh,
                done=True,
                partition=record.partition,
                offset=offset,
                answer=state.answer,
            )
        try:
            self._claims.done(done)
        except TransportError as error:
            # Durable in the log is durable: the answer stands.
            _logger.warning("claims_not_marked_done", count=len(done), error=str(error))
            self._owe(done)
        crash("intake.after_done")

    def find_by_ids_base(self, ids_base: str) -> ClaimState | None:
        state = self._claims.find_by_ids_base(ids_base)
        return self._with_owed(state) if state is not None else None

    def _with_owed(self, state: ClaimState) -> ClaimState:
        """Return what is known of the claim: this process may know it durable before its store does."""
        owed = self._owed.get(state.claim.ids_base)
        if state.done or owed is None:
            return state
        _, partition, offset = owed
        return ClaimState(state.claim, False, True, partition, offset, state.answer)

    def close(self) -> None:
        """Try once more to make up for the marks that are owed, and end."""
        self._ended.set()
        with self._owing:
            payer = self._payer
        if payer is not None:
            payer.join(CLOSE_S_MAX)

    def _owe(self, done: Sequence[tuple[Claim, int, int]]) -> None:
        with self._owing:
            self._owed |= {claim[0].ids_base: claim for claim in done}
            if self._payer is None or not self._payer.is_alive():
                self._payer = threading.Thread(target=self._pay, name="claims-owed", daemon=True)
                self._payer.start()

    def _pay(self) -> None:
        """Mark what is owed as done, as soon as the claims answer again."""
        while True:
            ended = self._ended.wait(OWED_EVERY_S)
            owed = dict(self._owed)
            try:
                self._claims.done(list(owed.values()))
            except TransportError as error:
                _logger.warning("claims_still_not_marked", count=len(owed), error=str(error))
            else:
                with self._owing:
                    for ids_base in owed:
                        del self._owed[ids_base]
                    if not self._owed:
                        self._payer = None
                        return
            if ended:
                return


_Waiter = tuple[asyncio.AbstractEventLoop | None, "asyncio.Future[ClaimState] | Future[ClaimState]"]


class GroupCommit:
    """One worker thread that commits what many callers submit, a batch at a time.

    While a batch is being written the next one gathers: no timer, no wait when there is no load.
    Callers on an event loop are woken by one call per loop and batch. The thread starts with the
    first submission, so that it is born after a fork.
    """

    def __init__(
        self,
        intake: Intake,
        *,
        submissions_max: int = SUBMISSIONS_MAX,
        queue_max: int = QUEUE_MAX,
        patience_s: float = COMMIT_S_MAX,
    ) -> None:
        self._intake = intake
        self._submissions_max = submissions_max
        self._queue_max = queue_max
        self._patience_s = patience_s
        self._queue: queue.SimpleQueue[tuple[Submission, _Waiter] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._patience: WeakKeyDictionary[asyncio.AbstractEventLoop, _Patience]
        self._patience = WeakKeyDictionary()

    def submit(self, submission: Submission) -> "Future[ClaimState]":
        """Return a future of the outcome, for callers on a thread.

        Raises:
            TransportError: too many wait already, or the door is closed; nothing was written.
        """
        future: Future[ClaimState] = Future()
        self._put(submission, (None, future))
        return future

    def submit_async(self, submission: Submission) -> "asyncio.Future[ClaimState]":
        """Return an awaitable of the outcome, for callers on an event loop. Raises as `submit`.

        It raises TimeoutError where there is no outcome after about `patience_s`: the submission
        may yet be written.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[ClaimState] = loop.create_future()
        self._put(submission, (loop, future))
        patience = self._patience.get(loop)
        if patience is None:
            patience = self._patience[loop] = _Patience(loop, self._patience_s)
        patience.watch(future)
        return future

    def close(self, timeout_s: float = 10.0) -> None:
        """Commit what waits, then end the thread. Later submissions are refused."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._queue.put(None)
            thread = self._thread
        if thread is not None:
            thread.join(timeout_s)
        self._intake.close()

    def _put(self, submission: Submission, waiter: _Waiter) -> None:
        if self._queue.qsize() >= self._queue_max:
            raise TransportError("intake", f"{self._queue_max} submissions wait already")
        # The lock makes sure that nothing lands behind the closing mark, where nobody reads.
        with self._lock:
            if self._closed:
                raise TransportError("intake", "closed")
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="intake", daemon=True)
                self._thread.start()
            self._queue.put((submission, waiter))

    def _work(self) -> None:
        more = True
        while more:
            batch, more = self._gather()
            if batch:
                self._commit(batch)

    def _gather(self) -> tuple[list[tuple[Submission, _Waiter]], bool]:
        """Wait for a submission, then take all that are there; False: the closing mark was met."""
        batch = []
        item = self._queue.get()
        try:
            while item is not None:
                batch.append(item)
                if len(batch) == self._submissions_max:
                    return batch, True
                item = self._queue.get_nowait()
        except queue.Empty:
            return batch, True
        return batch, False

    def _commit(self, batch: list[tuple[Submission, _Waiter]]) -> None:
        try:
            outcomes = self._intake.commit([submission for submission, _ in batch])
        except TransportError as error:
            outcomes = [error] * len(batch)
        except Exception as error:
            # A bug in the door must not leave callers waiting for ever, nor tell them "refused".
            _logger.exception("intake_failed", count=len(batch))
            unknown = UnknownOutcomeError("intake", repr(error))
            outcomes = [unknown] * len(batch)
        by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future, Outcome]]]
        by_loop = defaultdict(list)
        for (_, (loop, future)), outcome in zip(batch, outcomes, strict=True):
            if loop is None:
                _resolve([(future, outcome)])
            else:
                by_loop[loop].append((future, outcome))
        for loop, results in by_loop.items():
            try:
                loop.call_soon_threadsafe(_resolve, results)
            except RuntimeError:
                _logger.warning("event_loop_is_gone", count=len(results))


class _Patience:
    """Ends the wait for what takes too long, with one timer for all that wait on an event loop.

    A timer for each order would cost more than all else that is done to wait for it.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, patience_s: float) -> None:
        self._loop = weakref.ref(loop)
        self._patience_s = patience_s
        self._until: deque[tuple[float, asyncio.Future[ClaimState]]] = deque()

    def watch(self, future: "asyncio.Future[ClaimState]") -> None:
        loop = future.get_loop()
        if not self._until:
            loop.call_later(min(self._patience_s, LOOK_S), self._look)
        self._until.append((loop.time() + self._patience_s, future))

    def _look(self) -> None:
        loop = self._loop()
        if loop is None:
            return
        now_s = loop.time()
        while self._until:
            until_s, future = self._until[0]
            if not future.done():
                if until_s > now_s:
                    break
                future.set_exception(TimeoutError())
            self._until.popleft()
        if self._until:
            loop.call_later(min(max(0.0, self._until[0][0] - now_s), LOOK_S), self._look)


def _resolve(results: Sequence[tuple["asyncio.Future | Future", Outcome]]) -> None:
    for future, outcome in results:
        if future.done():  # its caller went away; the order stands
            continue
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)

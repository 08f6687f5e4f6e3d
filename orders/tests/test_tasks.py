"""Periodic tasks on the real embedded log and store: what they take away and what they leave."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from structlog.testing import capture_logs

from oms_project.adapters.clock import NS_PER_MS
from oms_project.adapters.sqlite_log import SqliteIntake, SqliteLog
from oms_project.budget import BUDGET_S
from oms_project.celery import app
from oms_project.kernel.errors import GapError
from oms_project.kernel.ports import Changes, Claim, Record, Snapshot, Submission
from oms_project.kernel.words import Topic
from orders import integrity, tasks, upkeep, wiring
from orders.domain.book import Book, State, state_hash
from orders.domain.events import BalanceChanged
from orders.models import Balance, Position
from orders.tests.world import World, fill, routed

pytestmark = pytest.mark.django_db(databases=["default", "store"], transaction=True)
PARTITIONS = 2


def never() -> bool:
    return False


@pytest.fixture
def log(tmp_path: Path, monkeypatch: Any) -> Iterator[SqliteLog]:
    """A log of its own, which the tasks take for the product's."""
    made = SqliteLog(tmp_path / "log", PARTITIONS)
    monkeypatch.setattr(wiring, "log", lambda: made)
    monkeypatch.setattr(wiring, "intake", lambda: SqliteIntake(made))
    yield made
    made.close()


def fill_log(log: SqliteLog, topic: str, partition: int, count: int) -> None:
    log.append(topic, [Record(partition, "", b"x") for _ in range(count)])


def keep_snapshot(offset: int, event_command: int) -> None:
    store = wiring.store()
    book = Book(State(0, offset=offset, event_command=event_command))
    data = book.to_bytes()
    store.save_snapshot(Snapshot(0, offset, data, state_hash(data), store.take_epoch(0)))


def project(next_offset: int, last_command: int) -> None:
    wiring.store().apply(Changes(0, next_offset, last_command, [], [], [], [], [], []))


def with_env(monkeypatch: Any, **changes: Any) -> None:
    monkeypatch.setattr(settings, "ENV", dataclasses.replace(settings.ENV, **changes))


# ------------------------------------------------------------------ trimming
def test_nothing_goes_before_two_good_snapshots(log: SqliteLog) -> None:
    """An engine whose only snapshot is broken begins at the first command."""
    fill_log(log, Topic.COMMANDS, 0, 50)
    project(0, 49)
    assert upkeep.first_command_needed(wiring.store(), 0) == 0
    keep_snapshot(40, 39)
    assert upkeep.first_command_needed(wiring.store(), 0) == 0
    keep_snapshot(45, 44)
    assert upkeep.first_command_needed(wiring.store(), 0) == 40


def test_a_command_stays_until_its_events_are_stored(log: SqliteLog) -> None:
    """Until then it is what shows its orders, and what its events are made from again."""
    keep_snapshot(40, 39)
    keep_snapshot(45, 44)
    project(0, 20)
    assert upkeep.first_command_needed(wiring.store(), 0) == 21


def test_marks_need_no_projection(log: SqliteLog) -> None:
    """They have no events: a night without orders is trimmed all the same."""
    keep_snapshot(4_000, 10)
    keep_snapshot(8_000, 10)
    project(3, 10)
    assert upkeep.first_command_needed(wiring.store(), 0) == 4_000


def test_trimming_keeps_what_is_wanted(log: SqliteLog, monkeypatch: Any) -> None:
    """Behind the older snapshot and the projector, less the records to keep; prices to 2,000."""
    with_env(monkeypatch, log_keep_records=5)
    fill_log(log, Topic.COMMANDS, 0, 60)
    fill_log(log, Topic.COMMANDS, 1, 60)
    fill_log(log, Topic.EVENTS, 0, 30)
    fill_log(log, Topic.PRICES, 0, 2_100)
    fill_log(log, Topic.DEADLETTER, 0, 3)
    keep_snapshot(40, 39)
    keep_snapshot(45, 44)
    project(22, 44)
    tasks.trim_log.apply(kwargs={"from_a_newer_scheduler": 1}).get()
    firsts = {
        (topic, partition): log.first_offset(topic, partition)
        for topic in (Topic.COMMANDS, Topic.EVENTS, Topic.PRICES, Topic.DEADLETTER)
        for partition in range(PARTITIONS)
    }
    assert firsts == {
        (Topic.COMMANDS, 0): 35, (Topic.COMMANDS, 1): 0, (Topic.EVENTS, 0): 17,
        (Topic.EVENTS, 1): 0, (Topic.PRICES, 0): 100, (Topic.PRICES, 1): 0,
        (Topic.DEADLETTER, 0): 0, (Topic.DEADLETTER, 1): 0,
    }  # fmt: skip
    tasks.trim_log.apply().get()
    assert log.first_offset(Topic.COMMANDS, 0) == 35
    with pytest.raises(GapError):
        log.read(Topic.COMMANDS, 0, 34, 1)


def test_the_newest_event_is_never_trimmed(log: SqliteLog, monkeypatch: Any) -> None:
    """An engine reads it to know which events are missing."""
    with_env(monkeypatch, log_keep_records=0)
    fill_log(log, Topic.EVENTS, 0, 10)
    project(10, 9)
    tasks.trim_log.apply().get()
    assert [record.offset for record in log.read(Topic.EVENTS, 0, 9, 5)] == [9]


def test_trimming_goes_in_portions_and_ends_in_time(log: SqliteLog) -> None:
    """Orders wait for the same lock: after each portion, and only while there is time."""
    fill_log(log, Topic.PRICES, 0, upkeep.PRICES_KEPT + 3 * upkeep.PORTION)
    looks = iter((False, True))
    upkeep.trim_log(_PricesOnly(log), wiring.store(), 0, lambda: next(looks))
    assert log.first_offset(Topic.PRICES, 0) == upkeep.PORTION


class _PricesOnly:
    """A log without partitions, but for the prices."""

    partitions = 0

    def __init__(self, log: SqliteLog) -> None:
        self.first_offset, self.end_offset, self.trim = log.first_offset, log.end_offset, log.trim


# ------------------------------------------------------------------ claims
def test_old_claims_are_forgotten(log: SqliteLog, monkeypatch: Any) -> None:
    """Those older than OMS_CLAIM_DAYS go, in portions; younger ones stay."""
    with_env(monkeypatch, claim_days=7)
    monkeypatch.setattr(upkeep, "CLAIMS_PORTION", 4)
    now_ms = wiring.clock().now_ns() // NS_PER_MS
    day_ms = tasks.MS_PER_DAY
    for age_days, count in ((8, 10), (6, 3)):
        claims = [a_claim(now_ms - age_days * day_ms, n) for n in range(count)]
        wiring.intake().commit([Submission(one, Record(0, "a", b"x")) for one in claims])
    tasks.forget_claims.apply().get()
    rows = log.file(Topic.COMMANDS).fetch("SELECT count(*) FROM claims")
    assert rows[0][0] == 3


def a_claim(at_ms: int, number: int) -> Claim:
    text = f"{at_ms:012x}"
    base = f"{text[:8]}-{text[8:]}-7000-8000-{number:08x}"
    return Claim("a", "orders", base, b"f", base, at_ms)


# ------------------------------------------------------------------ integrity
def test_true_books_are_good_and_fills_added_up_once() -> None:
    """The second look reads only the fills that came since."""
    world = World()
    account_id = booked(world)
    check_books()
    first = wiring.integrity()
    assert first is not None
    assert (first.breaches, first.checked, first.fills) == ([], 1, 1)
    check_books()
    second = wiring.integrity()
    assert second is not None
    assert (second.breaches, second.checked, second.fills) == ([], 1, 0)
    assert second.seen[account_id].sums == first.seen[account_id].sums


def test_untouched_accounts_take_turns(monkeypatch: Any) -> None:
    """So many a run, the longest not seen first, so that a damaged row is found in the end."""
    monkeypatch.setattr(integrity, "UNTOUCHED", 2)
    world = World()
    ids = [world.account() for _ in range(5)]
    check_books()
    for _ in range(3):
        check_books()
        result = wiring.integrity()
        assert result is not None
        assert (result.checked, result.unchanged) == (2, 3)
    assert len({result.seen[one].at_ns for one in ids}) >= 3


def test_damage_of_an_untouched_account_is_found() -> None:
    booked(World())
    check_books()
    Balance.objects.filter(asset="USD").update(external=7)
    check_books()
    result = wiring.integrity()
    assert result is not None
    assert "sums to" in result.breaches[0]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda: Balance.objects.filter(asset="USD").update(external=7), "sums to"),
        (lambda: Balance.objects.filter(asset="USD").update(locked=-1, free=1), "below zero"),
        (lambda: Position.objects.update(net_lots=3), "its fills"),
        (lambda: Balance.objects.filter(asset="BTC").delete(), "venue 0 units"),
    ],
)
def test_damage_is_found_and_told(damage: Any, words: str) -> None:
    """A damaged row is a breach: logged as an error, and kept until the account is right again."""
    booked(World())
    damage()
    with capture_logs() as logs:
        check_books()
    told = [entry["breach"] for entry in logs if entry["log_level"] == "error"]
    assert any(words in text for text in told), told
    check_books()
    result = wiring.integrity()
    assert result is not None
    assert not result.good


def test_an_overdrawn_account_is_a_concern() -> None:
    """A late fill may do it in a true history: a warning, not a breach."""
    world = World()
    account_id = world.account()
    world.tell(account_id, BalanceChanged("USD", -5, 0, 0, 0, 5))
    check_books()
    result = wiring.integrity()
    assert result is not None
    assert result.good
    assert len(result.concerns) == 1


def check_books() -> None:
    tasks.check_integrity.apply().get()


def booked(world: World) -> str:
    """Return an account with one fill and books that add up."""
    account_id = world.account()
    order = routed(lots=10, ticks=2_000_000)
    world.tell(account_id, order)
    filled, position, _ = fill(order, 4)
    units = wiring.market.units("BTC-USD")
    assert units is not None
    paid = 4 * 2_000_000 * units.tick_lot_units
    got = 4 * units.lot_units
    world.tell(
        account_id, filled, position,
        BalanceChanged("USD", 10 * paid, 0, 0, paid, -11 * paid),
        BalanceChanged("BTC", got, 0, 0, -got, 0),
    )  # fmt: skip
    return account_id


# ------------------------------------------------------------------ the schedule
def test_every_task_is_scheduled_limited_and_leaves_no_result() -> None:
    """And what was not done in time is not done late."""
    app.loader.import_default_modules()  # as a worker does when it starts
    schedule = settings.CELERY_BEAT_SCHEDULE
    names = {entry["task"] for entry in schedule.values()}
    ours = {name for name in app.tasks if not name.startswith("celery.")}
    assert names == ours
    for name in ours:
        assert app.tasks[name].time_limit > app.tasks[name].soft_time_limit > BUDGET_S
    assert app.conf.task_ignore_result
    assert all(
        entry["options"]["expires"] <= entry["schedule"].total_seconds()
        for entry in schedule.values()
    )

"""What nobody needs any more is forgotten; what is still good is not."""

from datetime import timedelta
from typing import Any

import pytest
from axes.models import AccessLog
from django.conf import settings
from django.contrib.sessions.models import Session
from django.test import Client

from oms_project.access import principal, tasks, tokens
from oms_project.access.models import TokenFamily, User
from oms_project.adapters.clock import NS_PER_S, SystemClock, utc
from oms_project.celery import app

pytestmark = pytest.mark.django_db
DAY_S = 24 * 60 * 60


@pytest.fixture
def ann() -> User:
    return User.objects.create_user("ann")


def age(days: float) -> None:
    """Make everything that is there so old."""
    then_ns = SystemClock.now_ns() - int(days * DAY_S * NS_PER_S)
    TokenFamily.objects.update(created_at=utc(then_ns), turned_at_s=then_ns // NS_PER_S)
    life = timedelta(seconds=settings.SESSION_COOKIE_AGE)
    Session.objects.update(expire_date=utc(then_ns) + life)
    AccessLog.objects.update(attempt_time=utc(then_ns))


def counts() -> tuple[int, int, int]:
    return TokenFamily.objects.count(), Session.objects.count(), AccessLog.objects.count()


@pytest.mark.parametrize(
    ("days", "left"), [(0.4, (1, 1, 1)), (0.6, (0, 0, 1)), (89, (0, 0, 1)), (91, (0, 0, 0))]
)
def test_by_age(ann: User, days: float, left: tuple[int, int, int]) -> None:
    """A log-in of half a day is over; the note of it stays for three months."""
    tokens.issue(ann)
    Client().force_login(ann)
    assert counts() == (1, 1, 1)
    age(days)
    tasks.purge.apply(kwargs={"from_a_newer_scheduler": 1}).get()
    assert counts() == left


def test_a_family_that_is_used_stays(ann: User) -> None:
    """It may be older than any refresh token: what counts is the newest."""
    pair = tokens.issue(ann)
    age(30)
    pair = tokens.refresh(tokens.issue(ann).refresh)
    TokenFamily.objects.update(created_at=utc(0))
    tasks.purge.apply().get()
    assert principal.from_bearer(pair.access).username == "ann"
    assert TokenFamily.objects.count() == 1


def test_in_batches(ann: User, monkeypatch: Any) -> None:
    """All of it, but never much at once; and no longer than the budget."""
    monkeypatch.setattr(tasks, "BATCH", 2)
    for _ in range(5):
        tokens.issue(ann)
    age(1)
    looks = iter([False, True])
    assert tasks._delete(TokenFamily.objects.all(), lambda: next(looks)) == 2
    tasks.purge.apply().get()
    assert TokenFamily.objects.count() == 0


def test_it_is_on_the_schedule() -> None:
    """Under the name the worker knows."""
    scheduled = {one["task"] for one in settings.CELERY_BEAT_SCHEDULE.values()}
    app.loader.import_default_modules()
    assert "access.purge" in scheduled
    assert scheduled <= set(app.tasks)

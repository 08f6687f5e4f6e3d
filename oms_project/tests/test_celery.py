"""Celery as `manage.py up` runs it: a worker with a beat inside, and a folder as the broker."""

import multiprocessing
import os
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings

from oms_project import celery
from oms_project.celery import StaticScheduler


class Beats(StaticScheduler):
    """A scheduler without a broker to send to."""

    def apply_entry(self, entry: Any, producer: Any = None) -> None:
        raise AssertionError("nothing is due yet")


def scheduler() -> StaticScheduler:
    made = Beats(app=celery.app, Producer=object)
    made.merge_inplace(settings.CELERY_BEAT_SCHEDULE)
    return made


def test_an_orphaned_beat_ends_itself(monkeypatch: Any) -> None:
    """A killed worker cannot end it, and its successor brings its own."""
    parent = SimpleNamespace(_parent_pid=os.getppid())
    monkeypatch.setattr(celery, "current_process", lambda: parent)
    assert scheduler().tick() > 0
    parent._parent_pid = multiprocessing.current_process().pid  # somebody who is not our parent
    with pytest.raises(SystemExit):
        scheduler().tick()


def test_a_beat_of_its_own_is_nobodys_child(monkeypatch: Any) -> None:
    """`celery beat` goes on whoever started it."""
    monkeypatch.setattr(celery, "current_process", lambda: SimpleNamespace(_parent_pid=None))
    assert scheduler().tick() > 0


def test_the_embedded_broker_is_a_folder_without_broadcasts() -> None:
    """Remote control and results would fill it up."""
    assert celery.app.conf.broker_url == "filesystem://"
    assert not celery.app.conf.worker_enable_remote_control
    assert celery.app.conf.result_backend is None

"""Celery: the broker is Redis in the cluster and a folder of files when embedded."""

import os
from typing import Any

from billiard import current_process
from celery import Celery
from celery.beat import Scheduler
from celery.signals import task_postrun, task_prerun
from django.conf import settings

from oms_project import metrics
from oms_project.adapters.clock import NS_PER_S, SystemClock

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "oms_project.settings")
app = Celery("oms_project")


class StaticScheduler(Scheduler):
    """The schedule stands in the settings and every task may run twice: nothing is kept in a file.

    A beat inside a worker (`worker --beat`) is a process of its own, which a killed worker cannot
    end: it notices and ends itself, or there would be two after the restart.
    """

    def tick(self, *args: Any, **kwargs: Any) -> Any:
        worker = getattr(current_process(), "_parent_pid", None)
        if worker is not None and os.getppid() != worker:
            raise SystemExit
        return super().tick(*args, **kwargs)


_begun_ns: dict[str, int] = {}


@task_prerun.connect
def _begin(task_id: str, **_: Any) -> None:
    _begun_ns[task_id] = SystemClock.monotonic_ns()


@task_postrun.connect
def _count(task_id: str, task: Any, state: str | None = None, **_: Any) -> None:
    now_ns = SystemClock.monotonic_ns()
    took_s = (now_ns - _begun_ns.pop(task_id, now_ns)) / NS_PER_S
    metrics.TASKS.labels(task.name, state or "UNKNOWN").inc()
    metrics.TASK_SECONDS.labels(task.name).observe(took_s)
    if state == "SUCCESS":
        metrics.TASK_SUCCEEDED.labels(task.name).set(SystemClock.now_ns() / NS_PER_S)


def _configure() -> None:
    app.config_from_object("django.conf:settings", namespace="CELERY")
    if settings.CELERY_BROKER_URL.startswith("filesystem://"):
        folder = settings.ENV.data_dir / "celery"
        folder.mkdir(parents=True, exist_ok=True)
        app.conf.broker_url = "filesystem://"
        app.conf.broker_transport_options = {
            "data_folder_in": str(folder),
            "data_folder_out": str(folder),
            "control_folder": str(folder),
        }
    app.autodiscover_tasks()


_configure()

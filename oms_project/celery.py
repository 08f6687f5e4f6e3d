"""Celery: the broker is Redis in the cluster and a folder of files when embedded."""

import os
from typing import Any

from billiard import current_process
from celery import Celery
from celery.beat import Scheduler
from django.conf import settings

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

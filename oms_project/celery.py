"""Celery: the broker is Redis in the cluster and a folder of files when embedded."""

from celery import Celery
from django.conf import settings

app = Celery("oms_project")


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

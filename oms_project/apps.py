"""The frame as a Django app: its management commands, and Celery once Django is ready."""

from importlib import import_module

from django.apps import AppConfig


class FrameConfig(AppConfig):
    name = "oms_project"
    label = "frame"
    verbose_name = "Crypto OMS"

    def ready(self) -> None:
        import_module("oms_project.celery")

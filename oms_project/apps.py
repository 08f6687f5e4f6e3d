"""The frame as a Django app: its management commands, and what every process does at its start."""

from importlib import import_module

from django.apps import AppConfig
from django.conf import settings

from oms_project.adapters import clock, crash


class FrameConfig(AppConfig):
    name = "oms_project"
    label = "frame"
    verbose_name = "Crypto OMS"

    def ready(self) -> None:
        """Load Celery's tasks and the checks of `check --deploy`; arm the crash point and the clock's jump that a test asks for."""
        crash.arm(settings.ENV.crash)
        clock.jump(settings.ENV.clock_jump)
        import_module("oms_project.celery")
        import_module("oms_project.deploy_checks")

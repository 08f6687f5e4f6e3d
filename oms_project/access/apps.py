"""Users, accounts and who may do what with which."""

from importlib import import_module

from django.apps import AppConfig


class AccessConfig(AppConfig):
    name = "oms_project.access"
    label = "access"
    verbose_name = "Access"

    def ready(self) -> None:
        """Listen to log-ins, wherever they happen."""
        import_module("oms_project.access.audit")
        import_module("oms_project.access.sessions")

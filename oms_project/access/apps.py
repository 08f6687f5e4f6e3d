"""Users, accounts and who may do what with which."""

from django.apps import AppConfig


class AccessConfig(AppConfig):
    name = "oms_project.access"
    label = "access"
    verbose_name = "Access"

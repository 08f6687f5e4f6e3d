"""What the commands of all roles share."""

import os
import subprocess
import sys

from django.conf import settings
from django.core.management import call_command

from oms_project import env
from oms_project.adapters import process
from oms_project.management.roles import BEHIND_THE_DOOR, RoleCommand

SHOW = """
import django, os
django.setup()
from oms_project.management.roles import RoleCommand
class Nothing(RoleCommand):
    role = "nothing"
    def handle(self, **_): print(os.nice(0))
Nothing().run_from_argv(["manage.py", "nothing"])
"""


class Nothing(RoleCommand):
    role = "nothing"

    def handle(self, **_: object) -> None:
        assert process.role() == "nothing"


def test_a_role_gives_way_in_a_process_of_its_own_only() -> None:
    """Called from within another process it must not make that one wait."""
    before, role = os.nice(0), process.role()
    call_command(Nothing())
    process.become(role)
    assert os.nice(0) == before
    environment = env.child(DJANGO_SETTINGS_MODULE="oms_project.settings")
    line = [sys.executable, "-c", SHOW]
    told = subprocess.run(line, cwd=settings.BASE_DIR, env=environment, capture_output=True, check=True)  # fmt: skip
    assert int(told.stdout.split()[-1]) == min(19, before + BEHIND_THE_DOOR)

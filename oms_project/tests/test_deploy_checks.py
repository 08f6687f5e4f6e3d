"""`manage.py check --deploy` is clean for settings that may serve, and names what may not be meant."""

import dataclasses
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from oms_project import deploy_checks, env
from oms_project.access.models import User

GOOD = {
    "OMS_SECURE_COOKIES": "1", "OMS_SECRET_KEY": "s-" + "4Zq8" * 16, "OMS_JWT_KEY": "j-" + "7Tw1" * 16,
    "OMS_ALLOWED_HOSTS": "desk.example", "OMS_PROXIES": "10.0.0.0/8",
    "DATABASE_URL": "postgres://oms@db.example/oms", "REDIS_URL": "rediss://cache.example",
}  # fmt: skip


def ids(**changes: Any) -> list[str]:
    return [
        one.id or "" for one in deploy_checks.found(dataclasses.replace(env.read(GOOD), **changes))
    ]


def test_good_settings_pass() -> None:
    assert ids() == []


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"secure_cookies": False}, "oms.W001"), ({"allowed_hosts": ("localhost",)}, "oms.W002"),
        ({"allowed_hosts": ("*",)}, "oms.W002"), ({"proxies": ()}, "oms.W003"),
        ({"proxies": ("0.0.0.0/0",)}, "oms.W003"), ({"redis_url": "redis://x"}, "oms.W004"),
        ({"database_url": ""}, "oms.W005"), ({"crash": "a:1"}, "oms.W006"),
    ],
)  # fmt: skip
def test_what_is_named(changes: dict[str, Any], named: str) -> None:
    assert ids(**changes) == [named]


def test_the_command_is_clean(tmp_path: Path) -> None:
    """Django's own checks, the schema's and ours: nothing to say of settings that may serve."""
    line = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    found = subprocess.run(
        line, cwd=settings.BASE_DIR, capture_output=True, text=True, check=False, timeout=180,
        env=env.child(**GOOD, OMS_DATA_DIR=str(tmp_path)),
    )  # fmt: skip
    assert found.returncode == 0, found.stderr


@pytest.mark.django_db
def test_a_browser_forgets_with_the_log_out() -> None:
    """Cache, cookies and storage of the desk's machine."""
    page = Client()
    page.force_login(User.objects.create(username="ann"))
    answer = page.post("/logout/")
    assert answer.headers["Clear-Site-Data"] == '"cache", "cookies", "storage"'


def test_the_security_page_names_tests_that_exist() -> None:
    """What is said to be held is held by something."""
    root = Path(settings.BASE_DIR)
    text = (root / "docs" / "security.md").read_text()
    named = set(re.findall(r"`((?:[a-z_]+/)*test_[a-z_]+\.py)`", text))
    missing = [
        one
        for one in named
        if not (root / one if "/" in one else root / "oms_project" / "tests" / one).exists()
    ]
    assert len(named) > 20
    assert missing == []

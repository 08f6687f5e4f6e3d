"""What must not serve people over https, and what every answer says there."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from oms_project import env
from oms_project.access.models import User
from oms_project.asgi import application
from oms_project.management.commands import run_web
from oms_project.rest import door
from oms_project.tests.asgi import ask
from orders.domain import demo

KEYS = {"OMS_SECRET_KEY": "s" * 40, "OMS_JWT_KEY": "j" * 40}
SECURE = {"OMS_SECURE_COOKIES": "1", **KEYS}


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({}, []),
        ({"OMS_SECRET_KEY": ""}, ["OMS_SECRET_KEY"]),
        ({"OMS_JWT_KEY": ""}, ["OMS_JWT_KEY"]),
        ({"OMS_SECRET_KEY": "", "OMS_JWT_KEY": ""}, ["OMS_SECRET_KEY", "OMS_JWT_KEY"]),
        ({"OMS_SECRET_KEY": "short"}, ["OMS_SECRET_KEY"]),
        ({"OMS_JWT_KEY": KEYS["OMS_SECRET_KEY"]}, ["OMS_JWT_KEY"]),
        ({"OMS_DEBUG": "1"}, ["OMS_DEBUG"]),
        ({"OMS_SECURE_COOKIES": "0", "OMS_SECRET_KEY": "", "OMS_JWT_KEY": ""}, []),
    ],
)
def test_weak_settings_do_not_start(
    tmp_path: Path, monkeypatch: Any, changes: dict[str, str], named: list[str]
) -> None:
    """A key of its own on every host would end the others' sessions, and nobody would know why."""
    found = {**SECURE, **changes, "OMS_DATA_DIR": str(tmp_path / "data")}
    monkeypatch.setattr(env, "source", lambda: found)
    if not named:
        assert env.load().secure_cookies is (found["OMS_SECURE_COOKIES"] == "1")
        return
    with pytest.raises(SystemExit) as ended:
        env.load()
    for name in named:
        assert name in str(ended.value)
    assert not (tmp_path / "data").exists()


@pytest.mark.django_db
def test_demo_users_do_not_serve(settings: Any) -> None:
    """Their password is in the documentation."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.ENV = dataclasses.replace(settings.ENV, secure_cookies=True)
    run_web.refuse_demo_users()
    user = User.objects.create_user("alice", password=demo.PASSWORD)
    with pytest.raises(CommandError, match="alice"):
        run_web.refuse_demo_users()
    user.set_password("not the published one")
    user.save()
    run_web.refuse_demo_users()
    with pytest.raises(CommandError, match="no-demo"):
        call_command("demo")


@pytest.mark.django_db(databases=["default", "store"], transaction=True)
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/api/orders", 401),
        ("GET", "/api/orders", 401),
        ("GET", "/api/nothing", 404),
        ("GET", "/login/", 200),
        ("GET", "/", 302),
        ("GET", "/health", 200),
    ],
)
async def test_no_answer_is_kept_by_a_cache(method: str, path: str, status: int) -> None:
    """The lean path, REST, pages and redirects."""
    answer = await ask(application, method, path)
    assert answer.status == status
    assert "no-store" in answer.headers["cache-control"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


async def test_static_files_may_be_kept() -> None:
    """They are the same for everybody."""
    answer = await ask(application, path="/static/css/tokens.css")
    assert answer.status == 200
    assert "max-age" in answer.headers["cache-control"]


def test_browsers_are_told_to_insist_on_https(monkeypatch: Any) -> None:
    """In every answer, the lean path's too."""
    monkeypatch.setattr(door, "API_FIELDS", door._always(60))
    expected = (b"strict-transport-security", b"max-age=60; includeSubDomains")
    assert expected in door.guarded([], "/api/orders")
    assert expected in door.guarded([(b"Cache-Control", b"max-age=1")], "/")
    monkeypatch.setattr(door, "API_FIELDS", door._always(0))
    names = [name for name, _ in door.guarded([], "/api/orders")]
    assert b"strict-transport-security" not in names

"""Logging in, staying in and getting out over REST; the frame's own views."""

import json
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.test import Client

from oms_project.access import principal, tokens
from oms_project.access.models import TokenFamily
from oms_project.codes import CODES

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"
JSON = "application/json"


@pytest.fixture(autouse=True)
def _fast(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    principal.forget_all()


@pytest.fixture
def ann() -> Any:
    return get_user_model().objects.create_user("ann", password=PASSWORD)


def post(path: str, body: Any, **extra: Any) -> tuple[int, dict[str, Any]]:
    answer = Client().post(f"/api/auth/{path}", body, content_type=JSON, **extra)
    return answer.status_code, json.loads(answer.content or b"{}")


def login(password: str = PASSWORD, username: str = "ann") -> tuple[int, dict[str, Any]]:
    return post("login", {"username": username, "password": password})


def test_login_refresh_logout(ann: Any) -> None:
    """A pair, the next pair, and the end of both."""
    status, pair = login()
    assert status == 200
    assert set(pair) == {"access", "refresh", "token_type", "expires_in"}
    assert pair["token_type"] == "Bearer"
    assert pair["expires_in"] == settings.TOKENS["ACCESS_TOKEN_LIFETIME"].total_seconds()
    status, following = post("refresh", {"refresh": pair["refresh"]})
    assert (status, following["refresh"] != pair["refresh"]) == (200, True)
    assert principal.from_bearer(following["access"]).username == "ann"
    assert post("logout", {"refresh": following["refresh"]})[0] == 204
    with pytest.raises(principal.AccessError):
        principal.from_bearer(following["access"])
    assert post("refresh", {"refresh": following["refresh"]})[0] == 401


def test_a_refresh_token_twice_ends_the_family(ann: Any, monkeypatch: Any) -> None:
    """Reuse means a thief: nobody of the family comes in any more."""
    monkeypatch.setattr(tokens, "GRACE_S", -1)
    _, first = login()
    _, second = post("refresh", {"refresh": first["refresh"]})
    status, body = post("refresh", {"refresh": first["refresh"]})
    assert (status, body["code"]) == (401, "invalid_token")
    assert post("refresh", {"refresh": second["refresh"]})[0] == 401
    assert TokenFamily.objects.get().revoked


def test_wrong_password_and_unknown_user_look_the_same(ann: Any) -> None:
    """Whoever asks learns nothing about who is here."""
    bodies = [login("wrong password!")[1], login(username="nobody")[1]]
    for body in bodies:
        body.pop("request_id")
    assert bodies[0] == bodies[1]
    assert bodies[0]["code"] == "invalid_credentials"
    ann.is_active = False
    ann.save()
    assert login()[1]["code"] == "invalid_credentials"


def test_lockout(ann: Any) -> None:
    """Ten failures lock name and address; the right password does not open it, for nobody either."""
    for name in ("ann", "nobody"):
        codes = [login("wrong password!", name)[1]["code"] for _ in range(12)]
        assert codes[0] == "invalid_credentials"
        assert codes[-1] == "rate_limited"
    answer = Client().post(
        "/api/auth/login", {"username": "ann", "password": PASSWORD}, content_type=JSON
    )
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0


def test_success_forgets_failures(ann: Any) -> None:
    """Typing badly now and then locks nobody out."""
    for _ in range(3):
        codes = [login("wrong password!")[0] for _ in range(5)]
        assert codes == [401] * 5
        assert login()[0] == 200


BAD = [
    ("login", {}, 422),
    ("login", {"username": "ann"}, 422),
    ("login", {"username": "ann", "password": 1}, 422),
    ("login", {"username": ["ann"], "password": "x"}, 422),
    ("login", {"username": "ann", "password": "x" * 257}, 422),
    ("login", {"username": "ann\x00", "password": "x"}, 422),
    ("login", {"username": "ann", "password": PASSWORD, "is_staff": True}, 422),
    ("refresh", {"refresh": "nonsense"}, 401),
    ("refresh", {"refresh": ""}, 422),
    ("logout", {"refresh": "a.b.c"}, 401),
]


@pytest.mark.parametrize(("path", "body", "status"), BAD)
def test_bad_bodies(ann: Any, path: str, body: Any, status: int) -> None:
    """A problem for each; nobody gets in."""
    found, problem = post(path, body)
    assert (found, problem["status"]) == (status, status)


def test_an_access_token_is_no_refresh_token(ann: Any) -> None:
    """Nor the other way about."""
    _, pair = login()
    assert post("refresh", {"refresh": pair["access"]})[0] == 401
    with pytest.raises(principal.AccessError):
        principal.from_bearer(pair["refresh"])


def test_catalogue_and_time() -> None:
    """What the API says about itself, to anybody."""
    found = Client().get("/api/meta/errors").json()
    assert {row["code"] for row in found["codes"]} == set(CODES)
    assert {"status", "title", "retryable", "outcome"} < set(found["codes"][0])
    body = Client().get("/api/meta/time").json()
    assert body["at"].endswith("Z")
    assert body["epoch_ns"].isdecimal()


def test_public_views_ignore_credentials() -> None:
    """A stale cookie or token does not break logging in."""
    headers = {"authorization": "Bearer nonsense", "cookie": "sessionid=nonsense"}
    assert Client().get("/api/meta/time", headers=headers).status_code == 200

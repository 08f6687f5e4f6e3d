"""What a role depends on, and what the public port says of it: one word."""

import dataclasses
import threading
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest
import structlog
from django.conf import settings
from django.test import Client

from oms_project import checks, health
from oms_project.checks import Checks
from oms_project.tests.eventually import eventually
from orders.tests.world import World

pytestmark = pytest.mark.django_db(databases=["default", "store"], transaction=True)


def broken() -> Mapping[str, Any]:
    raise ConnectionError("secret detail")


def fine() -> Mapping[str, Any]:
    return {}


def test_ready_names_each_dependency() -> None:
    """All that is required is there; prices are not required."""
    status, body = checks.ready(health.checks("web"))
    found = body["checks"]
    assert status == 200, body
    assert {name: found[name].status for name in ("database", "log", "store")} == {
        "database": "ok", "log": "ok", "store": "ok",
    }  # fmt: skip
    assert not found["prices"].required
    assert all(isinstance(one.ms, int) for one in found.values())


def test_ready_says_who_fails() -> None:
    """503, the name, and nothing of the reason."""
    status, body = checks.ready(Checks({"log": broken, "store": fine}, {"prices": broken}))
    assert status == 503
    assert {name: one.status for name, one in body["checks"].items()} == {
        "log": "failed", "store": "ok", "prices": "failed",
    }  # fmt: skip
    assert "secret detail" not in str(body)


def test_what_is_not_required_does_not_make_us_unready() -> None:
    """Orders are refused without prices by risk, not by the load balancer."""
    assert checks.ready(Checks({"log": fine}, {"prices": broken}))[0] == 200


def test_a_database_that_is_not_migrated_is_not_ready(monkeypatch: Any) -> None:
    """A new release waits for its tables; once they are there nobody asks again."""
    asked: list[str] = []

    class Executor:
        loader = SimpleNamespace(graph=SimpleNamespace(leaf_nodes=list))

        def __init__(self, connection: Any) -> None:
            asked.append(connection.alias)

        def migration_plan(self, targets: Any) -> list[str]:
            return ["access.0042"] if len(asked) < 2 else []

    monkeypatch.setattr(health, "MigrationExecutor", Executor)
    monkeypatch.setattr(checks, "KNOWN_NS", -1)
    monkeypatch.setattr(checks, "KEPT_NS", -1)
    health._migrated.cache_clear()
    found = health.checks("web")
    assert [checks.ready(found)[0] for _ in range(3)] == [503, 200, 200]
    ours = [alias for alias in asked if alias in {"default", "store"}]  # another test may add one
    assert ours == ["default", "default", "store"]
    health._migrated.cache_clear()


def test_a_lost_redis_makes_nobody_unready(monkeypatch: Any) -> None:
    """It holds copies and hints: what stops without it is not taking orders."""
    url = "redis://127.0.0.1:1/0"
    monkeypatch.setattr(settings, "ENV", dataclasses.replace(settings.ENV, redis_url=url))
    status, body = checks.ready(health.checks("web"))
    assert (status, body["checks"]["redis"].status) == (200, "failed")


def test_a_dependency_that_hangs(monkeypatch: Any) -> None:
    """It fails in time, is not asked again while it hangs, and heals by itself."""
    monkeypatch.setattr(checks, "CHECK_S", 0.05)
    monkeypatch.setattr(checks, "KEPT_NS", -1)
    release = threading.Event()
    asked = []

    def hang() -> Mapping[str, Any]:
        asked.append(1)
        release.wait(10)
        return {}

    found = Checks({"log": hang}, {})
    assert [found.results()["log"].status for _ in range(3)] == ["failed"] * 3
    assert len(asked) == 1
    release.set()
    eventually(lambda: found.results()["log"].status == "ok")


def test_what_is_away_is_told_once(monkeypatch: Any) -> None:
    """And that it is back: not every second between."""
    monkeypatch.setattr(checks, "KEPT_NS", -1)
    away = True

    def flaky() -> Mapping[str, Any]:
        return broken() if away else {}

    found = Checks({"log": flaky}, {})
    with structlog.testing.capture_logs() as lines:
        for away in (True, True, True, False, False, True):  # noqa: B007 - read by flaky
            found.results()
    assert [line["event"] for line in lines] == [
        "dependency_failed", "dependency_is_back", "dependency_failed",
    ]  # fmt: skip


def test_whoever_asks_is_told_what_is_known(monkeypatch: Any) -> None:
    """A probe a second on top of somebody who asks in the background costs nothing."""
    monkeypatch.setattr(checks, "KEPT_NS", -1)
    asked = []

    def count() -> Mapping[str, Any]:
        asked.append(1)
        return {}

    found = Checks({"log": count}, {})
    assert [checks.ready(found)[0] for _ in range(5)] == [200] * 5
    assert len(asked) == 1
    monkeypatch.setattr(checks, "KNOWN_NS", -1)
    assert checks.ready(found)[0] == 200
    assert len(asked) == 2


def test_a_summary_is_for_people() -> None:
    """Role, version, uptime, lag of each partition; always 200."""
    World()
    status, body = checks.summary(health.checks("web"), "web")
    assert (status, body["role"]) == (200, "web")
    assert body["version"]
    assert body["uptime_s"] >= 0
    lag = body["checks"]["lag"].info
    assert set(lag) == {"projector", "engine"}
    assert all(behind >= 0 for behind in lag["projector"].values())


@pytest.mark.parametrize("role", ["web", "engine", "projector", "pusher", "worker"])
def test_every_role_is_ready_here(role: str) -> None:
    """Each with what it needs and no more."""
    assert checks.ready(health.checks(role))[0] == 200


def test_the_public_port_says_one_word(monkeypatch: Any) -> None:
    """Nothing of versions, lags or dependencies, for nobody."""
    monkeypatch.setattr(health, "CHECKS", Checks({"log": fine}, {"prices": broken}))
    answer = Client().get("/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert answer.headers["Cache-Control"].startswith("max-age=0")
    monkeypatch.setattr(health, "CHECKS", Checks({"log": broken}, {}))
    answer = Client().get("/health")
    assert (answer.status_code, answer.json()) == (503, {"status": "failed"})


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics"])
def test_what_is_inside_is_not_public(path: str) -> None:
    """Probes and scrapes have a port of their own."""
    assert Client().get(path).status_code == 404


@pytest.mark.parametrize("method", ["POST", "DELETE", "PUT"])
def test_health_is_read_only(method: str) -> None:
    """And says so as a problem: it is the method, not a token that is missing."""
    answer = Client(enforce_csrf_checks=True).generic(method, "/health")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")

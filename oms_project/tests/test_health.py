"""Probes and metrics."""

import threading
from collections.abc import Mapping
from typing import Any

import pytest
from django.test import Client

from oms_project import health, metrics
from oms_project.health import Checks
from oms_project.metrics import LagCollector
from oms_project.tests.eventually import eventually
from orders.tests.world import World

pytestmark = pytest.mark.django_db(databases=["default", "store"], transaction=True)


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: Any) -> None:
    """Each test asks the dependencies itself."""
    monkeypatch.setattr(health, "CHECKS", health._checks())


def broken() -> Mapping[str, Any]:
    raise ConnectionError("secret detail")


def fine() -> Mapping[str, Any]:
    return {}


def test_livez_asks_nobody(monkeypatch: Any) -> None:
    """A dead database is no reason to restart a process."""
    monkeypatch.setattr(health, "CHECKS", Checks({"database": broken}, {}))
    answer = Client().get("/livez")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_readyz_names_each_dependency() -> None:
    """All that is required is there; prices are not required."""
    answer = Client().get("/readyz")
    assert answer.status_code == 200, answer.content
    checks = answer.json()["checks"]
    assert {name: checks[name]["status"] for name in ("database", "log", "store")} == {
        "database": "ok", "log": "ok", "store": "ok",
    }  # fmt: skip
    assert not checks["prices"]["required"]
    assert all(isinstance(check["ms"], int) for check in checks.values())
    assert answer.headers["Cache-Control"].startswith("max-age=0")


def test_readyz_says_who_fails(monkeypatch: Any) -> None:
    """503, the name, and nothing of the reason."""
    monkeypatch.setattr(
        health, "CHECKS", Checks({"log": broken, "store": fine}, {"prices": broken})
    )
    answer = Client().get("/readyz")
    assert answer.status_code == 503
    assert {name: one["status"] for name, one in answer.json()["checks"].items()} == {
        "log": "failed", "store": "ok", "prices": "failed",
    }  # fmt: skip
    assert b"secret detail" not in answer.content


def test_what_is_not_required_does_not_make_us_unready(monkeypatch: Any) -> None:
    """Orders are refused without prices by risk, not by the load balancer."""
    monkeypatch.setattr(health, "CHECKS", Checks({"log": fine}, {"prices": broken}))
    assert Client().get("/readyz").status_code == 200


def test_a_dependency_that_hangs(monkeypatch: Any) -> None:
    """It fails in time, is not asked again while it hangs, and heals by itself."""
    monkeypatch.setattr(health, "CHECK_S", 0.05)
    monkeypatch.setattr(health, "KEPT_NS", -1)
    release = threading.Event()
    asked = []

    def hang() -> Mapping[str, Any]:
        asked.append(1)
        release.wait(10)
        return {}

    checks = Checks({"log": hang}, {})
    assert [checks.results()["log"].status for _ in range(3)] == ["failed"] * 3
    assert len(asked) == 1
    release.set()
    eventually(lambda: checks.results()["log"].status == "ok")


def test_health_is_for_people() -> None:
    """Version, uptime, lag of each partition; always 200."""
    World()
    body = Client().get("/health").json()
    assert body["version"]
    assert body["uptime_s"] >= 0
    lag = body["checks"]["lag"]["info"]
    assert set(lag) == {"projector", "engine"}
    assert all(behind >= 0 for behind in lag["projector"].values())


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/health"])
def test_probes_are_read_only(path: str) -> None:
    """And say so as a problem."""
    answer = Client().post(path)
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")


def test_metrics() -> None:
    """Names that dashboards can rely on."""
    text = Client().get("/metrics").content.decode()
    for name in (
        "oms_orders_accepted_total", "oms_requests_refused_total", "oms_ack_latency_seconds_bucket",
        "oms_http_requests_total", "oms_ws_connections", "oms_projector_lag_records",
        "oms_engine_lag_records",
    ):  # fmt: skip
        assert f"# HELP {name.removesuffix('_bucket')}" in text, name


def test_a_lag_nobody_can_tell_is_left_out() -> None:
    """A store that is away does not break the scrape."""

    def away() -> Mapping[int, int]:
        raise ConnectionError

    (family,) = LagCollector("x", "text", away).collect()
    assert family.samples == []
    (family,) = LagCollector("x", "text", lambda: {0: 3}).collect()
    assert [(one.labels, one.value) for one in family.samples] == [({"partition": "0"}, 3)]


def test_a_method_nobody_has_is_one_series() -> None:
    """Labels are bounded whatever comes in."""
    metrics.count_http("BREW", "/api/pot", 418, 0.001)
    assert 'method="BREW"' not in Client().get("/metrics").content.decode()

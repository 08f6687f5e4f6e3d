"""The inner port: who may ask what, and what a process that is not well says."""

import json
import threading
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection, HTTPResponse
from typing import Any

import pytest
from prometheus_client import REGISTRY

from oms_project import health, metrics, probes
from oms_project.adapters.clock import NS_PER_S, FakeClock
from oms_project.adapters.loop import Each, Loop
from oms_project.adapters.memory import MemoryLog
from oms_project.adapters.servers import free_port
from oms_project.checks import Checks
from oms_project.kernel.errors import TransportError
from oms_project.kernel.ports import Record
from oms_project.management.commands import up
from oms_project.metrics import Meter
from oms_project.probes import Heart, Lag, LagSource, Port, Sampler, ValueSource
from oms_project.tests.eventually import eventually
from orders.management.commands import run_engine, run_projector, run_pusher

HERE = "127.0.0.1"


def fine() -> Mapping[str, Any]:
    return {}


def get(port: int, path: str, **headers: str) -> tuple[int, bytes]:
    connection = HTTPConnection(HERE, port, timeout=5)
    try:
        connection.request("GET", path, headers=headers)
        answer: HTTPResponse = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_a_probe_by_address() -> None:
    """Kubelets, load balancers and Prometheus say a pod's address, not a name that we serve."""
    port = free_port()
    with probes.serving("engine", (HERE, port), Checks({"log": fine}, {})):
        for path in ("/livez", "/readyz", "/health", "/metrics"):
            assert get(port, path, Host="10.0.1.5:9100")[0] == 200, path
        assert get(port, "/readyz?verbose")[0] == 200
        assert get(port, "/admin/")[0] == 404


def test_no_port_is_opened_unasked() -> None:
    """A command by hand listens nowhere."""
    before = threading.active_count()
    with probes.serving("engine", (HERE, 0), Checks({"log": fine}, {})) as port:
        assert (port, threading.active_count()) == (0, before)


def test_a_port_that_is_taken_is_an_error() -> None:
    """Two roles on one port would be judged by each other's health."""
    port = free_port()
    with (
        probes.serving("engine", (HERE, port), Checks({"log": fine}, {})),
        pytest.raises(OSError, match="in use"),
        probes.serving("projector", (HERE, port), Checks({"log": fine}, {})),
    ):
        raise AssertionError("not reached")


def test_a_frozen_event_loop_is_restarted(monkeypatch: Any) -> None:
    """The port has threads of its own, so it can still say that its process is dead."""
    heart = Heart()
    port = Port("web", Checks({"log": fine}, {}), heart.alive)
    assert port.answer("/livez")[0] == 200
    monkeypatch.setattr(probes, "FROZEN_NS", -1)
    status, _, body = port.answer("/livez")
    assert status == 503
    assert "stands for" in json.loads(body)["status"]


def test_a_dead_dependency_is_no_reason_to_restart() -> None:
    """Ready and alive are two questions."""

    def broken() -> Mapping[str, Any]:
        raise ConnectionError

    port = Port("web", Checks({"log": broken}, {}), Heart().alive)
    assert [port.answer(path)[0] for path in ("/livez", "/readyz", "/health")] == [200, 503, 200]


def test_metrics_are_known_by_name() -> None:
    """Names that dashboards can rely on."""
    sampler = Sampler(health.SOURCES, Checks({"log": fine}, {}))
    REGISTRY.register(sampler)
    try:
        text = Port("web", Checks({"log": fine}, {}), Heart().alive).answer("/metrics")[2].decode()
    finally:
        REGISTRY.unregister(sampler)
    for name in (
        "oms_orders_accepted_total", "oms_requests_refused_total", "oms_ack_latency_seconds",
        "oms_http_requests_total", "oms_ws_connections", "oms_projector_lag_records",
        "oms_projector_lag_seconds", "oms_engine_lag_records", "oms_engine_lag_seconds", "oms_paused_topics",
        "oms_price_age_seconds", "oms_loop_rounds_total", "oms_loop_items_total",
        "oms_loop_errors_total", "oms_loop_round_seconds", "oms_dead_letters_total",
        "oms_tasks_total", "oms_task_seconds", "oms_event_loop_delay_seconds",
    ):  # fmt: skip
        assert f"# HELP {name}" in text, name
    assert "_created" not in text


# ------------------------------------------------------------------ lags
LOOKS: Sequence[tuple[int, int, int, int, float]] = (  # at s, end, position, records, seconds
    (0, 10, 10, 0, 0),
    (1, 15, 10, 5, 0),
    (3, 15, 10, 5, 2),
    (4, 20, 12, 8, 3),
    (5, 20, 15, 5, 1),  # what came with the first look is done; what came with the later is not
    (6, 20, 20, 0, 0),
    (9, 20, 20, 0, 0),
)


def test_behind_in_records_and_in_seconds() -> None:
    """The seconds are those since the log first ended beyond where the reader is."""
    lag = Lag()
    for at_s, end, position, records, seconds in LOOKS:
        assert lag.look(at_s * NS_PER_S, end, 0, position) == (records, seconds), at_s


def test_a_lag_is_bounded_in_memory(monkeypatch: Any) -> None:
    """However long a reader is dead: the oldest look stays, so the seconds stay right."""
    monkeypatch.setattr(probes, "TURNS_MAX", 3)
    lag = Lag()
    for at_s in range(1, 10):
        found = lag.look(at_s * NS_PER_S, at_s, 0, 0)
    assert found == (9, 8.0)
    assert lag.look(10 * NS_PER_S, 9, 0, 9) == (0, 0.0)


def test_a_loop_tells_how_far_it_is() -> None:
    """Rate, errors, and lag of the partitions it owns."""
    log, clock = MemoryLog(2), FakeClock()
    seen: list[Any] = []
    loop = Loop(log, "oms.commands", "a-loop", Each(seen.append), clock, wait_ms=0)
    loop.run_once()
    source = LagSource("x", "text", lambda: log.end_offsets("oms.commands"), loop.positions)
    log.append("oms.commands", [Record(0, "k", b"v")] * 3)
    assert source.ask()["x_records"] == {"0": 3, "1": 0}
    loop.run_once()
    assert source.ask()["x_records"] == {"0": 0, "1": 0}
    count = REGISTRY.get_sample_value
    assert count("oms_loop_items_total", {"loop": "a-loop"}) == 3
    assert (count("oms_loop_rounds_total", {"loop": "a-loop"}) or 0) >= 2
    loop.close()


def test_what_nobody_can_tell_is_left_out() -> None:
    """A store that is away breaks no scrape, and an old figure is not told as a new one."""
    answers: list[Mapping[int, float]] = [{0: 3.0}]
    source = ValueSource("x", "text", "partition", lambda: answers.pop())
    sampler = Sampler([source], Checks({"log": fine}, {}))
    sampler.sample()
    (family,) = sampler.collect()
    assert [(one.labels, one.value) for one in family.samples] == [({"partition": "0"}, 3)]
    sampler.sample()  # nothing left to say: IndexError
    (family,) = sampler.collect()
    assert family.samples == []


def test_a_loop_that_stands_is_not_ready(monkeypatch: Any) -> None:
    """It says since when, and what the last broken round was; one good round, and all is well."""
    meter = Meter("standing")
    assert meter.check()["last_round_ms"] >= 0
    monkeypatch.setattr(metrics, "STALLED_NS", -1)
    meter.broke(TransportError("log", "is away"))
    with pytest.raises(LookupError, match="is away"):
        meter.check()
    monkeypatch.undo()
    meter.round(0, 0)
    assert meter.check()["last_round_ms"] >= 0


def test_the_sampler_asks_by_itself() -> None:
    """And ends with its port."""
    asked = threading.Event()

    def ask() -> Mapping[str, float]:
        asked.set()
        return {}

    port = free_port()
    source = ValueSource("oms_asked", "text", "partition", ask)
    with probes.serving("engine", (HERE, port), Checks({"log": fine}, {}), sources=[source]):
        assert asked.wait(5)
    eventually(lambda: all(one.name != "probes-sampler" for one in threading.enumerate()))


# ------------------------------------------------------------------ roles
def test_every_role_has_an_inner_port() -> None:
    """`up` gives each its own, even where the wanted ones are taken."""
    with probes.serving("engine", (HERE, first := free_port()), Checks({"log": fine}, {})):
        ports = up.inner_ports(first)
    assert len(set(ports.values())) == len(up.ROLES)
    assert first not in ports.values()
    lines = up.roles(8000, ports)
    assert set(lines) <= set(up.ROLES)
    for role, line in lines.items():
        assert line[line.index("--inner-port") + 1] == str(ports[role])


@pytest.mark.parametrize("module", [run_engine, run_projector, run_pusher])
def test_commands_name_their_process(module: Any) -> None:
    """A broker's log and quota know who it is."""
    assert module.Command.role == module.__name__.rpartition("run_")[2]

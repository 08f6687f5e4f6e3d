"""The faults cover what they say: every crash point, a catalogue of bad input, the kept figures."""

from collections import Counter

import msgspec
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from oms_project.adapters.crash import POINTS
from orders.faults import bodies, matrix, points
from orders.faults.chaos import Outage
from orders.faults.journal import Kind
from orders.faults.result import Result

ACCOUNT = "5b0e7c1a-0001-4a6e-9c11-a1fa00000001"
PRICES = {
    "BTC-USD": "65000",
    "ETH-USD": "3500",
    "SOL-USD": "150",
    "XRP-USD": "0.5",
    "ADA-USD": "0.4",
}


def test_every_crash_point_is_somebodys() -> None:
    """A new crash("…") is run at once, or this fails."""
    assert {point.name for point in points.PLAN} == set(POINTS)


@pytest.mark.parametrize("backend", points.BOTH)
def test_a_point_is_found_by_its_name(backend: str) -> None:
    for point in points.of(backend):
        assert points.find(f"{point.role}/{point.name}", backend) == point


@pytest.mark.parametrize(
    ("name", "backend"),
    [("engine.no_such", points.EMBEDDED), ("intake.after_done", points.EMBEDDED)],
)
def test_a_point_that_is_not_passed_is_refused(name: str, backend: str) -> None:
    with pytest.raises(ValueError, match=r"engine/engine\.after_events"):
        points.find(name, backend)


@pytest.mark.parametrize(
    "arguments", [["--broker-restarts", "1"], ["--point", "nowhere"]], ids=["servers", "point"]
)
def test_the_command_refuses_what_it_cannot_do(arguments: list[str]) -> None:
    with pytest.raises(CommandError):
        call_command("faults", *arguments)


def test_the_same_seed_sends_the_same() -> None:
    def sent() -> list[object]:
        found = bodies.Bodies(7, PRICES, [ACCOUNT])
        return [make() for _ in range(20) for make in (found.single, found.batch, found.bad)]

    assert sent() == sent()


def test_all_bad_inputs_are_sent() -> None:
    made = bodies.Bodies(1, PRICES, [ACCOUNT])
    found = Counter(made.bad().body.replace(f"x-{n}", "x") for n in range(1, 1_500))
    assert len(found) > len(bodies.BAD_NAMES)


def test_another_order_under_a_key_has_ids_of_its_own() -> None:
    made = bodies.Bodies(1, PRICES, [ACCOUNT])
    first = made.single()
    other = made.reuse(first)
    assert (other.kind, other.key, other.path) == (Kind.REUSE, first.key, first.path)
    assert not set(other.client_order_ids) & set(first.client_order_ids)


# ------------------------------------------------------------------ the published figures
def a_result(**changes: object) -> Result:
    values: dict[str, object] = {
        "backend": "embedded", "seed": 1, "right": True, "hash": "equal", "command": "manage.py x",
        "kills": 3, "killed": {"web": 1, "engine": 2}, "acked": 1_200,
    }  # fmt: skip
    return Result(**(values | changes))


def rendered(*results: Result) -> str:
    names = ("runs", "matrix", "outages", "points")
    empty = "\n".join(f"<!-- begin: {name} -->\noutdated\n<!-- end: {name} -->" for name in names)
    return matrix.render(empty, results)


def test_figures_come_from_the_runs() -> None:
    text = rendered(a_result(), a_result(killed={"engine": 5}, lost=2))
    assert "| SIGKILL of the engine | 7 | 2 | 0 |" in text
    assert "| SIGKILL of web | 1 | 0 | 0 |" in text
    assert "outdated" not in text


def test_a_fault_that_was_never_done_is_not_claimed() -> None:
    assert "FLUSHALL" not in rendered(a_result())


def test_a_crash_point_shows_how_its_runs_ended() -> None:
    died = {"engine/engine.after_events": "died at passage 3"}
    row = "| `engine.after_events` | events are durable; no order has left for the venue | engine |"
    assert f"{row} died 1 ×, right | not run |" in rendered(a_result(points=died))
    assert f"{row} died 1 ×, **wrong** |" in rendered(a_result(points=died, right=False))
    assert f"{row} not run | not run |" in rendered(a_result())


def test_outages_say_when_they_were_named() -> None:
    text = rendered(a_result(outages=[Outage("kafka", 4_000, 1_200, 9_000, 200, 15)]))
    assert "| kafka | 4,000 | 1,200 | 200 in 15 ms | 9,000 |" in text


def test_the_document_is_what_the_kept_runs_say() -> None:
    """After a new run: manage.py faults --render."""
    text = (settings.BASE_DIR / matrix.DOCUMENT).read_text()
    assert matrix.render(text, matrix.kept(settings.BASE_DIR)) == text


def test_the_kept_runs_are_right() -> None:
    for result in matrix.kept(settings.BASE_DIR):
        assert result.right, result.command


def test_the_line_says_it_all() -> None:
    line = a_result(seed=9).line()
    assert line.startswith("kills=3 acked=1200 unknown=0 retried=0 lost=0 doubled=0 illegal=0")
    assert line.endswith("hash=equal seed=9")
    assert msgspec.json.decode(msgspec.json.encode(a_result()), type=Result) == a_result()

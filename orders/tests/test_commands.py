"""Operators' commands on a real embedded log and store, with orders that were really filled."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from oms_project.kernel import wire
from oms_project.kernel.errors import TransportError
from oms_project.kernel.words import Topic
from orders import upkeep, wiring
from orders.domain import commands
from orders.models import Chunk, Order, Position, Snapshot
from orders.tests.product import ACCOUNT, Product

pytestmark = pytest.mark.django_db(databases=["default", "store"], transaction=True)
OTHER = "5b0e7c1a-0002-4a6e-9c11-be7a00000002"


def run(*arguments: Any, code: int = 0, **options: Any) -> str:
    """Return what a command prints; *code*: the exit code it must have."""
    out = io.StringIO()
    try:
        call_command(*arguments, stdout=out, **options)
        found = 0
    except SystemExit as end:
        found = end.code
    assert found == code, out.getvalue()
    return out.getvalue()


def run_json(*arguments: Any, code: int = 0, **options: Any) -> Any:
    text = run(*arguments, code=code, json=True, **options)
    assert text.count("\n") == 1, "one line, for programs"
    return json.loads(text)


@pytest.fixture
def traded(product: Product) -> Product:
    """A filled buy, an open one, a refused one; snapshots kept."""
    product.open()
    product.order(lots=10)
    product.order(lots=20, ticks=1_900_000)
    product.order(lots=10**6)
    product.work()
    product.snapshot()
    return product


# ------------------------------------------------------------------ orders, positions
def test_orders_as_json(traded: Product) -> None:
    """As the API shows them."""
    found = run_json("orders")
    assert [order["status"] for order in found["orders"]] == ["REJECTED", "ACCEPTED", "FILLED"]
    assert found["orders"][2]["average_price"] == "20001.00"


@pytest.mark.parametrize(
    ("arguments", "statuses"),
    [
        (("--status", "open"), ["ACCEPTED"]),
        (("--status", "FILLED", "--status", "rejected"), ["REJECTED", "FILLED"]),
        (("--symbol", "ETH-USD"), []),
        (("--account", "Alpha Fund", "--limit", "1"), ["REJECTED"]),
        (("--account", ACCOUNT, "--symbol", "BTC-USD"), ["REJECTED", "ACCEPTED", "FILLED"]),
    ],
)
def test_filters(traded: Product, arguments: Any, statuses: list[str]) -> None:
    found = run_json("orders", *arguments)
    assert [order["status"] for order in found["orders"]] == statuses


def test_orders_as_a_table(traded: Product) -> None:
    """No JSON, no colour codes where nobody looks on, and a word when there are more."""
    text = run("orders", limit=2)
    assert "Alpha Fund" in text
    assert "REJECTED" in text
    assert "\x1b" not in text
    assert "raise --limit" in text


def test_watching(traded: Product, monkeypatch: Any) -> None:
    """Again and again, until somebody stops it."""
    from orders.management.commands import orders as module

    monkeypatch.setattr(module, "WATCH_S", 0)
    assert "FILLED" in run("orders", watch=True, rounds_max=2)


@pytest.mark.parametrize(
    ("options", "words"),
    [({"account": ["Nobody"]}, "There are: Alpha Fund"), ({"limit": 0}, "between 1 and 500")],
)
def test_bad_arguments(traded: Product, options: Any, words: str) -> None:
    with pytest.raises(CommandError, match=words):
        run("orders", **options)


def test_positions_at_the_mark(traded: Product) -> None:
    """Profit at the bid for a long position; unknown without a fresh price."""
    traded.price("BTC-USD", 2_010_000, 2_010_100)
    position = run_json("positions")["accounts"][0]["positions"][0]
    assert (position["quantity"], position["mark_price"]) == ("0.001", "20100.00")
    assert position["unrealized_pnl"] == "0.099"
    text = run("positions", balances=True)
    assert "20100.00" in text
    assert "locked" in text
    traded.clock.advance_s(60)
    stale = run_json("positions")["accounts"][0]["positions"][0]
    assert (stale["mark_price"], stale["unrealized_pnl"]) == (None, None)
    assert "no fresh price" in run("positions")


# ------------------------------------------------------------------ replay
def test_replay_equals(traded: Product) -> None:
    """The same commands give the same hash."""
    found = run_json("replay")
    assert (found["equal"], found["compared"]) == (True, 2)
    assert "equal" in run("replay")


def test_replay_finds_a_difference(traded: Product) -> None:
    """A command in the log that the engine did not decide so: exit code 1."""
    connection = traded.log.file(Topic.COMMANDS)
    with connection.write() as cursor:
        rows = cursor.execute("SELECT id, value FROM records ORDER BY id").fetchall()
        for row_id, value in rows:
            envelope = wire.open_envelope(value, commands.SCHEMA)
            command = wire.read_body(commands.decoder, envelope)
            if isinstance(command, commands.AdjustBalance):
                other = commands.AdjustBalance(
                    command.account_id, command.adjustment_id, command.asset, 7, command.reason
                )
                changed = wire.seal(
                    commands.SCHEMA, other, id=envelope.id, at_ns=envelope.at_ns,
                    actor=envelope.actor,
                )  # fmt: skip
                cursor.execute("UPDATE records SET value = ? WHERE id = ?", (changed, row_id))
    found = run_json("replay", code=1)
    assert not found["equal"]
    assert "replayed" in " ".join(found["details"])
    assert "NOT EQUAL" in run("replay", code=1)


def test_replay_without_snapshots(product: Product) -> None:
    """Nothing to compare is not a failure, and says so."""
    product.open()
    assert run_json("replay")["compared"] == 0
    assert "nothing to compare" in run("replay")


def test_replay_of_a_trimmed_log(traded: Product) -> None:
    """It begins at the older kept snapshot, with trimming as the task does it."""
    for _ in range(2):
        traded.order(lots=1)
        traded.work()
        traded.snapshot()
    upkeep.trim_log(traded.log, traded.store, 0, lambda: False)
    partition = 0
    assert traded.log.first_offset(Topic.COMMANDS, partition) > 0
    found = run_json("replay")
    assert (found["equal"], found["compared"]) == (True, 2)
    assert any("compared from the snapshot" in text for text in found["details"])


def test_an_engine_recovers_from_a_trimmed_log(traded: Product, tmp_path: Path) -> None:
    """Trimmed as far as it may be, with the newest snapshot broken: the one before it serves."""
    for _ in range(2):
        traded.order(lots=1)
        traded.work()
        traded.snapshot()
    upkeep.trim_log(traded.log, traded.store, 0, lambda: False)
    live = traded.engine.owned[0].book.to_bytes()
    newest = traded.store.snapshots(0)[0].offset
    Snapshot.objects.filter(partition=0, offset=newest).update(state=b"flipped bits")
    assert traded.store.load_snapshot(0).offset < newest
    traded.engine.lose(0)
    offset = traded.engine.take(0)
    again = traded.engine.owned[0].book
    again.state.offset, again.state.epoch = traded_state(live)
    assert again.to_bytes() == live
    assert offset == traded.log.end_offset(Topic.COMMANDS, 0)


def traded_state(live: bytes) -> tuple[int, int]:
    """Return the two fields that a new owner changes."""
    from orders.domain.book import Book

    state = Book.from_bytes(live).state
    return state.offset, state.epoch


# ------------------------------------------------------------------ invariants
def test_invariants_hold(traded: Product) -> None:
    found = run_json("check_invariants")
    assert found["breaches"] == []
    assert (found["accounts"], found["orders"], found["fills"]) == (1, 3, 1)
    assert found["events"] == traded.store.last_seq(ACCOUNT)
    assert "all hold" in run("check_invariants")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda: Order.objects.filter(status="FILLED").update(cum_lots=9), "orders were filled"),
        (lambda: Position.objects.update(net_lots=11), "its fills"),
        (lambda: Chunk.objects.filter(stream=ACCOUNT, first_seq=1).delete(), "are missing"),
        (lambda: break_snapshot(), "its orders hold"),
    ],
)
def test_damage_is_found(traded: Product, damage: Any, words: str) -> None:
    """Exit code 1, and what does not hold in words."""
    damage()
    found = run_json("check_invariants", code=1)
    assert any(words in text for text in found["breaches"]), found["breaches"]
    assert "DO NOT HOLD" in run("check_invariants", code=1)


def break_snapshot() -> None:
    """Lock a unit that no order holds, with a right hash: a bug's snapshot, not a broken file."""
    from orders.domain.book import Book, state_hash

    for snapshot in Snapshot.objects.all():
        book = Book.from_bytes(bytes(snapshot.state))
        for account in book.state.accounts.values():
            for balance in account.balances.values():
                balance.locked += 1
                balance.free -= 1
        data = book.to_bytes()
        Snapshot.objects.filter(pk=snapshot.pk).update(state=data, state_hash=state_hash(data))


def test_a_store_that_is_away(traded: Product, monkeypatch: Any) -> None:
    """One sentence and no traceback; the shell sees exit code 2."""

    class Away:
        def load_snapshot(self, partition: int) -> None:
            raise TransportError("store", "gone")

        snapshots = last_seq = load_snapshot

    monkeypatch.setattr(wiring, "store", Away)
    with pytest.raises(CommandError, match="gone") as error:
        run("replay")
    assert error.value.returncode == 2

"""manage.py deadletter on a real embedded log: looked at, sent again, closed, set aside, resumed."""

import functools
from typing import Any

import msgspec
import pytest
from django.core.management.base import CommandError

from oms_project import doctor, health
from oms_project.adapters.dead_letters import PAUSED, DeadLetters, Pauses, Poison, mark
from oms_project.kernel import wire
from oms_project.kernel.errors import BadRecordError
from oms_project.kernel.ports import Record
from oms_project.kernel.words import Topic
from orders.adapters import heads
from orders.domain import commands
from orders.models import Order
from orders.tests.product import ACCOUNT, Product
from orders.tests.test_commands import run, run_json

pytestmark = pytest.mark.django_db(databases=["default", "store"], transaction=True)


def set_aside(product: Product, value: bytes, reason: str) -> str:
    """Put a record into the log and then aside, as the loop does; return the letter's id."""
    offset = product.log.append(Topic.COMMANDS, [Record(0, ACCOUNT, value)])[0]
    record = product.log.read(Topic.COMMANDS, 0, offset, 1)[0]
    aside = DeadLetters(product.log, Topic.COMMANDS, product.clock, actor="oms-engine")
    aside.put(0, [Poison(record, BadRecordError(reason))])
    return f"oms.commands/0/{offset}"


def adjustment(product: Product) -> bytes:
    command = commands.AdjustBalance(ACCOUNT, "late-1", "BTC", 5, "was set aside")
    return wire.seal(commands.SCHEMA, command, id="c-1", at_ns=1, actor="admin")


def test_a_command_is_sent_again_once(product: Product) -> None:
    """At today's time; then it is decided about, and the engine has it."""
    product.open()
    letter = set_aside(product, adjustment(product), "a bug that is mended")
    assert run_json("deadletter", "list")["waiting"] == 1
    assert "was set aside" in run("deadletter", "show", letter)
    done = run_json("deadletter", "retry", letter, by="olga")
    record = product.log.read(Topic.COMMANDS, 0, done["offset"], 1)[0]
    assert wire.open_envelope(record.value, commands.SCHEMA).at_ns == product.clock.now_ns()
    product.work()
    balances = {row.asset: row.free for row in product.store.balances((ACCOUNT,))}
    assert balances["BTC"] == 5
    assert run_json("deadletter", "list")["waiting"] == 0
    (row,) = run_json("deadletter", "list", all=True)["letters"]
    assert (row["state"], row["by"]) == ("retried", "olga")
    with pytest.raises(CommandError, match="was retried already by olga"):
        run("deadletter", "retry", letter, yes=True)


def test_an_engine_takes_over_with_decided_letters(product: Product) -> None:
    """What a person noted among the letters is none of its business."""
    product.open()
    letter = set_aside(product, b"\xc1", "no envelope")
    run("deadletter", "drop", letter, note="noise", yes=True)
    product.engine.lose(0)
    product.engine.take(0)
    assert run_json("deadletter", "show", letter)["state"] == "dropped"


def test_dropping_needs_a_reason_and_a_yes(product: Product, monkeypatch: Any) -> None:
    letter = set_aside(product, b"\xc1", "no envelope")
    with pytest.raises(CommandError, match="needs --note"):
        run("deadletter", "drop", letter)
    monkeypatch.setattr("builtins.input", lambda _: "n")
    with pytest.raises(CommandError, match="Nothing was done"):
        run("deadletter", "drop", letter, note="noise")
    assert run_json("deadletter", "list")["waiting"] == 1


def test_a_command_that_ends_the_engine_is_set_aside_by_hand(product: Product) -> None:
    """By an operator, once and for all: also for the next engine and for a replay of the log."""
    product.open()
    decided = heads.newest(product.log, 0)
    (deadly,) = product.log.append(Topic.COMMANDS, [Record(0, ACCOUNT, adjustment(product))])
    place = f"oms.commands/0/{deadly}"
    with pytest.raises(CommandError, match="needs --note"):
        run("deadletter", "set-aside", place)
    run("deadletter", "set-aside", place, note="ends the engine", by="olga", yes=True)
    product.restart()
    product.price("BTC-USD", 2_000_000, 2_000_100)
    order = product.order()
    product.work()
    external = {row.asset: row.external for row in product.store.balances((ACCOUNT,))}
    assert external["BTC"] == 0
    assert Order.objects.get(order_id=order).status == "FILLED"
    shown = run_json("deadletter", "show", place)
    assert (shown["error"], shown["reason"], shown["state"]) == (
        "SetAsideByHand", "ends the engine", "waiting",
    )  # fmt: skip
    product.restart()
    product.work()
    product.snapshot()
    assert run_json("replay")["equal"]
    for where, words in (
        (f"oms.commands/0/{decided}", "has decided up to"),
        ("oms.commands/0/99999", "has offsets 0 to"),
        ("oms.commands/9/0", "partitions 0 to 1"),
        ("oms.events/0/1", "Only commands"),
        ("nonsense", "no topic/partition/offset"),
    ):
        with pytest.raises(CommandError, match=words):
            run("deadletter", "set-aside", where, note="no", yes=True)


def test_an_order_set_aside_is_decided_once_when_it_is_sent_again(product: Product) -> None:
    """With its id: sent again twice, also by somebody else's hand, it is one order."""
    product.open()
    order = product.order()
    record = product.log.read(Topic.COMMANDS, 0, product.log.end_offset(Topic.COMMANDS, 0) - 1, 1)[
        0
    ]
    place = f"oms.commands/0/{record.offset}"
    run("deadletter", "set-aside", place, note="not now", yes=True)
    product.restart()
    product.work()
    assert not Order.objects.filter(order_id=order).exists()
    product.price("BTC-USD", 2_000_000, 2_000_100)
    product.work()
    run("deadletter", "retry", place, yes=True)
    again = product.log.end_offset(Topic.COMMANDS, 0) - 1
    sent = product.log.read(Topic.COMMANDS, 0, again, 1)[0]
    product.log.append(Topic.COMMANDS, [Record(0, sent.key, sent.value)])
    product.work()
    assert Order.objects.get(order_id=order).status == "FILLED"
    assert Order.objects.count() == 1
    product.snapshot()
    assert run_json("replay")["equal"]


def test_a_flood_is_closed_at_once(product: Product) -> None:
    """All that wait in a partition; what was decided before stays as it was, nobody else's is touched."""
    letters = [set_aside(product, b"\xc1", "noise") for _ in range(3)]
    run("deadletter", "drop", letters[0], note="first", yes=True)
    assert (
        run_json("deadletter", "drop", "oms.commands/0", note="a flood", by="olga")["letters"] == 2
    )
    shown = run_json("deadletter", "list", all=True)["letters"]
    assert [(one["id"], one["state"], one["note"]) for one in shown] == [
        (letters[0], "dropped", "first"),
        (letters[1], "dropped", "a flood"),
        (letters[2], "dropped", "a flood"),
    ]
    with pytest.raises(CommandError, match="No dead letter of oms"):
        run("deadletter", "drop", "oms.commands/0", note="again", yes=True)


def test_a_record_of_another_version_can_be_looked_at(product: Product) -> None:
    """By whoever runs the code that cannot read it."""
    body = msgspec.Raw(msgspec.msgpack.encode(["OpenEpoch", 1]))
    for version in (1, 99):
        envelope = wire.Envelope(commands.SCHEMA, version, "x", 1, "", "", body)
        letter = set_aside(product, msgspec.msgpack.encode(envelope), "old")
        assert "cannot be read" in run("deadletter", "show", letter)
        with pytest.raises(CommandError, match="cannot be read"):
            run("deadletter", "retry", letter, yes=True)


def test_a_pause_is_shown_and_ended(product: Product, monkeypatch: Any) -> None:
    """By `list`, by `doctor` and by the probes; `resume` asks first and covers what is there."""
    where = (Topic.COMMANDS, 0, 1)
    mark(product.log, PAUSED, *where, reason="a flood: bad bytes", now_ns=1, actor="oms-engine")
    with pytest.raises(CommandError, match="events/0: not paused"):
        run("deadletter", "resume", "oms.events/0", yes=True)
    assert "oms.commands/0 is paused at offset 1" in run("deadletter", "list")
    with pytest.raises(doctor.TroubleError, match="commands/0 paused: a flood"):
        doctor.dead_letters()
    monkeypatch.setattr(health, "_pauses", functools.cache(lambda: Pauses(product.log)))
    with pytest.raises(LookupError, match="commands/0 at 1"):
        health._dead_letters()
    assert sum(health.paused_by_partition().values()) == 1
    monkeypatch.setattr("builtins.input", lambda _: "n")
    with pytest.raises(CommandError, match="Nothing was done"):
        run("deadletter", "resume")
    (paused,) = run_json("deadletter", "list")["paused"]
    assert (paused["topic"], paused["offset"]) == ("oms.commands", 1)
    (done,) = run_json("deadletter", "resume", by="olga")["resumed"]
    assert done["before"] == product.log.end_offset(Topic.COMMANDS, 0)
    assert run_json("deadletter", "list")["paused"] == []
    assert doctor.dead_letters() == "none"
    assert health._dead_letters() == {"paused": 0}
    with pytest.raises(CommandError, match="not paused"):
        run("deadletter", "resume", yes=True)


@pytest.mark.parametrize(
    ("action", "letter", "words"),
    [
        ("show", "", "needs the id"),
        ("show", "oms.commands/0/999", "no dead letter"),
        ("retry", "oms.commands/0/0", "cannot be read"),
    ],
)
def test_what_is_not_possible(product: Product, action: str, letter: str, words: str) -> None:
    set_aside(product, b"\xc1", "no envelope")
    with pytest.raises(CommandError, match=words):
        run("deadletter", action, letter, yes=True)

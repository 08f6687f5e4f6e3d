"""Accounts in the admin, through its real forms: a change is a command, and in force by the engine."""

import re
import threading
from typing import Any

import msgspec
import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse

from oms_project.access.models import Account, User
from oms_project.kernel import wire
from oms_project.kernel.errors import TransportError, UnknownOutcomeError
from oms_project.kernel.words import AccountState, Topic
from orders import wiring
from orders.domain import commands
from orders.models import ChangeRequest
from orders.tests.product import ACCOUNT, PARTITIONS, Product
from risk.domain.limits import Limits

pytestmark = pytest.mark.django_db(databases=["default", "store"], transaction=True)
URL = f"/admin/access/account/{ACCOUNT}/change/"
ADD = "/admin/access/account/add/"
ADJUST = f"/admin/access/account/{ACCOUNT}/adjust/"
LIST = "/admin/access/account/"


def actor_of(username: str) -> str:
    """Return how the log names that user: the id stays when the name is another's one day."""
    return f"user:{get_user_model().objects.get(username=username).pk}:{username}"


def client_of(desk_role: str, **fields: Any) -> Client:
    client = Client()
    user = User.objects.create(username=desk_role, desk_role=desk_role, is_staff=True, **fields)
    client.force_login(user)
    return client


def form_of(page: Any, **changes: Any) -> dict[str, Any]:
    """Return what the browser would post of the page's form, with *changes*."""
    form = page.context["adminform"].form if "adminform" in page.context else page.context["form"]
    values: dict[str, Any] = {}
    for field in form:
        value = field.value()
        if not field.field.disabled and value is not None:
            values[field.name] = value
    if "reason" in form.fields:
        values |= {"reason": "As agreed", "confirm": "on"}
    return values | changes


def ends(product: Product) -> list[int]:
    return [product.log.end_offset(Topic.COMMANDS, one) for one in range(PARTITIONS)]


def newest_command(product: Product, account_id: str = ACCOUNT) -> tuple[wire.Envelope, Any]:
    """Return the newest command of the account in the log."""
    found = []
    for partition in range(PARTITIONS):
        found += product.log.read(Topic.COMMANDS, partition, 0, 1_000)
    record = [one for one in found if one.key == account_id][-1]
    envelope = wire.open_envelope(record.value, commands.SCHEMA)
    return envelope, wire.read_body(commands.decoder, envelope)


def messages_of(answer: Any) -> str:
    return " ".join(str(one) for one in answer.context["messages"])


# ------------------------------------------------------------------ limits and state
def test_a_change_of_limits_is_a_command(product: Product) -> None:
    """Nothing is written to the row; the engine has it, then the projector writes it."""
    product.open()
    client = client_of("risk_officer")
    page = client.get(URL)
    posted = form_of(
        page, max_open_orders="7", max_order_value="1250.5", restricted_symbols=["BTC-USD"],
        state="REDUCE_ONLY",
    )  # fmt: skip
    answer = client.post(URL, posted, follow=True)
    assert "Sent to the log: " in messages_of(answer)
    envelope, command = newest_command(product)
    limits = Limits(
        max_open_orders=7, max_order_value=1250_50000000, restricted_symbols=("BTC-USD",)
    )
    assert command == commands.SetAccount(
        ACCOUNT, "Alpha Fund", AccountState.REDUCE_ONLY, limits, version=2
    )
    assert envelope.actor == actor_of("risk_officer")
    row = Account.objects.get(pk=ACCOUNT)
    assert row.state == "ACTIVE", "not in force before the engine has it"
    assert msgspec.convert(row.limits, Limits) == Limits()
    assert 'data-state="pending"' in answer.content.decode()
    assert "state ACTIVE → REDUCE_ONLY" in client.get(LIST).content.decode()
    product.work()
    row = Account.objects.get(pk=ACCOUNT)
    assert row.state == "REDUCE_ONLY"
    assert row.limits["max_order_value"] == 125050000000
    assert 'data-state="in force"' in client.get(URL).content.decode()
    text = LogEntry.objects.get().change_message
    assert "order value no limit → 1250.50" in text


def test_a_form_sent_twice_asks_once(product: Product) -> None:
    """A double click: one command, and the second answer says so."""
    product.open()
    client = client_of("risk_officer")
    posted = form_of(client.get(URL), state="HALTED")
    client.post(URL, posted)
    before = ends(product)
    answer = client.post(URL, posted, follow=True)
    assert "was sent before" in messages_of(answer)
    assert ends(product) == before
    assert LogEntry.objects.count() == 1


def test_a_form_older_than_the_newest_wish_is_refused(product: Product) -> None:
    """Nobody undoes what they have not seen: not another officer's wish, nor the engine's."""
    product.open()
    client = client_of("risk_officer")
    first, second = client.get(URL), client.get(URL)
    client.post(URL, form_of(first, state="HALTED"))
    before = ends(product)
    answer = client.post(URL, form_of(second, max_open_orders="3"))
    assert answer.status_code == 200
    assert "after you opened it" in answer.content.decode()
    assert ends(product) == before
    third = client.get(URL)
    assert third.context["adminform"].form["state"].value() == "HALTED", "the wish, not the row"
    client.post(URL, form_of(third, max_open_orders="3"))
    product.work()
    row = Account.objects.get(pk=ACCOUNT)
    assert row.state == "HALTED"
    assert msgspec.convert(row.limits, Limits) == Limits(max_open_orders=3)


def test_what_was_not_changed_is_not_sent(product: Product) -> None:
    """Sending the page as it is does nothing, and says so."""
    product.open()
    client = client_of("risk_officer")
    before = ends(product)
    answer = client.post(URL, form_of(client.get(URL)), follow=True)
    assert "nothing was sent" in messages_of(answer)
    assert (ends(product), ChangeRequest.objects.count()) == (before, 0)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("max_order_value", "1e3", "plain decimal"),
        ("max_order_value", "-1", "plain decimal"),
        ("max_order_value", "1.123456789", "At most 8 decimals"),
        ("max_order_value", "99999999999", "At most 10000000000"),
        ("max_open_orders", "-1", "greater than or equal"),
        ("max_open_orders", "1.5", "whole number"),
        ("state", "SLEEPING", "valid choice"),
        ("restricted_symbols", "DOGE-MARS", "valid choice"),
        ("request_id", "no id", "valid UUID"),
    ],
)
def test_bad_input_is_told_and_nothing_sent(
    product: Product, field: str, value: str, words: str
) -> None:
    """On the page, beside the field."""
    product.open()
    client = client_of("risk_officer")
    before = ends(product)
    answer = client.post(URL, form_of(client.get(URL), **{field: value}))
    assert answer.status_code == 200
    assert words in str(answer.context["adminform"].form.errors)
    assert ends(product) == before


# ------------------------------------------------------------------ a broken log
class BrokenGateway:
    def __init__(self, error: Exception) -> None:
        self._error = error

    def broadcast(self, *_: Any, **__: Any) -> int:
        raise self._error


def test_a_log_that_is_away_is_told(product: Product, monkeypatch: Any) -> None:
    """503, an error on the form, what was typed stays; sent again when the log is back."""
    product.open()
    client = client_of("risk_officer")
    posted = form_of(client.get(URL), state="HALTED")
    with monkeypatch.context() as away:
        away.setattr(wiring, "gateway", lambda: BrokenGateway(TransportError("log", "away")))
        answer = client.post(URL, posted)
    page = answer.content.decode()
    assert answer.status_code == 503
    assert "Nothing was sent" in page
    assert '<option value="HALTED" selected>' in page
    assert "Sent to the log" not in page
    assert ChangeRequest.objects.count() == 0
    assert LogEntry.objects.count() == 0
    client.post(URL, posted)
    product.work()
    assert Account.objects.get(pk=ACCOUNT).state == "HALTED"


def test_an_unknown_outcome_is_told_as_such(product: Product, monkeypatch: Any) -> None:
    """It may be in the log: neither "sent" nor "nothing was sent"."""
    product.open()
    client = client_of("risk_officer")
    posted = form_of(client.get(URL), state="HALTED")
    with monkeypatch.context() as away:
        away.setattr(wiring, "gateway", lambda: BrokenGateway(UnknownOutcomeError("log", "?")))
        answer = client.post(URL, posted)
    assert "nobody knows whether" in answer.content.decode()
    assert 'data-state="unknown"' in client.get(URL).content.decode()
    answer = client.post(URL, posted, follow=True)
    assert "Sent to the log" in messages_of(answer)


# ------------------------------------------------------------------ opening
def test_an_admin_opens_an_account_halted(product: Product) -> None:
    """Two people open an account: a risk officer gives it limits and makes it ACTIVE."""
    product.open()
    client = client_of("admin")
    posted = form_of(client.get(ADD), name="Delta Desk")
    answer = client.post(ADD, posted, follow=True)
    assert "Sent to the log" in messages_of(answer)
    row = Account.objects.get(name="Delta Desk")
    assert (row.state, row.seq) == ("HALTED", 0)
    client.post(ADD, posted)
    assert Account.objects.filter(name="Delta Desk").count() == 1
    product.work()
    row.refresh_from_db()
    assert (row.state, row.seq) == ("HALTED", 1)


def test_a_name_is_given_once(product: Product) -> None:
    product.open()
    client = client_of("admin")
    answer = client.post(ADD, form_of(client.get(ADD), name="alpha fund"))
    assert "Another account has this name" in answer.content.decode()


# ------------------------------------------------------------------ money
def test_an_adjustment_is_booked_once(product: Product) -> None:
    """However often the form is sent; with who and why."""
    product.open()
    client = client_of("admin")
    posted = form_of(client.get(ADJUST), asset="BTC", amount="2.5", reason="opening balance")
    client.post(ADJUST, posted)
    client.post(ADJUST, posted)
    envelope, command = newest_command(product)
    assert (command.asset, command.units, command.reason) == ("BTC", 250000000, "opening balance")
    assert (envelope.actor, command.adjustment_id) == (actor_of("admin"), str(posted["request_id"]))
    product.gateway.broadcast(command, account_id=ACCOUNT, actor="a third time, past the form")
    product.work()
    balance = {row.asset: row for row in product.store.balances((ACCOUNT,))}["BTC"]
    assert (balance.free, balance.external) == (250000000, -250000000)
    page = client.get(URL).content.decode()
    assert "+2.50 BTC (opening balance)" in page
    assert 'data-state="in force"' in page


def test_two_clicks_at_once_send_once(product: Product) -> None:
    """Two requests with one id, truly at the same time."""
    product.open()
    client = client_of("admin")
    posted = form_of(client.get(ADJUST), asset="BTC", amount="1", reason="x")
    clients = [client, Client()]
    clients[1].cookies = client.cookies
    before = sum(ends(product))
    start = threading.Barrier(2)

    def click(one: Client) -> None:
        from django.db import connections

        start.wait(5)
        one.post(ADJUST, posted)
        connections.close_all()

    threads = [threading.Thread(target=click, args=(one,)) for one in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    product.work()
    balance = {row.asset: row for row in product.store.balances((ACCOUNT,))}["BTC"]
    assert balance.free == 10**8
    assert sum(ends(product)) - before in (1, 2)


def test_a_used_form_does_not_hide_another_wish(product: Product) -> None:
    """Back, another amount, sent again: an error, not a silent nothing."""
    product.open()
    client = client_of("admin")
    posted = form_of(client.get(ADJUST), asset="BTC", amount="1", reason="x")
    client.post(ADJUST, posted)
    answer = client.post(ADJUST, posted | {"amount": "2"})
    assert answer.status_code == 200
    assert "was sent before (+1.00 BTC (x))" in answer.content.decode()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"amount": "0"}, "must not be zero"),
        ({"amount": ""}, "must not be zero"),
        ({"amount": "1,5"}, "plain decimal"),
        ({"amount": "-0.5", "asset": "BTC"}, "Only 0.00 BTC are free"),
        ({"amount": "9999999999.9"}, "More than the books can hold"),
        ({"reason": ""}, "required"),
        ({"reason": "two\nlines"}, "One line"),
        ({"asset": "GOLD"}, "valid choice"),
    ],
)
def test_bad_adjustments(product: Product, change: dict[str, str], words: str) -> None:
    product.open()
    client = client_of("admin")
    before = ends(product)
    good = {"asset": "USD", "amount": "1", "reason": "x"}
    answer = client.post(ADJUST, form_of(client.get(ADJUST), **(good | change)))
    assert words in str(answer.context["form"].errors)
    assert ends(product) == before


# ------------------------------------------------------------------ who may
@pytest.mark.parametrize(
    ("desk_role", "see", "change", "add", "adjust"),
    [
        ("trader", 403, 403, 403, 403),
        ("viewer", 403, 403, 403, 403),
        ("operator", 200, 403, 403, 403),
        ("risk_officer", 200, 302, 403, 403),
        ("admin", 200, 302, 302, 302),
    ],
)
def test_who_may(
    product: Product, desk_role: str, see: int, change: int, add: int, adjust: int
) -> None:
    """By desk role; being a superuser adds nothing."""
    product.open()
    client = client_of(desk_role, is_superuser=desk_role in ("trader", "operator"))
    ids = {"request_id": "0192d6a0-0000-7000-8000-000000000001", "seen": "seq 1"}
    other = {"request_id": "0192d6a0-0000-7000-8000-000000000002"}
    assert client.get(LIST).status_code == see
    assert client.get(URL).status_code == see
    row = Account.objects.get(pk=ACCOUNT)
    posted = ids | {"seen": f"seq {row.seq}", "state": "HALTED", "name": "Beta"}
    posted |= {"reason": "As agreed", "confirm": "on"}
    assert client.post(URL, posted).status_code == change
    assert client.post(ADD, other | {"name": "New"}).status_code == add
    money = {"request_id": "0192d6a0-0000-7000-8000-000000000003", "asset": "USD", "amount": "1",
             "reason": "x"}  # fmt: skip
    assert client.post(ADJUST, money).status_code == adjust
    assert client.post(f"/admin/access/account/{ACCOUNT}/delete/").status_code == 403


def test_roles_change_only_their_fields(product: Product) -> None:
    """What a role may not change is taken from the log's newest wish, whatever is posted."""
    product.open()
    row = Account.objects.get(pk=ACCOUNT)
    admin = client_of("admin")
    posted = form_of(admin.get(URL), name="Omega", state="HALTED", max_open_orders="1")
    assert admin.post(URL, posted).status_code == 302
    _, command = newest_command(product)
    assert (command.name, command.state, command.limits) == ("Omega", row.state, Limits())


def test_an_operator_sees_values_without_a_form(product: Product) -> None:
    product.open()
    page = client_of("operator").get(URL).content.decode()
    assert re.search(r'class="readonly">ACTIVE', page)
    assert "Send to the log" not in page
    assert "Adjust balance" not in page


def test_the_index_shows_what_a_role_may_see() -> None:
    page = client_of("risk_officer").get(reverse("admin:index")).content.decode()
    assert "/admin/access/account/" in page
    assert "/admin/marketdata/instrument/" in page
    assert "/admin/access/user/" not in page

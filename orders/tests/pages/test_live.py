"""The pages over the real product: what is read, whose it is, and orders through the API's door."""

import re

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from django.test import Client

from oms_project.kernel.words import Role
from orders import wiring
from orders.adapters import pages
from orders.domain import events as e
from orders.tests.world import World, accepted, canceled, fill, new_id, publish, routed

pytestmark = pytest.mark.django_db(databases=["default", "store"], transaction=True)
FORM = {
    "side": "buy", "type": "limit", "time_in_force": "gtc", "quantity": "0.5", "price": "20000.00",
}  # fmt: skip


class Desk:
    """Ann trades on one account and looks at another; a third is not hers."""

    def __init__(self) -> None:
        self.world = World()
        self.mine = self.world.account("Mine")
        self.seen = self.world.account("Seen")
        self.theirs = self.world.account("Theirs")
        ann = self.world.user("ann", {self.mine: Role.TRADER, self.seen: Role.VIEWER})
        self.client = Client(enforce_csrf_checks=True)
        self.client.force_login(ann, "django.contrib.auth.backends.ModelBackend")

    def page(self, path: str, status: int = 200) -> str:
        answer = self.client.get(path)
        assert answer.status_code == status, answer.content
        return answer.content.decode()

    def token(self, page: str) -> str:
        found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
        assert found
        return found[1]


@pytest.fixture
def desk() -> Desk:
    return Desk()


def text(page: str) -> str:
    """Return what a person reads: no tags, thin spaces gone."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", page).replace("\u202f", ""))


def test_nobody_comes_in_without_a_log_in(desk: Desk) -> None:
    for path in ("/", "/trade/BTC-USD/", "/orders/", f"/orders/{new_id()}/"):
        answer = Client().get(path)
        assert answer.status_code == 302, path
        assert answer.headers["Location"].startswith("/login/?next=/"), path


def test_trading_page_shows_prices_and_own_orders(desk: Desk) -> None:
    desk.world.order(desk.mine, filled=4)
    desk.world.order(desk.theirs, client_order_id="not-mine", lots=777)
    publish("BTC-USD", 2_000_000, 2_000_100)
    page = desk.page(f"/a/{desk.mine}/trade/BTC-USD/")
    shown = text(page)
    assert "20000.00" in shown
    assert "Spread 1.00" in shown
    assert "Partly filled" in shown
    assert "0.0777" not in shown
    assert page.count('data-cancel="') == 1


def test_account_stands_in_the_address(desk: Desk) -> None:
    """Nothing else chooses it: not a link with a parameter, not what was looked at before."""
    for path in ("/", f"/?account={desk.seen}", f"/a/{desk.mine}/"):
        answer = desk.client.get(path)
        assert answer.status_code == 302
        assert answer.headers["Location"].startswith(f"/a/{desk.mine}/trade/BTC-USD/"), path
    page = desk.page(f"/a/{desk.seen}/trade/BTC-USD/")
    assert "View only" in page
    assert 'id="ticket-form"' not in page
    assert f'"account": "{desk.seen}"' in page
    assert f"/a/{desk.mine}/trade/BTC-USD/" in page, "the menu leads to the other one"
    mine = desk.page(f"/a/{desk.mine}/trade/BTC-USD/?account={desk.seen}")
    assert f'action="/a/{desk.mine}/trade/BTC-USD/orders/"' in mine
    assert f'"account": "{desk.mine}"' in mine
    assert desk.client.get(f"/a/{desk.theirs}/trade/BTC-USD/").status_code == 404


def test_looking_at_pages_writes_no_session(desk: Desk) -> None:
    """A session that is saved at each look would never grow old."""
    key = desk.client.session.session_key
    before = Session.objects.get(pk=key)
    for symbol in ("BTC-USD", "ETH-USD"):
        desk.page(f"/a/{desk.mine}/trade/{symbol}/")
    desk.page(f"/orders/?account={desk.seen}")
    after = Session.objects.get(pk=key)
    assert (after.session_data, after.expire_date) == (before.session_data, before.expire_date)


def test_halted_symbol_has_no_ticket(desk: Desk) -> None:
    """Only the scripts keep one, to open it once the symbol is traded again."""
    page = desk.page(f"/a/{desk.mine}/trade/HALT-USD/")
    assert "HALT-USD is halted" in page
    assert '<form id="ticket-form" class="js-only"' in page


def test_unknown_symbol_and_foreign_order_are_not_found(desk: Desk) -> None:
    foreign = desk.world.order(desk.theirs)
    for path in (f"/a/{desk.mine}/trade/NOPE-USD/", f"/orders/{foreign}/", f"/orders/{new_id()}/"):
        assert "Nothing here" in desk.page(path, 404)


def test_order_page_tells_the_whole_story(desk: Desk) -> None:
    order = routed()
    desk.world.tell(desk.mine, order)
    desk.world.tell(desk.mine, accepted(order))
    desk.world.tell(desk.mine, canceled(order))
    shown = text(desk.page(f"/orders/{order.order_id}/"))
    places = [
        shown.index(title) for title in ("Risk passed", "Accepted by the venue", "The rest is")
    ]
    assert places == sorted(places)
    assert shown.count("+1.0 s") == 2
    assert "Cancel order" not in shown


def test_refused_order_says_what_to_do(desk: Desk) -> None:
    order = routed()
    denied = e.OrderDenied(
        order.order_id, order.client_order_id, order.terms, "insufficient_balance"
    )
    desk.world.tell(desk.mine, denied)
    shown = text(desk.page(f"/orders/{order.order_id}/"))
    assert "Refused by us" in shown
    assert "Not enough free balance, fee included." in shown


def test_orders_are_filtered_and_paged(desk: Desk) -> None:
    for number in range(53):
        desk.world.order(desk.mine, client_order_id=f"c-{number}")
    eth = desk.world.order(desk.mine, symbol="ETH-USD", client_order_id="eth")
    first = desk.page("/orders/")
    assert first.count("<tr>") == 50 + 1
    more = re.search(r'href="(\?[^"]*cursor=[^"]+)"', first)
    assert more
    rest = desk.page("/orders/" + more[1].replace("&amp;", "&"))
    assert "c-3<" in rest.replace("\n", "")
    assert "c-4<" not in rest
    found = desk.page("/orders/?symbol=ETH-USD&status=open&side=buy&from=2020-01-01&to=2100-01-01")
    assert found.count("<tr>") == 1 + 1
    assert eth in found
    assert "No order fits these filters" in desk.page("/orders/?status=closed")


def test_a_page_that_found_nothing_yet_goes_on(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rare order lies far back: the list says so, and does not say that there is none."""
    rare = desk.world.order(desk.mine, symbol="ETH-USD")
    for _ in range(3):
        desk.world.order(desk.mine)
    monkeypatch.setattr(pages, "SCAN_MAX", 2)
    monkeypatch.setattr(pages, "SCAN_MIN", 1)
    first = desk.page("/orders/?symbol=ETH-USD")
    assert "No order fits these filters" not in first
    assert "look further back" in first
    more = re.search(r'href="(\?[^"]*cursor=[^"]+)"', first)
    assert more
    assert rare in desk.page("/orders/" + more[1].replace("&amp;", "&"))


@pytest.mark.parametrize("query", ["cursor=rubbish", "status=NOPE", "side=up", "from=yesterday"])
def test_filters_that_cannot_be_read_are_told(desk: Desk, query: str) -> None:
    page = desk.page(f"/orders/?{query}")
    assert 'role="alert"' in page


def test_form_order_is_durable_and_its_key_makes_it_once(desk: Desk) -> None:
    token = desk.token(desk.page(f"/a/{desk.mine}/trade/BTC-USD/"))
    form = {**FORM, "idempotency_key": new_id()}
    form["csrfmiddlewaretoken"] = token
    answers = [desk.client.post(f"/a/{desk.mine}/trade/BTC-USD/orders/", form) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [302, 302], answers[0].content
    targets = {answer.headers["Location"] for answer in answers}
    assert len(targets) == 1
    assert "Accepted, not decided yet" in desk.page(targets.pop())
    changed = desk.client.post(f"/a/{desk.mine}/trade/BTC-USD/orders/", {**form, "quantity": "0.6"})
    assert changed.status_code == 422
    assert form["idempotency_key"] not in changed.content.decode(), "the next try is another order"


def test_form_refusals_stand_on_their_fields(desk: Desk) -> None:
    token = desk.token(desk.page(f"/a/{desk.mine}/trade/BTC-USD/"))
    form = {**FORM, "csrfmiddlewaretoken": token}
    form |= {"idempotency_key": new_id(), "price": "20000.001", "quantity": ""}
    answer = desk.client.post(f"/a/{desk.mine}/trade/BTC-USD/orders/", form)
    assert answer.status_code == 422
    page = answer.content.decode()
    price = re.search(r'id="price-error"[^>]*>([^<]*)<', page)
    quantity = re.search(r'id="quantity-error"[^>]*>([^<]*)<', page)
    assert price
    assert "0.01" in price[1]
    assert quantity
    assert quantity[1]
    assert 'value="20000.001"' in page


def test_form_needs_our_own_page(desk: Desk) -> None:
    """Without the token nothing is written; on somebody else's account neither."""
    form = {**FORM, "idempotency_key": new_id()}
    assert desk.client.post(f"/a/{desk.mine}/trade/BTC-USD/orders/", form).status_code == 403
    form["csrfmiddlewaretoken"] = desk.token(desk.page(f"/a/{desk.mine}/trade/BTC-USD/"))
    end = wiring.log().end_offset("oms.commands", 0), wiring.log().end_offset("oms.commands", 1)
    for account_id, status in ((desk.theirs, 404), (desk.seen, 422), ("nonsense", 404)):
        hostile = {**form, "account_id": desk.mine}
        answer = desk.client.post(f"/a/{account_id}/trade/BTC-USD/orders/", hostile)
        assert answer.status_code == status
    after = wiring.log().end_offset("oms.commands", 0), wiring.log().end_offset("oms.commands", 1)
    assert after == end


def test_cancel_by_form(desk: Desk) -> None:
    order = routed()
    desk.world.tell(desk.mine, order)
    path = f"/orders/{order.order_id}/"
    form = {"csrfmiddlewaretoken": desk.token(desk.page(path)), "idempotency_key": new_id()}
    answer = desk.client.post(f"{path}cancel/", form)
    assert (answer.status_code, answer.headers["Location"]) == (302, path)
    foreign = desk.world.order(desk.theirs)
    assert desk.client.post(f"/orders/{foreign}/cancel/", form).status_code == 404


@pytest.mark.parametrize("name", ["ann", "nobody"])
def test_wrong_password_is_told_the_same_way(desk: Desk, name: str) -> None:
    client = Client()
    answer = client.post("/login/", {"username": name, "password": "wrong"})
    assert answer.status_code == 200
    assert "do not match" in answer.content.decode()


def test_guessing_is_stopped_with_a_page(desk: Desk) -> None:
    client, tried = Client(), {"username": "ann", "password": "wrong"}
    answers = [client.post("/login/", tried) for _ in range(settings.AXES_FAILURE_LIMIT)]
    assert answers[0].status_code == 200
    assert answers[-1].status_code == 429
    assert "Too many attempts" in answers[-1].content.decode()


def test_a_cancel_that_comes_too_late_is_told_once(desk: Desk) -> None:
    order = routed()
    desk.world.tell(desk.mine, order)
    path = f"/orders/{order.order_id}/"
    form = {"csrfmiddlewaretoken": desk.token(desk.page(path)), "idempotency_key": new_id()}
    desk.world.tell(desk.mine, *fill(order, order.terms.lots))
    assert desk.client.post(f"{path}cancel/", form).status_code == 302
    assert "The order is FILLED" in desk.page(path)
    assert "The order is FILLED" not in desk.page(path)


def test_demo_logins_are_told_only_where_the_demo_was_seeded(desk: Desk) -> None:
    assert "This is a demo" not in Client().get("/login/").content.decode()
    desk.world.user("alice")
    page = Client().get("/login/").content.decode()
    assert "<code>alice</code>" in page
    assert "<code>bob</code>" not in page

"""Lists over all accounts: whose they are, what is searched, what leaves as CSV."""

import re
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.test import Client

from oms_project.access.models import User
from oms_project.kernel.words import Role
from orders.pages import lists
from orders.pages.lists import csv_lines
from orders.tests.world import World, new_id

pytestmark = pytest.mark.django_db(databases=["default", "store"])
BACKEND = "django.contrib.auth.backends.ModelBackend"
HOMES = [("risk_officer", "/positions/"), ("operator", "/ops/"), ("admin", "/ops/")]


class Floor:
    """Two accounts with an order each; ann trades on the first."""

    def __init__(self) -> None:
        self.world = World()
        self.mine, self.other = self.world.account("Mine"), self.world.account("Other")
        self.ann = self.world.user("ann", {self.mine: Role.TRADER})
        self.order = self.world.order(self.mine, client_order_id="mine-1")
        self.foreign = self.world.order(self.other, client_order_id="other-1")

    def as_role(self, role: str) -> Client:
        user = self.world.user(f"a-{role}")
        User.objects.filter(pk=user.pk).update(desk_role=role)
        return self.as_user(User.objects.get(pk=user.pk))

    def as_user(self, user: User) -> Client:
        client = Client()
        client.force_login(user, BACKEND)
        return client


@pytest.fixture
def floor() -> Floor:
    return Floor()


def ids(answer: object) -> list[str]:
    page = answer.content.decode()  # type: ignore[attr-defined]
    return re.findall(r'class="time"><a href="/orders/([0-9a-f-]{36})/"', page)


@pytest.mark.parametrize(("role", "home"), HOMES)
def test_watchers_see_every_account_and_trade_on_none(floor: Floor, role: str, home: str) -> None:
    client = floor.as_role(role)
    assert client.get("/").headers["Location"] == home
    listed = client.get("/orders/")
    assert set(ids(listed)) == {floor.order, floor.foreign}
    page = listed.content.decode()
    assert "your role trades on none" in page
    assert "/cancel/" not in page
    assert ids(client.get(f"/orders/?account={floor.other}")) == [floor.foreign]
    assert client.get("/positions/").status_code == 200
    detail = client.get(f"/orders/{floor.foreign}/")
    assert detail.status_code == 200
    assert "Other" in detail.content.decode()
    assert "Cancel order" not in detail.content.decode()
    assert client.get(f"/a/{floor.mine}/trade/BTC-USD/").status_code == 404
    form = {"idempotency_key": new_id()}
    refused = client.post(f"/orders/{floor.foreign}/cancel/", form)
    assert refused.status_code == 404


@pytest.mark.parametrize("role", ["risk_officer", "operator", "admin"])
def test_operations_tell_checks_and_partitions(floor: Floor, role: str) -> None:
    page = floor.as_role(role).get("/ops/").content.decode()
    for words in ("Engine", "Projector", "Books", "Dead letters", "commands waiting"):
        assert words in page


def test_a_trader_sees_neither_others_nor_operations(floor: Floor) -> None:
    client = floor.as_user(floor.ann)
    assert client.get("/ops/").status_code == 403
    assert ids(client.get("/orders/")) == [floor.order]
    assert ids(client.get(f"/orders/?account={floor.other}")) == []
    assert client.get(f"/orders/{floor.foreign}/").status_code == 404
    assert f"/orders/{floor.order}/cancel/" in client.get("/orders/").content.decode()


@pytest.mark.parametrize("part", [8, 13, 18, 36])
def test_an_order_is_found_by_how_its_id_begins(floor: Floor, part: int) -> None:
    client = floor.as_user(floor.ann)
    assert floor.order in ids(client.get(f"/orders/?search={floor.order[:part]}"))
    assert ids(client.get(f"/orders/?search={'0' * 8}")) == []
    assert ids(client.get(f"/orders/?search={floor.foreign}")) == []


def test_an_order_is_found_by_its_client_order_id(floor: Floor) -> None:
    client = floor.as_user(floor.ann)
    assert ids(client.get("/orders/?search=mine-1")) == [floor.order]
    assert ids(client.get("/orders/?search=other-1")) == []


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("from=2026-11-22&to=2026-11-21", "is after To"),
        ("from=yesterday", "is no day"),
        ("to=2026-02-30", "is no day"),
    ],
)
def test_days_that_make_no_sense_are_told(floor: Floor, query: str, said: str) -> None:
    page = floor.as_user(floor.ann).get(f"/orders/?{query}").content.decode()
    assert said in page
    assert "No order fits" not in page
    assert floor.as_user(floor.ann).get(f"/orders.csv?{query}").status_code == 400


@pytest.mark.parametrize("path", ["/", "/orders/", "/positions/", "/ops/"])
def test_who_is_not_logged_in_gets_no_part_of_a_page(path: str) -> None:
    """A page that asks for its list again is loaded anew, and so comes to the log-in."""
    answer = Client().get(path, headers={"HX-Request": "true"})
    assert (answer.status_code, answer.headers["HX-Refresh"], answer.content) == (204, "true", b"")
    assert Client().get(path).headers["Location"] == f"/login/?next={path}"


async def _read(answer: Any) -> str:
    return b"".join([part async for part in answer.streaming_content]).decode()


def test_csv_is_what_the_filters_show_page_after_page(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "CSV_PAGE_ROWS", 2)
    more = [floor.world.order(floor.mine) for _ in range(4)]
    answer = floor.as_user(floor.ann).get("/orders.csv?side=buy")
    lines = async_to_sync(_read)(answer).splitlines()
    assert lines[0].startswith("order_id,account_id")
    assert {line.split(",")[0] for line in lines[1:]} == {floor.order, *more}


@pytest.mark.parametrize("text", ["=cmd|'/c calc'!A1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_cell_is_a_formula(text: str) -> None:
    assert csv_lines([[text]]).strip('"').startswith("'")

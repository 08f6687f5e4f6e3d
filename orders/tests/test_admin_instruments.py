"""Instruments in the admin, through its real forms."""

from typing import Any

import pytest

from marketdata import wiring as market
from marketdata.domain.instrument import Instrument
from marketdata.models import Instrument as Row
from oms_project.kernel.words import InstrumentState
from orders.domain import commands
from orders.tests.product import Product
from orders.tests.test_admin_accounts import client_of, ends, form_of, messages_of, newest_command

pytestmark = pytest.mark.django_db(databases=["default", "store"], transaction=True)
URL = "/admin/marketdata/instrument/BTC-USD/change/"
ADD = "/admin/marketdata/instrument/add/"
NEW = {
    "symbol": "LTC-EUR", "base": "LTC", "quote": "EUR", "tick_size": "0.05", "lot_size": "0.001",
    "state": "TRADING", "quantity_min": "0.01", "quantity_max": "500", "notional_min": "10",
    "notional_max": "1000000", "collar": "12.5", "market_cap": "3", "mark_age_max_ms": "2500",
    "taker_fee": "0.1", "maker_fee": "0.05",
}  # fmt: skip


def test_an_admin_lists_an_instrument(product: Product) -> None:
    """Decimals and percent become lots, units and ppm; every partition gets the command."""
    product.open()
    client = client_of("admin")
    before = ends(product)
    answer = client.post(ADD, form_of(client.get(ADD), **NEW), follow=True)
    assert "Sent to the log" in messages_of(answer)
    assert ends(product) == [offset + 1 for offset in before]
    _, command = newest_command(product, "")
    wanted = Instrument(
        symbol="LTC-EUR", base="LTC", quote="EUR", tick_size="0.05", lot_size="0.001",
        quantity_min_lots=10, quantity_max_lots=500_000, notional_min=10 * 10**8,
        notional_max=10**6 * 10**8, collar_ppm=125_000, market_cap_ppm=30_000,
        mark_age_max_ms=2_500, taker_fee_ppm=1_000, maker_fee_ppm=500,
        state=InstrumentState.TRADING,
    )  # fmt: skip
    assert command == commands.SetInstrument(wanted, version=1)
    assert Row.objects.get(pk="LTC-EUR").offset is None, "proposed, not in force"
    product.work()
    assert Row.objects.get(pk="LTC-EUR").offset is not None
    assert market.listings()["LTC-EUR"].instrument == wanted


def test_a_risk_officer_halts_it(product: Product) -> None:
    """And may not touch what is not risk: fees, tick, lot, whatever is posted."""
    product.open()
    client = client_of("risk_officer")
    listed = market.listings()["BTC-USD"].instrument
    posted = form_of(client.get(URL), state="HALTED", collar="7.5")
    posted |= {"taker_fee": "9", "tick_size": "1", "symbol": "XXX-YYY"}
    assert client.post(URL, posted).status_code == 302
    assert Row.objects.get(pk="BTC-USD").state == "TRADING"
    product.work()
    now = market.listings()["BTC-USD"].instrument
    assert (now.state, now.collar_ppm) == (InstrumentState.HALTED, 75_000)
    assert (now.taker_fee_ppm, now.tick_size) == (listed.taker_fee_ppm, listed.tick_size)


def test_tick_lot_and_assets_of_a_listed_one_stay(product: Product) -> None:
    """Also for an admin: orders and positions are counted in them."""
    product.open()
    client = client_of("admin")
    form = client.get(URL).context["adminform"].form
    frozen = {name for name, field in form.fields.items() if field.disabled}
    assert frozen == {"symbol", "base", "quote", "tick_size", "lot_size"}
    posted = form_of(client.get(URL), taker_fee="0.2") | {"tick_size": "1", "base": "ETH"}
    client.post(URL, posted)
    product.work()
    now = market.listings()["BTC-USD"].instrument
    assert (now.taker_fee_ppm, now.tick_size, now.base) == (2_000, "0.01", "BTC")


def test_the_page_as_it_is_changes_nothing(product: Product) -> None:
    """Every field of every demo instrument survives the way out and back."""
    product.open()
    client = client_of("admin")
    before = ends(product)
    for symbol in market.listings():
        url = f"/admin/marketdata/instrument/{symbol}/change/"
        answer = client.post(url, form_of(client.get(url)), follow=True)
        assert "nothing was sent" in messages_of(answer), symbol
    assert ends(product) == before


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"symbol": "btc-usd"}, "Like BTC-USD"),
        ({"symbol": "BTC-USD"}, "listed already"),
        ({"quote": "LTC"}, "must differ"),
        ({"tick_size": "0"}, "above zero"),
        ({"tick_size": "0.000001", "lot_size": "0.0001"}, "finer than"),
        ({"tick_size": "a"}, "do not fit"),
        ({"quantity_min": "0.0105"}, "Whole lots"),
        ({"quantity_min": "-1"}, "plain decimal"),
        ({"quantity_max": "0.005"}, "Less than the minimum"),
        ({"notional_max": "5"}, "Less than the minimum"),
        ({"collar": "1001"}, "At most 1000"),
        ({"market_cap": "0"}, "must not be zero"),
        ({"market_cap": "0.00001"}, "At most 4 decimals"),
        ({"taker_fee": "11"}, "At most 10"),
        ({"mark_age_max_ms": "5"}, "greater than or equal"),
        ({"state": "OPEN"}, "valid choice"),
    ],
)
def test_bad_input(product: Product, change: dict[str, str], words: str) -> None:
    """Told beside the field; nothing is sent."""
    product.open()
    client = client_of("admin")
    before = ends(product)
    answer = client.post(ADD, form_of(client.get(ADD), **(NEW | change)))
    assert answer.status_code == 200
    assert words in str(answer.context["adminform"].form.errors)
    assert ends(product) == before


@pytest.mark.parametrize(
    ("desk_role", "see", "add"),
    [("trader", 403, 403), ("operator", 200, 403), ("risk_officer", 200, 403), ("admin", 200, 302)],
)
def test_who_may(product: Product, desk_role: str, see: int, add: int) -> None:
    product.open()
    client = client_of(desk_role, is_superuser=desk_role == "trader")
    assert client.get("/admin/marketdata/instrument/").status_code == see
    page: Any = client.get(URL)
    assert page.status_code == see
    posted = NEW | {"request_id": "0192d6a0-0000-7000-8000-000000000009", "seen": ""}
    assert client.post(ADD, posted).status_code == add
    if desk_role == "operator":
        assert "5 %" in page.content.decode()
        assert client.post(URL, posted).status_code == 403


@pytest.mark.parametrize(
    ("change", "said"),
    [({"reason": ""}, "Say why"), ({"confirm": ""}, "Tick this to halt it")],
)
def test_nobody_halts_by_a_slip_or_without_a_reason(
    product: Product, change: dict[str, str], said: str
) -> None:
    product.open()
    client = client_of("risk_officer")
    before = ends(product)
    answer = client.post(URL, form_of(client.get(URL), state="HALTED") | change)
    assert said in answer.content.decode()
    assert ends(product) == before, "nothing was sent"

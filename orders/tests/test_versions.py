"""A change that comes late overwrites nothing; partitions that part are found and healed."""

from typing import Any

import msgspec
import pytest

from marketdata.domain import demo
from marketdata.domain.instrument import Instrument
from oms_project import doctor
from oms_project.kernel import wire
from oms_project.kernel.ports import Record
from oms_project.kernel.words import AccountState, InstrumentState, Topic
from orders import tasks, wiring
from orders.adapters.change_requests import Asked
from orders.admin import changes
from orders.domain import commands
from orders.queries import versions
from orders.tests.product import ACCOUNT, PARTITIONS, Product
from risk.domain.limits import Limits

pytestmark = pytest.mark.django_db(databases=["default", "store"], transaction=True)
BITCOIN = demo.INSTRUMENTS[0]
HALTED = msgspec.structs.replace(BITCOIN, state=InstrumentState.HALTED)
SLOW = msgspec.structs.replace(BITCOIN, mark_age_max_ms=9_000)


def put(product: Product, partition: int, instrument: Instrument, version: int) -> None:
    """Leave a change in one partition only, as a log does that breaks off."""
    command = commands.SetInstrument(instrument, version)
    value = wire.seal(commands.SCHEMA, command, id=product.ids.new(), at_ns=1, actor="olga")
    product.log.append(Topic.COMMANDS, [Record(partition, "", value)])


def in_force(product: Product) -> list[Instrument]:
    product.work()
    return [
        product.engine.owned[one].book.state.instruments[BITCOIN.symbol]
        for one in range(PARTITIONS)
    ]


@pytest.fixture
def opened(product: Product, monkeypatch: Any) -> Product:
    product.open()
    monkeypatch.setattr(wiring, "gateway", lambda: product.gateway)
    return product


def test_an_older_change_that_comes_late_changes_nothing(opened: Product) -> None:
    """Of an instrument in every partition, and of an account."""
    for partition in range(PARTITIONS):
        put(opened, partition, HALTED, 3)
        put(opened, partition, SLOW, 2)
    assert in_force(opened) == [HALTED] * PARTITIONS
    set_account = [
        commands.SetAccount(ACCOUNT, "Alpha Fund", state, Limits(), version)
        for state, version in ((AccountState.HALTED, 3), (AccountState.ACTIVE, 2))
    ]
    for command in set_account:
        opened.gateway.broadcast(command, account_id=ACCOUNT, actor="olga")
    opened.work()
    accounts = [owned.book.state.accounts.get(ACCOUNT) for owned in opened.engine.owned.values()]
    assert [one.state for one in accounts if one is not None] == [AccountState.HALTED]


def test_a_refused_change_is_shown_as_refused(opened: Product) -> None:
    """It has an event, which does not make it a change in force."""
    states = []
    for version in (5, 4):
        command = commands.SetAccount(
            ACCOUNT, f"Name {version}", AccountState.ACTIVE, Limits(), version
        )
        offset = opened.gateway.broadcast(command, account_id=ACCOUNT, actor="olga")
        opened.work()
        partition = next(
            one
            for one, owned in opened.engine.owned.items()
            if ACCOUNT in owned.book.state.accounts
        )
        asked = Asked("r", "account", ACCOUNT, "olga", 1, "", "", partition, offset)
        states.append(changes.state_of(asked))
    assert states == [changes.IN_FORCE, changes.REFUSED]


@pytest.mark.parametrize("version", [2, 7])
def test_partitions_that_part_are_told_and_healed(opened: Product, version: int) -> None:
    """The newest listing is said again where it is not; once is enough."""
    assert doctor.partitions_agree() == "instruments are the same in all partitions"
    put(opened, 1, HALTED, version)
    assert in_force(opened) == [BITCOIN, HALTED]
    (parted,) = wiring.listings_told().parted()
    assert parted == versions.Parted(HALTED, version, (0,))
    with pytest.raises(doctor.TroubleError, match="BTC-USD not the same"):
        doctor.partitions_agree()
    tasks.heal_reference.apply().get()
    assert in_force(opened) == [HALTED] * PARTITIONS
    assert doctor.partitions_agree()
    before = [opened.log.end_offset(Topic.COMMANDS, one) for one in range(PARTITIONS)]
    tasks.heal_reference.apply().get()
    assert [opened.log.end_offset(Topic.COMMANDS, one) for one in range(PARTITIONS)] == before


def test_one_version_with_two_contents_is_healed(opened: Product) -> None:
    """Two people at once, and the partitions saw them in another order."""
    for partition, first, second in ((0, HALTED, SLOW), (1, SLOW, HALTED)):
        put(opened, partition, first, 2)
        put(opened, partition, second, 2)
    assert in_force(opened) == [HALTED, SLOW]
    tasks.heal_reference.apply().get()
    assert in_force(opened) == [HALTED] * PARTITIONS


def test_the_version_of_an_account_is_that_of_its_newest_change(opened: Product) -> None:
    from oms_project.access.models import Account

    seq = Account.objects.get(pk=ACCOUNT).seq
    assert versions.of_account(wiring.store(), ACCOUNT, seq) == 1
    command = commands.SetAccount(ACCOUNT, "Renamed", AccountState.ACTIVE, Limits(), 9)
    opened.gateway.broadcast(command, account_id=ACCOUNT, actor="olga")
    opened.work()
    seq = Account.objects.get(pk=ACCOUNT).seq
    assert versions.of_account(wiring.store(), ACCOUNT, seq) == 9
    assert versions.of_account(wiring.store(), ACCOUNT, 0) == 0

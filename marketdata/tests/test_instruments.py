"""The instruments' table: written by the projector, guarded by the time of the command."""

import pytest

from marketdata.adapters import instruments
from marketdata.domain import demo
from marketdata.domain.instrument import Instrument
from marketdata.models import Instrument as Row
from marketdata.tests.build import NOW_NS, an_instrument
from oms_project.kernel.ports import InstrumentRow
from oms_project.kernel.words import InstrumentState

pytestmark = pytest.mark.django_db


def a_row(
    *, tick_size: str = "0.01", at_ns: int = NOW_NS, offset: int = 5, partition: int = 0
) -> InstrumentRow:
    one = an_instrument(tick_size=tick_size)
    return InstrumentRow(one.symbol, one.state, instruments.to_spec(one), at_ns, partition, offset)


def test_what_is_saved_is_loaded() -> None:
    instruments.save([a_row()])
    assert instruments.load() == [an_instrument()]
    assert [one.in_force for one in instruments.listings()] == [True]


def test_every_demo_instrument_survives_the_table() -> None:
    instruments.propose(demo.INSTRUMENTS, NOW_NS)
    assert {one.symbol: one for one in instruments.load()} == {
        one.symbol: one for one in demo.INSTRUMENTS
    }
    states = {one.instrument.symbol: one.instrument.state for one in instruments.listings()}
    assert states["HALT-USD"] is InstrumentState.HALTED
    assert states["OLD-USD"] is InstrumentState.DELISTED


@pytest.mark.parametrize(
    ("later_ns", "tick_size"), [(1, "0.1"), (0, "0.01"), (-1, "0.01")], ids=["new", "same", "old"]
)
def test_only_a_newer_row_changes_anything(later_ns: int, tick_size: str) -> None:
    instruments.save([a_row()])
    instruments.save([a_row(tick_size="0.1", at_ns=NOW_NS + later_ns)])
    assert [one.tick_size for one in instruments.load()] == [tick_size]


def test_a_proposal_is_not_in_force_until_its_command_is() -> None:
    """The same command comes back with an offset; proposing again changes nothing then."""
    instruments.propose([an_instrument()], NOW_NS)
    assert [one.in_force for one in instruments.listings()] == [False]
    instruments.save([a_row(offset=9, partition=1)])
    instruments.propose([an_instrument()], NOW_NS)
    row = Row.objects.get()
    assert (row.offset, row.partition) == (9, 1)


def test_an_older_command_does_not_undo_a_newer_proposal() -> None:
    instruments.propose([an_instrument(tick_size="0.1")], NOW_NS + 1)
    instruments.save([a_row()])
    assert [one.tick_size for one in instruments.load()] == ["0.1"]


def test_saving_nothing_asks_the_database_nothing() -> None:
    instruments.save([])
    assert instruments.load() == []


def test_the_spec_is_readable_text_with_its_defaults() -> None:
    """A default that code of tomorrow changes does not change an instrument of today."""
    text = instruments.to_spec(an_instrument())
    assert '"tick_size":"0.01"' in text
    assert '"collar_ppm":500000' in text
    assert instruments.from_spec(text) == an_instrument()
    assert isinstance(instruments.from_spec(text), Instrument)

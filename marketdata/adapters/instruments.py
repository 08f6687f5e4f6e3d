"""The only file that reads and writes the instruments' table."""

from collections.abc import Sequence
from typing import Final

import msgspec
from django.db import connections, router, transaction

from marketdata import models
from marketdata.domain.instrument import Instrument
from oms_project.kernel.ports import InstrumentRow

# bulk_create cannot put a condition on the update: this is the statement it would write, and the
# guard. ON CONFLICT … WHERE is the same in SQLite and PostgreSQL.
_UPSERT: Final = """
INSERT INTO marketdata_instrument (symbol, state, spec, at_ns, "partition", "offset")
VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT (symbol) DO UPDATE SET
  state = excluded.state, spec = excluded.spec, at_ns = excluded.at_ns,
  "partition" = excluded."partition", "offset" = excluded."offset"
WHERE excluded.at_ns > marketdata_instrument.at_ns
   OR (excluded.at_ns = marketdata_instrument.at_ns AND marketdata_instrument."offset" IS NULL)
"""


class Listing(msgspec.Struct, frozen=True):
    """An instrument and whether the engine has it in force."""

    instrument: Instrument
    in_force: bool


def save(rows: Sequence[InstrumentRow]) -> None:
    """Write the rows; one that is older (at_ns) than what is stored changes nothing."""
    _write(
        [(one.symbol, one.state, one.spec, one.at_ns, one.partition, one.offset) for one in rows]
    )


def propose(instruments: Sequence[Instrument], at_ns: int) -> None:
    """Write instruments whose command, stamped *at_ns*, is on its way: not in force yet."""
    _write([(one.symbol, str(one.state), to_spec(one), at_ns, 0, None) for one in instruments])


def load() -> list[Instrument]:
    """Return all instruments, by symbol."""
    return [listing.instrument for listing in listings()]


def listings() -> list[Listing]:
    """Return all instruments, by symbol, with whether they are in force."""
    rows = models.Instrument.objects.order_by("symbol").values_list("spec", "offset")
    return [Listing(from_spec(spec), offset is not None) for spec, offset in rows]


def to_spec(instrument: Instrument) -> str:
    """Return the JSON text an instrument is stored as."""
    return msgspec.json.encode(instrument).decode()


def from_spec(spec: str) -> Instrument:
    """Return the instrument in a stored JSON text."""
    return msgspec.json.decode(spec, type=Instrument)


def _write(rows: Sequence[tuple[object, ...]]) -> None:
    if not rows:
        return
    using = router.db_for_write(models.Instrument)
    with transaction.atomic(using=using), connections[using].cursor() as cursor:
        cursor.executemany(_UPSERT, rows)

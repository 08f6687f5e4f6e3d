"""How prices stand in oms.prices: the only file that knows their partition and schema."""

from typing import Final

import msgspec

from marketdata.domain.prices import Prices
from oms_project.kernel import wire
from oms_project.kernel.ports import Record

PARTITION: Final = 0
SCHEMA: Final = "prices"

_decoder = msgspec.msgpack.Decoder(Prices)


def record(prices: Prices, *, at_ns: int, actor: str) -> Record:
    """Return the record that publishes *prices*."""
    value = wire.seal(SCHEMA, prices, id=f"prices:{at_ns}", at_ns=at_ns, actor=actor)
    return Record(PARTITION, "", value)


def decode(value: bytes) -> Prices:
    """Return the prices in a record's value.

    Raises:
        BadRecordError: the record is something else.
    """
    return wire.read_body(_decoder, wire.open_envelope(value, SCHEMA))

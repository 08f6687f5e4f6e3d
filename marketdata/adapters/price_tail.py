"""Follows oms.prices from a thread that has other things to do: one cheap look, the newest books."""

from collections.abc import Sequence
from typing import Final

import msgspec

from marketdata.domain.prices import Prices, SymbolPrices
from oms_project.kernel import wire
from oms_project.kernel.errors import BadRecordError, GapError
from oms_project.kernel.ports import Log
from oms_project.kernel.words import Topic

PARTITION: Final = 0
READ_MAX: Final = 100
_decoder = msgspec.msgpack.Decoder(Prices)


class PriceTail:
    """One reader's place in oms.prices. Prices are absolute: only the newest record counts."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._next: int | None = None

    def newest(self) -> Sequence[SymbolPrices]:
        """Return the books that came since the last call, newest state only; () if none came."""
        if self._next is None:
            self._next = max(0, self._log.end_offset(Topic.PRICES, PARTITION) - 1)
        try:
            records = self._log.read(Topic.PRICES, PARTITION, self._next, READ_MAX)
        except GapError:
            self._next = None  # trimmed, or the topic was made anew: go on from its end
            return ()
        if not records:
            return ()
        self._next = records[-1].offset + 1
        found: dict[str, SymbolPrices] = {}
        for record in records[-2:]:
            try:
                envelope = wire.open_envelope(record.value, "prices")
                prices = wire.read_body(_decoder, envelope)
            except BadRecordError:
                continue  # the next record says everything again
            found.update({one.symbol: one for one in prices.symbols})
        return tuple(found.values())

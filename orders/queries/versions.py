"""Which version of an account or instrument is in force, as the engine told it, partition by partition.

A change carries the version it will be; the engine refuses one that is not above its own. So a change
that comes late, after an unknown outcome, overwrites nothing. An account has one engine. An instrument
has one a partition, and a log that breaks off may leave a change in some of them only: they *part*.
"""

import msgspec

from marketdata.domain.instrument import Instrument
from oms_project.kernel import wire
from oms_project.kernel.ids import stream_of
from oms_project.kernel.ports import Chunk, OrderStore
from orders.domain import events

PAGE = 500


class Parted(msgspec.Struct, frozen=True):
    """An instrument that is not the same everywhere. behind: the partitions without *version*."""

    instrument: Instrument
    version: int
    behind: tuple[int, ...]


def told_in(chunk: Chunk) -> list[events.Event]:
    """Return the events of a stored chunk."""
    return wire.read_body(events.decoder, wire.open_envelope(chunk.body, events.SCHEMA)).events


def of_account(store: OrderStore, account_id: str, seq: int) -> int:
    """Return the version of the account whose newest change has this seq; 0 if it has none."""
    for chunk in store.chunks_holding(account_id, (seq,)) if seq else ():
        for event in told_in(chunk):
            if isinstance(event, events.AccountChanged):
                return event.version
    return 0


class Listings:
    """Every partition's instruments in force. Reads what is new only; for one thread."""

    def __init__(self, store: OrderStore, partitions: int) -> None:
        self._store = store
        self._after = dict.fromkeys(range(partitions), 0)
        self._found: dict[str, dict[int, tuple[int, Instrument]]] = {}

    def refresh(self) -> None:
        """Read on."""
        for partition in self._after:
            stream = stream_of("", partition)
            while page := self._store.chunks(stream, self._after[partition] + 1, PAGE):
                for chunk in page:
                    self._take(partition, chunk)
                self._after[partition] = page[-1].last_seq

    def _take(self, partition: int, chunk: Chunk) -> None:
        for event in told_in(chunk):
            if isinstance(event, events.InstrumentChanged):
                found = self._found.setdefault(event.instrument.symbol, {})
                found[partition] = event.version, event.instrument

    def version(self, symbol: str) -> int:
        """Return the newest version anywhere, 0 for one that nobody has."""
        return max((version for version, _ in self._found.get(symbol, {}).values()), default=0)

    def parted(self) -> list[Parted]:
        """Return the instruments that are not the same in all partitions, by symbol."""
        found = []
        for _, held in sorted(self._found.items()):
            version, newest = max(held.values(), key=lambda one: one[0])
            behind = tuple(
                partition
                for partition in self._after
                if partition not in held or held[partition][1] != newest
            )
            if behind:
                found.append(Parted(newest, version, behind))
        return found

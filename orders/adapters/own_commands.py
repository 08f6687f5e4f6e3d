"""The records the engine itself puts into oms.commands: what its venue reports, what its book asks for.

They are decided when they are read back, like everybody's: durable first. now_ns: wall time, to stamp
them; what is due at the venue is monotonic time.
"""

from collections.abc import Collection, Iterator, Sequence

from marketdata.domain.prices import SymbolPrices
from oms_project.kernel import wire
from oms_project.kernel.ports import Record, Report, Venue
from orders.adapters.departure import Late
from orders.domain import commands
from orders.domain.book import Book
from orders.domain.due import due


def reported(
    venue: Venue[SymbolPrices], late: Sequence[Late], partition: int, epoch: int, told: int,
    now_ns: int, monotonic_ns: int,
) -> Iterator[Record]:  # fmt: skip
    """Yield a record for each part of what *venue* says now, and of what came too *late* for it.

    told: how many records it was before.
    """
    for account_id, reports in (*late, *venue.reports(monotonic_ns)):
        for part in _parts(reports):
            told += 1
            command = commands.VenueReports(account_id, venue.name, epoch, part)
            value = wire.seal(
                commands.SCHEMA, command, id=f"venue-{partition}-{epoch}-{told}", at_ns=now_ns,
                actor=f"venue:{venue.name}",
            )  # fmt: skip
            yield Record(partition, account_id, value)


def _parts(reports: list[Report]) -> Iterator[list[Report]]:
    for start in range(0, len(reports), commands.REPORTS_MAX):
        yield reports[start : start + commands.REPORTS_MAX]


def asked(
    book: Book, before: Collection[str], now_ns: int, *, actor: str
) -> tuple[frozenset[str], list[Record]]:
    """Return the ids of what *book* asks for now, and the records of what it did not ask *before*."""
    found = due(book, now_ns)
    records = [
        Record(
            book.state.partition,
            one.account_id,
            wire.seal(commands.SCHEMA, one.command, id=one.id, at_ns=now_ns, actor=actor),
        )
        for one in found
        if one.id not in before
    ]
    return frozenset(one.id for one in found), records

"""The records the engine itself puts into oms.commands: what its venue reports, what its book asks for.

They are decided when they are read back, like everybody's: durable first.
"""

from collections.abc import Collection, Iterator

from oms_project.kernel import wire
from oms_project.kernel.ports import Record, Report, Venue
from orders.domain import commands
from orders.domain.book import Book
from orders.domain.due import due


def reported(venue: Venue, partition: int, epoch: int, told: int, now_ns: int) -> Iterator[Record]:
    """Yield a record for each part of what *venue* says now; *told*: how many it was before."""
    for account_id, reports in venue.reports(now_ns):
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
) -> tuple[set[str], list[Record]]:
    """Return the ids of what *book* asks for now, and the records of what it did not ask *before*."""
    wanted = dict(due(book))
    records = []
    for command_id, command in wanted.items():
        if command_id not in before:
            value = wire.seal(commands.SCHEMA, command, id=command_id, at_ns=now_ns, actor=actor)
            key = getattr(command, "account_id", "")
            records.append(Record(book.state.partition, key, value))
    return set(wanted), records

"""The only file that reads and writes what was asked for in the admin.

A request is noted before its command goes into the log, and completed with the place it got there.
One that has no place is of unknown outcome: the process died in between, or the log did not answer.
"""

import msgspec

from orders.models import ChangeRequest


class Asked(msgspec.Struct, frozen=True):
    """One request. partition, offset: where its command is, None if nobody knows."""

    id: str
    kind: str
    target: str
    actor: str
    at_ns: int
    text: str
    partition: int | None = None
    offset: int | None = None


class ReusedError(Exception):
    """The id was used for another wish already."""


def begin(asked: Asked, wanted: str) -> Asked:
    """Note *asked* unless its id is known; return it as it is stored.

    Raises:
        ReusedError: the id is known and stands for something else than *wanted*.
    """
    row, made = ChangeRequest.objects.get_or_create(
        id=asked.id,
        defaults={
            "kind": asked.kind, "target": asked.target, "actor": asked.actor,
            "at_ns": asked.at_ns, "text": asked.text, "wanted": wanted,
        },
    )  # fmt: skip
    if not made and (row.kind, row.target, row.wanted) != (asked.kind, asked.target, wanted):
        raise ReusedError(row.text)
    return _asked(row)


def sent(request_id: str, partition: int, offset: int) -> None:
    """Note where the command is."""
    ChangeRequest.objects.filter(id=request_id).update(partition=partition, offset=offset)


def newest(kind: str, target: str, limit: int) -> list[Asked]:
    """Return what was asked for *target*, newest first."""
    rows = ChangeRequest.objects.filter(kind=kind, target=target).order_by("-at_ns")[:limit]
    return [_asked(row) for row in rows]


def _asked(row: ChangeRequest) -> Asked:
    return Asked(
        str(row.id), row.kind, row.target, row.actor, row.at_ns, row.text, row.partition, row.offset
    )

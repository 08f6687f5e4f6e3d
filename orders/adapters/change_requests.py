"""The only file that reads and writes what was asked for in the admin.

A request is noted before its command goes into the log, and completed with the place it got there.
One that has no place is of unknown outcome: the process died in between, or the log did not answer.
"""

import msgspec

from orders.models import ChangeRequest


class Asked(msgspec.Struct, frozen=True):
    """One request. text: for people; wanted: JSON of what was asked for, to tell two wishes apart.

    partition, offset: where its command is, None if nobody knows.
    """

    id: str
    kind: str
    target: str
    actor: str
    at_ns: int
    text: str
    wanted: str
    partition: int | None = None
    offset: int | None = None


def begin(asked: Asked) -> Asked:
    """Note *asked* unless its id is known; return it as it is stored."""
    values = msgspec.structs.asdict(asked)
    row, _ = ChangeRequest.objects.get_or_create(id=values.pop("id"), defaults=values)
    return _asked(row)


def sent(request_id: str, partition: int, offset: int) -> None:
    """Note where the command is."""
    ChangeRequest.objects.filter(id=request_id).update(partition=partition, offset=offset)


def forget(request_id: str) -> None:
    """The log refused it: nothing was asked."""
    ChangeRequest.objects.filter(id=request_id, offset=None).delete()


def find(request_id: str) -> Asked | None:
    row = ChangeRequest.objects.filter(id=request_id).first()
    return None if row is None else _asked(row)


def newest(kind: str, target: str, limit: int) -> list[Asked]:
    """Return what was asked for *target*, newest first."""
    rows = ChangeRequest.objects.filter(kind=kind, target=target).order_by("-at_ns")[:limit]
    return [_asked(row) for row in rows]


def _asked(row: ChangeRequest) -> Asked:
    return Asked(
        str(row.id), row.kind, row.target, row.actor, row.at_ns, row.text, row.wanted,
        row.partition, row.offset,
    )  # fmt: skip

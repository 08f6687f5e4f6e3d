"""The only file that reads and writes what periodic tasks found: one row a task, the newest result."""

from django.db import DatabaseError, InterfaceError

from oms_project.kernel.errors import TransportError
from orders.models import Upkeep


def save(name: str, at_ns: int, body: bytes) -> None:
    """Keep *body* as the newest result of *name*."""
    Upkeep.objects.update_or_create(name=name, defaults={"at_ns": at_ns, "body": body})


def load(name: str) -> tuple[int, bytes] | None:
    """Return (at_ns, body) of the newest result, None before the first.

    Raises:
        TransportError: the database does not answer.
    """
    try:
        row = Upkeep.objects.filter(pk=name).values_list("at_ns", "body").first()
    except (DatabaseError, InterfaceError) as error:
        raise TransportError("database", str(error)) from error
    return (row[0], bytes(row[1])) if row is not None else None

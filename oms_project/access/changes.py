"""Tells every process that somebody's rights changed: one number in the database, looked at often.

What a process remembers of callers is good for seconds (principal.py, key_ring.py). Whoever changes a right
calls `announce`; the other processes see the number grow within LOOK_S, forget what they remember and
look everybody on a socket up again (rest/sockets.py).
"""

from collections.abc import Callable
from typing import Final

from django.db import transaction

from oms_project.access.models import RightsVersion

LOOK_S: Final = 0.4
_forgets: Final[list[Callable[[], None]]] = []


def forgets(forget: Callable[[], None]) -> None:
    """Have *forget* called when what was remembered may be wrong."""
    _forgets.append(forget)


def announce() -> None:
    """Make a change count: here at once, elsewhere within LOOK_S.

    Inside of a transaction also after it: in between somebody may have remembered what was before.
    """
    RightsVersion.grow()
    forget()
    transaction.on_commit(forget)


def number() -> int:
    """Return how many changes there were. Asks the database."""
    found = RightsVersion.objects.values_list("number", flat=True).first()
    return found or 0


def forget() -> None:
    """Ask the database again from now on, in this process."""
    for one in _forgets:
        one()

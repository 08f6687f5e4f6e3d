"""Commands that the book makes necessary: nobody sends them, the engine does, as it sends reports.

Pure. Each comes with an id made from what it is about: said twice (a crash, a fenced owner), it is the
same command.
"""

from itertools import islice

from orders.domain import commands as c
from orders.domain.book import Book


def due(book: Book) -> list[tuple[str, c.Command]]:
    """Return (id, command) of everything that is due; at most one command an account.

    What was said already is said again until it is decided: the engine knows the ids it has appended.
    """
    return [_rest_of_a_sweep(account.account_id, account.to_cancel) for account in book.sweeps()]


def _rest_of_a_sweep(account_id: str, to_cancel: dict[str, None]) -> tuple[str, c.Command]:
    """Return the next part of a cancel of all orders that had more than one command may ask for."""
    part = tuple(islice(to_cancel, c.CANCELS_MAX))
    return f"sweep-{part[0]}-{len(to_cancel)}", c.CancelOrders(account_id, part)

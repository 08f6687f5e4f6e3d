"""What is due now: commands that time, a price or a request too large for one command makes necessary.

Pure. The engine appends what this returns to the command log, as it appends a venue's reports:
durable first, decided when read back. Each command has an id made of what asks for it, and the
engine decides an id once; so said twice (after a crash, by a fenced owner) it changes nothing.
"""

from typing import NamedTuple

from orders.domain.book import Book
from orders.domain.commands import CancelOrders, Command, WakeOrders


class Due(NamedTuple):
    """One command an account. id: of its envelope."""

    id: str
    account_id: str
    command: Command


def due(book: Book, now_ns: int) -> list[Due]:
    """Return what is due at *now_ns*: the rest of cancels that were too many for one command, oldest
    request first an account, and accounts of which an order's price is there or something's time.
    """
    found = []
    for account_id in book.canceling:
        account = book.state.accounts[account_id]
        for request, order_ids in account.canceling.items():
            command = CancelOrders(account_id, (), request=request)
            found.append(Due(f"{request}/{len(order_ids)}", account_id, command))
    for account_id in book.fired:
        order_id = next(iter(book.state.accounts[account_id].fired))
        found.append(Due(f"fired/{order_id}", account_id, WakeOrders(account_id)))
    for account_id, name, at_ns in book.timers.ripe(now_ns):
        if account_id in book.fired:
            continue  # the same command does both
        found.append(Due(f"wake/{name}/{at_ns}", account_id, WakeOrders(account_id)))
    return found

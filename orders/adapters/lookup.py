"""What the book's memory has let go of, from the store: a function of the log like the rest."""

from oms_project.kernel.ports import OrderStore
from orders.domain import commands
from orders.domain.book import Book
from orders.domain.decide import Stored


def lookup(store: OrderStore, book: Book, command: commands.Command) -> Stored:
    """Return the stored orders of client_order_ids that the book's memory has let go of."""
    if not book.state.evicted or type(command) is not commands.PlaceOrders:
        return {}
    account = book.state.accounts.get(command.account_id)
    if account is None:
        return {}
    known = account.client_ids
    unknown = [one.client_order_id for one in command.orders if one.client_order_id not in known]
    return store.orders_by_client_id(command.account_id, unknown) if unknown else {}

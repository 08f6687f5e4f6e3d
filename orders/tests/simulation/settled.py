"""What must be true once a history has come to rest, counted anew from the log and the store."""

from typing import TYPE_CHECKING

from oms_project.kernel import wire
from oms_project.kernel.errors import BadRecordError
from oms_project.kernel.words import Side, Topic
from orders.domain import commands as c
from orders.domain import events as e
from orders.domain.book import Account
from orders.domain.order import status_of
from orders.engine import Engine
from orders.tests.rig import whole_topic

if TYPE_CHECKING:
    from orders.tests.simulation.world import World


def all_is_decided(world: "World") -> None:
    """Whatever stands in the log as an order was decided."""
    records = [
        record
        for partition in range(world.partitions)
        for record in whole_topic(world.log, Topic.COMMANDS, partition)
    ]
    for record in records:
        try:
            envelope = wire.open_envelope(record.value, c.SCHEMA)
        except BadRecordError:
            continue  # a foreign one
        command = wire.read_body(c.decoder, envelope)
        if isinstance(command, c.PlaceOrders):
            for new in command.orders:
                assert new.order_id in world.fates, f"{new.order_id} was acknowledged and lost"


def rows_are_the_book(world: "World", engine: Engine) -> None:
    """What is shown is what the engine has: orders, positions, money."""
    states = [engine.owned[partition].book.state for partition in range(world.partitions)]
    accounts = {name: one for state in states for name, one in state.accounts.items()}
    orders = [order for one in accounts.values() for order in one.open.values()]
    assert orders == [], "the calm venue ends what is open"
    for order in [order for state in states for order in state.closed.values()]:
        row = world.kept.get(order.order_id, [order.account_id])
        assert row is not None
        assert (row.status, row.cum_lots, row.cost, row.fee, row.version) == (
            status_of(order), order.cum_lots, order.cost, order.fee, order.version,
        )  # fmt: skip
    for account_id in world.accounts:
        own = accounts[account_id]
        rows = {
            row.symbol: (row.net_lots, row.cost, row.realized)
            for row in world.kept.positions([account_id])
        }
        assert rows == {
            symbol: (one.net_lots, one.cost, one.realized) for symbol, one in own.positions.items()
        }
        money = {
            row.asset: (row.free, row.locked, row.fees, row.venue, row.external)
            for row in world.kept.balances([account_id])
        }
        assert money == {
            asset: (one.free, one.locked, one.fees, one.venue, one.external)
            for asset, one in own.balances.items()
        }
    trades_add_up(world, accounts)


def trades_add_up(world: "World", accounts: dict[str, Account]) -> None:
    """Count all trades ever told, by nobody's books: they are the positions."""
    nets: dict[tuple[str, str], int] = {}
    for batch in world.batches.values():
        for event in batch.events:
            if isinstance(event, e.OrderFilled):
                key = (batch.stream, event.symbol)
                lots = event.lots if event.side is Side.BUY else -event.lots
                nets[key] = nets.get(key, 0) + lots
    books = {
        (account_id, symbol): one.net_lots
        for account_id in world.accounts
        for symbol, one in accounts[account_id].positions.items()
    }
    assert nets == books

"""A small world for the doors' tests: users, accounts, instruments, and events told by hand.

Events go through the real projector into the real SQL store, as the engine would have written them.
"""

from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any, Final

import msgspec
from django.contrib.auth import get_user_model

from marketdata import wiring as market
from marketdata.adapters import instruments
from marketdata.domain import demo
from marketdata.domain.prices import Level, Prices, SymbolPrices
from oms_project.access import principal, tokens
from oms_project.access.models import Account, Membership
from oms_project.adapters.clock import NS_PER_S
from oms_project.kernel import ids, wire
from oms_project.kernel.ports import InstrumentRow, Record, StoredRecord
from oms_project.kernel.terms import Terms
from oms_project.kernel.words import OrderType, Role, Side, Status, TimeInForce, Topic
from orders import wiring
from orders.domain import events as e
from orders.projector import Projector

PARTITION: Final = 0
BEGIN_NS: Final = 1_790_000_000 * NS_PER_S
_serial: Iterator[int] = count(1)


def new_id() -> str:
    """Return an id nobody has had in this run, in the form ids have, growing."""
    number = next(_serial)
    return f"{ids.first_id(BEGIN_NS + number * NS_PER_S)[:13]}-7000-8000-{number:012x}"


def asked_ns(order_id: str) -> int:
    """Return the time in an id."""
    return int(order_id[:8] + order_id[9:13], 16) * 1_000_000


class World:
    """Everything a test needs to have something to read. Clears what a process keeps."""

    def __init__(self) -> None:
        principal.forget_all()
        market.forget_instruments()
        instruments.save(
            [
                InstrumentRow(one.symbol, one.state, instruments.to_spec(one), BEGIN_NS, 0, 0)
                for one in demo.INSTRUMENTS
            ]
        )
        self._projector = Projector(wiring.store(), wiring.Reference())
        self._projector.take(PARTITION)
        self._offsets = count(wiring.store().progress(PARTITION).last_command + 1)
        self._seqs: dict[str, int] = {}
        self._at_ns = BEGIN_NS

    # -------------------------------------------------------------- people
    def user(self, name: str, roles: dict[str, Role] | None = None, **fields: Any) -> Any:
        """Return a user who is a member of these accounts."""
        user = get_user_model().objects.create(username=name, **fields)
        for account_id, role in (roles or {}).items():
            Membership.objects.create(user=user, account_id=account_id, role=role)
        return user

    def account(self, name: str = "") -> str:
        """Return the id of a new account."""
        account_id = new_id()
        Account.objects.create(id=account_id, name=name or f"Desk {account_id[-6:]}")
        return account_id

    def token(self, user: Any) -> str:
        return tokens.issue(user).access

    # -------------------------------------------------------------- what happened
    def tell(self, account_id: str, *told: e.Event) -> int:
        """Store the events of one command; return the account_seq of the last."""
        first = self._seqs.get(account_id, 0) + 1
        offset = next(self._offsets)
        self._at_ns += NS_PER_S
        batch = e.EventBatch(
            PARTITION, offset, offset - 1, 1, account_id, first, self._at_ns, "ann",
            f"command-{offset}", list(told),
        )  # fmt: skip
        value = wire.seal(e.SCHEMA, batch, id=f"event-{offset}", at_ns=self._at_ns, actor="ann")
        self._projector.handle([StoredRecord(PARTITION, offset, account_id, value)])
        self._seqs[account_id] = first + len(told) - 1
        return self._seqs[account_id]

    def order(self, account_id: str, *, filled: int = 0, **changes: Any) -> str:
        """Place an order of 10 lots (and fill some of it); return its id."""
        order = routed(**changes)
        self.tell(account_id, order)
        if filled:
            self.tell(account_id, *fill(order, filled))
        return order.order_id


def routed(**changes: Any) -> e.OrderRouted:
    """Build the first event of an order."""
    order_id = new_id()
    terms = Terms("BTC-USD", Side.BUY, OrderType.LIMIT, TimeInForce.GTC, 10, 2_000_000)
    of_terms = {name: changes.pop(name) for name in Terms.__struct_fields__ if name in changes}
    terms = msgspec.structs.replace(terms, **of_terms)
    order = e.OrderRouted(order_id, f"client-{order_id[-12:]}", terms, 0, 2_002_000_000)
    return msgspec.structs.replace(order, **changes)


def fill(
    order: e.OrderRouted, lots: int, *, cum_lots: int = 0, version: int = 2
) -> Sequence[e.Event]:
    """Build what a trade of *lots* does: the fill, the position, a balance."""
    cum_lots = cum_lots or lots
    terms = order.terms
    status = Status.FILLED if cum_lots >= terms.lots else Status.PARTIALLY_FILLED
    filled = e.OrderFilled(
        order.order_id, status, version, cum_lots, cum_lots * terms.ticks, 2_000 * cum_lots,
        terms.symbol, terms.side, "SIM", version, lots, terms.ticks, False,
        2_000 * lots, False, False,
    )  # fmt: skip
    return (
        filled,
        e.PositionChanged(terms.symbol, cum_lots, cum_lots * terms.ticks, 0),
        e.BalanceChanged("USD", 1_000_000_000 - cum_lots, 5, 0, 0, 0),
    )


def accepted(order: e.OrderRouted, version: int = 2) -> e.OrderAccepted:
    return e.OrderAccepted(order.order_id, Status.ACCEPTED, version, 0, 0, 0, 1)


def canceled(order: e.OrderRouted, version: int = 3) -> e.OrderCanceled:
    return e.OrderCanceled(order.order_id, Status.CANCELED, version, 0, 0, 0, 2, "client", False)


def publish(symbol: str, bid: int, ask: int, venues: tuple[str, ...] = ("SIM",)) -> None:
    """Put a price into the log, as market data does; this process knows it at once."""
    now_ns = wiring.clock().now_ns()
    one = SymbolPrices(
        symbol, 1, now_ns, (Level(bid, 5),), (Level(ask, 5),), bid, bid, bid, bid, 1, (), venues
    )
    value = wire.seal("prices", Prices("test", (one,)), id="p", at_ns=now_ns)
    wiring.log().append(Topic.PRICES, [Record(0, "", value)])
    market.view().refresh()

"""Everything that may happen to a partition, as it stands in oms.commands. Imperative names.

The time, the actor and the id of a command are in its envelope (kernel/wire.py).
"""

import msgspec

from marketdata.domain.instrument import Instrument
from marketdata.domain.mark import SetMarks
from oms_project.kernel.numbers import Count, Int64
from oms_project.kernel.ports import Report
from oms_project.kernel.terms import Terms
from oms_project.kernel.words import AccountState
from risk.domain.limits import Limits

ORDERS_MAX = 500
CANCELS_MAX = 10_000
REPORTS_MAX = 4_000
FIRED_MAX = 2_000
"""So much is in one command at most: its events must fit into one record (wire.RECORD_BYTES_MAX)."""


class NewOrder(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One order as the client sent it."""

    order_id: str
    client_order_id: str
    terms: Terms


class PlaceOrders(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """Orders of one account, decided in this order. atomic: all or none."""

    account_id: str
    orders: list[NewOrder]
    atomic: bool = False


class CancelOrders(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """Cancel the named orders, or with none named all open ones of symbol and side ("" = any).

    request: id of the larger request that this one goes on with (orders/domain/due.py).
    Decided once an id of its envelope: the same request, sent again, cancels nothing placed since.
    """

    account_id: str
    order_ids: tuple[str, ...]
    symbol: str = ""
    side: str = ""
    request: str = ""


class WakeOrders(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """Do what prices and time make necessary in the account, up to the time of this command's envelope.

    Said twice it does what has become due since: it names nothing (orders/domain/due.py).
    """

    account_id: str


class VenueReports(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """What the venue says of one account's orders. epoch: of the engine that asked it."""

    account_id: str
    venue: str
    epoch: Count
    reports: list[Report]


class SetInstrument(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """List an instrument or change it. Tick and lot size of a listed one never change.

    version: what it will be; a change that is not above what is in force is refused, 0 always is new.
    """

    instrument: Instrument
    version: Count = 0


class SetAccount(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """Open an account or change its name, state or limits. version: as of SetInstrument."""

    account_id: str
    name: str
    state: AccountState
    limits: Limits
    version: Count = 0
    reason: str = ""


class AdjustBalance(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """Credit (or debit) an asset by *units*, once per adjustment_id."""

    account_id: str
    adjustment_id: str
    asset: str
    units: Int64
    reason: str


class OpenEpoch(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """A new owner took the partition: what older owners' venues report after this is ignored."""

    epoch: Count


Command = (
    PlaceOrders
    | CancelOrders
    | WakeOrders
    | VenueReports
    | SetMarks
    | SetInstrument
    | SetAccount
    | AdjustBalance
    | OpenEpoch
)
SCHEMA = "command"
decoder = msgspec.msgpack.Decoder(Command)

"""Everything that happened, as it stands in oms.events: views of the state after it, past tense.

Events carry the state after them, absolute: who reads them needs nothing else. The id of an event
is (partition, offset of its command, position in the batch); its account_seq is the batch's
first_seq + position.
"""

import msgspec

from marketdata.domain.instrument import Instrument
from oms_project.kernel.terms import Terms
from oms_project.kernel.words import AccountState, OrderType, Side, Status, TimeInForce
from risk.domain.limits import Limits


class _Event(
    msgspec.Struct, frozen=True, array_like=True, tag=True, tag_field="event", gc=False
): ...


class OrderRouted(_Event, frozen=True):
    """Risk passed, the worst case is held, the order is on its way to the venue.

    cap_ticks: a market order's worst price, 0 for a limit; hold: smallest units locked.
    """

    order_id: str
    client_order_id: str
    terms: Terms
    cap_ticks: int
    hold: int


class OrderHeld(_Event, frozen=True):
    """Risk passed, the worst case is held; the order waits here for its price. See OrderRouted."""

    order_id: str
    client_order_id: str
    terms: Terms
    cap_ticks: int
    hold: int


class OrderDenied(_Event, frozen=True):
    """We refused it (FIX OrdStatus Rejected, by us); it never reached a venue.

    reason: the code of the rule; used, limit: what it measured and what it allows, in the rule's
    unit (risk/domain/rules.py); both 0 for a rule that measures nothing.
    """

    order_id: str
    client_order_id: str
    terms: Terms
    reason: str
    used: int = 0
    limit: int = 0


class OrderExternal(_Event, frozen=True):
    """A trade of an order that is not known here: booked under an id of its own, to be explained.

    client_order_id: the id that the venue gave; terms: what has traded so far.
    """

    order_id: str
    client_order_id: str
    terms: Terms
    venue: str
    version: int


def external_terms(symbol: str, sign: int, lots: int) -> Terms:
    """Return the terms an external order is shown with: what has traded, at whatever price."""
    side = Side.BUY if sign > 0 else Side.SELL
    return Terms(symbol, side, OrderType.MARKET, TimeInForce.IOC, lots)


class _OrderEvent(_Event, frozen=True):
    """An event of a routed order begins with the order as it is after it.

    cost: Σ lots × ticks; fee: smallest units of the quote asset so far.
    """

    order_id: str
    status: Status
    version: int
    cum_lots: int
    cost: int
    fee: int


class OrderTriggered(_OrderEvent, frozen=True):
    """Its price is there: on its way to the venue, unless the next event says that a rule refused it.

    mark_ticks: the mark that fired it; cap_ticks, hold: as of OrderRouted, worked out anew.
    """

    symbol: str
    mark_ticks: int
    cap_ticks: int
    hold: int


class TriggerRefused(_OrderEvent, frozen=True):
    """A rule refused it when its price was there. reason, used, limit: as of OrderDenied."""

    reason: str
    used: int = 0
    limit: int = 0


class OrderAccepted(_OrderEvent, frozen=True):
    """The venue has it (FIX ExecType New)."""

    execution: int


class _Ended(_OrderEvent, frozen=True):
    """The venue ended it. late: a fill that the venue made after it is here already."""

    execution: int
    reason: str
    late: bool


class OrderCanceled(_Ended, frozen=True):
    """The venue canceled the remainder."""


class OrderExpired(_Ended, frozen=True):
    """The remainder's time was over."""


class OrderRejected(_Ended, frozen=True):
    """The venue refused it."""


class OrderFilled(_OrderEvent, frozen=True):
    """A trade. lots, ticks, fill_fee: of this fill.

    late: the venue had said before that the order was over; overfilled: more than was ordered.
    """

    symbol: str
    side: Side
    venue: str
    execution: int
    lots: int
    ticks: int
    maker: bool
    fill_fee: int
    late: bool
    overfilled: bool


class OrderCancelRequested(_OrderEvent, frozen=True):
    """The client asked; the venue has not answered."""


class OrderExpiryRequested(_OrderEvent, frozen=True):
    """Its time is over; the venue was asked to end it and has not answered."""


class CancelRejected(_OrderEvent, frozen=True):
    """A cancel did nothing. cancel_reason: why; execution: of the venue's answer, 0: it is ours."""

    cancel_reason: str
    execution: int = 0


class OrderQuarantined(_Event, frozen=True):
    """A report that no row of the law lets in: set aside for a person, nothing applied.

    reason: the row's code; kind, execution, lots, ticks, detail: what the report said.
    """

    order_id: str
    reason: str
    kind: str
    execution: int
    lots: int
    ticks: int
    detail: str


class PositionChanged(_Event, frozen=True):
    """Net position after the command. cost, realized: ticks × lots."""

    symbol: str
    net_lots: int
    cost: int
    realized: int


class BalanceChanged(_Event, frozen=True):
    """One asset after the command; the five sum to zero."""

    asset: str
    free: int
    locked: int
    fees: int
    venue: int
    external: int


class BalanceAdjusted(_Event, frozen=True):
    """A credit or debit by hand."""

    adjustment_id: str
    asset: str
    units: int
    reason: str


class AdjustmentRefused(_Event, frozen=True):
    """A credit or debit that was not booked. used, limit: what it asked and what may be."""

    adjustment_id: str
    asset: str
    units: int
    reason: str
    used: int
    limit: int


class AccountChanged(_Event, frozen=True):
    """The account as it is in force from here on. version: grows with every change."""

    name: str
    state: AccountState
    limits: Limits
    version: int = 0
    reason: str = ""


class ChangeRefused(_Event, frozen=True):
    """A change of account or instrument that came after a newer one, or cannot be.

    what: account | instrument; key: which; version: the change's; current: what is in force.
    """

    what: str
    key: str
    version: int
    current: int
    reason: str


class InstrumentChanged(_Event, frozen=True):
    """The instrument as it is in force from here on (stream of the partition)."""

    instrument: Instrument
    version: int = 0


class CommandSetAside(_Event, frozen=True):
    """A command that could not be read or decided (stream of the partition). Replay obeys it.

    offset: of the command; reason: why, in words; the record itself is in the dead letters.
    """

    offset: int
    reason: str


Event = (
    OrderRouted
    | OrderHeld
    | OrderTriggered
    | TriggerRefused
    | OrderDenied
    | OrderExternal
    | OrderAccepted
    | OrderCanceled
    | OrderExpired
    | OrderRejected
    | OrderFilled
    | OrderCancelRequested
    | OrderExpiryRequested
    | CancelRejected
    | OrderQuarantined
    | PositionChanged
    | BalanceChanged
    | BalanceAdjusted
    | AdjustmentRefused
    | AccountChanged
    | InstrumentChanged
    | ChangeRefused
    | CommandSetAside
)


class EventBatch(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """All events of one command: one record of oms.events.

    offset: of the command; prev_offset: of the command before it that had events (-1: none), so
    that a reader notices a gap; stream: account id or "~partition"; caused_by: the command's id.
    """

    partition: int
    offset: int
    prev_offset: int
    epoch: int
    stream: str
    first_seq: int
    at_ns: int
    actor: str
    caused_by: str
    events: list[Event]


class BatchHead(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The first fields of an EventBatch, for whoever only asks where it belongs."""

    partition: int
    offset: int
    prev_offset: int
    epoch: int
    stream: str


SCHEMA = "events"
decoder = msgspec.msgpack.Decoder(EventBatch)

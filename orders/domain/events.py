"""Everything that happened, as it stands in oms.events. Past tense, immutable.

Events carry the state after them, absolute: who reads them needs nothing else. The id of an event
is (partition, offset of its command, position in the batch); its account_seq is the batch's
first_seq + position.
"""

import msgspec

from marketdata.domain.instrument import Instrument
from oms_project.kernel.terms import Terms
from oms_project.kernel.words import AccountState, Side, Status
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


class OrderDenied(_Event, frozen=True):
    """We refused it (FIX OrdStatus Rejected, by us); it never reached a venue. reason: a code."""

    order_id: str
    client_order_id: str
    terms: Terms
    reason: str


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


class OrderAccepted(_OrderEvent, frozen=True):
    """The venue has it (FIX ExecType New)."""

    execution: int


class OrderRejected(_OrderEvent, frozen=True):
    """The venue refused it."""

    execution: int
    reason: str


class OrderFilled(_OrderEvent, frozen=True):
    """A trade. lots, ticks, fill_fee: of this fill; fee_rest: what rounding up has charged of the order
    beyond its rates, in 1/PPM of a smallest unit.

    late: the venue had said before that the order was over; overfilled: more than was ordered.
    """

    symbol: str
    side: Side
    venue: str
    trade_id: str
    execution: int
    lots: int
    ticks: int
    maker: bool
    fill_fee: int
    fee_rest: int
    late: bool
    overfilled: bool


class OrderCancelRequested(_OrderEvent, frozen=True):
    """The client asked; the venue has not answered."""


class OrderCanceled(_OrderEvent, frozen=True):
    """The venue canceled the remainder. late: a fill that the venue made after it is here already."""

    execution: int
    reason: str
    late: bool


class CancelRejected(_OrderEvent, frozen=True):
    """The cancel did nothing. cancel_reason: why. version 0: the order is not known here.

    execution: the venue's number of its answer; 0: it is ours.
    """

    cancel_reason: str
    execution: int = 0


class OrderQuarantined(_Event, frozen=True):
    """A report that fits no row of the order table: set aside for a person, nothing applied."""

    order_id: str
    reason: str
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


class AccountChanged(_Event, frozen=True):
    """The account as it is in force from here on."""

    name: str
    state: AccountState
    limits: Limits


class InstrumentChanged(_Event, frozen=True):
    """The instrument as it is in force from here on (stream of the partition)."""

    instrument: Instrument


Event = (
    OrderRouted
    | OrderDenied
    | OrderAccepted
    | OrderRejected
    | OrderFilled
    | OrderCancelRequested
    | OrderCanceled
    | CancelRejected
    | OrderQuarantined
    | PositionChanged
    | BalanceChanged
    | BalanceAdjusted
    | AccountChanged
    | InstrumentChanged
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


SCHEMA = "events"
decoder = msgspec.msgpack.Decoder(EventBatch)

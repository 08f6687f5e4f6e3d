"""The gateway: stamps what the doors have validated and puts it into the log, once. Decides nothing."""

import hashlib
from collections.abc import Callable, Sequence
from typing import Final

from oms_project.adapters.intake import GroupCommit
from oms_project.kernel import ids as make
from oms_project.kernel import wire
from oms_project.kernel.errors import GapError
from oms_project.kernel.numbers import NS_PER_MS
from oms_project.kernel.ports import (
    Claim,
    ClaimState,
    Clock,
    Ids,
    Intake,
    Log,
    OrderRow,
    OrderStore,
    Record,
    StoredRecord,
    Submission,
)
from oms_project.kernel.terms import NO_EXTRAS, Terms
from oms_project.kernel.words import Status, Topic
from orders.adapters.claimed_records import record_of
from orders.adapters.in_flight import InFlight
from orders.adapters.unshown import Unshown
from orders.domain import commands

FORGET_AT_ONCE: Final = 10_000
ENGINE_GROUP: Final = "oms-engine"

Wanted = tuple[str, Terms]
"""A validated order: its client_order_id ("": its own id) and its terms."""


def fingerprint(canonical: bytes) -> bytes:
    """Return the fingerprint of a request's canonical form."""
    return hashlib.sha256(canonical).digest()


class Gateway:
    """The door's inside, shared by REST, sockets, pages and commands."""

    def __init__(
        self,
        *,
        intake: Intake,
        group: GroupCommit,
        flow: InFlight,
        log: Log,
        store: OrderStore,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self.group = group
        self.flow = flow
        self.store = store
        self.intake = intake
        self._log = log
        self._clock = clock
        self._ids = ids
        self.unshown = Unshown(log, store, ENGINE_GROUP, _new_row)

    def place(
        self,
        account_id: str,
        wanted: Sequence[Wanted],
        *,
        endpoint: str,
        key: str,
        canonical: bytes,
        actor: str,
        trace: str = "",
        atomic: bool = False,
    ) -> Submission:
        """Return the submission of validated orders; committing it makes them durable."""

        def command(base: str) -> commands.PlaceOrders:
            orders = []
            for index, (client_order_id, terms) in enumerate(wanted):
                order_id = make.order_id(base, index)
                orders.append(commands.NewOrder(order_id, client_order_id or order_id, terms))
            return commands.PlaceOrders(account_id, orders, atomic)

        return self.submission(
            account_id, command, endpoint=endpoint, key=key, canonical=canonical, actor=actor,
            trace=trace,
        )  # fmt: skip

    def cancel(
        self, account_id: str, order_ids: tuple[str, ...], *, symbol: str = "", side: str = "",
        endpoint: str, key: str, canonical: bytes, actor: str, trace: str = "",
    ) -> Submission:  # fmt: skip
        """Return the submission of a cancel of the named orders, or of all that fit."""
        command = commands.CancelOrders(account_id, order_ids, symbol, side)
        return self.submission(
            account_id, lambda _: command, endpoint=endpoint, key=key, canonical=canonical,
            actor=actor, trace=trace,
        )  # fmt: skip

    def submission(
        self,
        account_id: str,
        command: Callable[[str], commands.Command],
        *,
        endpoint: str,
        key: str,
        canonical: bytes,
        actor: str,
        trace: str = "",
    ) -> Submission:
        """Return the claim of a request and its record. *command* makes it from the claim's ids."""
        now_ns = self._clock.now_ns()
        at_ms = now_ns // NS_PER_MS
        base = make.order_id_base(account_id, endpoint, key, at_ms)
        claim = Claim(account_id, endpoint, key, fingerprint(canonical), base, at_ms)
        partition = make.partition_of(account_id, self._log.partitions)

        def record(stored: Claim) -> Record:
            value = wire.seal(
                commands.SCHEMA, command(stored.ids_base), id=stored.ids_base, at_ns=now_ns,
                actor=actor, trace=trace,
            )  # fmt: skip
            return Record(partition, account_id, value)

        return Submission(claim, record(claim), record)

    def broadcast(self, command: commands.Command, *, account_id: str = "", actor: str) -> int:
        """Append reference data: to the account's partition, or to all. Return the last offset.

        Such commands say how things shall be, so saying them twice is harmless: no claim. One that
        comes late is refused by its version. Should the log take it for some partitions only, the
        task orders.heal_reference says it again to the others.
        """
        partitions = range(self._log.partitions)
        if account_id:
            partitions = range(*_just(make.partition_of(account_id, self._log.partitions)))
        value = wire.seal(
            commands.SCHEMA, command, id=self._ids.new(), at_ns=self._clock.now_ns(), actor=actor
        )
        records = [Record(partition, account_id, value) for partition in partitions]
        return self._log.append(Topic.COMMANDS, records)[-1]

    def pending_order(self, order_id: str, account_ids: Sequence[str]) -> OrderRow | None:
        """Return an acknowledged order that is not projected yet, as NEW; None if there is none."""
        state = self.intake.find_by_ids_base(make.base_of(order_id))
        if state is None or state.claim.account_id not in account_ids:
            return None
        record = self._record_of(state)
        if record is None:
            return None
        envelope = wire.open_envelope(record.value, commands.SCHEMA)
        command = wire.read_body(commands.decoder, envelope)
        if not isinstance(command, commands.PlaceOrders):
            return None
        for order in command.orders:
            if order.order_id == order_id:
                return _new_row(command.account_id, order, envelope)
        return None

    def _record_of(self, state: ClaimState) -> StoredRecord | None:
        """Return the record a claim was made for, also if nobody could note where it lies."""
        if not state.done:
            return record_of(self._log, state.claim)
        try:
            return self._log.read(Topic.COMMANDS, state.partition, state.offset, 1)[0]
        except GapError:  # trimmed: what it did is stored, or it was set aside
            return None

    def now_ns(self) -> int:
        """Return what a door goes by when it is asked whether a time is past."""
        return self._clock.now_ns()

    def differences(self, submission: Submission, stored: ClaimState) -> list[str] | None:
        """Return JSON pointers to what differs from the request that used the key first.

        None if that one cannot be read any more.
        """
        record = self._record_of(stored)
        if record is None:
            return None
        first, again = (_command_in(value) for value in (record.value, submission.record.value))
        if isinstance(first, commands.PlaceOrders) and isinstance(again, commands.PlaceOrders):
            alone = submission.claim.endpoint == "orders"
            return _differing_orders(first, again, alone=alone)
        return [
            f"/{name}"
            for name in ("order_ids", "symbol", "side")
            if getattr(first, name, None) != getattr(again, name, None)
        ]

    def forget_claims(self, days: int) -> int:
        """Forget claims older than *days*; return how many (at most FORGET_AT_ONCE)."""
        before_ms = self._clock.now_ns() // NS_PER_MS - days * 86_400_000
        return self.intake.forget(before_ms, FORGET_AT_ONCE)


_NAMES: Final = {
    "lots": "quantity", "ticks": "price", "flags": "reduce_only", "expires_ns": "expires_at",
    "deadline_ns": "deadline", "stop_ticks": "stop_price", "trail_ticks": "trail_amount",
}  # fmt: skip
"""What the API calls those fields of Terms and Extras that have another name there."""


def _command_in(value: bytes) -> commands.Command:
    envelope = wire.open_envelope(value, commands.SCHEMA)
    command: commands.Command = wire.read_body(commands.decoder, envelope)
    return command


def _differing_orders(
    first: commands.PlaceOrders, again: commands.PlaceOrders, *, alone: bool
) -> list[str]:
    found = ["/mode"] if first.atomic != again.atomic else []
    if len(first.orders) != len(again.orders):
        found.append("/orders")
    for index, (one, other) in enumerate(zip(first.orders, again.orders, strict=False)):
        at = "" if alone else f"/orders/{index}"
        if _named(one) != _named(other):
            found.append(f"{at}/client_order_id")
        found += [
            f"{at}/{_NAMES.get(field, field)}" for field in _differing(one.terms, other.terms)
        ]
    return found


def _differing(one: Terms, other: Terms) -> list[str]:
    """Return the names of fields of Terms, and of Extras, that say different things."""
    pairs = ((one, other), (one.extras or NO_EXTRAS, other.extras or NO_EXTRAS))
    return [
        field
        for first, again in pairs
        for field in first.__struct_fields__
        if field != "extras" and getattr(first, field) != getattr(again, field)
    ]


def _named(order: commands.NewOrder) -> str:
    """Return the client_order_id that the client chose, "" if it chose none."""
    return "" if order.client_order_id == order.order_id else order.client_order_id


def _just(partition: int) -> tuple[int, int]:
    return partition, partition + 1


def _new_row(account_id: str, order: commands.NewOrder, envelope: wire.Envelope) -> OrderRow:
    return OrderRow(
        order_id=order.order_id, account_id=account_id, client_order_id=order.client_order_id,
        terms=order.terms, cap_ticks=0, status=Status.NEW, created_ns=envelope.at_ns, updated_ns=envelope.at_ns,
        actor=envelope.actor,
    )  # fmt: skip

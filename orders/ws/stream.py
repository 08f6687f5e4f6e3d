"""One account's events on their way to one socket: gap-free, in order, each once.

Read from the store by seq; nothing is taken from a push. Used by one thread at a time.
"""

from typing import Any, Final

import msgspec

from oms_project.kernel.errors import BadRecordError, TransportError
from oms_project.kernel.ports import OrderRow
from oms_project.kernel.words import CLOSED
from oms_project.rest.feed import SLICE_BYTES
from orders.domain import events as e
from orders.projector import Fold
from orders.queries import Queries, Story, open_chunk, shown_event, shown_order

CHUNKS_AT_ONCE: Final = 8
"""Read at once; opened one by one, until a slice is full."""
RESUME_EVENTS_MAX: Final = 100_000
"""Somebody further behind starts anew: a snapshot is cheaper for both."""
ROWS_MAX: Final = 1_000
"""Orders a stream remembers (about 1 kB each); more are looked up again when they change."""
CHANNEL: Final = "orders"

_encode = msgspec.json.Encoder().encode
Frame = str


class TooOldError(Exception):
    """The events from this seq on cannot be given: the client needs a snapshot."""


class Stream:
    """A subscription. next_seq: of the event to be sent next."""

    def __init__(self, reader: Queries, account_id: str) -> None:
        self.account_id = account_id
        self.next_seq = 0
        self._reader = reader
        self._fold = Fold()

    def open(self, from_seq: int | None, asked_id: str | int | None) -> list[Frame]:
        """Return the frames that open the stream at *from_seq*, or with a snapshot of now.

        Raises:
            TooOldError: *from_seq* is too far behind, or ahead of everything there is.
        """
        if from_seq is None:
            return self._begin(asked_id)
        return self._resume(from_seq, asked_id)

    def _subscribed(self, seq: int, asked_id: str | int | None) -> dict[str, Any]:
        head = {"channel": CHANNEL, "account_id": self.account_id, "seq": seq}
        return head if asked_id is None else {**head, "id": asked_id}

    def _begin(self, asked_id: str | int | None) -> list[Frame]:
        seq, value, rows = self._reader.snapshot(self.account_id)
        self.next_seq = seq + 1
        self._fold.fresh = {row.order_id: row for row in rows[:ROWS_MAX]}
        head = self._subscribed(seq, None)
        return [
            _text({"op": "subscribed", **self._subscribed(seq, asked_id)}),
            _text({"op": "snapshot", **head, **value}),
        ]

    def _resume(self, from_seq: int, asked_id: str | int | None) -> list[Frame]:
        last_seq = self._reader.store.last_seq(self.account_id)
        if not last_seq + 1 - RESUME_EVENTS_MAX <= from_seq <= last_seq + 1:
            raise TooOldError
        if from_seq <= last_seq:
            found = self._reader.store.chunks(self.account_id, from_seq, 1)
            if not found or found[0].first_seq > from_seq:
                raise TooOldError
        self.next_seq = from_seq
        return [_text({"op": "subscribed", **self._subscribed(from_seq - 1, asked_id)})]

    def news(self) -> list[Frame]:
        """Return the frames of what is stored behind the last one, a slice of SLICE_BYTES at a time.

        [] if there is nothing yet. What was returned is told: an error behind it comes next time.

        Raises:
            TooOldError: events in between are gone.
        """
        frames: list[Frame] = []
        left = SLICE_BYTES
        try:
            for chunk in self._reader.store.chunks(self.account_id, self.next_seq, CHUNKS_AT_ONCE):
                if chunk.first_seq > self.next_seq:
                    raise TooOldError
                story = open_chunk(chunk)
                while left > 0 and self.next_seq <= story.last_seq:
                    frames.append(self._frame(story, self.next_seq))
                    self.next_seq += 1
                    left -= len(frames[-1])
                if left <= 0:
                    break
        except (TransportError, TooOldError, BadRecordError):
            if not frames:
                raise
        return frames

    def _frame(self, story: Story, seq: int) -> Frame:
        index = seq - story.first_seq
        frame: dict[str, Any] = {
            "op": "event",
            "channel": CHANNEL,
            "account_id": self.account_id,
            "seq": seq,
            "event": shown_event(story.batch, index),
        }
        row = self._order_after(story.batch, story.batch.events[index], seq)
        if row is not None:
            try:
                frame["order"] = shown_order(row)
            except TransportError:
                self._fold.fresh.pop(row.order_id, None)  # told again, it is read from the store
                raise
        return _text(frame)

    # -------------------------------------------------------------- the order an event is about
    def _order_after(self, batch: e.EventBatch, event: e.Event, seq: int) -> OrderRow | None:
        """Return the order as it is after *event*, None if a newer one was told already."""
        order_id = getattr(event, "order_id", None)
        if order_id is None or isinstance(event, e.OrderQuarantined):
            return None
        version: int = getattr(event, "version", 1)
        rows = self._fold.fresh
        row = rows.get(order_id)
        if row is None and not isinstance(
            event, e.OrderRouted | e.OrderHeld | e.OrderDenied | e.OrderExternal
        ):
            # Not seen begin here: what is stored is this event's outcome, or a later one.
            row = self._reader.store.get(order_id, (self.account_id,))
            if row is not None:
                self._remember(row)
            return row
        if row is not None and row.version >= version:
            return None
        one = msgspec.structs.replace(batch, events=[event], first_seq=seq)
        self._fold.add(one, b"")
        self._fold.chunks.clear()
        self._fold.steps.clear()
        row = rows[order_id]
        self._remember(row)
        return row

    def _remember(self, row: OrderRow) -> None:
        rows = self._fold.fresh
        if len(rows) >= ROWS_MAX:
            del rows[next(iter(rows))]
        if row.status in CLOSED:
            rows.pop(row.order_id, None)
        else:
            rows[row.order_id] = row


def _text(frame: dict[str, Any]) -> Frame:
    return _encode(frame).decode()

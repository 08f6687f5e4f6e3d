"""The pusher: tells who watches an account that there is more to read. Carries no data itself.

It follows what is *stored*, not the log: whoever is woken by a hint finds what it hints at.
"""

import asyncio
from typing import Final

import structlog
from asgiref.sync import sync_to_async

from oms_project.adapters.clock import SystemClock
from oms_project.kernel.errors import TransportError
from oms_project.kernel.ports import OrderStore, Push
from oms_project.metrics import Meter

HEADS_MAX: Final = 500
POLL_S: Final = 0.01
BROKEN_S: Final = 1.0

_logger = structlog.get_logger(__name__)


def group_of(account_id: str) -> str:
    """Return the push group of an account."""
    return f"account.{account_id}"


class Pusher:
    """Polls the store's newest chunks and publishes one hint an account and round."""

    def __init__(self, store: OrderStore, push: Push, partitions: int) -> None:
        self._store = store
        self._push = push
        self._after = dict.fromkeys(range(partitions), -1)
        self._begun = False
        self._owed: dict[str, int] = {}
        self.meter = Meter("pusher")

    async def run(self, stop: asyncio.Event | None = None) -> None:
        """Publish until cancelled or *stop* is set; a broken store is waited out."""
        while stop is None or not stop.is_set():
            pause_s = POLL_S  # also behind news: what comes in one pause is one hint an account
            begun_ns = SystemClock.monotonic_ns()
            try:
                hints = await self.run_once()
                self.meter.round(hints, begun_ns)
            except TransportError as error:
                self.meter.broke(error)
                _logger.warning("pusher_waits", error=str(error))
                pause_s = BROKEN_S
            await asyncio.sleep(pause_s)

    async def run_once(self) -> int:
        """Publish what is new, and what a broken push still owes; return how many that were."""
        self._owed |= await sync_to_async(self._news, thread_sensitive=False)()
        owed = list(self._owed.items())
        for account_id, seq in owed:
            await self._push.publish(group_of(account_id), {"type": "more", "seq": seq})
            del self._owed[account_id]
        return len(owed)

    def _news(self) -> dict[str, int]:
        newest: dict[str, int] = {}
        for partition, after in self._after.items():
            if not self._begun:
                # What was stored before we began is read by whoever subscribes.
                self._after[partition] = self._store.progress(partition).last_command
                continue
            for offset, stream, last_seq in self._store.heads(partition, after, HEADS_MAX):
                self._after[partition] = offset
                newest[stream] = last_seq
        self._begun = True
        return newest

"""Builds what the orders app runs on, once a process: the only file that knows which adapter is which."""

import functools
import threading
from collections.abc import Sequence
from typing import Final

import msgspec
from django.conf import settings

from marketdata import wiring as market
from marketdata.adapters import instruments
from marketdata.adapters.price_tail import PriceTail
from marketdata.domain.prices import SymbolPrices
from oms_project.access import accounts
from oms_project.adapters.clock import SystemClock
from oms_project.adapters.ids import SystemIds
from oms_project.adapters.intake import ClaimedIntake, GroupCommit
from oms_project.adapters.loop import Loop
from oms_project.adapters.push import ChannelPush
from oms_project.adapters.sqlite_log import SqliteIntake, SqliteLog
from oms_project.kernel.ports import (
    AccountRow,
    IdempotencyStore,
    InstrumentRow,
    Intake,
    Log,
    OrderStore,
    Push,
)
from oms_project.kernel.words import Topic
from orders import engine, projector, queries, services
from orders.adapters import upkeep_notes
from orders.adapters.in_flight import InFlight
from orders.adapters.sql_store import SqlStore
from orders.adapters.sql_wire import SqlWire
from orders.integrity import Result
from orders.pusher import Pusher
from orders.queries import versions

INTEGRITY: Final = "integrity"
"""Name of the integrity check among the upkeep notes."""

clock = functools.cache(SystemClock)
ids = functools.cache(SystemIds)


def log() -> Log:
    """Return this process' log (the one that market data reads too)."""
    return market.log()


@functools.cache
def store() -> OrderStore:
    """Return where orders are shown from."""
    url = settings.ENV.order_store_url
    if url.startswith(("mongodb://", "mongodb+srv://")):
        # Imported on use: without documents there is no need of their client.
        from orders.adapters.mongo_store import MongoStore

        return MongoStore(url)
    return SqlStore()


@functools.cache
def claims() -> IdempotencyStore:
    """Return the claims of a product whose log is not SQLite: SQL, with a copy in Redis."""
    from oms_project.adapters.claims import SqlIdempotencyStore
    from oms_project.adapters.redis import RedisIdempotencyCopy

    durable = SqlIdempotencyStore()
    url = settings.ENV.redis_url
    return RedisIdempotencyCopy(durable, url) if url else durable


@functools.cache
def intake() -> Intake:
    """Return the durable door."""
    found = log()
    if isinstance(found, SqliteLog):
        return SqliteIntake(found)
    return ClaimedIntake(claims(), found, clock())


@functools.cache
def group_commit() -> GroupCommit:
    return GroupCommit(intake())


@functools.cache
def flow() -> InFlight:
    return InFlight(store(), clock(), settings.ENV.in_flight_max)


@functools.cache
def gateway() -> services.Gateway:
    return services.Gateway(
        intake=intake(), group=group_commit(), flow=flow(), log=log(), store=store(),
        clock=clock(), ids=ids(),
    )  # fmt: skip


@functools.cache
def read_side() -> queries.Queries:
    """Return the read side for views, pages and sockets."""
    return queries.Queries(store(), gateway().pending_order, gateway().unshown.add)


def listings_told() -> versions.Listings:
    """Return every partition's instruments as the engines told them, read anew."""
    found = versions.Listings(store(), settings.ENV.partitions)
    found.refresh()
    return found


def integrity() -> Result | None:
    """Return what the newest integrity check found, None before the first."""
    found = upkeep_notes.load(INTEGRITY)
    if found is None:
        return None
    try:
        return msgspec.json.decode(found[1], type=Result)
    except msgspec.DecodeError:  # of another version: the next check begins anew
        return None


def save_integrity(result: Result) -> None:
    upkeep_notes.save(INTEGRITY, result.at_ns, msgspec.json.encode(result))


@functools.cache
def push() -> Push:
    return ChannelPush()


@functools.cache
def pusher() -> Pusher:
    return Pusher(store(), push(), settings.ENV.partitions)


class Reference:
    """The Reference port on Django's own database."""

    def __init__(self) -> None:
        self._wire = SqlWire("default", "reference")

    def apply(self, rows: Sequence[AccountRow], listed: Sequence[InstrumentRow]) -> None:
        with self._wire.errors():
            accounts.save(rows)
            instruments.save(listed)


def engine_loop(stop: threading.Event) -> Loop:
    """Return the engine's loop over its share of the partitions."""
    tail = PriceTail(log())

    def prices() -> Sequence[SymbolPrices]:
        return tail.newest()

    handler = engine.Engine(
        log=log(),
        store=store(),
        venue_of=lambda partition: market.simulated_venue(),
        prices=prices,
        clock=clock(),
        ids=ids(),
        stop=stop,
        snapshot_commands=settings.ENV.snapshot_records,
    )
    return Loop(
        log(), Topic.COMMANDS, engine.GROUP, handler, clock(),
        records_max=engine.RECORDS_MAX, bytes_max=engine.BYTES_MAX, wait_ms=engine.WAIT_MS, gather_ms=engine.GATHER_MS,
    )  # fmt: skip


def projector_loop() -> Loop:
    """Return the projector's loop over its share of the partitions."""
    return Loop(
        log(), Topic.EVENTS, projector.GROUP, projector.Projector(store(), Reference()), clock(),
        records_max=projector.RECORDS_MAX, wait_ms=projector.WAIT_MS,
        gather_ms=projector.GATHER_MS,
    )  # fmt: skip

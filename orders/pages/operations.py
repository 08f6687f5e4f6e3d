"""What an operator sees at a glance: the checks of `manage.py doctor`, and each partition's lag.

Asking costs the log and the store something, so an answer is kept for KEPT_S: any number of open
pages ask once.
"""

import threading
from collections.abc import Mapping
from typing import Any, Final

import structlog

from marketdata import queries as market_queries
from marketdata import wiring as market
from oms_project import doctor, health
from oms_project.adapters.clock import NS_PER_MS, NS_PER_S
from oms_project.kernel import wire
from oms_project.kernel.errors import (
    BadRecordError,
    NewerVersionError,
    OldVersionError,
    TransportError,
)
from oms_project.kernel.words import Topic
from oms_project.rest import times
from orders import wiring
from orders.domain import commands
from orders.domain import events as e

KEPT_S: Final = 3
_logger = structlog.get_logger(__name__)
_lock: Final = threading.Lock()
_kept: dict[str, Any] = {}


def look() -> dict[str, Any]:
    """Return {"at", "checks", "partitions"}, at most KEPT_S old."""
    with _lock:
        now_ns = wiring.clock().now_ns()
        if not _kept or now_ns - _kept["ns"] > KEPT_S * NS_PER_S:
            _kept.update(ns=now_ns, found=_ask(now_ns))
        found: dict[str, Any] = _kept["found"]
        return found


def _ask(now_ns: int) -> dict[str, Any]:
    return {
        "at": times.text(now_ns),
        "checks": [
            {"name": one.name, "level": one.level, "found": one.found, "fix": one.fix}
            for one in doctor.examine(running=True)
        ],
        "partitions": _partitions_if_told(now_ns),
        "feeds": _feeds(),
    }


def _feeds() -> list[dict[str, Any]]:
    view = market.view()
    found = view.feeds()
    silent = view.broken or all(view.is_stale(symbol) for symbol in view.symbols())
    return [market_queries.feed(one, silent=silent) for one in found]


def _partitions_if_told(now_ns: int) -> list[dict[str, Any]]:
    """Return [] where the log or the store is away: the checks name it, and what to do."""
    try:
        return _partitions(now_ns)
    except TransportError as error:
        _logger.info("partitions_not_shown", reason=str(error))
        return []


def _partitions(now_ns: int) -> list[dict[str, Any]]:
    engines, projectors = health.engine_positions(), health.projector_positions()
    engine_lags, projector_lags = health.engine_lags(), health.projector_lags()
    return [
        {
            "partition": partition,
            "engine": engine_lags[partition],
            "engine_age": _age(Topic.COMMANDS, partition, engines, now_ns),
            "projector": projector_lags[partition],
            "projector_age": _age(Topic.EVENTS, partition, projectors, now_ns),
        }
        for partition in sorted(engines)
    ]


def _age(topic: Topic, partition: int, positions: Mapping[int, int], now_ns: int) -> str:
    """Return how long the oldest record that waits has waited, in seconds."""
    log, at = wiring.log(), positions[partition]
    if at >= log.end_offset(topic, partition):
        return "0.0"
    schema = commands.SCHEMA if topic is Topic.COMMANDS else e.SCHEMA
    records = log.read(topic, partition, max(at, log.first_offset(topic, partition)), 1)
    try:
        at_ns = wire.open_envelope(records[0].value, schema).at_ns if records else now_ns
    except (BadRecordError, NewerVersionError, OldVersionError):
        return "?"  # what nobody can read waits here: the checks say so
    ms = max(0, now_ns - at_ns) // NS_PER_MS
    return f"{ms // 1_000}.{ms % 1_000 // 100}"

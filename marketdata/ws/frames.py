"""Websocket frames of market data, built once and shared by every socket that needs the same one."""

from typing import Any, Final

import msgspec

from marketdata import queries
from marketdata.domain.candle import INTERVALS
from marketdata.domain.instrument import Units
from marketdata.view import Seen
from oms_project.rest import times

TRADES_SNAPSHOT: Final = 50
CACHED_MAX: Final = 512

_encode = msgspec.json.Encoder().encode


class Frames:
    """A cache of encoded frames. Used in one event loop."""

    def __init__(self) -> None:
        self._cache: dict[tuple[Any, ...], str] = {}

    def ticker(self, seen: Seen, units: Units, *, kind: str, stale: bool) -> str:
        """Return the whole ticker (kind: "snapshot" or "update")."""
        key = ("ticker", seen.prices.symbol, seen.version, kind, stale, units.instrument.state)
        if key not in self._cache:
            body = queries.ticker(seen.prices, units, stale=stale)
            self._keep(key, {"op": kind, "channel": "ticker", **body})
        return self._cache[key]

    def book(self, seen: Seen, units: Units, *, stale: bool) -> str:
        """Return the whole book."""
        key = ("book", seen.prices.symbol, seen.version, stale)
        if key not in self._cache:
            body = queries.book(seen.prices, units, stale=stale)
            self._keep(key, {"op": "snapshot", "channel": "book", **body})
        return self._cache[key]

    def book_delta(self, seen: Seen, units: Units, prev_seq: int) -> str | None:
        """Return what leads from *prev_seq* to now; None if that book is not known any more."""
        before = seen.history.get(prev_seq)
        after = seen.prices
        if before is None or prev_seq > after.seq:
            return None
        key = ("delta", after.symbol, seen.version, prev_seq)
        if key not in self._cache:
            checksum = queries.checksum(
                queries.rows(after.bids[: queries.CHECKSUM_LEVELS], units),
                queries.rows(after.asks[: queries.CHECKSUM_LEVELS], units),
            )
            frame = {
                "op": "delta",
                "channel": "book",
                "symbol": after.symbol,
                "seq": after.seq,
                "prev_seq": prev_seq,
                "bids": queries.changes(before.bids, after.bids, units),
                "asks": queries.changes(before.asks, after.asks, units),
                "checksum": checksum,
                "at": times.text(after.at_ns),
            }
            self._keep(key, frame)
        return self._cache[key]

    def trades(self, seen: Seen, units: Units, *, after: int | None) -> str:
        """Return the trades numbered above *after*, oldest first; None: the newest as a snapshot."""
        key = ("trades", seen.prices.symbol, seen.version, after)
        if key not in self._cache:
            kind = "snapshot" if after is None else "update"
            shown = [one for one in seen.trades[-TRADES_SNAPSHOT:] if after is None]
            if after is not None:
                shown = [one for one in seen.trades if one[0] > after]
            body = queries.trades(shown, units)
            frame = {
                "op": kind,
                "channel": "trades",
                "symbol": seen.prices.symbol,
                "trades": body,
            }
            self._keep(key, frame)
        return self._cache[key]

    def candles(self, seen: Seen, units: Units, interval: str, *, after_s: int | None) -> str:
        """Return the candles of an interval that begin at *after_s* or later; None: as a snapshot."""
        key = ("candles", seen.prices.symbol, seen.version, interval, after_s)
        if key not in self._cache:
            found = seen.candles.get(INTERVALS[interval], ())
            newest_s = found[-1].begin_s if found else 0
            frame = {
                "op": "snapshot" if after_s is None else "update",
                "channel": "candles",
                "symbol": seen.prices.symbol,
                "interval": interval,
                "candles": [
                    queries.candle(one, units, closed=one.begin_s < newest_s)
                    for one in found
                    if after_s is None or one.begin_s >= after_s
                ],
            }
            self._keep(key, frame)
        return self._cache[key]

    def _keep(self, key: tuple[Any, ...], frame: dict[str, Any]) -> None:
        if len(self._cache) >= CACHED_MAX:
            self._cache.clear()  # the old ones are of versions nobody asks for again
        self._cache[key] = _encode(frame).decode()

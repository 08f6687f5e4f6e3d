"""Reads Kraken's websocket v1 messages: books with a checksum, and trades."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from marketdata.adapters.captures import Message
from marketdata.adapters.readers import (
    Tracked,
    Unreadable,
    as_quote,
    as_trade,
    find,
    numbers_places,
    pairs,
)
from marketdata.domain.book import ChecksumSync, Pair
from marketdata.domain.instrument import Units
from marketdata.domain.prices import Trade
from marketdata.domain.quote import Quote, Scale

_ALIASES: Final = {"XBT": "BTC", "XDG": "DOGE"}
_DEPTH_DEFAULT: Final = 10


class KrakenReader:
    """Kraken (marketdata.adapters.readers.Reader)."""

    def __init__(self, venue: str, units: Mapping[str, Units], symbols: Mapping[str, str]) -> None:
        self.changed: set[str] = set()
        self._venue = venue
        self._units = units
        self._symbols = symbols
        self._tracked: dict[str, Tracked | None] = {}
        self._by_symbol: dict[str, Tracked] = {}
        self._trades = 0

    @staticmethod
    def knows(message: Message) -> bool:
        body = message.body
        if isinstance(body, dict):
            return "connectionID" in body or "channelName" in body
        return isinstance(body, list) and len(body) >= 4 and isinstance(body[-2], str)

    def take(self, message: Message, now_ns: int) -> Iterable[tuple[str, Trade]]:
        """Take one message: [channel id, payload, (payload,) channel name, pair], or an event."""
        body = message.body
        if isinstance(body, dict):
            return ()  # heartbeat, systemStatus, subscriptionStatus
        if not isinstance(body, list) or len(body) < 4:
            raise Unreadable("not a channel message")
        *payloads, channel, name = body[1:]
        channel, name = str(channel), str(name)
        if channel.startswith("book"):
            self._on_book(name, channel, payloads)
        elif channel == "trade":
            return self._on_trades(name, payloads[0], now_ns)
        return ()

    def quote(self, symbol: str) -> Quote:
        return as_quote(self._venue, self._by_symbol[symbol])

    def tracked(self) -> Iterable[Tracked]:
        return self._by_symbol.values()

    def _find(self, name: str, channel: str) -> Tracked | None:
        if name not in self._tracked:
            symbol = find(name, self._units, self._symbols, _ALIASES)
            depth = channel.partition("-")[2]
            sync = ChecksumSync(int(depth) if depth.isdecimal() else _DEPTH_DEFAULT)
            tracked = Tracked(symbol, self._units[symbol], sync) if symbol else None
            self._tracked[name] = tracked
            if tracked:
                self._by_symbol[tracked.symbol] = tracked
        return self._tracked[name]

    def _on_book(self, name: str, channel: str, payloads: list[Any]) -> None:
        tracked = self._find(name, channel)
        if tracked is None:
            return
        sync = tracked.sync
        assert isinstance(sync, ChecksumSync), "this reader made it"  # noqa: S101
        self.changed.add(tracked.symbol)
        fields: dict[str, Any] = {}
        try:
            for payload in payloads:  # bids and asks of one update may come as two objects
                fields.update(payload)
            if "as" in fields or "bs" in fields:
                self._on_snapshot(tracked, sync, fields)
            elif sync.live and tracked.scale is not None:
                self._on_update(tracked.scale, sync, fields)
        except (Unreadable, TypeError, ValueError) as error:
            sync.lose()
            raise Unreadable(f"{name}: {error}") from error

    def _on_snapshot(self, tracked: Tracked, sync: ChecksumSync, fields: Mapping[str, Any]) -> None:
        rows = [*fields.get("as", []), *fields.get("bs", [])]
        if rows:
            # Kraken prints every price of a pair with the same decimals: the checksum is over them.
            tracked.scale = Scale(
                max(numbers_places(row[0]) for row in rows),
                max(numbers_places(row[1]) for row in rows),
            )
        scale = tracked.scale or Scale(0, 0)
        sync.on_snapshot(pairs(fields.get("bs", []), scale), pairs(fields.get("as", []), scale))

    def _on_update(self, scale: Scale, sync: ChecksumSync, fields: Mapping[str, Any]) -> None:
        bids: tuple[Pair, ...] = pairs(fields.get("b", []), scale)
        asks: tuple[Pair, ...] = pairs(fields.get("a", []), scale)
        expected = int(fields["c"]) if "c" in fields else None
        sync.on_update(bids, asks, expected)

    def _on_trades(self, name: str, rows: Any, now_ns: int) -> Iterable[tuple[str, Trade]]:
        """Return the trades of [[price, volume, time, "b" or "s", type, misc], …]."""
        tracked = self._find(name, "")
        if tracked is None:
            return ()
        found = []
        try:
            for row in rows:
                # Kraken v1 gives trades no id: their place in the capture is one.
                self._trades += 1
                sign = 1 if row[3] == "b" else -1
                found.append(
                    as_trade(
                        str(self._trades),
                        self._venue,
                        (row[0], row[1]),
                        sign=sign,
                        at_ns=now_ns,
                        tracked=tracked,
                    )
                )
        except (TypeError, IndexError) as error:
            raise Unreadable(f"trades of {name}: {error}") from error
        return tuple((tracked.symbol, trade) for trade in found if trade)

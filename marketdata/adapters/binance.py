"""Reads Binance's spot messages: depth snapshots (HTTP), diff-depth and trades (websocket)."""

from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from marketdata.adapters.captures import Message
from marketdata.adapters.readers import Tracked, Unreadable, as_quote, as_trade, find, pairs
from marketdata.domain.book import DepthSync, Diff
from marketdata.domain.instrument import Units
from marketdata.domain.prices import Trade
from marketdata.domain.quote import Quote, Scale

# Every decimal the grammar of kernel.numbers allows fits, so no text is ever too fine.
_SCALE: Final = Scale(18, 18)
_TRADES: Final = {"aggTrade": "a", "trade": "t"}
"""Event type -> the field that holds its id."""


class BinanceReader:
    """One Binance exchange (marketdata.adapters.readers.Reader)."""

    def __init__(self, venue: str, units: Mapping[str, Units], symbols: Mapping[str, str]) -> None:
        self.changed: set[str] = set()
        self._venue = venue
        self._units = units
        self._symbols = symbols
        self._tracked: dict[str, Tracked | None] = {}
        self._by_symbol: dict[str, Tracked] = {}

    @staticmethod
    def knows(message: Message) -> bool:
        body = message.body
        if not isinstance(body, dict):
            return False
        return "lastUpdateId" in body or "stream" in body or ("e" in body and "s" in body)

    def take(self, message: Message, now_ns: int) -> Iterable[tuple[str, Trade]]:
        if not isinstance(message.body, dict):
            raise Unreadable("not an object")
        data = message.body.get("data", message.body)
        if not isinstance(data, dict):
            raise Unreadable("no data")
        if "lastUpdateId" in data:
            self._on_snapshot(_symbol_of(message.url), data)
        elif data.get("e") == "depthUpdate":
            self._on_diff(data)
        elif data.get("e") in _TRADES:
            return self._on_trade(data, now_ns)
        return ()

    def quote(self, symbol: str) -> Quote:
        return as_quote(self._venue, self._by_symbol[symbol])

    def tracked(self) -> Iterable[Tracked]:
        return self._by_symbol.values()

    def needs_snapshot(self, symbol: str) -> bool:
        """Tell whether the book waits for a depth snapshot."""
        return not self._by_symbol[symbol].sync.live

    def _find(self, name: str) -> Tracked | None:
        if name not in self._tracked:
            symbol = find(name, self._units, self._symbols, {})
            tracked = Tracked(symbol, self._units[symbol], DepthSync(), _SCALE) if symbol else None
            self._tracked[name] = tracked
            if tracked:
                self._by_symbol[tracked.symbol] = tracked
        return self._tracked[name]

    def _on_snapshot(self, name: str, data: Mapping[str, Any]) -> None:
        tracked = self._find(name)
        if tracked is None:
            return
        last_id = _whole(data, "lastUpdateId")
        bids, asks = pairs(data.get("bids"), _SCALE), pairs(data.get("asks"), _SCALE)
        _sync(tracked).on_snapshot(last_id, bids, asks)
        self.changed.add(tracked.symbol)

    def _on_diff(self, data: Mapping[str, Any]) -> None:
        tracked = self._find(str(data.get("s")))
        if tracked is None:
            return
        self.changed.add(tracked.symbol)
        try:
            first, last = _whole(data, "U"), _whole(data, "u")
            diff = Diff(first, last, pairs(data.get("b"), _SCALE), pairs(data.get("a"), _SCALE))
        except Unreadable:
            _sync(tracked).lose()  # a diff is missing now: the same as a gap
            raise
        _sync(tracked).on_diff(diff)

    def _on_trade(self, data: Mapping[str, Any], now_ns: int) -> Iterable[tuple[str, Trade]]:
        tracked = self._find(str(data.get("s")))
        if tracked is None:
            return ()
        # m: the buyer was the maker, so the taker sold.
        sign = -1 if data.get("m") else 1
        trade_id = str(_whole(data, _TRADES[data["e"]]))
        row = (data.get("p"), data.get("q"))
        trade = as_trade(trade_id, self._venue, row, sign=sign, at_ns=now_ns, tracked=tracked)
        return ((tracked.symbol, trade),) if trade else ()


def _sync(tracked: Tracked) -> DepthSync:
    assert isinstance(tracked.sync, DepthSync), "this reader made it"  # noqa: S101
    return tracked.sync


def _symbol_of(url: str) -> str:
    return parse_qs(urlsplit(url).query).get("symbol", [""])[0]


def _whole(data: Mapping[str, Any], name: str) -> int:
    value = data.get(name)
    if not isinstance(value, int):
        raise Unreadable(f"{name} is not a whole number")
    return value

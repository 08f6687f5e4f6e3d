"""What is shown of prices, as plain JSON values: the same for REST and websockets.

Decimals are strings, times are ISO-8601 with Z; nothing is computed in floats.
"""

import zlib
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from marketdata.adapters.instruments import Listing
from marketdata.candle_reader import Range, Window
from marketdata.domain.candle import INTERVALS
from marketdata.domain.feed_state import FeedState, FeedStatus
from marketdata.domain.instrument import Units, units_text
from marketdata.domain.prices import Candle, Level, SymbolPrices, Trade
from marketdata.domain.ticker import WINDOW_NS
from oms_project.kernel import numbers
from oms_project.rest import times

CHECKSUM_LEVELS: Final = 10
PPM_PLACES: Final = 6

Rows = list[list[str]]
"""[price, quantity] texts, best first."""


def instrument(listing: Listing) -> dict[str, Any]:
    """Return an instrument as the API shows it; a filter that is off is null."""
    one = listing.instrument
    units = Units(one)
    return {
        "symbol": one.symbol,
        "base": one.base,
        "quote": one.quote,
        "state": one.state,
        "in_force": listing.in_force,
        "tick_size": one.tick_size,
        "lot_size": one.lot_size,
        "quantity_min": _filter(one.quantity_min_lots, units.quantity_text),
        "quantity_max": _filter(one.quantity_max_lots, units.quantity_text),
        "notional_min": _filter(one.notional_min, units_text),
        "notional_max": _filter(one.notional_max, units_text),
        "price_collar": numbers.text(one.collar_ppm, PPM_PLACES),
        "market_cap": numbers.text(one.market_cap_ppm, PPM_PLACES),
        "taker_fee": numbers.text(one.taker_fee_ppm, PPM_PLACES),
        "maker_fee": numbers.text(one.maker_fee_ppm, PPM_PLACES),
        "mark_age_max_ms": one.mark_age_max_ms,
    }


def ticker(prices: SymbolPrices, units: Units, *, stale: bool) -> dict[str, Any]:
    """Return the ticker; what is not known (no trade, no bid) is null."""
    bid = prices.bids[0] if prices.bids else None
    ask = prices.asks[0] if prices.asks else None
    middle = (bid.ticks + ask.ticks) // 2 if bid and ask else 0
    return {
        "symbol": prices.symbol,
        "seq": prices.seq,
        "last": _price(prices.last_ticks, units),
        "bid": _price(bid.ticks if bid else 0, units),
        "bid_quantity": units.quantity_text(bid.lots) if bid else None,
        "ask": _price(ask.ticks if ask else 0, units),
        "ask_quantity": units.quantity_text(ask.lots) if ask else None,
        "mark": _price(middle, units),
        "open_24h": _price(prices.open_24h_ticks, units),
        "high_24h": _price(prices.high_24h_ticks, units),
        "low_24h": _price(prices.low_24h_ticks, units),
        "volume_24h": units.quantity_text(prices.volume_24h_lots),
        "change_24h": _change(prices),
        "since": _since(prices),
        "state": units.instrument.state,
        "venues": list(prices.venues),
        "stale": stale,
        "at": times.text(prices.at_ns),
    }


def book(
    prices: SymbolPrices, units: Units, *, stale: bool, depth: int | None = None
) -> dict[str, Any]:
    """Return the consolidated book, *depth* levels a side (None: all)."""
    bids, asks = rows(prices.bids, units), rows(prices.asks, units)
    return {
        "symbol": prices.symbol,
        "seq": prices.seq,
        "bids": bids[:depth],
        "asks": asks[:depth],
        "checksum": checksum(bids, asks),
        "venues": list(prices.venues),
        "stale": stale,
        "at": times.text(prices.at_ns),
    }


def trades(numbered: Iterable[tuple[int, Trade]], units: Units) -> list[dict[str, Any]]:
    """Return public trades in the order given."""
    return [
        {
            "trade_id": f"{trade.venue}:{trade.trade_id}",
            "venue": trade.venue,
            "price": units.price_text(trade.ticks),
            "quantity": units.quantity_text(trade.lots),
            "side": "buy" if trade.sign > 0 else "sell",
            "at": times.text(trade.at_ns),
        }
        for _, trade in numbered
    ]


def candles(symbol: str, window: Window, found: Range, units: Units) -> dict[str, Any]:
    """Return a range of candles, oldest first."""
    seconds = INTERVALS[window.interval]
    until_s = found.closed_until_s
    return {
        "symbol": symbol,
        "interval": window.interval,
        "candles": [
            candle(one, units, closed=one.begin_s + seconds <= until_s) for one in found.candles
        ],
    }


def candle(one: Candle, units: Units, *, closed: bool) -> dict[str, Any]:
    """Return one candle; turnover is what changed hands in the quote asset."""
    price = units.price_text
    return {
        "at": times.second_text(one.begin_s),
        "open": price(one.open_ticks),
        "high": price(one.high_ticks),
        "low": price(one.low_ticks),
        "close": price(one.close_ticks),
        "volume": units.quantity_text(one.lots),
        "turnover": units.amount_text(one.turnover),
        "trades": one.trades,
        "closed": closed,
    }


def feed(one: FeedStatus, *, silent: bool) -> dict[str, Any]:
    """Return the state of a venue's feed. silent: nothing is told any more, so nothing is sure."""
    return {
        "venue": one.venue,
        "symbol": one.symbol,
        "state": FeedState.DOWN if silent else one.state,
        "since": times.text(one.since_ns),
        "heard_at": times.text(one.heard_ns) if one.heard_ns else None,
        "left_out": one.left_out or None,
        **msgspec.structs.asdict(one.counters),
    }


def rows(levels: Sequence[Level], units: Units) -> Rows:
    """Return levels as [price, quantity] texts."""
    return [[units.price_text(one.ticks), units.quantity_text(one.lots)] for one in levels]


def changes(before: Sequence[Level], after: Sequence[Level], units: Units) -> Rows:
    """Return what turns one side into another: new sizes, and "0" for a price that is gone."""
    had = {level.ticks: level.lots for level in before}
    changed = [level for level in after if had.pop(level.ticks, None) != level.lots]
    gone = [Level(ticks, 0) for ticks in had]
    return rows([*changed, *gone], units)


def checksum(bids: Rows, asks: Rows) -> int:
    """Return the CRC32 over the top ten: the texts of bids, then asks, joined with ":".

    "p1:q1:p2:q2:…" of up to ten bids, best first, then of up to ten asks, all in one text.
    """
    texts = [text for side in (bids, asks) for row in side[:CHECKSUM_LEVELS] for text in row]
    return zlib.crc32(":".join(texts).encode())


def _filter(value: int, as_text: Any) -> str | None:
    return as_text(value) if value else None


def _price(ticks: int, units: Units) -> str | None:
    return units.price_text(ticks) if ticks else None


def _since(prices: SymbolPrices) -> str | None:
    """Return when the day's figures began while that is less than a day ago."""
    began_ns = prices.began_ns
    return times.text(began_ns) if 0 <= prices.at_ns - began_ns < WINDOW_NS else None


def _change(prices: SymbolPrices) -> str | None:
    """Return the move since 24 h ago in percent with two decimals, rounded towards zero."""
    if not prices.open_24h_ticks or not prices.last_ticks:
        return None
    moved = prices.last_ticks - prices.open_24h_ticks
    size = abs(moved) * 10_000 // prices.open_24h_ticks
    return numbers.text(size if moved >= 0 else -size, 2, 2)

"""What stands in oms.prices: the consolidated book of each symbol, its ticker, its new trades and live candles."""

import msgspec

from marketdata.domain.feed_state import FeedStatus


class Level(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Everything offered at one price over all venues."""

    ticks: int
    lots: int


class Trade(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A public trade. sign: +1 when the taker bought. trade_id: unique per venue."""

    trade_id: str
    venue: str
    ticks: int
    lots: int
    sign: int
    at_ns: int


class Candle(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What traded in a stretch of time that began at begin_s (seconds since 1970).

    lots: volume; turnover: the sum of ticks × lots; first_ns, last_ns: of its first and last trade,
    0 where nothing traded.
    """

    begin_s: int
    open_ticks: int
    high_ticks: int
    low_ticks: int
    close_ticks: int
    lots: int
    turnover: int
    trades: int
    first_ns: int
    last_ns: int


class Live(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A candle of an interval as it stands now; told again whenever it changes."""

    interval_s: int
    candle: Candle


class SymbolPrices(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One symbol at one instant.

    seq: grows by one with every change of the symbol's book; bids: best (highest) first;
    asks: best (lowest) first; *_24h: since 24 h ago, or since the feed began; venues: names of
    the venues that are fresh; began_ns: when the figures of *_24h began, 0 before the first trade;
    candles: those that changed since the last record (all of them now and then).
    """

    symbol: str
    seq: int
    at_ns: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    last_ticks: int
    open_24h_ticks: int
    high_24h_ticks: int
    low_24h_ticks: int
    volume_24h_lots: int
    trades: tuple[Trade, ...] = ()
    venues: tuple[str, ...] = ()
    began_ns: int = 0
    candles: tuple[Live, ...] = ()


class Prices(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """The payload of one record of oms.prices (schema "prices", partition 0).

    feeds: the states of all feeds, when one changed and now and then; else ().
    """

    source: str
    symbols: tuple[SymbolPrices, ...]
    feeds: tuple[FeedStatus, ...] = ()

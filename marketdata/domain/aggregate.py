"""The consolidated book: what all fresh venues offer, merged level by level.

Policy, in this order:
1. A venue that was not heard within the stale time drops out with everything it offered; so does one
   whose own book is crossed, and one whose mid is far from the middle of three or more. It is said so.
2. Levels at the same price add up, whoever offers them.
3. Where one venue's bid meets another's ask, the overlap is netted out: the best bid and the best
   ask consume each other, lot for lot, until bid < ask. That is what an arbitrageur leaves over,
   so nobody is shown liquidity that would be gone first, and the mid never lies inside a cross.
4. The best 20 levels a side remain. A symbol without both sides has no mark: risk fails closed.
"""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from marketdata.domain.feed_state import Board, Counters, FeedStatus, LeftOut, far_off
from marketdata.domain.freshness import STALE_MS, Freshness
from marketdata.domain.mark import Mark
from marketdata.domain.prices import Candle, Level, Live, Prices, SymbolPrices, Trade
from marketdata.domain.quote import FeedStep, Quote
from marketdata.domain.ticker import Day, Ticker

LEVELS_MAX: Final = 20
TRADES_MAX: Final = 200
"""Trades of one symbol kept until they are published; older ones go first."""

Sides = tuple[tuple[Level, ...], tuple[Level, ...]]


def merge(quotes: Iterable[Quote], levels_max: int = LEVELS_MAX) -> Sides:
    """Return (bids, asks) of all *quotes* together, uncrossed, best first."""
    bid_lots: dict[int, int] = {}
    ask_lots: dict[int, int] = {}
    for quote in quotes:
        for level in quote.bids:
            bid_lots[level.ticks] = bid_lots.get(level.ticks, 0) + level.lots
        for level in quote.asks:
            ask_lots[level.ticks] = ask_lots.get(level.ticks, 0) + level.lots
    bids = sorted(bid_lots.items(), reverse=True)
    asks = sorted(ask_lots.items())
    bids, asks = uncross(bids, asks)
    return _as_levels(bids[:levels_max]), _as_levels(asks[:levels_max])


def uncross(
    bids: list[tuple[int, int]], asks: list[tuple[int, int]]
) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Net the overlap of two sides (best first) out of both, lot for lot."""
    bid_at = ask_at = 0
    while bid_at < len(bids) and ask_at < len(asks) and bids[bid_at][0] >= asks[ask_at][0]:
        (bid_ticks, bid_lots), (ask_ticks, ask_lots) = bids[bid_at], asks[ask_at]
        both = min(bid_lots, ask_lots)
        bids[bid_at] = (bid_ticks, bid_lots - both)
        asks[ask_at] = (ask_ticks, ask_lots - both)
        bid_at += bid_lots == both
        ask_at += ask_lots == both
    return bids[bid_at:], asks[ask_at:]


def _as_levels(pairs: Sequence[tuple[int, int]]) -> tuple[Level, ...]:
    return tuple(Level(ticks, lots) for ticks, lots in pairs)


class Consolidator:
    """Folds feed steps into one book, ticker and list of new trades per symbol."""

    def __init__(self, source: str, stale_ms: int = STALE_MS) -> None:
        self.source = source
        self.freshness = Freshness(stale_ms)
        self._quotes: dict[str, dict[str, Quote]] = {}
        self._tickers: dict[str, Ticker] = {}
        self._trades: dict[str, list[Trade]] = {}
        self._last: dict[str, SymbolPrices] = {}
        self._board = Board(stale_ms)
        self._counters: Mapping[tuple[str, str], Counters] = {}
        self.feeds_changed = False
        """Whether a feed changed its state since `published`."""

    def count(self, counters: Mapping[tuple[str, str], Counters]) -> None:
        """Take what the feed counts of its books."""
        self._counters = counters

    def feeds(self) -> tuple[FeedStatus, ...]:
        """Return the state of each venue's feed of each symbol, as of the last `prices`."""
        return self._board.all()

    def resume(self, prices: Prices) -> None:
        """Go on from the last published record: seqs keep growing, the day's figures stay."""
        for one in prices.symbols:
            ticker = self._tickers.setdefault(one.symbol, Ticker())
            day = Day(
                one.last_ticks,
                one.open_24h_ticks,
                one.high_24h_ticks,
                one.low_24h_ticks,
                one.volume_24h_lots,
            )
            ticker.resume(day, one.at_ns, one.began_ns)
            self._last[one.symbol] = one
            self._quotes.setdefault(one.symbol, {})

    def apply(self, step: FeedStep, now_ns: int) -> None:
        """Take in one step of the feed."""
        self.freshness.heard(step.heard, now_ns)
        for quote in step.quotes:
            self._quotes.setdefault(quote.symbol, {})[quote.venue] = quote
        for symbol, trade in step.trades:
            self._quotes.setdefault(symbol, {})
            self._tickers.setdefault(symbol, Ticker()).on_trade(trade.ticks, trade.lots, now_ns)
            waiting = self._trades.setdefault(symbol, [])
            waiting.append(trade)
            del waiting[:-TRADES_MAX]

    def fill(self, symbol: str, minutes: Sequence[Candle]) -> None:
        """Put minutes of the past into the day's figures."""
        self._tickers.setdefault(symbol, Ticker()).fill(minutes)

    def prices(
        self,
        now_ns: int,
        candles: Mapping[str, tuple[Live, ...]] = MappingProxyType({}),
        *,
        all_feeds: bool = False,
    ) -> Prices:
        """Return the newest of every symbol, with all trades not yet marked as published; and the
        states of feeds when one changed, or if *all_feeds*."""
        symbols = tuple(
            self._symbol_prices(symbol, now_ns, candles.get(symbol, ()))
            for symbol in sorted(self._quotes)
        )
        feeds = self._board.all() if all_feeds or self.feeds_changed else ()
        return Prices(self.source, symbols, feeds)

    def published(self) -> None:
        """Forget the trades of the last `prices`: they are in the log."""
        self._trades.clear()
        self.feeds_changed = False

    def marks(self, now_ns: int) -> tuple[Mark, ...]:
        """Return the marks of all symbols that have both sides from a fresh venue."""
        found = (self._mark(one, now_ns) for one in self._last.values())
        return tuple(mark for mark in found if mark is not None)

    def _symbol_prices(self, symbol: str, now_ns: int, candles: tuple[Live, ...]) -> SymbolPrices:
        quotes = self._quotes[symbol]
        venues = self._believed(symbol, now_ns)
        bids, asks = merge(quotes[venue] for venue in venues)
        last = self._last.get(symbol)
        changed = last is None or last.bids != bids or last.asks != asks
        seq = (last.seq if last else 0) + changed
        heard = [self.freshness.heard_ns(venue) or 0 for venue in venues]
        ticker = self._tickers.setdefault(symbol, Ticker())
        day = ticker.day(now_ns)
        now = SymbolPrices(
            symbol,
            seq,
            max(heard, default=last.at_ns if last else 0),
            bids,
            asks,
            day.last_ticks,
            day.open_ticks,
            day.high_ticks,
            day.low_ticks,
            day.volume_lots,
            tuple(self._trades.get(symbol, ())),
            venues,
            ticker.began_ns,
            candles,
        )
        self._last[symbol] = now
        return now

    def _believed(self, symbol: str, now_ns: int) -> tuple[str, ...]:
        """Return the venues whose books count, by name; note how every feed of the symbol is."""
        quotes = self._quotes[symbol]
        counted = [venue for venue, of in self._counters if of == symbol]
        why = {
            venue: self._why_not(quotes.get(venue), venue, now_ns) for venue in (*quotes, *counted)
        }
        mids = {
            venue: quotes[venue].bids[0].ticks + quotes[venue].asks[0].ticks
            for venue, reason in why.items()
            if reason is LeftOut.NO and quotes[venue].bids and quotes[venue].asks
        }
        why |= dict.fromkeys(far_off(mids), LeftOut.FAR_OFF)
        for venue, reason in why.items():
            self.feeds_changed |= self._board.note(
                venue, symbol, heard_ns=self.freshness.heard_ns(venue), left_out=reason,
                counters=self._counters.get((venue, symbol), Counters()), now_ns=now_ns,
            )  # fmt: skip
        return tuple(sorted(venue for venue, reason in why.items() if reason is LeftOut.NO))

    def _why_not(self, quote: Quote | None, venue: str, now_ns: int) -> LeftOut:
        """Return why a venue's book does not count, judged by itself alone."""
        if quote is None or not (quote.bids or quote.asks):
            return LeftOut.NO_BOOK
        if not self.freshness.is_fresh(venue, now_ns):
            return LeftOut.STALE
        crossed = quote.bids and quote.asks and quote.bids[0].ticks >= quote.asks[0].ticks
        return LeftOut.CROSSED if crossed else LeftOut.NO

    def _mark(self, one: SymbolPrices, now_ns: int) -> Mark | None:
        if not one.bids or not one.asks or not self.freshness.is_near(one.at_ns, now_ns):
            return None
        bid, ask = one.bids[0].ticks, one.asks[0].ticks
        return Mark(one.symbol, (bid + ask) // 2, bid, ask, one.at_ns)

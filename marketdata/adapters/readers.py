"""What every exchange's reader offers to the replay, and what they share."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, Protocol

import msgspec

from marketdata.adapters.captures import Message
from marketdata.domain.book import ChecksumSync, DepthSync, Pair
from marketdata.domain.feed_state import Counters
from marketdata.domain.instrument import LOTS_MAX, TICKS_MAX, Units
from marketdata.domain.prices import Trade
from marketdata.domain.quote import Quote, Scale, ask_levels, bid_levels, lots_of, ticks_near
from oms_project.kernel import numbers

DEPTH: Final = 60
"""Levels a side handed on: more than the consolidated book shows, so that merging is exact."""


class Unreadable(Exception):  # noqa: N818 - a message, not a fault of ours
    """The message is not what its exchange documents."""


class Tracked(msgspec.Struct, gc=False):
    """One symbol of one venue. scale: None until the venue has printed its first price; crossed: how
    often its book came to be crossed; is_crossed: it is now."""

    symbol: str
    units: Units
    sync: DepthSync | ChecksumSync
    scale: Scale | None = None
    crossed: int = 0
    is_crossed: bool = False


class Reader(Protocol):
    """Turns one exchange's messages into books and trades."""

    changed: set[str]
    """Our symbols whose book changed since the replay last looked."""

    def take(self, message: Message, now_ns: int) -> Iterable[tuple[str, Trade]]:
        """Take in one message; return its public trades.

        Raises:
            Unreadable: the message is malformed; what it was about is no longer trusted.
        """

    def quote(self, symbol: str) -> Quote:
        """Return the symbol's book as it stands, empty if it is not in step with the venue."""

    def tracked(self) -> Iterable[Tracked]:
        """Return the symbols heard of so far."""

    @staticmethod
    def knows(message: Message) -> bool:
        """Tell whether the message is of this exchange's format."""


def find(
    name: str, units: Mapping[str, Units], symbols: Mapping[str, str], aliases: Mapping[str, str]
) -> str | None:
    """Return our symbol for a venue's *name*: as mapped, or with the same base and quote.

    Only letters and digits count ("XBT/USD" is "XBTUSD"); *aliases* renames assets (XBT -> BTC).
    """
    if name in symbols:
        return symbols[name]
    plain = _plain(name)
    for symbol, one in units.items():
        bases = _names(one.instrument.base, aliases)
        quotes = _names(one.instrument.quote, aliases)
        if any(plain == _plain(base + quote) for base in bases for quote in quotes):
            return symbol
    return None


def _names(asset: str, aliases: Mapping[str, str]) -> list[str]:
    return [asset, *(theirs for theirs, ours in aliases.items() if ours == asset)]


def _plain(name: str) -> str:
    return "".join(filter(str.isalnum, name)).upper()


def pairs(rows: Any, scale: Scale) -> tuple[Pair, ...]:
    """Return [[price, size, …], …] of decimal texts as ints of the venue's scale.

    Raises:
        Unreadable: not such a list, or more decimals than the venue prints.
    """
    try:
        found = tuple(
            (numbers.scaled(row[0], scale.price_places), numbers.scaled(row[1], scale.size_places))
            for row in rows
        )
    except (TypeError, ValueError, IndexError) as error:
        raise Unreadable(f"levels: {error}") from error
    checked = [(price, size) for price, size in found if price is not None and size is not None]
    if len(checked) != len(found):
        raise Unreadable("a level has more decimals than the venue prints")
    return tuple(checked)


def as_quote(venue: str, tracked: Tracked) -> Quote:
    """Return what the venue shows of a symbol; nothing if we are out of step or it is crossed."""
    book = tracked.sync.book
    crossed = book.is_crossed()
    tracked.crossed += crossed and not tracked.is_crossed
    tracked.is_crossed = crossed
    if not tracked.sync.live or tracked.scale is None or crossed:
        return Quote(venue, tracked.symbol, (), ())
    bids = bid_levels(book.top_bids(DEPTH), tracked.scale, tracked.units)
    asks = ask_levels(book.top_asks(DEPTH), tracked.scale, tracked.units)
    return Quote(venue, tracked.symbol, bids, asks)


def as_trade(
    trade_id: str, venue: str, row: tuple[Any, Any], *, sign: int, at_ns: int, tracked: Tracked
) -> Trade | None:
    """Return a public trade in ticks and lots; None if it is less than one lot.

    Raises:
        Unreadable: price or size is not a decimal.
    """
    scale = Scale(numbers_places(row[0]), numbers_places(row[1]))
    ((price, size),) = pairs([row], scale)
    lots = lots_of(size, scale, tracked.units)
    ticks = ticks_near(price, scale, tracked.units)
    if lots > LOTS_MAX or ticks > TICKS_MAX:
        raise Unreadable("a trade larger than any")
    return Trade(trade_id, venue, ticks, lots, sign, at_ns) if lots and ticks else None


def numbers_places(text: Any) -> int:
    """Return how many decimals a text prints, needless zeros included."""
    if not isinstance(text, str):
        raise Unreadable(f"{text!r} is not a decimal text")
    return len(text.partition(".")[2])


def counters_of(tracked: Tracked, unreadable: int) -> Counters:
    """Return what the symbol's book went through."""
    sync = tracked.sync
    checked = sync.checked if isinstance(sync, ChecksumSync) else 0
    failures = sync.mismatches if isinstance(sync, ChecksumSync) else 0
    return Counters(sync.gaps, sync.resyncs, checked, failures, tracked.crossed, unreadable)

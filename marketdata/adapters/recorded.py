"""Replays recorded captures as a feed: real books and trades at their real pace, or faster.

Each exchange in the folder is a venue of its own, and starts at its own first message: captures of
different days play side by side. Books come from the exchange's own procedure (snapshot and diffs,
or checksum) and vanish while it does not hold; lines that cannot be read are counted, never guessed.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
import structlog

from marketdata.adapters.binance import BinanceReader
from marketdata.adapters.captures import Capture, Message, venues
from marketdata.adapters.kraken import KrakenReader
from marketdata.adapters.readers import Reader, Unreadable, counters_of
from marketdata.domain.feed_state import Counters
from marketdata.domain.instrument import Units
from marketdata.domain.prices import Trade
from marketdata.domain.quote import FeedStep, Quote

MESSAGES_MAX: Final = 20_000
"""Messages of one venue in one step; the rest comes with the next."""
SNIFFED_MAX: Final = 200
"""Messages looked at to find out which exchange's format a capture has."""
READERS: Final = (BinanceReader, KrakenReader)

_logger = structlog.get_logger(__name__)


class _Track:
    """One exchange's capture on its way."""

    def __init__(
        self,
        venue: str,
        paths: Sequence[Path],
        units: Mapping[str, Units],
        symbols: Mapping[str, str],
    ) -> None:
        self.venue = venue
        self.capture = Capture(list(paths))
        self.reader_class = _sniff(venue, self.capture)
        self.round = 0
        self.malformed = 0
        self.ended = False
        self._units = units
        self._symbols = symbols
        self.rewind()

    def rewind(self) -> None:
        """Start the capture again, knowing nothing."""
        self.round += 1
        self.reader: Reader = self.reader_class(self.venue, self._units, self._symbols)
        self._messages: Iterator[Message] = self.capture.messages()
        self._next = next(self._messages, None)
        self.ended = self._next is None
        self.first_ns = self._next.at_ns if self._next else 0
        self.start_ns: int | None = None

    def due(self, played_ns: int, speed_percent: int) -> Iterator[Message]:
        """Yield the messages of the capture that are due after the replay ran for *played_ns*."""
        if self.start_ns is None:
            self.start_ns = played_ns
        until_ns = self.first_ns + (played_ns - self.start_ns) * speed_percent // 100
        for _ in range(MESSAGES_MAX):
            if self._next is None or self._next.at_ns > until_ns:
                break
            yield self._next
            self._next = next(self._messages, None)
        self.ended = self._next is None


class RecordedFeed:
    """A feed (marketdata.domain.quote.Feed) out of a folder of captures."""

    name = "recorded"

    def __init__(
        self,
        folder: Path,
        units: Mapping[str, Units],
        *,
        symbols: Mapping[str, str],
        speed_percent: int = 100,
        repeat: bool = False,
    ) -> None:
        """*units*: by our symbol; *symbols*: the venue's name -> ours, for those not alike.

        Raises:
            ValueError: no captures in the folder, of no known format, or an unknown symbol.
        """
        unknown = sorted(set(symbols.values()) - set(units))
        if unknown:
            raise ValueError(f"no such instrument: {', '.join(unknown)}")
        self._speed_percent = speed_percent
        self._repeat = repeat
        self._played_ns = 0
        self._last_ns: int | None = None
        found = venues(folder).items()
        self.tracks = [_Track(venue, paths, units, symbols) for venue, paths in found]

    @property
    def ended(self) -> bool:
        """Whether every capture was played to its end."""
        return all(track.ended for track in self.tracks)

    def step(self, now_ns: int) -> FeedStep:
        """Play everything that is due by *now_ns*; a clock that was set back stops nothing."""
        self._played_ns += max(0, now_ns - (self._last_ns or now_ns))
        self._last_ns = now_ns
        heard: list[str] = []
        quotes: list[Quote] = []
        trades: list[tuple[str, Trade]] = []
        for track in self.tracks:
            if track.ended and self._repeat:
                _logger.info("capture_repeats", venue=track.venue, rounds=track.round)
                track.rewind()
            if self._play(track, now_ns, trades):
                heard.append(track.venue)
            changed = sorted(track.reader.changed)
            track.reader.changed.clear()
            quotes += [track.reader.quote(symbol) for symbol in changed]
        return FeedStep(tuple(heard), tuple(quotes), tuple(trades))

    def counters(self) -> dict[tuple[str, str], Counters]:
        """Return what each book went through (marketdata.domain.feed_state.Counting)."""
        return {
            (track.venue, one.symbol): counters_of(one, track.malformed + track.capture.unreadable)
            for track in self.tracks
            for one in track.reader.tracked()
        }

    def _play(self, track: _Track, now_ns: int, trades: list[tuple[str, Trade]]) -> int:
        """Feed the track's due messages to its reader and return how many they were."""
        count = 0
        for message in track.due(self._played_ns, self._speed_percent):
            count += 1
            try:
                found = track.reader.take(message, now_ns)
            except Unreadable as error:
                track.malformed += 1
                _logger.warning("capture_malformed", venue=track.venue, reason=str(error))
                continue
            trades += [(symbol, _in_round(trade, track.round)) for symbol, trade in found]
        return count


def _in_round(trade: Trade, number: int) -> Trade:
    """Return the trade with an id of its own for each time the capture is played."""
    if number == 1:
        return trade
    return msgspec.structs.replace(trade, trade_id=f"{trade.trade_id}-{number}")


def _sniff(venue: str, capture: Capture) -> type[BinanceReader] | type[KrakenReader]:
    """Return the reader that knows the capture's format, from its first messages."""
    for _, message in zip(range(SNIFFED_MAX), capture.messages(), strict=False):
        for reader in READERS:
            if reader.knows(message):
                return reader
    raise ValueError(f"captures of {venue} are of no known format")

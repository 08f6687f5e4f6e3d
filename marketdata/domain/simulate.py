"""A seeded market: several venues quoting several symbols, a function of the seed and of the time.

Nothing is remembered: what the market is at an instant follows from the seed, the start prices and
the instant (noise.py). So the same seed gives the same tape to the last lot, on every machine; a
restart finds the market where it would have been; and the past can be told (`history`) although
nobody watched it.

From the inside out, in integers only:

* **Time** goes in steps of 100 ms since 1970, whatever the caller's rhythm.
* **The fair price** of a symbol (path.py) wanders around its start price.
* **A venue** quotes around the fair price with its own offset, spread and depth. Levels stand on a
  grid that all venues share, so books merge; a level keeps its size for some seconds.
* **Trades** happen at a venue's touch: more in busy hours and in rough weather, two in three the way
  the price just moved, small ones common and large ones rare.
* **Outages**: now and then a venue falls silent for some seconds, so staleness is seen every day.
"""

from collections.abc import Iterator, Sequence
from typing import Final, Protocol

import msgspec

from marketdata.domain.noise import Wander, draw, key_of
from marketdata.domain.path import STEP_NS, STEPS_A_SECOND, Path, Sea, SymbolModel
from marketdata.domain.prices import Level, Trade
from marketdata.domain.quote import FeedStep, Quote
from oms_project.kernel.numbers import NS_PER_S, PPM

STEPS_MAX: Final = 864_000
"""Internal steps made up for in one call: after a sleep of up to a day no trade is missing."""
MILLI: Final = 1_000
OUTAGE_EVERY: Final = 18_000
OUTAGE_STEPS_MIN: Final = 40
OUTAGE_STEPS_MAX: Final = 120
GROWTH_PERCENT: Final = 15
"""Each level away from the touch holds so many percent of the first one's size more."""
NOISE_MIN: Final = 50
NOISE_SPAN: Final = 101
LEVEL_STEPS: Final = 60
"""How long a level keeps its size."""
TRADES_A_SECOND_MAX: Final = 6
CHANCE_MAX: Final = 1_024
CHANCE_USUAL: Final = 300
"""Of CHANCE_MAX, for each of a second's trades that may be: 1.8 a second and symbol."""
HOURS_PERCENT: Final = (
    70, 60, 55, 55, 55, 60, 70, 85, 100, 105, 105, 105,
    110, 130, 150, 155, 150, 140, 130, 120, 110, 100, 90, 80,
)  # fmt: skip
"""How busy each hour of the day (UTC) is."""
_OFFSET: Final = ((30, 9), (400, 12))


class Dice(Protocol):
    """The one thing asked of a seeded generator (random.Random has it)."""

    def randrange(self, start: int, stop: int, /) -> int: ...


class VenueModel(msgspec.Struct, frozen=True, kw_only=True):
    """How one venue quotes. offset_ppm: its bias against the fair price; depth_percent: of 100."""

    name: str
    half_spread_ppm: int
    offset_ppm: int = 0
    depth_percent: int = 100


VENUES: Final = (
    VenueModel(name="ALPHA", half_spread_ppm=230, offset_ppm=0, depth_percent=120),
    VenueModel(name="BRAVO", half_spread_ppm=260, offset_ppm=20, depth_percent=100),
    VenueModel(name="CHARLIE", half_spread_ppm=300, offset_ppm=-20, depth_percent=80),
)


class _Stall:
    """One venue's stall for one symbol."""

    __slots__ = ("_model", "_offset", "_sizes", "number", "path", "venue")

    def __init__(self, seed: int, number: int, venue: VenueModel, path: Path) -> None:
        self.number, self.venue, self.path = number, venue, path
        self._model = path.model
        self._offset = Wander(key_of(seed, "offset", venue.name, self._model.symbol), _OFFSET)
        self._sizes = key_of(seed, "sizes", venue.name, self._model.symbol)

    def touch(self, step: int) -> tuple[int, int]:
        """Return the best bid and ask in ticks, on the grid, at least a grid step apart."""
        grid = self._model.grid_ticks
        fair = self.path.fair_milli(step)
        middle = fair + fair * (self.venue.offset_ppm + self._offset.at(step)) // PPM
        half = max(middle * self.venue.half_spread_ppm // PPM, 1)
        bid = (middle - half) // MILLI // grid * grid
        ask = -(-(middle + half) // (MILLI * grid)) * grid
        return max(bid, grid), max(ask, 2 * grid)

    def quote(self, step: int, levels: int) -> Quote:
        grid = self._model.grid_ticks
        bid, ask = self.touch(step)
        base = self._model.depth_lots * self.venue.depth_percent
        bids: list[Level] = []
        asks: list[Level] = []
        for number in range(levels):
            size = base * (100 + GROWTH_PERCENT * number)
            away = number * grid
            asks.append(Level(ask + away, self._lots(size, ask + away, step)))
            if bid > away:
                bids.append(Level(bid - away, self._lots(size, bid - away, step)))
        return Quote(self.venue.name, self._model.symbol, tuple(bids), tuple(asks))

    def _lots(self, size: int, ticks: int, step: int) -> int:
        """Return what stands at a price: drawn anew every LEVEL_STEPS, each price at its own time."""
        since = (step + ticks // self._model.grid_ticks * 7) // LEVEL_STEPS
        noise = NOISE_MIN + draw(self._sizes ^ ticks, since) % NOISE_SPAN
        return max(size * noise // PPM, 1)


class SimulatedFeed:
    """The feed of the seeded market (marketdata.domain.quote.Feed)."""

    name = "sim"

    def __init__(
        self,
        models: Sequence[SymbolModel],
        seed: int,
        *,
        venues: Sequence[VenueModel] = VENUES,
        levels: int = 20,
        outage_every: int = OUTAGE_EVERY,
    ) -> None:
        """*outage_every*: steps in which a venue falls silent once; 0: none ever does."""
        self._seed = seed
        self._levels = levels
        self._outage_every = outage_every
        self._venues = tuple(venues)
        sea = Sea(seed)
        self._paths = {model.symbol: Path(seed, model, sea) for model in models}
        pairs = [(path, venue) for path in self._paths.values() for venue in self._venues]
        self._stalls = [_Stall(seed, n, venue, path) for n, (path, venue) in enumerate(pairs)]
        self._trading = {symbol: key_of(seed, "trades", symbol) for symbol in self._paths}
        self._silences = {one.name: key_of(seed, "silence", one.name) for one in self._venues}
        self._last: int | None = None

    @property
    def symbols(self) -> tuple[str, ...]:
        return tuple(self._paths)

    def step(self, now_ns: int) -> FeedStep:
        """Return every open venue's books as of now, and the trades since the last call."""
        now = now_ns // STEP_NS
        last = self._last
        if last is None or now < last - 1:
            last = now  # the beginning, or the clock was set back: go on from here
        self._last = now
        trades = self._trades(max(last, now - STEPS_MAX), now)
        heard = tuple(one.name for one in self._venues if not self._silent(one.name, now))
        quotes = tuple(
            one.quote(now, self._levels) for one in self._stalls if one.venue.name in heard
        )
        return FeedStep(heard, quotes, tuple(trades))

    def history(self, symbol: str, after_ns: int, until_ns: int) -> Iterator[Trade]:
        """Yield what traded in *symbol* after one instant up to another, oldest first."""
        first, last = after_ns // STEP_NS, until_ns // STEP_NS
        stalls = [one for one in self._stalls if one.path is self._paths[symbol]]
        for second in range(first // STEPS_A_SECOND, last // STEPS_A_SECOND + 1):
            for step, trade in self._second(symbol, stalls, second):
                if first < step <= last:
                    yield trade

    def _trades(self, after: int, until: int) -> list[tuple[str, Trade]]:
        """Return the trades of the steps behind *after* up to *until*, of all symbols, by time."""
        found = [
            (symbol, trade)
            for symbol in self._paths
            for trade in self.history(symbol, after * STEP_NS, until * STEP_NS)
        ]
        return sorted(found, key=lambda pair: pair[1].at_ns)

    def _second(
        self, symbol: str, stalls: Sequence[_Stall], second: int
    ) -> list[tuple[int, Trade]]:
        """Return (step, trade) of one second of one symbol."""
        bits = draw(self._trading[symbol], second)
        busy = HOURS_PERCENT[second // 3_600 % 24] * self._paths[symbol].weather(second)
        chance = min(CHANCE_USUAL * busy // 10_000, CHANCE_MAX - 1)
        numbers = [
            number
            for number in range(TRADES_A_SECOND_MAX)
            if (bits >> 10 * number) % CHANCE_MAX < chance
        ]
        if not numbers:
            return []
        begin = second * STEPS_A_SECOND
        began = self._paths[symbol].fair_milli(begin - 1)
        found = []
        for place, one in enumerate(sorted((draw(bits, n) for n in numbers), key=_into_second)):
            step, stall = begin + _into_second(one), stalls[(one >> 8) % len(stalls)]
            if not self._silent(stall.venue.name, step):
                found.append((step, self._trade(stall, step, place, one, began)))
        return found

    def _trade(self, stall: _Stall, step: int, place: int, bits: int, began_milli: int) -> Trade:
        """Return a trade at the stall's touch. began_milli: the fair price before its second."""
        path = stall.path
        bid, ask = stall.touch(step)
        rises = path.fair_milli(step) >= began_milli
        along = (bits >> 16) % 3 != 0
        sign = 1 if rises == along else -1
        # Small trades are common, big ones rare: the product of two draws.
        parts = ((bits >> 24) % 100 + 1) * ((bits >> 40) % 100 + 1)
        lots = max(path.model.depth_lots * parts // 20_000, 1)
        trade_id = f"{step:x}-{stall.number:x}{place:x}"
        at_ns = step * STEP_NS
        return Trade(trade_id, stall.venue.name, ask if sign > 0 else bid, lots, sign, at_ns)

    def _silent(self, venue: str, step: int) -> bool:
        """Tell whether the venue is away: once in each window of so many steps, at a drawn time."""
        if not self._outage_every:
            return False
        window, into = divmod(step, self._outage_every)
        bits = draw(self._silences[venue], window)
        begin = bits % self._outage_every
        span = OUTAGE_STEPS_MAX - OUTAGE_STEPS_MIN
        return begin <= into < begin + OUTAGE_STEPS_MIN + (bits >> 32) % span


def _into_second(bits: int) -> int:
    return bits % STEPS_A_SECOND


assert STEPS_A_SECOND * STEP_NS == NS_PER_S

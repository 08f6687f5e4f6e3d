"""A seeded market: several venues quoting several symbols, in integer arithmetic only.

How it works, from the inside out:

* **Time** advances in fixed internal steps of 100 ms, whatever the caller's rhythm. The same seed
  and the same step times give the same market to the last lot, on every machine.
* **The fair price** of a symbol wanders: a bell-shaped shock a step, a pull towards an anchor
  that itself wanders slowly and is pulled home to the start price, and now and then a jump of up to
  three per mille from which the price half recovers. Prices are carried in thousandths of a tick so
  that small shocks are not lost to rounding.
* **A venue** quotes around the fair price with its own offset (a few hundred-thousandths, drifting
  around its bias), its own spread and its own depth. Levels stand on a grid that all venues share, so
  books merge; sizes grow away from the touch and only some of them change from step to step.
* **Trades** happen at a venue's touch, more of them in the direction the price just moved.
* **Outages**: rarely a venue falls silent for some seconds, so that staleness is seen every day.
"""

from collections.abc import Sequence
from typing import Final, Protocol

import msgspec

from marketdata.domain.prices import Level, Trade
from marketdata.domain.quote import FeedStep, Quote
from oms_project.kernel.numbers import PPM

STEP_NS: Final = 100_000_000
STEPS_MAX: Final = 600
"""Internal steps made up for in one call; after a longer pause the market just goes on."""

MILLI: Final = 1_000
ANCHOR_PULL: Final = 600
"""The price goes 1/600 of the way back to its anchor each step: half of it in about 40 s."""
HOME_PULL: Final = 50_000
JUMP_EVERY: Final = 4_000
JUMP_PPM_MAX: Final = 3_000
TRADE_PERCENT: Final = 6
OUTAGE_EVERY: Final = 18_000
OUTAGE_STEPS_MIN: Final = 40
OUTAGE_STEPS_MAX: Final = 120
GROWTH_PERCENT: Final = 15
"""Each level away from the touch holds so many percent of the first one's size more."""
NOISE_MIN: Final = 50
NOISE_MAX: Final = 150
REDRAWN: Final = 5
"""Levels a side whose size is drawn anew in a step."""


class Dice(Protocol):
    """The one thing asked of a seeded generator (random.Random has it)."""

    def randrange(self, start: int, stop: int, /) -> int: ...


class SymbolModel(msgspec.Struct, frozen=True, kw_only=True):
    """How one symbol behaves. grid_ticks: distance of levels; depth_lots: a venue's first level."""

    symbol: str
    start_ticks: int
    grid_ticks: int
    depth_lots: int
    shock_ppm: int = 60


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


class _Market(msgspec.Struct, gc=False):
    """The fair price of a symbol, in thousandths of a tick; moved: the last step's direction."""

    model: SymbolModel
    fair_milli: int
    anchor_milli: int
    moved: int = 1


class _Stand(msgspec.Struct, gc=False):
    """One venue's stall for one symbol."""

    venue: VenueModel
    market: _Market
    offset_ppm: int
    bid_noise: list[int]
    ask_noise: list[int]


class SimulatedFeed:
    """The feed of the seeded market (marketdata.domain.quote.Feed)."""

    name = "sim"

    def __init__(
        self,
        models: Sequence[SymbolModel],
        dice: Dice,
        *,
        venues: Sequence[VenueModel] = VENUES,
        levels: int = 20,
        outage_every: int = OUTAGE_EVERY,
    ) -> None:
        """Open the market at the start prices. *outage_every* 0: venues never fall silent."""
        self._dice = dice
        self._levels = levels
        self._outage_every = outage_every
        self._venues = tuple(venues)
        self._markets = [
            _Market(model, model.start_ticks * MILLI, model.start_ticks * MILLI) for model in models
        ]
        self._stands = [
            _Stand(venue, market, venue.offset_ppm, self._noise(), self._noise())
            for market in self._markets
            for venue in venues
        ]
        self._silent_until = {venue.name: 0 for venue in venues}
        self._step_count = 0
        self._at_ns: int | None = None

    def step(self, now_ns: int) -> FeedStep:
        """Let the market run up to *now_ns* and return every open venue's books and trades."""
        trades: list[tuple[str, Trade]] = []
        for at_ns in self._due(now_ns):
            self._advance(at_ns, trades)
        silent = self._silent_until
        heard = tuple(v.name for v in self._venues if silent[v.name] <= self._step_count)
        quotes = tuple(self._quote(one) for one in self._stands if one.venue.name in heard)
        return FeedStep(heard, quotes, tuple(trades))

    def _due(self, now_ns: int) -> range:
        """Return the instants of the internal steps to make now."""
        if self._at_ns is None or now_ns < self._at_ns - STEP_NS:
            self._at_ns = now_ns  # the beginning, or the clock was set back: go on from here
        last = self._at_ns
        count = max(0, (now_ns - last) // STEP_NS)
        self._at_ns = last + count * STEP_NS
        first = self._at_ns - (min(count, STEPS_MAX) - 1) * STEP_NS
        return range(first, self._at_ns + 1, STEP_NS) if count else range(0)

    def _advance(self, at_ns: int, trades: list[tuple[str, Trade]]) -> None:
        self._step_count += 1
        for market in self._markets:
            self._move(market)
        draw = self._dice.randrange
        for venue in self._venues:
            if self._outage_every and not draw(0, self._outage_every):
                steps = draw(OUTAGE_STEPS_MIN, OUTAGE_STEPS_MAX)
                self._silent_until[venue.name] = self._step_count + steps
        for number, stand in enumerate(self._stands):
            self._redraw(stand)
            trading = draw(0, 100) < TRADE_PERCENT
            if trading and self._silent_until[stand.venue.name] <= self._step_count:
                trade_id = f"{at_ns // 1_000_000:x}-{number:x}"
                trades.append((stand.market.model.symbol, self._trade(stand, trade_id, at_ns)))

    def _move(self, market: _Market) -> None:
        """One step of the fair price."""
        model = market.model
        home = model.start_ticks * MILLI
        before = market.fair_milli
        pull = (market.anchor_milli - before) // ANCHOR_PULL
        fair = before + before * self._bell(model.shock_ppm) // PPM + pull
        anchor = market.anchor_milli
        anchor += (
            anchor * self._bell(model.shock_ppm // 4 + 1) // PPM + (home - anchor) // HOME_PULL
        )
        if not self._dice.randrange(0, JUMP_EVERY):
            jump = fair * self._dice.randrange(-JUMP_PPM_MAX, JUMP_PPM_MAX + 1) // PPM
            fair += jump
            anchor += jump // 2
        market.fair_milli = min(max(fair, home // 10), home * 10)
        market.anchor_milli = min(max(anchor, home // 5), home * 5)
        market.moved = 1 if market.fair_milli >= before else -1

    def _bell(self, width: int) -> int:
        """Return a bell-shaped draw in ±2 × *width*, most of them within ±*width*."""
        draw = self._dice.randrange
        return sum(draw(-width, width + 1) for _ in range(4)) // 2

    def _noise(self) -> list[int]:
        return [self._dice.randrange(NOISE_MIN, NOISE_MAX + 1) for _ in range(self._levels)]

    def _redraw(self, stand: _Stand) -> None:
        """Change the venue's offset a little and the sizes of some levels."""
        draw = self._dice.randrange
        bias = stand.venue.offset_ppm
        stand.offset_ppm += draw(-6, 7) + (bias - stand.offset_ppm) // 8
        for noise in (stand.bid_noise, stand.ask_noise):
            for _ in range(REDRAWN):
                noise[draw(0, self._levels)] = draw(NOISE_MIN, NOISE_MAX + 1)

    def _touch(self, stand: _Stand) -> tuple[int, int]:
        """Return the venue's best bid and ask in ticks, on the grid, at least a grid step apart."""
        grid = stand.market.model.grid_ticks
        fair = stand.market.fair_milli
        middle = fair + fair * stand.offset_ppm // PPM
        half = max(middle * stand.venue.half_spread_ppm // PPM, 1)
        bid = (middle - half) // MILLI // grid * grid
        ask = -(-(middle + half) // (MILLI * grid)) * grid
        return max(bid, grid), max(ask, 2 * grid)

    def _quote(self, stand: _Stand) -> Quote:
        model = stand.market.model
        bid, ask = self._touch(stand)
        base = model.depth_lots * stand.venue.depth_percent
        bids: list[Level] = []
        asks: list[Level] = []
        for level in range(self._levels):
            size = base * (100 + GROWTH_PERCENT * level)
            away = level * model.grid_ticks
            asks.append(Level(ask + away, max(size * stand.ask_noise[level] // PPM, 1)))
            if bid > away:
                bids.append(Level(bid - away, max(size * stand.bid_noise[level] // PPM, 1)))
        return Quote(stand.venue.name, model.symbol, tuple(bids), tuple(asks))

    def _trade(self, stand: _Stand, trade_id: str, at_ns: int) -> Trade:
        """Return a trade at the touch, two times in three the way the price moved."""
        draw = self._dice.randrange
        sign = stand.market.moved if draw(0, 3) else -stand.market.moved
        bid, ask = self._touch(stand)
        # Small trades are common, big ones rare: the product of two draws.
        parts = draw(1, 101) * draw(1, 101)
        lots = max(stand.market.model.depth_lots * parts // 20_000, 1)
        ticks = ask if sign > 0 else bid
        return Trade(trade_id, stand.venue.name, ticks, lots, sign, at_ns)

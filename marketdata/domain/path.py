"""How the fair price of a simulated symbol moves: what all share, what is its own, the weather, jumps.

* **The sea**: one wandering value that lifts and sinks all symbols, so they are correlated.
* **Its own way**: another that is the symbol's alone; together about two percent a day for a symbol
  of `swing_percent` 100, with trends of hours and days, around the start price.
* **Weather**: for an hour or two prices are rougher or calmer, and trades more or fewer.
* **Jumps**: now and then by up to three per mille at once; half of it is lost within a minute or
  so, the rest over the following hours.

A share of the price is in parts per billion (`ppb`), a price in thousandths of a tick (`milli`), so
that small moves are not lost to rounding.
"""

from typing import Final

import msgspec

from marketdata.domain.noise import Wander, bell, draw, key_of

STEP_NS: Final = 100_000_000
STEPS_A_SECOND: Final = 10
PPB: Final = 1_000_000_000
MILLI: Final = 1_000
_S: Final = STEPS_A_SECOND
_QUICK: Final = (
    (_S, 42_000), (4 * _S, 84_000), (15 * _S, 165_000), (60 * _S, 330_000), (240 * _S, 660_000),
    (900 * _S, 1_250_000),
)  # fmt: skip
"""(period in steps, amplitude in ppb), for a symbol of swing 100 in usual weather."""
_SLOW: Final = ((3_600, 2_500_000), (14_400, 5_000_000), (57_600, 9_500_000), (259_200, 18_000_000))
"""(period in seconds, amplitude)."""
WEATHER_S: Final = 5_400
WEATHER_MIN: Final = 40
WEATHER_MAX: Final = 260
JUMP_S: Final = 1_200
"""In each window of so many seconds there may be one jump,"""
JUMP_ONE_IN: Final = 4
JUMP_WINDOWS: Final = 8
"""which is forgotten after so many windows."""
JUMP_PPB: Final = 1_300_000
JUMP_HALVED_S: Final = 90


class SymbolModel(msgspec.Struct, frozen=True, kw_only=True):
    """How one symbol behaves. grid_ticks: distance of levels; depth_lots: a venue's first level;
    swing_percent: how far its price moves, of 100; sea_percent: how much of that it shares."""

    symbol: str
    start_ticks: int
    grid_ticks: int
    depth_lots: int
    swing_percent: int = 100
    sea_percent: int = 80


class Sea:
    """What all symbols of a market share. Kept for the step asked last: all ask for the same one."""

    def __init__(self, seed: int) -> None:
        self._quick = Wander(key_of(seed, "sea", "quick"), _QUICK)
        self._slow = Wander(key_of(seed, "sea", "slow"), _SLOW)
        self._step = self._second = -1
        self._kept = self._kept_slow = 0

    def quick(self, step: int) -> int:
        if step != self._step:
            self._kept, self._step = self._quick.at(step), step
        return self._kept

    def slow(self, second: int) -> int:
        if second != self._second:
            self._kept_slow, self._second = self._slow.at(second), second
        return self._kept_slow


class Path:
    """The fair price of one symbol at any step. What is slow is worked out once a second."""

    def __init__(self, seed: int, model: SymbolModel, sea: Sea) -> None:
        self.model = model
        self._sea = sea
        name = model.symbol
        self._quick = Wander(key_of(seed, name, "quick"), _QUICK)
        self._slow = Wander(key_of(seed, name, "slow"), _SLOW)
        self._weather = Wander(key_of(seed, name, "weather"), ((WEATHER_S, 70),))
        self._jumps = key_of(seed, name, "jumps")
        self._window = -1
        self._active: tuple[tuple[int, int], ...] = ()
        # sea² + own² = 1: what is shared takes nothing from how far the price moves.
        shared = model.sea_percent
        own = _root(10_000 - shared * shared)
        self._shares = (shared * model.swing_percent, own * model.swing_percent)
        self._step = self._second = -1
        self._fair = self._steady_ppb = self._rough = 0

    def fair_milli(self, step: int) -> int:
        """Return the fair price in thousandths of a tick."""
        if step != self._step:
            self._step = step
            second = step // STEPS_A_SECOND
            if second != self._second:
                self._move(second)
            sea, own = self._shares
            quick = self._sea.quick(step) * sea + self._quick.at(step) * own
            share = quick * self._rough // 1_000_000 + self._steady_ppb
            start = self.model.start_ticks * MILLI
            self._fair = max(start + start * share // PPB, MILLI)
        return self._fair

    def weather(self, second: int) -> int:
        """Return how rough it is, in percent of the usual."""
        return min(max(100 + self._weather.at(second), WEATHER_MIN), WEATHER_MAX)

    def _move(self, second: int) -> None:
        sea, own = self._shares
        slow = self._sea.slow(second) * sea + self._slow.at(second) * own
        self._second = second
        self._rough = self.weather(second)
        self._steady_ppb = slow // 10_000 + self._jumped(second)

    def _jumped(self, second: int) -> int:
        """Return what jumps of the last windows are still worth."""
        window = second // JUMP_S
        if window != self._window:
            self._active = self._jumps_near(window)
            self._window = window
        total = 0
        for begun, size in self._active:
            age = second - begun
            if 0 <= age < JUMP_HALVED_S:
                total += size - size * age // (2 * JUMP_HALVED_S)
            elif 0 <= age < JUMP_WINDOWS * JUMP_S:
                left = JUMP_WINDOWS * JUMP_S - age
                total += size * left // (2 * (JUMP_WINDOWS * JUMP_S - JUMP_HALVED_S))
        return total

    def _jumps_near(self, window: int) -> tuple[tuple[int, int], ...]:
        """Return (second, size) of every jump that may still be felt in *window*."""
        found = []
        for number in range(window - JUMP_WINDOWS, window + 1):
            bits = draw(self._jumps, number)
            if bits % JUMP_ONE_IN == 0:
                begun = number * JUMP_S + (bits >> 8) % JUMP_S
                size = bell(draw(self._jumps ^ 1, number), JUMP_PPB)
                found.append((begun, size * self.model.swing_percent // 100))
        return tuple(found)


def _root(number: int) -> int:
    """Return the whole part of the square root of a small number."""
    root = 0
    while (root + 1) * (root + 1) <= number:
        root += 1
    return root

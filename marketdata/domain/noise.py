"""Randomness that has no memory: what a seed draws at an instant, whatever was drawn before.

Two things follow. The same seed gives the same market at the same time, on every machine, after any
restart. And any moment of the past can be worked out without living through all before it.

All integers. `draw` is a hash; `Wander` adds up noise of several periods, each of them a line from one
random knot to the next: with amplitudes that grow as the root of the period this moves, over any span
between the shortest and the longest period, about as a random walk does, and never runs away.
"""

from collections.abc import Sequence
from typing import Final

from xxhash import xxh3_64_intdigest

_MASK: Final = 2**64 - 1
BELL_UNIT: Final = 37_837
"""The standard deviation of a bell's sum of four 16-bit numbers."""
_BELL_MEAN: Final = 2 * 65_535


def draw(key: int, number: int) -> int:
    """Return 64 random bits that depend on *key* and *number* alone."""
    return xxh3_64_intdigest(number.to_bytes(8, "little", signed=True), key)


def key_of(seed: int, *names: str | int) -> int:
    """Return the key of something's own randomness: of a symbol, a venue, a purpose."""
    key = draw(seed & _MASK, 0)
    for name in names:
        parts = name.encode() if isinstance(name, str) else (name,)
        for part in parts:
            key = draw(key, part)
    return key


def bell(bits: int, width: int) -> int:
    """Return a bell-shaped number out of 64 bits: mean 0, standard deviation *width*."""
    total = (bits & 0xFFFF) + (bits >> 16 & 0xFFFF) + (bits >> 32 & 0xFFFF) + (bits >> 48)
    return (total - _BELL_MEAN) * width // BELL_UNIT


class Wander:
    """A value that wanders around 0. Asked in the order of time it is cheap, otherwise only correct."""

    __slots__ = ("_lines",)

    def __init__(self, key: int, octaves: Sequence[tuple[int, int]]) -> None:
        """*octaves*: (period in steps, amplitude) pairs."""
        self._lines = [_Line(draw(key, n), *one) for n, one in enumerate(octaves)]

    def at(self, step: int) -> int:
        """Return the value at *step*."""
        total = 0
        for line in self._lines:
            into = step - line.begin
            if not 0 <= into < line.period:
                line.move(step)
                into = step - line.begin
            total += line.left + line.rise * into // line.period
        return total


class _Line:
    """Noise of one period: the line from one knot to the next. The knots stand at a phase of their
    own, so that no instant is special. rise: from the left knot to the right one."""

    __slots__ = ("_amplitude", "_key", "_phase", "begin", "left", "period", "rise")

    def __init__(self, key: int, period: int, amplitude: int) -> None:
        self._key, self._amplitude, self.period = key, amplitude, period
        self._phase = draw(key, -1) % period
        self.move(0)

    def move(self, step: int) -> None:
        """Become the line that *step* lies on."""
        knot = (step + self._phase) // self.period
        self.begin = knot * self.period - self._phase
        self.left = bell(draw(self._key, knot), self._amplitude)
        self.rise = bell(draw(self._key, knot + 1), self._amplitude) - self.left

"""Money and size as integers: the only file that turns decimal text into ints and back.

Rules of this file: no float, no rounding. A text that does not fit its scale exactly is refused.
"""

import re
from typing import Annotated, Final

import msgspec

PATTERN: Final = r"(0|[1-9][0-9]{0,17})(\.[0-9]{1,18})?"
"""The grammar, as the contract tells it."""
DECIMAL: Final = re.compile(r"(0|[1-9][0-9]{0,17})(?:\.([0-9]{1,18}))?", re.ASCII)
_match = DECIMAL.fullmatch
_POWERS: Final[tuple[int, ...]] = tuple(10**places for places in range(37))

INT64_MAX: Final = 2**63 - 1
Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=INT64_MAX)]
"""A number as the log may hold it: every store has room for it. More is refused at the reading."""
Count = Annotated[int, msgspec.Meta(ge=0, le=INT64_MAX)]
"""As Int64, and not below zero: an amount, a time since 1970, a number of something."""

NS_PER_MS: Final = 1_000_000
NS_PER_S: Final = 1_000_000_000
PPM: Final = 1_000_000
"""Rates (fees, collars) are integers in parts per million."""


def scaled(text: str, places: int) -> int | None:
    """Return *text* × 10^places as an int, or None if it has more decimals than that.

    Units:   decimal text -> integer of 10^-places.
    Errors:  ValueError if *text* is outside the decimal grammar (sign, exponent, blank, leading zero).
    """
    found = _match(text)
    if found is None:
        raise ValueError("not a decimal")
    whole, fraction = found.groups()
    value: int
    if fraction is None:
        value = int(whole) * 10**places
        return value
    if len(fraction) > places:
        if fraction[places:].strip("0"):
            return None
        fraction = fraction[:places]
    value = int(whole + fraction) * 10 ** (places - len(fraction))
    return value


def steps(text: str, places: int, step: int) -> int | None:
    """Return how many whole steps *text* is, or None if it lies between two steps.

    Units:   *step* in 10^-places (tick size or lot size); result in ticks or lots.
    Errors:  ValueError as in `scaled`.
    """
    # `scaled`, written out: this runs twice an order at the door.
    found = _match(text)
    if found is None:
        raise ValueError("not a decimal")
    whole, fraction = found.groups()
    if fraction is None:
        value = int(whole) * _POWERS[places]
    elif len(fraction) <= places:
        value = int(whole + fraction) * _POWERS[places - len(fraction)]
    else:
        exact = scaled(text, places)
        if exact is None:
            return None
        value = exact
    if step == 1:
        return value
    count, rest = divmod(value, step)
    return None if rest else count


def text(value: int, places: int, decimals_min: int = 0) -> str:
    """Return the canonical decimal text of *value* × 10^-places, without needless zeros.

    *decimals_min* keeps that many decimals (a price shows those of its tick).
    """
    sign = "-" if value < 0 else ""
    if not places:
        return f"{value}"
    digits = f"{abs(value):0{places + 1}d}"
    whole, fraction = digits[:-places], digits[-places:]
    fraction = fraction.rstrip("0").ljust(decimals_min, "0")
    return f"{sign}{whole}.{fraction}" if fraction else f"{sign}{whole}"


def decimals_of(size_text: str) -> int:
    """Return how many decimals *size_text* needs ("0.0100" -> 2)."""
    _, _, fraction = size_text.partition(".")
    return len(fraction.rstrip("0"))


def ceil_div(value: int, divisor: int) -> int:
    """Return value / divisor rounded towards plus infinity (fees and holds round up)."""
    return -(-value // divisor)

"""Decimal text and scaled integers: the grammar, the rounding there is not, the way back."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oms_project.kernel import numbers
from oms_project.tests.examples import examples

NO_DECIMALS = [
    "", " ", "1 ", " 1", "1\n", "\t1", "+1", "-1", "-0", "1.", ".5", ".", "1..2", "1.2.3", "01",
    "00", "00.1", "1e3", "1E3", "1e-3", "0x10", "1_000", "1,000", "1,5", "NaN", "nan", "Infinity",
    "inf", "-inf", "½", "١", "１", "1٫5", "１.5", "1.５", "²", "1\x00", "\x001", "0b1", "1f", "1/2",
    "$1", "1.0-", "--1", "1" * 19, "1." + "0" * 19, "9" * 400, "1.5\u200b", "\ufeff1", "true", "null",
]  # fmt: skip

SCALED = [
    ("0", 0, 0),
    ("0", 8, 0),
    ("0.0", 2, 0),
    ("1", 0, 1),
    ("1", 2, 100),
    ("1.5", 2, 150),
    ("1.50", 2, 150),
    ("1.500000000000000000", 2, 150),
    ("1.05", 1, None),
    ("1.05", 0, None),
    ("1.0", 0, 1),
    ("0.00000001", 8, 1),
    ("0.000000001", 8, None),
    ("999999999999999999", 8, 999999999999999999 * 10**8),
    ("999999999999999999.999999999999999999", 18, 10**36 - 1),
    ("10", 1, 100),
    ("100.10", 2, 10010),
]


@pytest.mark.parametrize("text", NO_DECIMALS)
def test_what_is_no_decimal_is_refused(text: str) -> None:
    """No sign, exponent, blank, group, leading zero, other digits; at most 18 and 18 digits."""
    with pytest.raises(ValueError, match="not a decimal"):
        numbers.scaled(text, 8)
    with pytest.raises(ValueError, match="not a decimal"):
        numbers.steps(text, 8, 5)


@pytest.mark.parametrize(("text", "places", "value"), SCALED)
def test_scaled(text: str, places: int, value: int | None) -> None:
    """Exact, or None: nothing is rounded away."""
    assert numbers.scaled(text, places) == value


decimals = st.from_regex(numbers.DECIMAL, fullmatch=True)


@given(decimals, st.integers(0, 18))
@examples(50)
def test_scaled_is_what_decimal_says(text: str, places: int) -> None:
    """Python's own decimals, multiplied exactly, agree on every text of the grammar."""
    exact = Fraction(Decimal(text)) * 10**places
    assert numbers.scaled(text, places) == (exact.numerator if exact.denominator == 1 else None)


@given(decimals, st.integers(0, 9), st.integers(1, 10**6))
@examples(60)
def test_steps_are_whole_or_nothing(text: str, places: int, step: int) -> None:
    exact = Fraction(Decimal(text)) * 10**places / step
    assert numbers.steps(text, places, step) == (
        exact.numerator if exact.denominator == 1 else None
    )


@given(st.integers(0, 10**18 - 1), st.integers(0, 18), st.integers(0, 18))
@examples(80)
def test_text_goes_there_and_back(value: int, places: int, decimals_min: int) -> None:
    """What is written is read as the same; negative values only gain a sign."""
    shown = numbers.text(value, places, min(decimals_min, places))
    assert numbers.scaled(shown, places) == value
    assert numbers.text(-value, places, min(decimals_min, places)) == ("-" if value else "") + shown


@pytest.mark.parametrize(
    ("value", "places", "decimals_min", "shown"),
    [
        (0, 0, 0, "0"),
        (0, 8, 0, "0"),
        (0, 8, 2, "0.00"),
        (5, 0, 0, "5"),
        (-5, 0, 0, "-5"),
        (150, 2, 0, "1.5"),
        (150, 2, 2, "1.50"),
        (100, 2, 0, "1"),
        (1, 8, 2, "0.00000001"),
        (-1, 8, 0, "-0.00000001"),
        (10**26, 8, 2, f"{10**18}.00"),
        (-12345, 3, 0, "-12.345"),
    ],
)
def test_text(value: int, places: int, decimals_min: int, shown: str) -> None:
    assert numbers.text(value, places, decimals_min) == shown


@pytest.mark.parametrize(
    ("size", "decimals"),
    [("1", 0), ("10", 0), ("0.1", 1), ("0.0100", 2), ("1.00", 0), ("0.00000001", 8)],
)
def test_decimals_of_a_size(size: str, decimals: int) -> None:
    assert numbers.decimals_of(size) == decimals


@given(st.integers(-(10**24), 10**24), st.integers(1, 10**12))
@examples(60)
def test_ceil_div_is_the_smallest_that_covers(value: int, divisor: int) -> None:
    found = numbers.ceil_div(value, divisor)
    assert found * divisor >= value > (found - 1) * divisor

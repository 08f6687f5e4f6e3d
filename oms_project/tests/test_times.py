"""Times at the API."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oms_project.rest import times


@given(st.integers(-(2**62), 2**62).map(lambda at_us: at_us // 1000 * 1000))
def test_there_and_back(at_ns: int) -> None:
    """Microseconds survive, in every year that has four digits."""
    assert times.read_ns(times.text(at_ns)) == at_ns


def test_nanoseconds_are_cut() -> None:
    """Never rounded into the next microsecond."""
    assert times.text(1_999) == "1970-01-01T00:00:00.000001Z"
    assert times.read_ns("1970-01-01T00:00:00.000001999Z") == 1_999


@pytest.mark.parametrize(
    "text",
    [
        "", "2026-01-01", "2026-01-01T00:00:00", "2026-01-01T00:00:00+00:00", "2026-1-1T0:0:0Z",
        "2026-13-01T00:00:00Z", "2026-02-29T00:00:00Z", "2026-01-01T24:00:00Z",
        "2026-01-01T00:00:60Z", "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00.1234567890Z",
        "2026-01-01t00:00:00z", "٢٠٢٦-01-01T00:00:00Z", " 2026-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z", "0000-01-01T00:00:00Z", "0001-01-01T00:00:00Z",
    ],
)  # fmt: skip
def test_other_forms(text: str) -> None:
    """One grammar, no guessing."""
    with pytest.raises(ValueError, match="time"):
        times.read_ns(text)

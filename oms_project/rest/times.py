"""Times at the API: ISO-8601 UTC with Z and microseconds outside, nanoseconds inside."""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

from oms_project.kernel.numbers import NS_PER_S

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_GRAMMAR: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?Z", re.ASCII
)
NS_MAX: Final = 2**63 - 1
"""What a database's integer can hold."""


@lru_cache(maxsize=1024)
def _second(epoch_s: int) -> str:
    return (_EPOCH + timedelta(seconds=epoch_s)).strftime("%Y-%m-%dT%H:%M:%S")


def text(at_ns: int) -> str:
    """Return nanoseconds since 1970 as 2026-01-31T12:00:00.000001Z, cut to microseconds."""
    epoch_s, rest_ns = divmod(at_ns, NS_PER_S)
    return f"{_second(epoch_s)}.{rest_ns // 1000:06d}Z"


def second_text(epoch_s: int) -> str:
    """Return seconds since 1970 as 2026-01-31T12:00:00Z."""
    return f"{_second(epoch_s)}Z"


def read_ns(value: str) -> int:
    """Return the nanoseconds since 1970 of an ISO-8601 UTC time with Z.

    Raises:
        ValueError: another form, a zone other than Z, a date that does not exist, or one too far.
    """
    found = _GRAMMAR.fullmatch(value)
    if found is None:
        raise ValueError("not a time such as 2026-01-31T12:00:00Z")
    *parts, fraction = found.groups()
    try:
        moment = datetime(*map(int, parts), tzinfo=UTC)  # type: ignore[arg-type,misc]
    except ValueError as error:
        raise ValueError(f"no such time: {error}") from error
    epoch_s = (moment - _EPOCH) // timedelta(seconds=1)
    at_ns = epoch_s * NS_PER_S + int((fraction or "0").ljust(9, "0"))
    if abs(at_ns) > NS_MAX:
        raise ValueError("further away than a time can be: 1678 to 2261")
    return at_ns

"""Query parameters, read strictly: what is not known, stands twice or is out of shape is a 400.

The only reader of them: REST's views and the pages' filters both come through here.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from rest_framework.request import Request

from oms_project.kernel import ids
from oms_project.problem import NOT_FOUND
from oms_project.rest import times
from oms_project.rest.problem import ProblemError, invalid_query

LIMIT_DEFAULT: Final = 100
LIMIT_MAX: Final = 500
NAME_CHARS_MAX: Final = 64
_WHOLE: Final = re.compile(r"[0-9]{1,19}")


class Parameters:
    """The parameters of one request, of which each may stand once."""

    def __init__(self, given: Iterable[tuple[str, Sequence[str]]], known: Iterable[str]) -> None:
        """Take in names and what each was given.

        Raises:
            ProblemError: invalid_query_parameter, naming the first that is unknown or twice.
        """
        allowed = frozenset(known)
        self._values: dict[str, str] = {}
        for name, values in given:
            if name not in allowed:
                raise invalid_query(name[:NAME_CHARS_MAX], "there is no such parameter")
            if len(values) != 1:
                raise invalid_query(name, "it stands twice")
            self._values[name] = values[0]

    @classmethod
    def of(cls, request: Request, known: Iterable[str] = ()) -> "Parameters":
        return cls(request.query_params.lists(), known)

    @classmethod
    def once(cls, given: Mapping[str, str], known: Iterable[str]) -> "Parameters":
        return cls([(name, [value]) for name, value in given.items()], known)

    def get(self, name: str) -> str | None:
        return self._values.get(name)

    def text(self, name: str, pattern: re.Pattern[str]) -> str | None:
        value = self._values.get(name)
        if value is not None and pattern.fullmatch(value) is None:
            raise invalid_query(name, "not in the form it must have")
        return value

    def choices(self, name: str, allowed: Sequence[str]) -> tuple[str, ...]:
        """Return a comma-separated list of words."""
        value = self._values.get(name)
        if value is None:
            return ()
        words = value.split(",")
        if not set(words) <= set(allowed) or len(set(words)) != len(words):
            raise invalid_query(name, f"must be of {', '.join(allowed)}")
        return tuple(words)

    def whole(self, name: str, *, default: int, least: int, most: int) -> int:
        value = self._values.get(name)
        if value is None:
            return default
        if _WHOLE.fullmatch(value) is None or not least <= int(value) <= most:
            raise invalid_query(name, f"must be a whole number from {least} to {most}")
        return int(value)

    def time_ns(self, name: str) -> int | None:
        value = self._values.get(name)
        if value is None:
            return None
        try:
            return times.read_ns(value)
        except ValueError as error:
            raise invalid_query(name, str(error)) from error

    @property
    def cursor(self) -> str:
        return self._values.get("cursor", "")

    @property
    def limit(self) -> int:
        return self.whole("limit", default=LIMIT_DEFAULT, least=1, most=LIMIT_MAX)


def an_id(text: str) -> str:
    """Return *text* if it has the form of an id; what has not is not found.

    Raises:
        ProblemError: not_found.
    """
    if not ids.is_id(text):
        raise ProblemError(NOT_FOUND)
    return text

"""The catalogue is true: every code in it is one that something answers."""

import functools
import re
from pathlib import Path

import pytest
from django.conf import settings

from oms_project.codes import BY_STATUS, CODES

APPS = ("oms_project", "orders", "risk", "marketdata")
PRODUCERS = re.compile(
    r"""(?:Problem|ProblemError|AccessError|Refused|_refused)\(\s*"(\w+)"   # made there
      | (?:Error|Failed|NotFound|Denied|BadRequest|TooBig|NotAcceptable|UnsupportedMediaType)\w*,\s*"(\w+)"
      | "\w+":\s*"(\w+_unavailable)"                               # of a dependency
      | \bcode=?\s*=\s*"(\w+)"
      | return\s+"(\w+)"|else\s+"(\w+)"
    """,
    re.VERBOSE,
)


@functools.cache
def produced() -> set[str]:
    """Return what the sources answer with, by how a problem is made."""
    found = set(BY_STATUS.values())
    for app in APPS:
        for path in (Path(settings.BASE_DIR) / app).rglob("*.py"):
            if "tests" in path.parts or path.name == "codes.py":
                continue
            for names in PRODUCERS.findall(path.read_text()):
                found |= set(filter(None, names))
    return found


@pytest.mark.parametrize("code", sorted(CODES))
def test_something_answers_it(code: str) -> None:
    """A client need not handle what cannot come; what a later version adds, it adds with its code."""
    assert code in produced()

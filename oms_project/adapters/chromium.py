"""Chromium as this machine has it, for what looks at the real pages: pictures and measurements."""

import shutil
from typing import Final

NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
FLAGS: Final = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run")


def path() -> str:
    """Return where it is.

    Raises:
        LookupError: it is not installed.
    """
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        raise LookupError("Chromium is needed: apt-get install chromium")
    return found

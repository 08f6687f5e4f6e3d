"""Reads recorded captures: files of one line a message, in the order they were received.

Line formats (those of the cryptofeed project's raw data collection):
    <time>: <json>                       a websocket message
    <url> -> <time>: <json>              the answer to an HTTP request
    <url> <-> <time>                     a connection was made
    <url> <- <time>: <json>              what was sent: of no interest here
Time is in seconds since 1970 with up to nine decimals. Files are named EXCHANGE.http.… or
EXCHANGE.ws.…; all files of one exchange belong together and are merged by time.
"""

import heapq
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from oms_project.kernel import numbers

NANO_PLACES: Final = 9
_LINE: Final = re.compile(
    r"(?:(?P<url>\S+) (?P<way>->|<-|<->) )?(?P<time>[0-9.]+)(?:: (?P<body>.*))?"
)
_NAME: Final = re.compile(r"(?P<venue>[A-Za-z0-9_]+)\.(?:http|ws)(?:\.[0-9]+)*")


class Message(msgspec.Struct, frozen=True, gc=False):
    """What an exchange told us. url: of the request that it answers, "" for a websocket message."""

    at_ns: int
    url: str
    body: Any


def venues(folder: Path) -> dict[str, list[Path]]:
    """Return the capture files of *folder* by exchange.

    Raises:
        ValueError: the folder does not exist or holds no capture.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder")
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        name = _NAME.fullmatch(path.name)
        if name and path.is_file():
            found.setdefault(name["venue"], []).append(path)
    if not found:
        raise ValueError(f"no capture (EXCHANGE.ws.…, EXCHANGE.http.…) in {folder}")
    return found


class Capture:
    """All messages of one exchange in the order of their times. unreadable: lines passed over."""

    def __init__(self, paths: list[Path]) -> None:
        self._paths = paths
        self.unreadable = 0

    def messages(self) -> Iterator[Message]:
        """Return an iterator over the capture from its beginning; files are read as it goes."""
        self.unreadable = 0
        # The time alone decides; messages of one instant keep the order of their files' names.
        return heapq.merge(*map(self._read, self._paths), key=lambda message: message.at_ns)

    def _read(self, path: Path) -> Iterator[Message]:
        newest_ns = 0
        with path.open("rb") as file:
            for line in file:
                message = self._message(line)
                if message is None:
                    continue
                # A clock that was set back while recording must not reorder the stream.
                newest_ns = max(newest_ns, message.at_ns)
                yield msgspec.structs.replace(message, at_ns=newest_ns)

    def _message(self, line: bytes) -> Message | None:
        """Return the message in a line; None if it holds none."""
        try:
            found = _LINE.fullmatch(line.decode().strip())
            if found is None:
                raise ValueError("not a line of a capture")
            if found["way"] in ("<-", "<->"):
                return None
            at_ns = numbers.scaled(found["time"], NANO_PLACES)
            if at_ns is None or not found["body"]:
                raise ValueError("no time or no body")
            return Message(at_ns, found["url"] or "", msgspec.json.decode(found["body"]))
        except (ValueError, msgspec.DecodeError):
            self.unreadable += bool(line.strip())
            return None

"""Holds the tests to what Amazon DocumentDB 5.0 can do: anything else fails the test that sent it.

The lists are the part of AWS's "Supported MongoDB APIs" (column 5.0) that we allow ourselves; a new
operator is looked up there before it is added here.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pymongo.monitoring import (
    CommandFailedEvent,
    CommandListener,
    CommandStartedEvent,
    CommandSucceededEvent,
)

COMMANDS: Final = {
    "aggregate", "count", "createIndexes", "delete", "drop", "dropDatabase", "endSessions", "find",
    "findAndModify", "getMore", "hello", "insert", "killCursors", "listCollections", "listIndexes",
    "ping", "update",
}  # fmt: skip
OPERATORS: Final = {
    "$addToSet", "$and", "$each", "$eq", "$exists", "$gt", "$gte", "$in", "$inc", "$lt", "$lte",
    "$max", "$min", "$ne", "$nin", "$nor", "$not", "$or", "$pull", "$push", "$set", "$setOnInsert",
    "$unset",
}  # fmt: skip
ENVELOPE: Final = {"$db", "$readPreference", "$clusterTime"}
REFUSED_FIELDS: Final = {
    "arrayFilters", "autocommit", "collation", "let", "startTransaction", "txnNumber",
}  # fmt: skip


class DocumentDbListener(CommandListener):
    """Keeps what DocumentDB 5.0 would refuse. `check` at the end of a test."""

    def __init__(self) -> None:
        self.refused: list[str] = []
        self.commands = 0

    def started(self, event: CommandStartedEvent) -> None:
        self.commands += 1
        if event.command_name not in COMMANDS:
            self.refused.append(f"command {event.command_name}")
        self.refused += problems(event.command)

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """Not of interest."""

    def failed(self, event: CommandFailedEvent) -> None:
        """Not of interest."""

    def check(self) -> None:
        assert not self.refused, f"not on DocumentDB 5.0: {sorted(set(self.refused))}"


def problems(command: Mapping[str, Any]) -> Iterator[str]:
    """Yield what in *command* is not on the lists."""
    for key in command:
        if key in REFUSED_FIELDS:
            yield f"field {key}"
    for update in command.get("updates", ()):
        yield from (f"field {key}" for key in update if key in REFUSED_FIELDS)
        if isinstance(update.get("u"), list):
            yield "an update that is a pipeline"
    yield from _operators({k: v for k, v in command.items() if k not in ENVELOPE})


def _operators(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key.startswith("$") and key not in OPERATORS:
                yield f"operator {key}"
            if "$[" in key or key.endswith(".$"):
                yield f"positional update {key}"
            yield from _operators(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _operators(inner)

"""Which crash points a role passes, and on which backend: the plan of `manage.py faults --points`.

Every point of oms_project/adapters/crash.py is somebody's here; a test holds the two together.
"""

from typing import Final

import msgspec

EMBEDDED: Final = "embedded"
SERVICES: Final = "services"
BOTH: Final = (EMBEDDED, SERVICES)
NTH_MAX: Final = 20
SELDOM: Final = frozenset({"engine.before_snapshot", "engine.after_snapshot", "loop.after_commit"})
"""Points that are passed every few seconds only: not waited for twenty times."""
POISONED: Final = "loop.after_dead_letter"
"""Passed only while there is poison in the topic."""

LEAVING: Final = frozenset({"engine.before_lose"})
"""Passed only by a role that was told to leave."""
TAKING: Final = frozenset(
    {"engine.before_open_epoch", "engine.after_epoch", "engine.after_replay", "engine.after_resume"}
)
"""Passed once for each partition that is taken."""


class Point(msgspec.Struct, frozen=True):
    """A crash point of one role."""

    role: str
    name: str
    backends: tuple[str, ...] = BOTH

    @property
    def nth_max(self) -> int:
        """Return the latest passage that is worth waiting for."""
        if self.name == POISONED or self.name in LEAVING:
            return 1
        return 2 if self.name in SELDOM | TAKING else NTH_MAX


ONLY_EMBEDDED: Final = (EMBEDDED,)
ONLY_SERVICES: Final = (SERVICES,)
PLAN: Final = (
    Point("web", "intake.before_claim"),
    Point("web", "intake.after_claim", ONLY_SERVICES),
    Point("web", "intake.after_append"),
    Point("web", "intake.after_done", ONLY_SERVICES),
    Point("web", "log.before_commit", ONLY_EMBEDDED),
    Point("marketdata", "log.before_commit", ONLY_EMBEDDED),
    Point("marketdata", "log.after_commit", ONLY_EMBEDDED),
    Point("engine", "loop.after_poll"),
    Point("engine", "loop.after_handle"),
    Point("engine", "loop.after_dead_letter"),
    Point("engine", "loop.after_commit"),
    Point("engine", "log.before_commit", ONLY_EMBEDDED),
    Point("engine", "log.after_commit", ONLY_EMBEDDED),
    Point("engine", "engine.before_open_epoch"),
    Point("engine", "engine.after_epoch"),
    Point("engine", "engine.after_replay"),
    Point("engine", "engine.after_resume"),
    Point("engine", "engine.before_lose"),
    Point("engine", "engine.before_events"),
    Point("engine", "engine.after_events"),
    Point("engine", "engine.after_route"),
    Point("engine", "engine.before_reports"),
    Point("engine", "engine.after_reports"),
    Point("engine", "engine.before_snapshot"),
    Point("engine", "engine.after_snapshot"),
    Point("projector", "loop.after_poll"),
    Point("projector", "loop.after_handle"),
    Point("projector", "loop.after_dead_letter"),
    Point("projector", "loop.after_commit"),
    Point("projector", "projector.before_apply"),
    Point("projector", "projector.after_reference"),
    Point("projector", "projector.after_apply"),
    Point("projector", "store.before_commit"),
    Point("projector", "store.after_commit"),
)


def of(backend: str) -> list[Point]:
    """Return the points that *backend* passes."""
    return [point for point in PLAN if backend in point.backends]


def find(name: str, backend: str) -> Point:
    """Return the point called *name*, or *role*/*name* where several roles pass it.

    Raises:
        ValueError: the backend does not pass such a point; the text lists those it does.
    """
    role, _, bare = name.rpartition("/")
    for point in of(backend):
        if point.name == bare and role in ("", point.role):
            return point
    known = ", ".join(f"{point.role}/{point.name}" for point in of(backend))
    raise ValueError(f"{backend} does not pass {name!r}; it passes {known}")

"""The only file that makes random numbers and random ids."""

import random
import uuid


class SystemIds:
    """Random UUIDs (version 4)."""

    def new(self) -> str:
        return str(uuid.uuid4())


class SeededIds:
    """The twin for tests and simulations: the same seed gives the same ids in the same order."""

    def __init__(self, seed: int) -> None:
        self._random = seeded(seed)

    def new(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))


def seeded(seed: int) -> random.Random:
    """Return a generator of its own: simulators draw from it and replay exactly."""
    return random.Random(seed)


def new_uuid() -> uuid.UUID:
    """Return a random UUID: the default of Django's primary keys."""
    return uuid.uuid4()

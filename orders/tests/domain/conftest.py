"""What several tests of the order law begin with."""

import pytest

from orders.domain import apply, used


@pytest.fixture
def short_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four closed orders are remembered at most; what is let go of fills segments of three."""
    monkeypatch.setattr(apply, "CLOSED_KEPT", 2)
    monkeypatch.setattr(apply, "EVICTED_AT_ONCE", 2)
    monkeypatch.setattr(used, "SEGMENT_PAIRS", 3)

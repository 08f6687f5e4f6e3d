"""Who did it, in the log for ever."""

import pytest

from oms_project.access import actors
from oms_project.access.principal import Principal


def test_a_user_is_named_by_the_id_that_stays() -> None:
    """With the name it had then: a rename, or another user of that name, rewrites no history."""
    before = Principal("7", "alice", "trader", {}, "token")
    after = Principal("7", "alice@desk.example", "trader", {}, "token")
    other = Principal("8", "alice", "trader", {}, "token")
    assert before.actor == "user:7:alice"
    assert len({before.actor, after.actor, other.actor}) == 3


@pytest.mark.parametrize(
    ("actor", "shown"),
    [
        ("user:7:alice", "alice (user 7)"),
        ("user:62671070-f9ef-4d3e-aacb-ee36b9ba0494:a:b", "a:b (user 62671070)"),
        ("user:7:alice with oms_key", "alice with oms_key (user 7)"),
        ("oms-engine", "oms-engine"),
        ("venue:SIM", "venue:SIM"),
        ("user:x", "user:x"),
        ("", ""),
    ],
)
def test_an_actor_as_people_read_it(actor: str, shown: str) -> None:
    assert actors.shown(actor) == shown

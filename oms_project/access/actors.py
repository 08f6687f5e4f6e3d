"""Who did it, as it stands in the log for ever: the id that stays, and the name it had then.

A name alone would point to somebody else once its user is renamed or another takes the name.
"""

from typing import Final

ID_SHOWN: Final = 8
_USER: Final = "user"


def of_user(user_id: object, name: str, key_id: str = "") -> str:
    """Return the actor of a user, or of their program that came with an API key.

    (No user name holds a blank.)
    """
    return f"{_USER}:{user_id}:{name}" + (f" with {key_id}" if key_id else "")


def shown(actor: str) -> str:
    """Return an actor as people read it: a user's name then and id (its beginning); a service as it is."""
    kind, _, rest = actor.partition(":")
    user_id, separator, name = rest.partition(":")
    return f"{name} (user {user_id[:ID_SHOWN]})" if kind == _USER and separator else actor

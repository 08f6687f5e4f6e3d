"""Who may do what: the one table, as data. docs/roles.md is made of it, and the tests' oracle is it.

A user has one desk role, and on each account they are a member of a role there. The table says how far a
desk role reaches with an action; what it does not say nobody may. Who is asking is principal.py's, where
`Principal.on` and `Principal.may` are the only ways to ask.

Rules of the table:
- Nobody who trades decides what may be traded: TRADE stands in no row that has LIMIT, REFER, MONEY or
  USERS.
- An API key does only what SCOPES says, of what its owner's row says.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from oms_project.access.models import Desk


class Action(StrEnum):
    """What somebody wants to do; the first three are done to an account."""

    READ = "read"
    TRADE = "trade"
    CANCEL = "cancel"
    WATCH = "watch"
    LIMIT = "limit"
    REFER = "refer"
    MONEY = "money"
    USERS = "users"
    KEYS = "keys"


class Reach(StrEnum):
    """How far. TRADING: the accounts on which the membership says trader."""

    NONE = "none"
    TRADING = "trading"
    MEMBER = "member"
    ALL = "all"


MEANINGS: Final[Mapping[Action, str]] = {
    Action.READ: "see orders, fills, positions, balances and limits of an account",
    Action.TRADE: "place and amend orders on it",
    Action.CANCEL: "cancel its orders",
    Action.WATCH: "see whether the desk is well: /ops/, /api/integrity, the lists of the admin",
    Action.LIMIT: "change an account's state and limits, an instrument's state and bounds",
    Action.REFER: "open and rename accounts, list instruments",
    Action.MONEY: "credit and debit an account",
    Action.USERS: "users, their desk roles and memberships; never one's own",
    Action.KEYS: "API keys of one's own",
}

_NOTHING: Final = {action: Reach.NONE for action in Action}
_MEMBER: Final = {**_NOTHING, Action.READ: Reach.MEMBER, Action.KEYS: Reach.ALL}
_LOOKS: Final = {
    **_NOTHING, Action.READ: Reach.ALL, Action.WATCH: Reach.ALL, Action.KEYS: Reach.ALL,
}  # fmt: skip
TABLE: Final[Mapping[Desk, Mapping[Action, Reach]]] = MappingProxyType(
    {
        Desk.TRADER: {**_MEMBER, Action.TRADE: Reach.TRADING, Action.CANCEL: Reach.TRADING},
        Desk.VIEWER: _MEMBER,
        Desk.RISK_OFFICER: {**_LOOKS, Action.LIMIT: Reach.ALL},
        Desk.OPERATOR: _LOOKS,
        Desk.ADMIN: {
            **_LOOKS, Action.REFER: Reach.ALL, Action.MONEY: Reach.ALL, Action.USERS: Reach.ALL,
        },
    }
)  # fmt: skip

SCOPES: Final[Mapping[Action, frozenset[str]]] = MappingProxyType(
    {
        Action.READ: frozenset({"read"}),
        Action.WATCH: frozenset({"read"}),
        Action.TRADE: frozenset({"trade"}),
        Action.CANCEL: frozenset({"trade", "cancel"}),
    }
)
"""Action -> the scopes of an API key of which one is enough. No key does what is not here."""


def reach(desk: str, action: Action) -> Reach:
    """Return how far a desk role reaches with *action*; one that is not in the table nowhere."""
    row = TABLE.get(Desk(desk)) if desk in Desk.values else None
    return row[action] if row is not None else Reach.NONE


def in_scope(scopes: frozenset[str], action: Action) -> bool:
    """Tell whether an API key with *scopes* was made for *action*."""
    return not scopes.isdisjoint(SCOPES.get(action, ()))


def user_may(user: Any, action: Action) -> bool:
    """Tell whether a user of Django's admin may do *action*: by desk role, a superuser's too."""
    desk = getattr(user, "desk_role", "") if user.is_active else ""
    return reach(desk, action) is not Reach.NONE

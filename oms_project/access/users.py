"""Makes users and memberships for commands; people use the admin."""

from collections.abc import Mapping, Sequence

from django.contrib.auth.hashers import check_password

from oms_project.access.models import Account, Membership, User
from oms_project.kernel.words import Role


def account_ids() -> set[str]:
    """Return the ids of all accounts that are open or asked for."""
    return set(Account.objects.values_list("id", flat=True))


def with_password(usernames: Sequence[str], password: str) -> list[str]:
    """Return those of *usernames* whose password this is. Slow, as a log-in is."""
    found = User.objects.filter(username__in=usernames, is_active=True)
    return [user.username for user in found if check_password(password, user.password)]


def by_id(user_id: str) -> User:
    """Return a user who is logged in."""
    return User.objects.get(pk=user_id)


def by_name(username: str) -> User | None:
    """Return the user of this name."""
    return User.objects.filter(username=username).first()


def ensure(
    username: str,
    password: str,
    *,
    desk_role: str,
    staff: bool,
    superuser: bool,
    member: Mapping[str, Role],
) -> None:
    """Make the user and their memberships (account name -> role) if they are not there."""
    user, made = User.objects.get_or_create(
        username=username,
        defaults={"desk_role": desk_role, "is_staff": staff, "is_superuser": superuser},
    )
    if made:
        user.set_password(password)
        user.save(update_fields=["password"])
    for name, role in member.items():
        account = Account.objects.get(name=name)
        Membership.objects.get_or_create(user=user, account=account, defaults={"role": role})

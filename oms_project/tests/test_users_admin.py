"""Users and memberships in the admin; what is changed there counts at once."""

from typing import Any

import pytest
import structlog
from django.contrib.admin import site
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from oms_project.access import principal, tokens
from oms_project.access.errors import AccessError
from oms_project.access.models import RIGHTS, Account, Membership, User

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(settings: Any) -> Client:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    principal.forget_all()
    client = Client()
    client.force_login(User.objects.create_superuser("root", password="a long enough one"))
    return client


@pytest.fixture
def ann() -> User:
    account = Account.objects.create(id="a-1", name="Desk A")
    user = User.objects.create_user("ann", password="a long enough one")
    Membership.objects.create(user=user, account=account, role="viewer")
    return user


def form_of(user: User, **changes: Any) -> dict[str, Any]:
    """Build what the change page posts."""
    membership = user.memberships.get()
    return {
        "username": user.username, "desk_role": user.desk_role, "is_active": "on",
        "memberships-TOTAL_FORMS": "1", "memberships-INITIAL_FORMS": "1",
        "memberships-MIN_NUM_FORMS": "0", "memberships-MAX_NUM_FORMS": "1000",
        "memberships-0-id": membership.pk, "memberships-0-user": user.pk,
        "memberships-0-account": "a-1", "memberships-0-role": "viewer", **changes,
    }  # fmt: skip


def test_the_list_shows_who_may_do_what(admin: Client, ann: User) -> None:
    """One page, no query a row."""
    page = admin.get(reverse("admin:access_user_changelist")).content.decode()
    assert "Desk A (viewer)" in page


def test_a_role_changed_counts_at_once(admin: Client, ann: User) -> None:
    """The door's cache is told."""
    token = tokens.issue(ann).access
    assert not principal.from_bearer(token).can_trade("a-1")
    url = reverse("admin:access_user_change", args=[ann.pk])
    answer = admin.post(url, form_of(ann, **{"memberships-0-role": "trader"}))
    assert answer.status_code == 302, answer.content
    assert principal.from_bearer(token).can_trade("a-1")


@pytest.mark.parametrize("desk_role", ["viewer", "risk_officer", "operator", "admin"])
def test_only_traders_trade(admin: Client, ann: User, desk_role: str) -> None:
    """Whatever the membership says: no other desk role ever does."""
    ann.memberships.update(role="trader")
    User.objects.filter(pk=ann.pk).update(desk_role=desk_role)
    found = principal.from_bearer(tokens.issue(ann).access)
    assert found.can_read("a-1")
    assert not found.can_trade("a-1")


def test_log_out_everywhere(admin: Client, ann: User) -> None:
    """No token of theirs is good any more; a new log-in is."""
    pair = tokens.issue(ann)
    principal.from_bearer(pair.access)
    admin.post(
        reverse("admin:access_user_changelist"),
        {"action": "log_out_everywhere", "_selected_action": [str(ann.pk)]},
    )
    with pytest.raises(AccessError):
        principal.from_bearer(pair.access)
    with pytest.raises(AccessError):
        tokens.refresh(pair.refresh)
    ann.refresh_from_db()
    assert principal.from_bearer(tokens.issue(ann).access).username == "ann"


def test_a_new_user(admin: Client) -> None:
    """The short form asks for the desk role too."""
    answer = admin.post(
        reverse("admin:access_user_add"),
        {
            "username": "bob", "usable_password": "true", "password1": "correct horse battery",
            "password2": "correct horse battery", "desk_role": "viewer",
            "memberships-TOTAL_FORMS": "0", "memberships-INITIAL_FORMS": "0",
        },
    )  # fmt: skip
    assert answer.status_code == 302, answer.content.decode()[-3000:]
    assert User.objects.get(username="bob").desk_role == "viewer"


def test_short_passwords_are_refused(admin: Client) -> None:
    """Twelve characters, and none of the common ones."""
    answer = admin.post(
        reverse("admin:access_user_add"),
        {
            "username": "bob", "usable_password": "true", "password1": "short", "password2": "short",
            "desk_role": "viewer", "memberships-TOTAL_FORMS": "0",
            "memberships-INITIAL_FORMS": "0",
        },
    )  # fmt: skip
    assert answer.status_code == 200
    assert not User.objects.filter(username="bob").exists()


def test_nobody_changes_their_own_rights(admin: Client) -> None:
    """Not by the form, nor by posting more than the form has; a name and an address may change."""
    root = User.objects.get(username="root")
    Account.objects.create(id="a-1", name="Desk A")
    before = [getattr(root, name) for name in RIGHTS]
    form = {
        "username": "other", "email": "root@example.com", "desk_role": "viewer", "is_active": "",
        "memberships-TOTAL_FORMS": "1", "memberships-INITIAL_FORMS": "0",
        "memberships-0-user": root.pk, "memberships-0-account": "a-1",
        "memberships-0-role": "trader",
    }  # fmt: skip
    answer = admin.post(reverse("admin:access_user_change", args=[root.pk]), form)
    assert answer.status_code == 302, answer.content
    root.refresh_from_db()
    assert [getattr(root, name) for name in RIGHTS] == before
    assert (root.username, root.email) == ("root", "root@example.com")
    assert not root.memberships.exists()


@pytest.fixture
def clerk(admin: Client) -> Client:
    """Somebody who may edit users and is no superuser."""
    user = User.objects.create_user(
        "clerk", password="a long enough one", is_staff=True, desk_role="admin"
    )
    names = ("view_user", "change_user", "add_user", "delete_user", "change_membership")
    names += ("view_membership", "add_membership", "delete_membership")
    user.user_permissions.set(Permission.objects.filter(codename__in=names))
    client = Client()
    client.force_login(user)
    return client


def test_only_a_superuser_makes_superusers(clerk: Client, ann: User) -> None:
    """Editing users is not the right to become everything."""
    url = reverse("admin:access_user_change", args=[ann.pk])
    form = form_of(ann, is_superuser="on", is_staff="on", desk_role="operator")
    assert clerk.post(url, form).status_code == 302
    ann.refresh_from_db()
    assert (ann.is_superuser, ann.is_staff, ann.desk_role) == (False, False, "operator")


@pytest.mark.parametrize("page", ["access_user_change", "auth_user_password_change"])
def test_a_superuser_is_not_taken_over(clerk: Client, page: str) -> None:
    """Neither changed nor given another password by who is less."""
    root = User.objects.get(username="root")
    form = {"password1": "correct horse battery", "password2": "correct horse battery"}
    answer = clerk.post(reverse(f"admin:{page}", args=[root.pk]), form)
    assert answer.status_code == 403
    assert User.objects.get(pk=root.pk).check_password("a long enough one")


def test_nobody_is_deleted(admin: Client, ann: User) -> None:
    """The log points to people by name: who leaves is made inactive, and no name is used twice."""
    url = reverse("admin:access_user_delete", args=[ann.pk])
    assert admin.post(url, {"post": "yes"}).status_code == 403
    form = form_of(ann, username="somebody-else")
    assert admin.post(reverse("admin:access_user_change", args=[ann.pk]), form).status_code == 302
    assert User.objects.filter(username="ann").exists()


def test_who_changed_what_is_in_the_log(admin: Client, ann: User) -> None:
    """Before and after, of fields and of memberships."""
    form = form_of(ann, desk_role="viewer", **{"memberships-0-role": "trader"})
    with structlog.testing.capture_logs() as lines:
        admin.post(reverse("admin:access_user_change", args=[ann.pk]), form)
    (line,) = [one for one in lines if one["event"] == "user_changed"]
    assert (line["by"], line["username"]) == ("root", "ann")
    assert line["changes"] == {"desk_role": "trader -> viewer"}
    assert line["memberships"] == ["Desk A: viewer -> trader"]


def test_accounts_are_not_edited_here(admin: Client) -> None:
    """An account changes through the log."""
    inlines = [one.model for one in site.get_model_admin(User).inlines]
    assert inlines == [Membership]

"""Users and their memberships in Django's admin. Accounts are edited elsewhere: through the log."""

from typing import Any, Final

import structlog
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.db.models import F, QuerySet
from django.http import HttpRequest

from oms_project.access import changes, keys
from oms_project.access.models import ApiKey, Membership, TokenFamily, User
from oms_project.access.rights import Action, user_may

OWN_RIGHTS: Final = ("desk_role", "is_active")
ADMIN_RIGHTS: Final = ("is_staff", "is_superuser", "groups", "user_permissions")
_logger = structlog.get_logger(__name__)


class MembershipInline(admin.TabularInline):
    """Which accounts the user may read or trade on. Nobody gives themselves one."""

    model = Membership
    extra = 0

    def has_add_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return not _oneself(request, obj) and super().has_add_permission(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return not _oneself(request, obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return not _oneself(request, obj) and super().has_delete_permission(request, obj)


def _oneself(request: HttpRequest, user: User | None) -> bool:
    return user is not None and user.pk == request.user.pk


@admin.register(User)
class UserAdmin(DjangoUserAdmin):
    """A change of rights is in force everywhere within seconds: doors ask again every two.

    Nobody changes what they may do themselves, and only a superuser who may use the admin: else one
    form would be enough to trade, or to become everything. A name is for ever and nobody is deleted:
    the log points to people by it. Who leaves is made inactive.
    """

    list_display = ("username", "desk_role", "is_active", "is_staff", "last_login", "accounts")
    list_filter = ("desk_role", "is_active", "is_staff")
    search_fields = ("username", "email")
    inlines = (MembershipInline,)
    actions = ("log_out_everywhere",)
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Person", {"fields": ("first_name", "last_name", "email")}),
        ("Desk", {"fields": ("desk_role", "is_active")}),
        ("Admin", {"fields": ("is_staff", "is_superuser", "groups", "user_permissions")}),
        ("Seen", {"fields": ("last_login", "date_joined", "token_version")}),
    )
    add_fieldsets = (
        (None, {"fields": ("username", "usable_password", "password1", "password2", "desk_role")}),
    )
    readonly_fields = ("last_login", "date_joined", "token_version")

    def has_module_permission(self, request: HttpRequest) -> bool:
        return user_may(request.user, Action.USERS) and super().has_module_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return user_may(request.user, Action.USERS) and super().has_view_permission(request, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return user_may(request.user, Action.USERS) and super().has_add_permission(request)

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> list[str]:
        fields = [*super().get_readonly_fields(request, obj)]
        if obj is not None:
            fields.append("username")
        if _oneself(request, obj):
            fields += [*OWN_RIGHTS, *ADMIN_RIGHTS]
        elif not request.user.is_superuser:
            fields += ADMIN_RIGHTS
        return fields

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        if obj is not None and obj.is_superuser and not request.user.is_superuser:
            return False  # their password would be theirs, and with it all of this
        return user_may(request.user, Action.USERS) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).prefetch_related("memberships__account")

    @admin.display(description="accounts")
    def accounts(self, user: User) -> str:
        return ", ".join(f"{one.account.name} ({one.role})" for one in user.memberships.all())

    @admin.action(description="Log out everywhere (ends all tokens, sessions and sockets)")
    def log_out_everywhere(self, request: HttpRequest, users: QuerySet[User]) -> None:
        users = users if request.user.is_superuser else users.filter(is_superuser=False)
        users.update(token_version=F("token_version") + 1)
        TokenFamily.objects.filter(user__in=users).update(revoked=True)
        changes.announce()
        self.message_user(request, f"{len(users)} users have to log in again, everywhere.")

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        changes.announce()
        _log_change(request, form, formsets)


def _log_change(request: HttpRequest, form: Any, formsets: Any) -> None:
    """Say who changed what of whom, before and after: Django's own history names fields only."""
    user = form.instance
    changes = {
        name: f"{form.initial.get(name)} -> {form.cleaned_data.get(name)}"
        for name in form.changed_data
        if "password" not in name
    }
    memberships = [
        f"{one.cleaned_data['account']}: {one.initial.get('role', 'none')} -> "
        f"{'none' if one.cleaned_data.get('DELETE') else one.cleaned_data['role']}"
        for formset in formsets
        for one in formset.forms
        if one.has_changed() and one.cleaned_data
    ]
    if changes or memberships:
        _logger.warning(
            "user_changed", by=request.user.get_username(), user_id=str(user.pk),
            username=user.username, changes=changes, memberships=memberships,
        )  # fmt: skip


@admin.register(ApiKey)
class ApiKeyAdmin(admin.ModelAdmin):
    """Everybody's API keys, to look at and to end. They are made by who uses them, at /keys/."""

    list_display = (
        "label",
        "id",
        "user",
        "scopes",
        "addresses",
        "expires_at",
        "revoked_at",
        "used_at",
    )
    list_filter = ("kind", "bearer", ("revoked_at", admin.EmptyFieldListFilter))
    search_fields = ("id", "label", "user__username")
    list_select_related = ("user",)
    actions = ("revoke",)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return user_may(request.user, Action.USERS)

    def has_view_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        return user_may(request.user, Action.USERS)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        return False

    @admin.action(
        description="Revoke (for ever; sockets end within a second)", permissions=["view"]
    )
    def revoke(self, request: HttpRequest, found: QuerySet[ApiKey]) -> None:
        count = keys.revoke(found, by=request.user.get_username())
        self.message_user(request, f"{count} revoked.")

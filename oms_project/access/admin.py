"""Users and their memberships in Django's admin. Accounts are edited elsewhere: through the log."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.db.models import QuerySet
from django.http import HttpRequest

from oms_project.access import principal
from oms_project.access.models import Membership, TokenFamily, User


class MembershipInline(admin.TabularInline):
    """Which accounts the user may read or trade on."""

    model = Membership
    extra = 0


@admin.register(User)
class UserAdmin(DjangoUserAdmin):
    """A change of rights is in force everywhere within seconds: doors ask again every two."""

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

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).prefetch_related("memberships__account")

    @admin.display(description="accounts")
    def accounts(self, user: User) -> str:
        return ", ".join(f"{one.account.name} ({one.role})" for one in user.memberships.all())

    @admin.action(description="Log out everywhere (ends all tokens, sessions and sockets)")
    def log_out_everywhere(self, request: HttpRequest, users: QuerySet[User]) -> None:
        for user in users:
            user.token_version += 1
            user.save(update_fields=["token_version"])
        TokenFamily.objects.filter(user__in=users).update(revoked=True)
        principal.forget_all()
        self.message_user(request, f"{len(users)} users have to log in again, everywhere.")

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        principal.forget_all()  # here at once; in other processes when their cache forgets

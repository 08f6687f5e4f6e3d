"""Users, accounts and memberships. An account's state and limits are in force in the engine only."""

from django.contrib.auth.models import AbstractUser
from django.db import models

from oms_project.adapters.ids import new_uuid
from oms_project.kernel.words import AccountState, Role


class Desk(models.TextChoices):
    """What a user does for the desk, beside the accounts they are a member of."""

    TRADER = "trader", "Trader"
    VIEWER = "viewer", "Viewer"
    RISK_OFFICER = "risk_officer", "Risk officer"
    OPERATOR = "operator", "Operator"
    ADMIN = "admin", "Admin"


class User(AbstractUser):
    """token_version: raising it makes every access token given so far worthless."""

    id = models.UUIDField(primary_key=True, default=new_uuid, editable=False)
    desk_role = models.CharField(max_length=16, choices=Desk, default=Desk.TRADER)
    token_version = models.PositiveIntegerField(default=1)

    class Meta:
        ordering = ("username",)


class Account(models.Model):
    """The engine's account as last confirmed. `seq` 0: asked for, not yet in force.

    Rows are written by the projector (and by who asks for a new account, with seq 0). What the log
    says must always fit: that names differ is checked where they are asked for, not here.
    """

    id = models.CharField(primary_key=True, max_length=36)
    name = models.CharField(max_length=64)
    state = models.CharField(
        max_length=16,
        choices=[(state.value, state.value) for state in AccountState],
        default=AccountState.ACTIVE,
    )
    limits = models.JSONField(default=dict, blank=True)
    seq = models.BigIntegerField(default=0, editable=False)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """A user's right on an account: a viewer reads it, a trader trades on it."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=8, choices=[(role.value, role.value) for role in Role])

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("user", "account"), name="one_membership_an_account"),
        )
        ordering = ("account__name",)

    def __str__(self) -> str:
        return f"{self.user} {self.role} of {self.account}"


class TokenFamily(models.Model):
    """Everything one login gave: the chain of refresh tokens, and their access tokens.

    current: the jti of the only refresh token that is still good; revoked ends all of them.
    """

    id = models.UUIDField(primary_key=True, default=new_uuid, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="token_families")
    current = models.UUIDField()
    revoked = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "token families"
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return f"login of {self.user} at {self.created_at:%Y-%m-%d %H:%M}"

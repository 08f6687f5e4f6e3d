"""Users, accounts and memberships. An account's state and limits are in force in the engine only."""

from typing import Any, Final

from django.contrib.auth.models import AbstractUser, UserManager
from django.db import models
from django.utils.crypto import salted_hmac

from oms_project.adapters.ids import new_uuid
from oms_project.kernel.words import AccountState, Role


class Desk(models.TextChoices):
    """What a user does for the desk, beside the accounts they are a member of."""

    TRADER = "trader", "Trader"
    VIEWER = "viewer", "Viewer"
    RISK_OFFICER = "risk_officer", "Risk officer"
    OPERATOR = "operator", "Operator"
    ADMIN = "admin", "Admin"


RIGHTS: Final = ("password", "is_active", "desk_role", "is_staff", "is_superuser")
"""What changes who somebody is: whoever came in before has to prove it again."""


class RightsVersion(models.Model):
    """One row: a number that grows with every change of who may do what (changes.py)."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    number = models.BigIntegerField(default=0)

    @classmethod
    def grow(cls) -> None:
        """Note one change more."""
        cls.objects.get_or_create(pk=1)
        cls.objects.filter(pk=1).update(number=models.F("number") + 1)


class Users(UserManager["User"]):
    """Django's, where `createsuperuser` makes an admin of the desk, and no trader."""

    def create_superuser(self, username: str, **fields: Any) -> "User":  # type: ignore[override]
        return super().create_superuser(username, **{"desk_role": Desk.ADMIN, **fields})


class User(AbstractUser):
    """token_version: raising it ends every token, page session and socket there is.

    It is raised by itself when any of RIGHTS changes. (A membership does not end anything: the doors
    ask for those again every two seconds.)
    """

    id = models.UUIDField(primary_key=True, default=new_uuid, editable=False)
    desk_role = models.CharField(max_length=16, choices=Desk, default=Desk.TRADER)
    token_version = models.PositiveIntegerField(default=1)
    _loaded: tuple[Any, ...] = ()
    objects = Users()

    class Meta:
        ordering = ("username",)

    @classmethod
    def from_db(cls, db: str | None, field_names: Any, values: Any) -> "User":
        user = super().from_db(db, field_names, values)
        user._loaded = user._rights()
        return user

    def save(self, **kwargs: Any) -> None:
        """Write the user; a change of rights raises token_version with it."""
        rights = self._rights()
        changed = self._loaded and rights != self._loaded
        if changed:
            self.token_version += 1
            names = kwargs.get("update_fields")
            if names is not None:
                kwargs["update_fields"] = {*names, "token_version"}
        super().save(**kwargs)
        self._loaded = rights
        if changed:
            RightsVersion.grow()

    def refresh_from_db(self, using: str | None = None, fields: Any = None, **kwargs: Any) -> None:
        """Read again; what was set of the fields that are not read is a change still to be written."""
        super().refresh_from_db(using=using, fields=fields, **kwargs)
        before = self._loaded or self._rights()
        read = RIGHTS if fields is None else set(fields)
        self._loaded = tuple(
            now if name in read else old
            for name, now, old in zip(RIGHTS, self._rights(), before, strict=True)
        )

    def _rights(self) -> tuple[Any, ...]:
        """Return what is loaded of RIGHTS. (A deferred field would be asked for by looking at it.)"""
        return tuple(self.__dict__.get(name) for name in RIGHTS)

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """Return what a session carries as proof: Django compares it with every request."""
        salt = "oms_project.access.models.User.session"
        value = f"{self.password}:{self.token_version}"
        return salted_hmac(salt, value, secret=secret, algorithm="sha256").hexdigest()


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

    current: the jti of the refresh token that is good; revoked ends all of them. previous: the one
    before, turned over at turned_at_s; for a moment it still gives the same successor.
    """

    id = models.UUIDField(primary_key=True, default=new_uuid, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="token_families")
    current = models.UUIDField()
    previous = models.UUIDField(null=True)
    turned_at_s = models.BigIntegerField(default=0)
    revoked = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "token families"
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return f"login of {self.user} at {self.created_at:%Y-%m-%d %H:%M}"


class ApiKey(models.Model):
    """What a program comes in with, in its owner's name; it may never do more than they may.

    id: public, and checkable without a database (key_ring.py). accounts: ids, none for all of the owner's;
    addresses: networks it may come from, none for any. owner_version: the owner's token_version it was
    made under; whatever ends their log-ins ends the key.
    """

    HMAC, ED25519 = "hmac", "ed25519"

    id = models.CharField(primary_key=True, max_length=40, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_keys")
    label = models.CharField(max_length=64)
    kind = models.CharField(max_length=8, choices=((HMAC, "HMAC-SHA256"), (ED25519, "Ed25519")))
    scopes = models.JSONField(default=list)
    accounts = models.JSONField(default=list, blank=True)
    addresses = models.JSONField(default=list, blank=True)
    bearer = models.BooleanField(default=False)
    owner_version = models.PositiveIntegerField()
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    used_at = models.DateTimeField(null=True)
    used_from = models.CharField(max_length=45, default="")

    class Meta:
        ordering = ("-created_at",)
        verbose_name = "API key"

    def __str__(self) -> str:
        return f"{self.label} ({self.id})"


class ApiKeySecret(models.Model):
    """One of at most two secrets of a key: the newest, and for a while the one before it.

    HMAC: proof is the SHA-256 of a secret that is made anew from `id` and a key outside of the
    database whenever it is needed (key_ring.py). Ed25519: proof is the public key. Nothing in this table
    signs anything.
    """

    id = models.UUIDField(primary_key=True, default=new_uuid, editable=False)
    key = models.ForeignKey(ApiKey, on_delete=models.CASCADE, related_name="secrets")
    proof = models.CharField(max_length=64)
    made_at = models.DateTimeField()
    good_until = models.DateTimeField(null=True)

    class Meta:
        ordering = ("made_at",)

    def __str__(self) -> str:
        return f"secret of {self.key_id} of {self.made_at:%Y-%m-%d %H:%M}"

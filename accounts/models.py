"""People, the workspaces they share, and the tokens their programs use."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models, transaction
from django.db.models import Exists, OuterRef, Q

from common.access import OwnedQuerySet

SCOPES = (
    "agents:read",
    "agents:write",
    "threads:read",
    "threads:write",
    "threads:log",
    "runs:write",
    "schedules:write",
)


class UserManager(BaseUserManager["User"]):
    """Makes people, each with a workspace of their own."""

    @transaction.atomic
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """A person who signs in with ``email``; ``password`` None means: not by password."""
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        user.give_workspace()
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        """An administrator of the whole installation."""
        return self.create_user(email, password, **{"is_staff": True, "is_superuser": True, **fields})

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email__iexact=username)


class User(AbstractBaseUser, PermissionsMixin):
    """A person. Signs in with the e-mail address."""

    class Theme(models.TextChoices):
        SYSTEM = "system", "As the system"
        LIGHT = "light", "Light"
        DARK = "dark", "Dark"

    class Density(models.TextChoices):
        COMFORTABLE = "comfortable", "Comfortable"
        COMPACT = "compact", "Compact"

    class Reading(models.TextChoices):
        """What the page does while an answer grows."""

        PINNED = "pinned", "The page stands still, and the answer grows beneath the question"
        FOLLOW = "follow", "The page follows the end of the answer"

    class Aloud(models.TextChoices):
        """What a screen reader says of a reply by itself."""

        BOUNDS = "bounds", "That it begins and ends"
        PARAGRAPHS = "paragraphs", "Each paragraph, as soon as it is written"

    email = models.EmailField(unique=True)
    name = models.CharField(max_length=120, blank=True)
    timezone = models.CharField(max_length=64, default="UTC", help_text="IANA name, such as Europe/Berlin.")
    theme = models.CharField(max_length=8, choices=Theme, default=Theme.SYSTEM)
    density = models.CharField(max_length=11, choices=Density, default=Density.COMFORTABLE)
    reading = models.CharField(max_length=6, choices=Reading, default=Reading.PINNED)
    aloud = models.CharField("replies aloud", max_length=10, choices=Aloud, default=Aloud.BOUNDS)
    single_keys = models.BooleanField(
        "keys that are pressed alone", default=True, help_text="Such as / for the palette; “?” lists them."
    )
    welcome_later = models.BooleanField("put the first steps off", default=False, editable=False)
    is_staff = models.BooleanField("may use the admin", default=False)
    is_active = models.BooleanField("may sign in", default=True)
    date_joined = models.DateTimeField(auto_now_add=True)

    USERNAME_FIELD = "email"
    objects: ClassVar[UserManager] = UserManager()

    def __str__(self) -> str:
        return self.name or self.email

    def get_short_name(self) -> str:
        return self.name or self.email.partition("@")[0]

    def home_workspace(self) -> Workspace:
        """Where what the person makes goes: the first workspace they are in, made if there is none."""
        first = self.memberships.select_related("workspace").order_by("id").first()
        return first.workspace if first else self.give_workspace()

    def give_workspace(self) -> Workspace:
        """The person's own workspace, made if there is none."""
        own = self.memberships.filter(role=Membership.Role.OWNER).select_related("workspace").first()
        if own:
            return own.workspace
        workspace = Workspace.objects.create(name=f"{self.get_short_name()}'s workspace"[:120])
        Membership.objects.create(workspace=workspace, user=self, role=Membership.Role.OWNER)
        return workspace


class Workspace(models.Model):
    """What people share: agents, providers, budgets. Threads inside it stay private to their owners."""

    name = models.CharField(max_length=120)
    created_at = models.DateTimeField(auto_now_add=True)
    objects = OwnedQuerySet["Workspace"].as_manager()

    def __str__(self) -> str:
        return self.name

    @staticmethod
    def visible_to(user: User) -> Q:
        return Q(memberships__user=user)


class Membership(models.Model):
    """A person's place in a workspace."""

    class Role(models.TextChoices):
        OWNER = "owner", "Owner"
        MEMBER = "member", "Member"

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=8, choices=Role, default=Role.MEMBER)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "user"], name="one_membership_each")]

    def __str__(self) -> str:
        return f"{self.user} in {self.workspace}"


def is_member(user: User, workspace: str) -> Exists:
    """Whether ``user`` belongs to the workspace at the path ``workspace`` of a row.

    A condition of its own, from which no database makes its plan: a long list is read in its order, by the index of its
    owner, and not put together and sorted from the rows of each workspace.
    """
    return Exists(Membership.objects.filter(user=user, workspace=OuterRef(workspace)))


def all_scopes() -> list[str]:
    return list(SCOPES)


class ApiToken(models.Model):
    """A program's credential. Only its digest is kept, so it can be shown once and never again."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=120)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    hint = models.CharField(max_length=16, editable=False, help_text="How the token begins.")
    scopes = models.JSONField(default=all_scopes)
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True)
    objects = OwnedQuerySet["ApiToken"].as_manager()

    def __str__(self) -> str:
        return f"{self.name} ({self.hint}…)"

    @staticmethod
    def visible_to(user: User) -> Q:
        return Q(user=user)


class SignInLink(models.Model):
    """A link that signs its user in once."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sign_in_links")
    digest = models.CharField(max_length=64, unique=True, editable=False)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"Sign-in link for {self.user}"


class SignInTry(models.Model):
    """A try to sign in with a password. Rows older than the window that is counted are removed by the next try."""

    key = models.CharField(max_length=64, help_text="Digest of the e-mail and the address of the one who tries.")
    tried_at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        verbose_name_plural = "sign-in tries"
        indexes = [models.Index(fields=["key", "tried_at"], name="sign_in_tries_by_key")]

    def __str__(self) -> str:
        return f"Try at {self.tried_at:%Y-%m-%d %H:%M}"

"""What an agent is, in which version, and which models and providers can serve it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from accounts.models import User, Workspace
from common import crypto
from common.access import OwnedQuerySet

PULSE_LENGTH = 30
LAST_OUTCOME = {"s": "done", "f": "failed", "c": "stopped"}
"""What the letters of a pulse say."""


def valid_base_url(text: str) -> None:
    """Raises ValidationError unless ``text`` is an http(s) address with a host and nothing that hides in it."""
    try:
        parts = urlsplit(text)
        is_good = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        is_good = False
    if not is_good or any(character.isspace() for character in text):
        raise ValidationError("Enter the whole address, such as https://api.openai.com/v1.")
    if parts.username or parts.password:
        raise ValidationError("Leave the key out of the address: it has a field of its own.")
    if parts.query or parts.fragment:
        raise ValidationError("Leave out what follows “?” or “#”.")


class Provider(models.Model):
    """An OpenAI-compatible server. Its key is encrypted at rest and never shown again."""

    class Kind(models.TextChoices):
        ENVIRONMENT = "environment", "From the environment"
        LOCAL = "local", "Built in"
        CUSTOM = "custom", "Added by a person"

    workspace = models.ForeignKey(
        Workspace, null=True, blank=True, on_delete=models.CASCADE, related_name="providers",
        help_text="Empty: everybody's on this installation.",
    )  # fmt: skip
    kind = models.CharField(max_length=12, choices=Kind, default=Kind.CUSTOM, editable=False)
    name = models.CharField(max_length=80)
    # No URLField: it refuses the one-word hosts of container networks (http://ollama:11434/v1).
    base_url = models.CharField(
        "address", max_length=500, validators=[valid_base_url], help_text="Ends in /v1 for most servers."
    )
    key_encrypted = models.TextField(blank=True, editable=False)
    key_hint = models.CharField(max_length=8, blank=True, editable=False)
    private_allowed = models.BooleanField(
        "may be on a private network", default=False, editable=False,
        help_text="True where an administrator wrote the address.",
    )  # fmt: skip
    default_model = models.CharField(
        max_length=200, blank=True, help_text="For agents that name none. Empty: the first it offers."
    )
    preferred = models.BooleanField(
        default=False, editable=False, help_text="Serves agents that name no model, before all others."
    )
    enabled = models.BooleanField(default=True)
    last_checked_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_ok_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_error = models.TextField(blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    objects = OwnedQuerySet["Provider"].as_manager()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind"], condition=~Q(kind="custom"), name="one_provider_of_each_built_in_kind"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @staticmethod
    def visible_to(user: User) -> Q:
        return Q(workspace=None) | Q(workspace__memberships__user=user)

    def set_key(self, key: str) -> None:
        """Takes a new key (encrypted when saved). It cannot be read back but by the model client."""
        self.key_encrypted = crypto.encrypt(key)
        self.key_hint = key[-4:] if len(key) >= 12 else ""

    def endpoint(self) -> tuple[str, str]:
        """``(base_url, key)`` for the model client. Raises ZergError when the key cannot be decrypted."""
        if self.kind == self.Kind.ENVIRONMENT:
            return settings.OPENAI_BASE_URL or "https://api.openai.com/v1", settings.OPENAI_API_KEY
        if self.kind == self.Kind.LOCAL:
            return settings.LOCAL_MODEL_URL, ""
        return self.base_url, crypto.decrypt(self.key_encrypted)


class LanguageModel(models.Model):
    """One model of a provider, and what is known of it. Prices: US dollars per million tokens; null is unknown."""

    provider = models.ForeignKey(Provider, on_delete=models.CASCADE, related_name="language_models")
    name = models.CharField(max_length=200)
    context_window = models.PositiveIntegerField(default=32_768, help_text="Tokens, input and output together.")
    max_output_tokens = models.PositiveIntegerField(null=True, blank=True)
    input_price = models.DecimalField(max_digits=12, decimal_places=6, null=True, blank=True)
    cached_price = models.DecimalField(max_digits=12, decimal_places=6, null=True, blank=True)
    output_price = models.DecimalField(max_digits=12, decimal_places=6, null=True, blank=True)
    supports_tools = models.BooleanField(default=True)
    enabled = models.BooleanField(default=True)
    objects = OwnedQuerySet["LanguageModel"].as_manager()

    class Meta:
        ordering = ["provider_id", "name"]
        constraints = [models.UniqueConstraint(fields=["provider", "name"], name="one_row_per_model")]

    def __str__(self) -> str:
        return f"{self.name} ({self.provider})"

    @staticmethod
    def visible_to(user: User) -> Q:
        return Q(provider__workspace=None) | Q(provider__workspace__memberships__user=user)


class MemoryStrategy(models.TextChoices):
    BUFFER = "buffer", "Everything that fits"
    WINDOW = "window", "The last few messages"
    SUMMARY = "summary", "A rolling summary"
    NONE = "none", "Only the new message"


class Agent(models.Model):
    """Instructions, a model, tools and limits. What it did last is kept on the row, so that lists need one query."""

    class Status(models.TextChoices):
        IDLE = "idle", "Idle"
        PROCESSING = "processing", "Working"
        ERROR = "error", "Failed"

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="agents")
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+", editable=False)
    name = models.CharField(max_length=120)
    description = models.CharField(max_length=300, blank=True, help_text="One line, shown on cards.")
    system_instructions = models.TextField(blank=True, help_text="Who the agent is and how it works.")
    task_instructions = models.TextField(blank=True, help_text="What it does when it runs by itself.")
    model = models.CharField(max_length=200, blank=True, help_text="Empty: the default model.")
    temperature = models.FloatField(null=True, blank=True, validators=[MinValueValidator(0), MaxValueValidator(2)])
    max_output_tokens = models.PositiveIntegerField(null=True, blank=True, validators=[MinValueValidator(1)])
    max_steps = models.PositiveSmallIntegerField(
        default=20, validators=[MinValueValidator(1), MaxValueValidator(200)],
        help_text="How often it may call the model in one run.",
    )  # fmt: skip
    memory_strategy = models.CharField(max_length=8, choices=MemoryStrategy, default=MemoryStrategy.BUFFER)
    memory_window = models.PositiveSmallIntegerField(
        default=20, validators=[MinValueValidator(1)], help_text="Messages, for the strategy “window”."
    )
    tools = models.JSONField(default=list, blank=True, help_text="Names of the tools it may use.")
    config = models.JSONField(default=dict, blank=True, help_text="Free settings for programs.")
    schedule = models.CharField(
        max_length=500, blank=True, editable=False, help_text="Cron text of the default schedule."
    )

    status = models.CharField(max_length=12, choices=Status, default=Status.IDLE, editable=False)
    last_run_at = models.DateTimeField(null=True, blank=True, editable=False)
    next_run_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_error = models.TextField(blank=True, editable=False)
    pulse = models.CharField(max_length=PULSE_LENGTH, blank=True, editable=False)
    version_number = models.PositiveIntegerField(default=0, editable=False)
    archived_at = models.DateTimeField(null=True, blank=True, editable=False)
    trial = models.BooleanField(
        default=False, editable=False,
        help_text="Stands in for one that somebody tries and has not saved. Shown in no list, removed after a day.",
    )  # fmt: skip
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    objects = OwnedQuerySet["Agent"].as_manager()

    class Meta:
        db_table = "agents"
        ordering = ["-id"]
        indexes = [models.Index(fields=["workspace", "archived_at", "-id"], name="agents_of_workspace")]

    def __str__(self) -> str:
        return self.name

    @staticmethod
    def visible_to(user: User) -> Q:
        return Q(workspace__memberships__user=user, trial=False)

    @property
    def state(self) -> str:
        """What it does, else how its last run ended."""
        return LAST_OUTCOME[self.pulse[-1]] if self.status == self.Status.IDLE and self.pulse else self.status

    @property
    def success_rate(self) -> int | None:
        """Per cent of the last 30 finished runs that succeeded; None before the first."""
        return round(100 * self.pulse.count("s") / len(self.pulse)) if self.pulse else None


VERSIONED_FIELDS = (
    "name", "description", "system_instructions", "task_instructions", "model", "temperature", "max_output_tokens",
    "max_steps", "memory_strategy", "memory_window", "tools", "config",
)  # fmt: skip


class AgentVersion(models.Model):
    """The agent as it was saved once. Never changes; a run points at the version it used."""

    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    snapshot = models.JSONField()
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    objects = OwnedQuerySet["AgentVersion"].as_manager()

    class Meta:
        ordering = ["-number"]
        constraints = [models.UniqueConstraint(fields=["agent", "number"], name="one_row_per_agent_version")]

    def __str__(self) -> str:
        return f"{self.agent} v{self.number}"

    @staticmethod
    def visible_to(user: User) -> Q:
        return Q(agent__workspace__memberships__user=user)

    @property
    def fields(self) -> dict[str, Any]:
        return dict(self.snapshot)

    def put_on(self, agent: Agent) -> None:
        """Makes ``agent`` what it was then, without saving it."""
        for name, value in self.fields.items():
            if name in VERSIONED_FIELDS:
                setattr(agent, name, value)


class AgentDraft(models.Model):
    """What a person has typed into the form of an agent, or of a new one, and not saved.

    ``fields`` holds the values of each field of the form as texts; it is empty once they are saved or discarded.
    ``changed_at`` is the time on the clock of whoever types.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+", db_index=False)
    agent = models.ForeignKey(Agent, null=True, on_delete=models.CASCADE, related_name="+")
    version_number = models.PositiveIntegerField(default=0, help_text="Of the agent, when this was typed.")
    fields = models.JSONField(default=dict)
    changed_at = models.DateTimeField()
    objects = OwnedQuerySet["AgentDraft"].as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "agent"], name="one_draft_per_person_and_agent"),
            models.UniqueConstraint(
                fields=["user"], condition=Q(agent=None), name="one_draft_of_a_new_agent_per_person"
            ),
        ]

    def __str__(self) -> str:
        return f"Draft of {self.user_id} of agent {self.agent_id}"

    @staticmethod
    def visible_to(user: User) -> Q:
        return Q(user=user)

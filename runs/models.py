"""One execution of an agent on a thread, and the model and tool calls it was made of."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from accounts.models import User
from agents.models import Agent, AgentVersion
from common.access import OwnedQuerySet
from threads.models import Thread, ThreadMessage


class RunStatus(models.TextChoices):
    QUEUED = "queued", "Queued"
    RUNNING = "running", "Working"
    WAITING = "waiting", "Needs you"
    SUCCEEDED = "succeeded", "Done"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Stopped"


ACTIVE = (RunStatus.RUNNING, RunStatus.WAITING)
UNFINISHED = (RunStatus.QUEUED, *ACTIVE)


class Run(models.Model):
    """An execution. Its status changes only in ``runs.states``, by conditional updates fenced with ``lease_epoch``."""

    class Trigger(models.TextChoices):
        CHAT = "chat", "Chat"
        MANUAL = "manual", "Run now"
        SCHEDULE = "schedule", "Schedule"
        WEBHOOK = "webhook", "Webhook"
        API = "api", "API"
        AGENT = "agent", "Another agent"

    class Reason(models.TextChoices):
        COMPLETED = "completed", "Completed"
        STOPPED_BY_USER = "stopped_by_user", "Stopped by a person"
        MAX_STEPS = "max_steps", "Reached its limit of steps"
        EMPTY_OUTPUT = "empty_output", "The model returned nothing"
        PROVIDER_ERROR = "provider_error", "The model's provider failed"
        TIMEOUT = "timeout", "Took too long"
        WORKER_LOST = "worker_lost", "The worker was lost"
        MAY_HAVE_HAPPENED = "may_have_happened", "A tool was interrupted; its effect may have happened"
        BUDGET = "budget", "Over budget"
        REFUSED = "refused", "Not allowed"
        REPORTED_BY_AGENT = "reported_by_agent", "The agent reported a failure"
        INTERNAL_ERROR = "internal_error", "A fault in Zerg"

    class Position(models.IntegerChoices):
        """The order of a thread's queued runs."""

        HEAD = 0, "Its message is already in the transcript"
        PERSON = 1, "A person waits"
        BACKGROUND = 2, "Nobody waits"

    thread = models.ForeignKey(Thread, on_delete=models.CASCADE, related_name="runs")
    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="runs")
    agent_version = models.ForeignKey(AgentVersion, null=True, on_delete=models.PROTECT, related_name="runs")
    actor = models.ForeignKey(
        User, null=True, on_delete=models.SET_NULL, related_name="+", help_text="Whose rights the run has."
    )
    input_message = models.ForeignKey(ThreadMessage, null=True, on_delete=models.SET_NULL, related_name="+")
    status = models.CharField(max_length=9, choices=RunStatus, default=RunStatus.QUEUED)
    reason = models.CharField(max_length=20, choices=Reason, blank=True)
    trigger = models.CharField(max_length=8, choices=Trigger)
    position = models.PositiveSmallIntegerField(choices=Position, default=Position.PERSON)
    key = models.CharField(max_length=128, null=True)
    attempt = models.PositiveSmallIntegerField(default=0)
    model = models.CharField(max_length=200, blank=True)
    note = models.CharField(max_length=300, blank=True, help_text="What it waits for just now, in words.")

    lease_owner = models.CharField(max_length=64, blank=True)
    lease_epoch = models.PositiveIntegerField(default=0)
    lease_expires_at = models.DateTimeField(null=True)
    cancel_requested_at = models.DateTimeField(null=True)

    error_code = models.CharField(max_length=40, blank=True)
    error_message = models.TextField(blank=True)
    queued_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    first_token_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    input_tokens = models.PositiveIntegerField(default=0)
    cached_tokens = models.PositiveIntegerField(default=0)
    output_tokens = models.PositiveIntegerField(default=0)
    usage_estimated = models.BooleanField(default=False)
    cost_usd = models.DecimalField(max_digits=16, decimal_places=8, null=True)
    version = models.PositiveBigIntegerField(default=0)
    objects = OwnedQuerySet["Run"].as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["thread"],
                condition=Q(status__in=["running", "waiting"]),
                name="one_active_run_per_thread",
            ),
            models.UniqueConstraint(fields=["thread", "key"], name="run_key_once_per_thread"),
        ]
        indexes = [
            models.Index(fields=["thread", "version"], name="runs_by_version"),
            models.Index(fields=["agent", "-id"], name="runs_of_agent"),
            models.Index(fields=["status", "queued_at"], condition=Q(status="queued"), name="runs_waiting"),
            models.Index(fields=["lease_expires_at"], condition=Q(status="running"), name="runs_by_lease"),
        ]

    def __str__(self) -> str:
        return f"Run {self.pk}"

    @staticmethod
    def visible_to(user: User) -> Q:
        return Q(thread__owner=user, thread__agent__workspace__memberships__user=user)

    @property
    def is_finished(self) -> bool:
        return self.status not in UNFINISHED

    @property
    def seconds(self) -> float | None:
        """How long it took from its start; None while it has not ended."""
        if self.started_at is None or self.finished_at is None:
            return None
        return (self.finished_at - self.started_at).total_seconds()

    @property
    def duration(self) -> float | None:
        """Seconds from the first claim to the end; None before that."""
        if self.started_at is None or self.finished_at is None:
            return None
        return (self.finished_at - self.started_at).total_seconds()


class Step(models.Model):
    """A model call or a tool call. It is committed as started before the call is made, with its result after."""

    class Kind(models.TextChoices):
        MODEL = "model", "Model"
        SUMMARY = "summary", "Summary"
        TOOL = "tool", "Tool"

    class Status(models.TextChoices):
        STARTED = "started", "Working"
        SUCCEEDED = "succeeded", "Done"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Stopped"

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="steps")
    index = models.PositiveIntegerField()
    attempt = models.PositiveSmallIntegerField(default=1, help_text="Of the run, in which the step was made.")
    tries = models.PositiveSmallIntegerField(default=1, help_text="How often the call was made.")
    kind = models.CharField(max_length=7, choices=Kind)
    name = models.CharField(max_length=200)
    status = models.CharField(max_length=9, choices=Status, default=Status.STARTED)
    effect = models.CharField(max_length=10, blank=True)
    call_id = models.CharField(max_length=200, blank=True)
    input = models.TextField(blank=True)
    output = models.TextField(blank=True)
    message = models.ForeignKey(ThreadMessage, null=True, on_delete=models.SET_NULL, related_name="steps")
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    input_tokens = models.PositiveIntegerField(null=True)
    cached_tokens = models.PositiveIntegerField(null=True)
    output_tokens = models.PositiveIntegerField(null=True)
    usage_estimated = models.BooleanField(default=False)
    cost_usd = models.DecimalField(max_digits=16, decimal_places=8, null=True)
    error_code = models.CharField(max_length=40, blank=True)
    error_message = models.TextField(blank=True)
    objects = OwnedQuerySet["Step"].as_manager()

    class Meta:
        ordering = ["run_id", "index"]
        constraints = [models.UniqueConstraint(fields=["run", "index"], name="step_index_once_per_run")]

    def __str__(self) -> str:
        return f"Step {self.index} of run {self.run_id}"

    @staticmethod
    def visible_to(user: User) -> Q:
        return Q(run__thread__owner=user, run__thread__agent__workspace__memberships__user=user)

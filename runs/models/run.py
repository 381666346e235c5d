"""One execution of an agent on a thread, and the model and tool calls it was made of."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Q

from accounts.models import User, is_member
from agents.models import Agent, AgentVersion
from common.access import OwnedQuerySet
from runs.terms import Terms
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
        TRUNCATED = "truncated", "The answer was cut off"
        CHECK_FAILED = "check_failed", "The answer is not what was asked for"
        REPORTED_BY_AGENT = "reported_by_agent", "The agent reported a failure"
        INTERNAL_ERROR = "internal_error", "A fault in Zerg"

    class Position(models.IntegerChoices):
        """The order of a thread's queued runs."""

        HEAD = 0, "Its message is already in the transcript"
        NEXT = 1, "A person wants it now"
        PERSON = 2, "A person waits"
        BACKGROUND = 3, "Nobody waits"

    # Indexes below begin with these three, so that they need none of their own.
    thread = models.ForeignKey(Thread, on_delete=models.CASCADE, related_name="runs", db_index=False)
    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="runs", db_index=False)
    owner = models.ForeignKey(
        User, on_delete=models.CASCADE, related_name="+", db_index=False, editable=False,
        help_text="The thread's, kept here so that a person's runs can be listed however many there are.",
    )  # fmt: skip
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
    branches = models.BooleanField(
        default=False, editable=False, help_text="Its message follows the one it was given, not the end of the branch."
    )
    asked_model = models.CharField(max_length=200, blank=True, help_text="Instead of the agent's, for this run only.")
    asked_window = models.PositiveIntegerField(
        null=True, help_text="Tokens to make its requests for, where its model reads less than it is said to."
    )
    with_tools = models.BooleanField(default=True, help_text="False: this run answers without the agent's tools.")
    asked_version = models.ForeignKey(
        AgentVersion, null=True, on_delete=models.PROTECT, related_name="+",
        help_text="The agent as it was then, for this run only.",
    )  # fmt: skip
    schedule_id = models.PositiveBigIntegerField(null=True, help_text="The schedule that started it.")
    webhook_id = models.PositiveBigIntegerField(null=True, help_text="The webhook that started it.")
    terms_stored = models.JSONField("terms", default=dict, blank=True, help_text="What was asked of it.")
    nothing_new = models.BooleanField(default=False, help_text="It succeeded, and found nothing worth telling.")
    attempt = models.PositiveSmallIntegerField(default=0)
    model = models.CharField(max_length=200, blank=True)
    context_window = models.PositiveIntegerField(null=True, help_text="Tokens that its model reads.")
    note = models.CharField(max_length=300, blank=True, help_text="What it waits for just now, in words.")
    again_at = models.DateTimeField(null=True, help_text="When the provider that asked to wait is asked again.")

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
            models.Index(fields=["thread", "version", "id"], name="runs_by_version"),
            models.Index(fields=["agent", "-id"], name="runs_of_agent"),
            models.Index(fields=["agent", "-id"], condition=Q(status="failed"), name="runs_failed_of_agent"),
            models.Index(fields=["owner", "-id"], name="runs_of_owner"),
            models.Index(fields=["owner", "status", "-id"], name="runs_of_owner_by_status"),
            # Few ever, beside however many that have ended: what each page asks for.
            models.Index(fields=["owner", "-id"], condition=Q(finished_at=None), name="runs_unfinished_of_owner"),
            models.Index(fields=["schedule_id", "-id"], condition=~Q(schedule_id=None), name="runs_of_schedule"),
            models.Index(
                fields=["schedule_id"],
                condition=Q(status__in=["queued", "running", "waiting"]) & ~Q(schedule_id=None),
                name="runs_unfinished_of_schedule",
            ),
            models.Index(fields=["webhook_id", "-id"], condition=~Q(webhook_id=None), name="runs_of_webhook"),
            models.Index(fields=["status", "queued_at"], condition=Q(status="queued"), name="runs_waiting"),
            models.Index(fields=["lease_expires_at"], condition=Q(status="running"), name="runs_by_lease"),
        ]

    def __str__(self) -> str:
        return f"Run {self.pk}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.owner_id is None:
            self.owner_id = self.thread.owner_id
        super().save(*args, **kwargs)

    @staticmethod
    def visible_to(user: User) -> Q:
        return Q(owner=user) & Q(is_member(user, "agent__workspace"))

    @property
    def terms(self) -> Terms:
        """What was asked of it when it was started."""
        return Terms.of_json(self.terms_stored)

    @property
    def is_unattended(self) -> bool:
        """Nobody waits for it: a schedule or a webhook asked for it, or a person who had that done once more."""
        return self.schedule_id is not None or self.webhook_id is not None

    @property
    def is_finished(self) -> bool:
        return self.status not in UNFINISHED

    @property
    def outcome(self) -> str:
        """Its status, but of a run that nobody ended: interrupted."""
        return "interrupted" if self.reason in (self.Reason.WORKER_LOST, self.Reason.MAY_HAVE_HAPPENED) else self.status

    @property
    def call_key(self) -> str:
        """What the keys of its tool calls begin with. The time tells it from the run of the same number in a Zerg that
        was made anew: a service elsewhere may still know that one's keys."""
        return f"run-{self.pk}-{self.queued_at:%Y%m%dT%H%M%S%f}"

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
    key = models.CharField(
        max_length=80, null=True, help_text="What is done once only: the same in each attempt of the run to do it."
    )
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
        constraints = [
            models.UniqueConstraint(fields=["run", "index"], name="step_index_once_per_run"),
            models.UniqueConstraint(fields=["key"], condition=Q(status="succeeded"), name="step_succeeds_once"),
        ]

    def __str__(self) -> str:
        return f"Step {self.index} of run {self.run_id}"

    @staticmethod
    def visible_to(user: User) -> Q:
        return Q(run__owner=user, run__agent__workspace__memberships__user=user)

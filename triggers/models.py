"""Runs that no human started: schedules, and the ledger of their due times."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from accounts.models import User, is_member
from agents.models import Agent
from common.access import OwnedQuerySet
from common.errors import ZergError
from runs.models import Run
from threads.models import Thread
from triggers import timing


class Schedule(models.Model):
    """When an agent runs by itself, on whose behalf, and where it writes."""

    class Kind(models.TextChoices):
        CRON = "cron", "Cron"
        INTERVAL = "interval", "Every so often"
        ONCE = "once", "Once"

    class ThreadMode(models.TextChoices):
        OWN = "own", "A thread of its own"
        BOUND = "bound", "A thread of mine"
        NEW = "new", "A new thread each time"

    class Missed(models.TextChoices):
        LATEST = "latest", "Run once when Zerg is back"
        NONE = "none", "Skip"

    class Overlap(models.TextChoices):
        SKIP = "skip", "Skip"
        QUEUE = "queue", "Wait for the last run"

    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="schedules")
    owner = models.ForeignKey(User, on_delete=models.CASCADE, related_name="schedules")
    thread = models.ForeignKey(Thread, null=True, blank=True, on_delete=models.SET_NULL, related_name="schedules")
    name = models.CharField(max_length=120, blank=True)
    is_default = models.BooleanField(default=False, editable=False, help_text="The one that agents.schedule shows.")
    kind = models.CharField(max_length=8, choices=Kind, default=Kind.CRON)
    expression = models.CharField(max_length=200, help_text="Cron text, seconds, or a time.")
    timezone = models.CharField(max_length=64, default="UTC", help_text="IANA name, such as Europe/Berlin.")
    prompt = models.TextField(blank=True, help_text="Empty: the agent's task instructions.")
    enabled = models.BooleanField(default=True)
    disabled_reason = models.CharField(max_length=300, blank=True)
    thread_mode = models.CharField(max_length=7, choices=ThreadMode, default=ThreadMode.OWN)
    missed_policy = models.CharField("if missed", max_length=6, choices=Missed, default=Missed.LATEST)
    overlap_policy = models.CharField(
        "if the last run is still going", max_length=5, choices=Overlap, default=Overlap.SKIP
    )
    next_run_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_run_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    objects = OwnedQuerySet["Schedule"].as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["agent", "owner"],
                condition=Q(is_default=True),
                name="one_default_schedule_per_agent_and_owner",
            )
        ]
        indexes = [
            models.Index(fields=["next_run_at"], condition=Q(enabled=True), name="schedules_due"),
            models.Index(fields=["agent", "next_run_at"], condition=Q(enabled=True), name="schedules_of_agent"),
        ]

    def __str__(self) -> str:
        return self.name or f"Schedule {self.pk}"

    @staticmethod
    def visible_to(user: User) -> Q:
        return Q(owner=user) & Q(is_member(user, "agent__workspace"))

    @property
    def sentence(self) -> str:
        """When it runs, in words; the bare expression where it cannot be read."""
        try:
            return timing.describe(self.kind, self.expression, self.timezone)
        except ZergError:
            return self.expression

    @property
    def title(self) -> str:
        """Its name, else what it does."""
        return self.name or f"{self.agent}: {self.sentence}"


class Occurrence(models.Model):
    """One due time of a schedule and what became of it. Nothing is silent."""

    class Outcome(models.TextChoices):
        RAN = "ran", "Ran"
        SKIPPED = "skipped", "Skipped"
        MISSED = "missed", "Missed"

    schedule = models.ForeignKey(Schedule, on_delete=models.CASCADE, related_name="occurrences")
    scheduled_for = models.DateTimeField()
    fired_at = models.DateTimeField()
    outcome = models.CharField(max_length=7, choices=Outcome)
    reason = models.CharField(max_length=300, blank=True)
    lateness_seconds = models.FloatField(default=0)
    run = models.ForeignKey(Run, null=True, blank=True, on_delete=models.SET_NULL, related_name="occurrences")
    objects = OwnedQuerySet["Occurrence"].as_manager()

    class Meta:
        ordering = ["-scheduled_for", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["schedule", "scheduled_for"], name="one_occurrence_per_due_time")
        ]

    def __str__(self) -> str:
        return f"{self.schedule} at {self.scheduled_for:%Y-%m-%d %H:%M}"

    @staticmethod
    def visible_to(user: User) -> Q:
        return Q(schedule__owner=user, schedule__agent__workspace__memberships__user=user)

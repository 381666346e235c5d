"""The ledger: every due time of a schedule, and what became of it."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from accounts.models import User
from common.access import OwnedQuerySet
from runs.models import Run
from triggers.models.schedule import Schedule


class Occurrence(models.Model):
    """One due time of a schedule and what became of it. Nothing is silent.

    Before a run that looks first the outcome is CHECKING; whoever looks holds it until ``held_until``.
    """

    class Outcome(models.TextChoices):
        CHECKING = "checking", "Looking"
        RAN = "ran", "Ran"
        SKIPPED = "skipped", "Skipped"
        MISSED = "missed", "Missed"

    schedule = models.ForeignKey(Schedule, on_delete=models.CASCADE, related_name="occurrences")
    scheduled_for = models.DateTimeField()
    fired_at = models.DateTimeField()
    outcome = models.CharField(max_length=8, choices=Outcome)
    reason = models.CharField(max_length=300, blank=True)
    lateness_seconds = models.FloatField(default=0)
    run = models.ForeignKey(Run, null=True, blank=True, on_delete=models.SET_NULL, related_name="occurrences")
    held_until = models.DateTimeField(null=True, blank=True, editable=False)
    looks = models.PositiveSmallIntegerField(default=0, editable=False, help_text="How often it was looked.")
    objects = OwnedQuerySet["Occurrence"].as_manager()

    class Meta:
        ordering = ["-scheduled_for", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["schedule", "scheduled_for"], name="one_occurrence_per_due_time")
        ]
        indexes = [
            models.Index(fields=["held_until"], condition=Q(outcome="checking"), name="occurrences_looking"),
            models.Index(fields=["fired_at"], name="occurrences_by_age"),
        ]

    def __str__(self) -> str:
        return f"{self.schedule} at {self.scheduled_for:%Y-%m-%d %H:%M}"

    @staticmethod
    def visible_to(user: User) -> Q:
        return Q(schedule__owner=user, schedule__agent__workspace__memberships__user=user)

"""Ends of runs that their schedules have not been told of yet."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts.models import User
from common.access import OwnedQuerySet
from triggers.models.schedule import Schedule


class RunEnd(models.Model):
    """A run of a schedule has ended. Written with the run's end, and gone a moment later (``triggers.outcomes``).

    Ids instead of keys: a key would lock the schedule's row, for which the end of a run must not wait.
    """

    schedule_id = models.PositiveBigIntegerField()
    run_id = models.PositiveBigIntegerField(unique=True)
    failed = models.BooleanField(help_text="False: it succeeded.")
    error = models.CharField(max_length=200, blank=True)
    ended_at = models.DateTimeField(default=timezone.now)
    objects = OwnedQuerySet["RunEnd"].as_manager()

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"The end of run {self.run_id}"

    @staticmethod
    def visible_to(user: User) -> Q:
        return Q(schedule_id__in=Schedule.objects.for_user(user).values("pk"))

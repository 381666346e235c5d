"""When an agent runs by itself, on whose behalf, where it writes, and what is asked of its runs."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from accounts.models import User, is_member
from agents.models import Agent
from common.access import OwnedQuerySet
from common.errors import ZergError
from threads.models import Thread
from triggers.models.asks import Asks
from triggers.timing import INTERVAL, Timing, describe


class Schedule(Asks):
    """When an agent runs by itself, on whose behalf, and where it writes."""

    class Kind(models.TextChoices):
        CRON = "cron", "Cron"
        INTERVAL = "interval", "Every so often"
        ONCE = "once", "Once"

    class ThreadMode(models.TextChoices):
        OWN = "own", "A thread of its own"
        BOUND = "bound", "A thread of mine"
        NEW = "new", "A new thread each time"
        ROLLING = "rolling", "A thread that is made anew now and then"

    class Roll(models.TextChoices):
        DAY = "day", "Every day"
        WEEK = "week", "Every week"
        RUNS = "runs", "After a number of runs"

    class Missed(models.TextChoices):
        LATEST = "latest", "Run once when Zerg is back"
        ALL = "all", "Run all of them, up to a limit"
        NONE = "none", "Skip"

    class Overlap(models.TextChoices):
        SKIP = "skip", "Skip"
        QUEUE = "queue", "Wait for the last run"
        TOGETHER = "together", "Run beside it"

    class Watch(models.TextChoices):
        """What is looked at before the model is asked; a run that would see nothing new is skipped."""

        NOTHING = "", "Nothing"
        PAGE = "page", "A page or file: has it changed"
        JSON = "json", "A value in a JSON document"
        FEED = "feed", "New entries of a feed"
        STATUS = "status", "The status code of an address"

    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="schedules")
    owner = models.ForeignKey(User, on_delete=models.CASCADE, related_name="schedules")
    thread = models.ForeignKey(Thread, null=True, blank=True, on_delete=models.SET_NULL, related_name="schedules")
    name = models.CharField(max_length=120, blank=True)
    is_default = models.BooleanField(default=False, editable=False, help_text="The one that agents.schedule shows.")
    kind = models.CharField(max_length=8, choices=Kind, default=Kind.CRON)
    expression = models.CharField(max_length=200, help_text="Cron text, seconds, or a time.")
    timezone = models.CharField(max_length=64, default="UTC", help_text="IANA name, such as Europe/Berlin.")
    starts_at = models.DateTimeField(null=True, blank=True, help_text="Nothing is due before.")
    ends_at = models.DateTimeField(null=True, blank=True, help_text="Nothing is due after.")
    most_runs = models.PositiveIntegerField(null=True, blank=True, help_text="It is switched off after so many.")
    runs_made = models.PositiveIntegerField(default=0, editable=False, help_text="By the clock, since it was set.")
    spread_seconds = models.PositiveIntegerField(
        default=0, help_text="Due times are moved by one number of seconds up to this, so that not all come at once."
    )
    offset_seconds = models.PositiveIntegerField(default=0, editable=False, help_text="That number.")
    prompt = models.TextField(blank=True, help_text="Empty: the agent's task instructions.")
    enabled = models.BooleanField(default=True)
    disabled_reason = models.CharField(max_length=300, blank=True)
    thread_mode = models.CharField(max_length=7, choices=ThreadMode, default=ThreadMode.OWN)
    roll_every = models.CharField(max_length=4, choices=Roll, default=Roll.DAY)
    roll_runs = models.PositiveSmallIntegerField(default=20, help_text="For a thread made anew after so many runs.")
    thread_since = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="The due time for which its present thread was made."
    )
    thread_runs = models.PositiveIntegerField(default=0, editable=False, help_text="Begun in its present thread.")
    thread_number = models.PositiveIntegerField(default=0, editable=False, help_text="So many threads were made anew.")
    missed_policy = models.CharField("if missed", max_length=6, choices=Missed, default=Missed.LATEST)
    missed_limit = models.PositiveSmallIntegerField(default=10, help_text="For “run all”: at most so many.")
    overlap_policy = models.CharField(
        "if the last run is still going", max_length=8, choices=Overlap, default=Overlap.SKIP
    )
    failure_limit = models.PositiveSmallIntegerField(
        default=5, help_text="It is switched off after so many failures in a row. 0: never."
    )
    failures_in_row = models.PositiveIntegerField(default=0, editable=False)
    back_off_until = models.DateTimeField(null=True, blank=True, editable=False)
    watch_kind = models.CharField(
        "look first at", max_length=6, choices=Watch.choices, blank=True, default=Watch.NOTHING
    )
    watch_url = models.CharField(max_length=2000, blank=True)
    watch_path = models.CharField(max_length=200, blank=True, help_text="In a JSON document: such as data.items.0.name")
    watch_seen = models.JSONField(default=dict, blank=True, editable=False, help_text="What the last look saw.")
    next_run_at = models.DateTimeField(null=True, blank=True, editable=False)
    off_from = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="The first due time that did not come, as it was switched off."
    )
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
    def timing(self) -> Timing:
        """When it comes due: what the functions of ``triggers.timing`` take."""
        left = None if self.most_runs is None else max(0, self.most_runs - self.runs_made)
        return Timing(
            self.kind, self.expression, self.timezone, self.starts_at, self.ends_at, self.offset_seconds,
            runs_left=left,
            anchor=self.next_run_at if self.kind == INTERVAL else None,
        )  # fmt: skip

    @property
    def sentence(self) -> str:
        """When it runs, in words; the bare expression where it cannot be read."""
        try:
            return describe(self.timing)
        except ZergError:
            return self.expression

    @property
    def title(self) -> str:
        """Its name, else what it does."""
        return self.name or f"{self.agent}: {self.sentence}"

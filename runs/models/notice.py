"""What people are told of runs, and by which ways."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts.models import User, is_member
from agents.models import Agent
from common.access import OwnedQuerySet
from runs.models.run import Run
from threads.models import Thread


class Notice(models.Model):
    """Something that a person is told who did not see it happen. A run has one at most."""

    class Strength(models.TextChoices):
        NEEDS_YOU = "needs_you", "Needs you"
        FAILED = "failed", "Failed"
        FINISHED = "finished", "Finished"

    # Indexes below begin with this one, so that it needs none of its own.
    owner = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+", db_index=False)
    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="+")
    thread = models.ForeignKey(Thread, null=True, on_delete=models.CASCADE, related_name="+")
    run = models.OneToOneField(Run, null=True, on_delete=models.CASCADE, related_name="notice")
    schedule_id = models.PositiveBigIntegerField(null=True, help_text="The schedule it is about, if it is no run.")
    strength = models.CharField(max_length=9, choices=Strength)
    code = models.CharField(max_length=40, blank=True, help_text="Of the error; alike for what is mended at once.")
    text = models.CharField(max_length=300, help_text="What happened, in a sentence.")
    count = models.PositiveIntegerField(default=1, help_text="How often: it stands for those before it, too.")
    seq = models.PositiveIntegerField(default=0, help_text="Of the thread's last message then: who read it, knows.")
    created_at = models.DateTimeField(default=timezone.now)
    done_at = models.DateTimeField(null=True)
    objects = OwnedQuerySet["Notice"].as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["schedule_id"], condition=Q(done_at=None), name="one_open_notice_per_schedule"
            ),
        ]
        indexes = [
            models.Index(fields=["owner", "-id"], name="notices_of_owner"),
            models.Index(fields=["owner", "-id"], condition=Q(done_at=None), name="notices_open"),
            models.Index(fields=["thread"], condition=Q(done_at=None), name="notices_open_of_thread"),
        ]

    def __str__(self) -> str:
        return f"{self.get_strength_display()}: {self.text[:60]}"

    @staticmethod
    def visible_to(user: User) -> Q:
        return Q(owner=user) & Q(is_member(user, "agent__workspace"))


class BrowserNotices(models.Model):
    """Of what a person's browsers tell, where the person has allowed a browser to. Without a row: of all of it."""

    owner = models.OneToOneField(User, on_delete=models.CASCADE, related_name="browser_notices")
    needs_you = models.BooleanField("Something needs you", default=True)
    failed = models.BooleanField("A run failed", default=True)
    finished = models.BooleanField("A long run has finished", default=True)
    objects = OwnedQuerySet["BrowserNotices"].as_manager()

    def __str__(self) -> str:
        return f"Browser notices of {self.owner}"

    @staticmethod
    def visible_to(user: User) -> Q:
        return Q(owner=user)


class OutgoingHook(models.Model):
    """An address of a person's that is told when a run ends, in the form of Standard Webhooks."""

    owner = models.ForeignKey(User, on_delete=models.CASCADE, related_name="outgoing_hooks")
    name = models.CharField(max_length=80)
    url = models.CharField("address", max_length=2000)
    secret_encrypted = models.TextField(blank=True, editable=False)
    secret_hint = models.CharField(max_length=8, blank=True, editable=False)
    private_allowed = models.BooleanField(
        "may be on a private network", default=False, editable=False,
        help_text="True where an administrator wrote the address.",
    )  # fmt: skip
    enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    objects = OwnedQuerySet["OutgoingHook"].as_manager()

    class Meta:
        verbose_name = "outgoing webhook"
        ordering = ["id"]

    def __str__(self) -> str:
        return self.name

    @staticmethod
    def visible_to(user: User) -> Q:
        return Q(owner=user)


class Delivery(models.Model):
    """One message to the outside about the end of a run: written with the end, sent after, tried again for a while.

    While one is being sent, ``next_try_at`` is the end of its sender's lease: who finds it over sends it again.
    """

    class Way(models.TextChoices):
        EMAIL = "email", "E-mail"
        HOOK = "hook", "Webhook"

    class Status(models.TextChoices):
        WAITING = "waiting", "Waiting"
        SENDING = "sending", "Sending"
        SENT = "sent", "Sent"
        FAILED = "failed", "Failed"

    owner = models.ForeignKey(User, on_delete=models.CASCADE, related_name="deliveries", db_index=False)
    run = models.ForeignKey(Run, null=True, on_delete=models.SET_NULL, related_name="deliveries")
    hook = models.ForeignKey(OutgoingHook, null=True, on_delete=models.SET_NULL, related_name="deliveries")
    way = models.CharField(max_length=5, choices=Way)
    target = models.CharField(max_length=2000, help_text="The e-mail or web address it goes to.")
    is_test = models.BooleanField(default=False, help_text="A person tries the webhook; there is no run.")
    status = models.CharField(max_length=7, choices=Status, default=Status.WAITING)
    tries = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField(null=True, default=timezone.now)
    last_status = models.PositiveSmallIntegerField(null=True, help_text="The status code of the last answer.")
    last_error = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(null=True)
    objects = OwnedQuerySet["Delivery"].as_manager()

    class Meta:
        verbose_name_plural = "deliveries"
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["owner", "-id"], name="deliveries_of_owner"),
            models.Index(fields=["next_try_at"], condition=~Q(next_try_at=None), name="deliveries_due"),
        ]

    def __str__(self) -> str:
        return f"{self.get_way_display()} {self.pk}"

    @staticmethod
    def visible_to(user: User) -> Q:
        return Q(owner=user)

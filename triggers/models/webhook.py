"""What other services call: an address for each webhook, and the log of what came in."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from accounts.models import User, is_member
from agents.models import Agent
from common.access import OwnedQuerySet
from runs.models import Run
from runs.terms import Notify
from threads.models import Thread
from triggers.models.asks import Asks

UNTRUSTED = ("bad_signature", "too_large")
"""Codes of the refusals that come before a signature holds."""


class Webhook(Asks):
    """Lets a service start runs of an agent, on its owner's behalf, in a thread that the owner chose.

    The secret is encrypted and never shown again. While it is being changed the one before counts too, for a while.
    """

    class Style(models.TextChoices):
        STANDARD = "standard", "Standard Webhooks"
        GITHUB = "github", "GitHub"
        BEARER = "bearer", "Bearer token"

    class ThreadMode(models.TextChoices):
        OWN = "own", "A thread of its own"
        BOUND = "bound", "A thread of mine"
        NEW = "new", "A new thread each time"

    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="webhooks")
    owner = models.ForeignKey(User, on_delete=models.CASCADE, related_name="webhooks")
    thread = models.ForeignKey(Thread, null=True, blank=True, on_delete=models.SET_NULL, related_name="webhooks")
    name = models.CharField(max_length=120)
    token = models.CharField(max_length=64, unique=True, editable=False, help_text="The last part of its address.")
    style = models.CharField(max_length=8, choices=Style, default=Style.STANDARD)
    secret_encrypted = models.TextField(blank=True, editable=False)
    secret_hint = models.CharField(max_length=8, blank=True, editable=False)
    old_secret_encrypted = models.TextField(blank=True, editable=False)
    old_secret_until = models.DateTimeField(null=True, blank=True, editable=False)
    prompt = models.TextField(help_text="What the agent is told. {{payload}} stands for what was sent.")
    thread_mode = models.CharField(max_length=5, choices=ThreadMode, default=ThreadMode.OWN)
    notify_policy = models.CharField("tell me", max_length=7, choices=Notify.choices, default=Notify.FAILURE)
    enabled = models.BooleanField(default=True)
    disabled_reason = models.CharField(max_length=300, blank=True)
    last_received_at = models.DateTimeField(null=True, blank=True, editable=False)
    room = models.FloatField(default=0, editable=False, help_text="How many more fitted then, before it was too fast.")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    objects = OwnedQuerySet["Webhook"].as_manager()

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.name

    @staticmethod
    def visible_to(user: User) -> Q:
        return Q(owner=user) & Q(is_member(user, "agent__workspace"))

    @property
    def url(self) -> str:
        """Where services send to."""
        return f"{settings.PUBLIC_ORIGIN}/hooks/{self.token}"


class Received(models.Model):
    """One request to a webhook's address: what it said, and what became of it.

    An accepted one with a ``delivery_id`` is there once for ever: the same id again gets the same answer.
    """

    class Verdict(models.TextChoices):
        ACCEPTED = "accepted", "Accepted"
        REPEATED = "repeated", "Came before"
        REFUSED = "refused", "Refused"

    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="received", db_index=False)
    delivery_id = models.CharField(max_length=200, null=True)
    verdict = models.CharField(max_length=8, choices=Verdict)
    reason = models.CharField(max_length=300, blank=True)
    headers = models.JSONField(default=dict, help_text="Without signatures and tokens.")
    body = models.TextField(blank=True)
    digest = models.CharField(max_length=64, blank=True, editable=False, help_text="SHA-256 of the body as it came.")
    is_test = models.BooleanField(default=False)
    run = models.ForeignKey(Run, null=True, on_delete=models.SET_NULL, related_name="received")
    answer = models.JSONField(default=dict, help_text="What the sender was told.")
    received_at = models.DateTimeField()
    objects = OwnedQuerySet["Received"].as_manager()

    class Meta:
        verbose_name = "received request"
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["webhook", "delivery_id"],
                condition=Q(verdict="accepted"),
                name="one_accepted_request_per_delivery_id",
            )
        ]
        indexes = [
            models.Index(fields=["webhook", "-id"], name="received_of_webhook"),
            models.Index(fields=["received_at"], name="received_by_age"),
            models.Index(fields=["webhook", "-id"], condition=~Q(verdict="accepted"), name="received_not_accepted"),
        ]

    def __str__(self) -> str:
        return f"Request {self.pk} to {self.webhook_id}"

    @property
    def is_replayable(self) -> bool:
        """Whether it was sent by somebody who knows the secret: another's words must not reach the agent."""
        told = self.answer.get("error") or {}
        return bool(self.body) and told.get("code") not in UNTRUSTED

    @staticmethod
    def visible_to(user: User) -> Q:
        return Q(webhook__owner=user, webhook__agent__workspace__memberships__user=user)

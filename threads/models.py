"""Conversations: a thread and its messages, which only ever grow."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts.models import User, is_member
from agents.models import Agent, MemoryStrategy
from common.access import OwnedQuerySet


class Thread(models.Model):
    """A conversation with an agent. Private to its owner.

    ``version`` counts durable changes; each row that a change touched carries the number, so a client that says which
    version it has can be sent exactly what is newer. ``leaf`` is the last message of the branch being read.
    """

    class Type(models.TextChoices):
        CHAT = "chat", "Chat"
        SCHEDULE = "schedule", "Schedule"
        MANUAL = "manual", "Manual run"
        REHEARSAL = "rehearse", "Rehearsal"

    class BusyPolicy(models.TextChoices):
        """What becomes of a message that comes while the agent works."""

        QUEUE = "queue", "It waits for its turn"
        REPLACE = "replace", "The agent stops, and takes it instead"
        REFUSE = "refuse", "It is refused"

    # Indexes below begin with these two, so that they need none of their own.
    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="threads", db_index=False)
    owner = models.ForeignKey(User, on_delete=models.CASCADE, related_name="threads", db_index=False)
    title = models.CharField(max_length=200, blank=True)
    title_by_person = models.BooleanField(default=False, editable=False)
    active = models.BooleanField(default=False, help_text="The one that programs reach through the agent.")
    agent_state = models.JSONField(default=dict, blank=True)
    memory_strategy = models.CharField(
        max_length=8, choices=MemoryStrategy, blank=True, help_text="Empty: as the agent says."
    )
    busy_policy = models.CharField(
        max_length=7, choices=BusyPolicy, default=BusyPolicy.QUEUE, help_text="For messages sent while the agent works."
    )
    thread_type = models.CharField(max_length=8, choices=Type, default=Type.CHAT)
    version = models.PositiveBigIntegerField(default=0, editable=False)
    epoch = models.CharField(
        max_length=16, blank=True, editable=False, help_text="Changes when versions may have been counted before."
    )
    last_seq = models.PositiveIntegerField(default=0, editable=False)
    leaf = models.ForeignKey(
        "ThreadMessage", null=True, blank=True, on_delete=models.SET_NULL, related_name="+", editable=False
    )
    input_tokens = models.PositiveBigIntegerField(default=0, editable=False, help_text="Of all calls for this thread.")
    cached_tokens = models.PositiveBigIntegerField(default=0, editable=False)
    output_tokens = models.PositiveBigIntegerField(default=0, editable=False)
    usage_estimated = models.BooleanField(default=False, editable=False)
    cost_usd = models.DecimalField("cost", max_digits=24, decimal_places=8, default=Decimal(0), editable=False)
    unpriced = models.BooleanField(
        default=False, editable=False, help_text="There were calls without a price: the cost is that of the others."
    )
    pinned_at = models.DateTimeField(null=True, blank=True, editable=False)
    archived_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    objects = OwnedQuerySet["Thread"].as_manager()

    class Meta:
        db_table = "agent_threads"
        ordering = ["-updated_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["agent", "owner"],
                condition=Q(active=True),
                name="one_active_thread_per_agent_and_owner",
            )
        ]
        indexes = [
            models.Index(fields=["owner", "-updated_at", "-id"], name="threads_of_owner"),
            models.Index(fields=["agent", "owner", "-updated_at", "-id"], name="threads_of_agent"),
            models.Index(fields=["owner"], condition=Q(pinned_at__isnull=False), name="threads_pinned"),
            models.Index(
                fields=["owner", "-updated_at", "-id"], condition=Q(archived_at__isnull=False), name="threads_archived"
            ),
        ]

    def __str__(self) -> str:
        return self.title or f"Thread {self.pk}"

    @staticmethod
    def visible_to(user: User) -> Q:
        return Q(owner=user) & Q(is_member(user, "agent__workspace"))

    @staticmethod
    def listed(user: User) -> models.QuerySet[Thread]:
        """The person's threads as lists and searches know them: a trial is shown beside its form alone."""
        return Thread.objects.for_user(user).filter(agent__trial=False)

    @property
    def strategy(self) -> str:
        """The memory strategy in force: the thread's own, else the agent's."""
        return self.memory_strategy or self.agent.memory_strategy


class ThreadMessage(models.Model):
    """A row of a thread. Its text only ever grows; another answer to the same question is a sibling row.

    ``seq`` is null while the message waits in the queue, and counts 1, 2, 3 … once it is part of the transcript.
    """

    class Role(models.TextChoices):
        SYSTEM = "system", "System"
        USER = "user", "User"
        ASSISTANT = "assistant", "Assistant"
        TOOL = "tool", "Tool"

    class Kind(models.TextChoices):
        MESSAGE = "message", "Message"
        SUMMARY = "summary", "Summary"

    class Status(models.TextChoices):
        QUEUED = "queued", "Queued"
        STREAMING = "streaming", "Being written"
        COMPLETE = "complete", "Complete"
        STOPPED = "stopped", "Stopped"
        FAILED = "failed", "Failed"

    class Source(models.TextChoices):
        USER = "user", "A person"
        AGENT = "agent", "The agent"
        TOOL = "tool", "A tool"
        SCHEDULE = "schedule", "A schedule"
        WEBHOOK = "webhook", "A webhook"
        API = "api", "A program"
        SYSTEM = "system", "Zerg"

    thread = models.ForeignKey(Thread, on_delete=models.CASCADE, related_name="messages", db_index=False)
    seq = models.PositiveIntegerField(null=True)
    parent = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="children")
    role = models.CharField(max_length=9, choices=Role)
    kind = models.CharField(max_length=8, choices=Kind, default=Kind.MESSAGE)
    content = models.TextField(blank=True)
    reasoning = models.TextField(blank=True)
    html = models.TextField(blank=True, help_text="The rendered, sanitised content; empty until it is settled.")
    tool_calls = models.JSONField(default=list, blank=True)
    tool_call_id = models.CharField(max_length=200, blank=True)
    name = models.CharField(max_length=200, blank=True)
    status = models.CharField(max_length=9, choices=Status, default=Status.COMPLETE)
    source = models.CharField(max_length=8, choices=Source, default=Source.USER)
    run_id = models.PositiveBigIntegerField(null=True, db_index=True)
    author = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    client_message_id = models.CharField(max_length=128, null=True)
    sent_digest = models.CharField(
        max_length=64, blank=True, editable=False, help_text="Of the text as it was sent, if it was edited since."
    )
    covers_seq = models.PositiveIntegerField(null=True, help_text="A summary stands for the branch up to this seq.")
    error_code = models.CharField(max_length=40, blank=True)
    error_message = models.TextField(blank=True)
    error_detail = models.TextField(blank=True)
    timestamp = models.DateTimeField(default=timezone.now)
    version = models.PositiveBigIntegerField(default=0)
    input_tokens = models.PositiveIntegerField(null=True)
    cached_tokens = models.PositiveIntegerField(null=True)
    output_tokens = models.PositiveIntegerField(null=True)
    usage_estimated = models.BooleanField(default=False)
    cost_usd = models.DecimalField(max_digits=16, decimal_places=8, null=True)
    objects = OwnedQuerySet["ThreadMessage"].as_manager()

    class Meta:
        db_table = "thread_messages"
        verbose_name = "message"
        ordering = ["thread_id", models.F("seq").asc(nulls_last=True), "id"]
        constraints = [
            models.UniqueConstraint(fields=["thread", "seq"], name="seq_once_per_thread"),
            models.UniqueConstraint(fields=["thread", "client_message_id"], name="client_message_id_once"),
        ]
        indexes = [
            models.Index(fields=["thread", "version"], name="messages_by_version"),
            models.Index(
                fields=["thread", "status"],
                condition=Q(status__in=["queued", "streaming"]),
                name="messages_unsettled",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.role} #{self.seq or 'queued'} in thread {self.thread_id}"

    @staticmethod
    def visible_to(user: User) -> Q:
        return Q(thread__owner=user, thread__agent__workspace__memberships__user=user)


class ThreadRead(models.Model):
    """How far a person has read a thread: up to the row with the number ``seq``, of whichever branch."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    # The constraint's index begins with it.
    thread = models.ForeignKey(Thread, on_delete=models.CASCADE, related_name="reads", db_index=False)
    seq = models.PositiveIntegerField(default=0)
    seen_at = models.DateTimeField(default=timezone.now, help_text="When the person was last at the end.")

    class Meta:
        db_table = "thread_reads"
        constraints = [models.UniqueConstraint(fields=["thread", "user"], name="one_place_per_thread_and_reader")]

    def __str__(self) -> str:
        return f"{self.user} has read thread {self.thread_id} up to {self.seq}"


class ThreadDraft(models.Model):
    """What a person is writing into a thread. ``changed_at`` is the time on the clock of whoever types."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+", db_index=False)
    thread = models.ForeignKey(Thread, on_delete=models.CASCADE, related_name="+")
    text = models.TextField(blank=True)
    changed_at = models.DateTimeField()
    objects = OwnedQuerySet["ThreadDraft"].as_manager()

    class Meta:
        db_table = "thread_drafts"
        constraints = [models.UniqueConstraint(fields=["user", "thread"], name="one_draft_per_person_and_thread")]

    def __str__(self) -> str:
        return f"Draft of {self.user_id} in thread {self.thread_id}"

    @staticmethod
    def visible_to(user: User) -> Q:
        return Q(user=user)


def run_model() -> Any:
    """Runs live in a layer above, and are reached through the reverse relation."""
    return Thread._meta.get_field("runs").related_model

"""What schedules and webhooks alike ask of the runs that they start."""

from __future__ import annotations

from django.db import models

from runs.models import OutgoingHook
from runs.terms import CheckKind, Context, Notify, Terms


class Asks(models.Model):
    """The fields that become a run's terms."""

    context_policy = models.CharField(
        "it remembers", max_length=12, choices=Context.choices, default=Context.LAST_RESULT
    )
    context_runs = models.PositiveSmallIntegerField(default=3, help_text="For “the last runs”: how many.")
    check_kind = models.CharField(
        "a run succeeds if", max_length=11, choices=CheckKind.choices, blank=True, default=CheckKind.ANSWER
    )
    check_text = models.TextField(blank=True, help_text="The words, the expression, the schema, or the tool's name.")
    notify_policy = models.CharField("tell me", max_length=7, choices=Notify.choices, default=Notify.FOUND)
    notify_email = models.BooleanField("by e-mail, too", default=False)
    notify_hook = models.ForeignKey(
        OutgoingHook, null=True, blank=True, on_delete=models.SET_NULL, related_name="+",
        verbose_name="by a webhook, too",
    )  # fmt: skip

    class Meta:
        abstract = True

    @property
    def terms(self) -> Terms:
        """What is asked of a run that it starts now."""
        return Terms(
            context=Context(self.context_policy),
            context_runs=self.context_runs,
            check=CheckKind(self.check_kind),
            check_text=self.check_text,
            notify=Notify(self.notify_policy),
            email=self.notify_email,
            hook_id=self.notify_hook_id,
        )

"""What the forms of schedules and of webhooks share: whom they run, where that writes, and who is told."""

from __future__ import annotations

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q

from accounts.models import User
from agents.models import Agent
from common.errors import ZergError
from runs.models import OutgoingHook
from threads.models import Thread
from triggers.models import Schedule, Webhook

MOST_THREADS = 100
THREADS_SHOWN = "The newest hundred are listed."


class AsksForm(forms.Form):
    """Needs the fields ``agent``, ``thread`` and ``notify_hook`` of the forms that build on it."""

    user: User

    def offer(self, user: User, present: Schedule | Webhook | None) -> None:
        """What the person may choose from; of one that exists also what it has."""
        self.user = user
        agents, threads, hooks = self.fields["agent"], self.fields["thread"], self.fields["notify_hook"]
        assert isinstance(agents, forms.ModelChoiceField)
        usable = Q(archived_at=None) | Q(pk=present.agent_id if present else None)
        agents.queryset = Agent.objects.for_user(user).filter(usable).order_by("name", "id")
        assert isinstance(threads, forms.ChoiceField)
        threads.choices = [("", "Choose a thread"), *_threads(user, present.thread if present else None)]
        assert isinstance(hooks, forms.ModelChoiceField)
        hooks.queryset = OutgoingHook.objects.for_user(user).order_by("name", "id")
        if not hooks.queryset.exists():
            del self.fields["notify_hook"]

    def clean_thread(self) -> Thread | None:
        chosen = self.cleaned_data["thread"]
        try:
            return Thread.objects.get_for(self.user, int(chosen)) if chosen else None
        except ZergError as error:
            raise ValidationError(error.message) from error

    def add_refusal(self, error: ZergError) -> None:
        """Shows an expected error at the fields it names."""
        known = {name: words for name, words in error.fields.items() if name in self.fields}
        for name, words in known.items():
            self.add_error(name, words)
        if not known:
            self.add_error(None, error.message)


def _threads(user: User, present: Thread | None) -> list[tuple[str, str]]:
    rows = Thread.objects.for_user(user).filter(agent__archived_at=None, agent__trial=False).select_related("agent")
    listed = list(rows.order_by("-updated_at", "-id")[:MOST_THREADS])
    if present and present not in listed:
        listed.append(present)
    return [(str(thread.pk), f"{thread.agent.name}: {thread}"[:120]) for thread in listed]

"""What may come in about a schedule."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q

from accounts.models import User
from agents.models import Agent
from common.errors import ZergError
from threads.models import Thread
from triggers.models import Schedule

MOST_THREADS = 100
KINDS = [("cron", "At certain times (cron)"), ("interval", "Every so often"), ("once", "Once")]
THREADS_SHOWN = "The newest hundred are listed."


class ScheduleForm(forms.Form):
    """A schedule as a person edits it. What the timing means is for ``triggers.services`` to say."""

    agent = forms.ModelChoiceField(queryset=Agent.objects.none(), empty_label=None)
    name = forms.CharField(
        required=False, max_length=120, help_text="What its thread is called. Empty: what it does, in words."
    )
    kind = forms.ChoiceField(label="It runs", choices=KINDS)
    expression = forms.CharField(
        label="When",
        max_length=200,
        error_messages={"required": "Say when. For example 0 7 * * 1-5 means weekdays at 07:00."},
        help_text=(
            "Cron: 0 7 * * 1-5 (minute, hour, day, month, weekday). Every so often: 15 minutes, 2 hours, 1 day. "
            "Once: 2026-03-29T07:00."
        ),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "class": "mono"}),
    )
    timezone = forms.CharField(
        label="Time zone",
        max_length=64,
        widget=forms.TextInput(attrs={"list": "zones", "autocomplete": "off"}),
    )
    prompt = forms.CharField(
        label="Message",
        required=False,
        strip=False,
        help_text="What the agent is told each time. Empty: its task.",
        widget=forms.Textarea(attrs={"rows": 4}),
    )
    thread_mode = forms.ChoiceField(label="It writes to", choices=Schedule.ThreadMode.choices, widget=forms.RadioSelect)
    thread = forms.ChoiceField(required=False, help_text=f"For “A thread of mine”. {THREADS_SHOWN}")
    overlap_policy = forms.ChoiceField(
        label="If the last run is still going", choices=Schedule.Overlap.choices, widget=forms.RadioSelect
    )
    missed_policy = forms.ChoiceField(
        label="If Zerg was off at the time", choices=Schedule.Missed.choices, widget=forms.RadioSelect
    )
    enabled = forms.BooleanField(label="Runs by itself", required=False)

    def __init__(self, *args: Any, user: User, schedule: Schedule | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        agents = self.fields["agent"]
        assert isinstance(agents, forms.ModelChoiceField)
        usable = Q(archived_at=None) | Q(pk=schedule.agent_id if schedule else None)
        agents.queryset = Agent.objects.for_user(user).filter(usable).order_by("name", "id")
        threads = self.fields["thread"]
        assert isinstance(threads, forms.ChoiceField)
        threads.choices = [("", "Choose a thread"), *_threads(user, schedule)]

    def clean_thread(self) -> Thread | None:
        chosen = self.cleaned_data["thread"]
        try:
            return Thread.objects.get_for(self.user, int(chosen)) if chosen else None
        except ZergError as error:
            raise ValidationError(error.message) from error

    def clean(self) -> dict[str, Any]:
        """Without “A thread of mine”, the thread that was chosen before stays what it was."""
        fields = dict(self.cleaned_data)
        if fields.get("thread_mode") != Schedule.ThreadMode.BOUND:
            fields.pop("thread", None)
        return fields

    def add_refusal(self, error: ZergError) -> None:
        """Shows an expected error at the fields it names."""
        known = {name: words for name, words in error.fields.items() if name in self.fields}
        for name, words in known.items():
            self.add_error(name, words)
        if not known:
            self.add_error(None, error.message)


def initial_of(schedule: Schedule) -> dict[str, Any]:
    """A schedule's values for its form."""
    names = [name for name in ScheduleForm.base_fields if name not in {"agent", "thread"}]
    values = {name: getattr(schedule, name) for name in names}
    thread = schedule.thread_id if schedule.thread_mode == Schedule.ThreadMode.BOUND else None
    return {**values, "agent": schedule.agent_id, "thread": thread or ""}


def _threads(user: User, schedule: Schedule | None) -> list[tuple[str, str]]:
    rows = Thread.objects.for_user(user).filter(agent__archived_at=None, agent__trial=False).select_related("agent")
    listed = list(rows.order_by("-updated_at", "-id")[:MOST_THREADS])
    if schedule and schedule.thread and schedule.thread not in listed:
        listed.append(schedule.thread)
    return [(str(thread.pk), f"{thread.agent.name}: {thread}"[:120]) for thread in listed]

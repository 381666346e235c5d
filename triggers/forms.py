"""What may come in about a schedule."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db import models
from django.utils import timezone

from accounts.models import User
from agents.models import Agent
from common.errors import ZergError
from runs.models import OutgoingHook
from runs.terms import MOST_CONTEXT_RUNS, CheckKind, Context, Notify
from triggers.asks_form import THREADS_SHOWN, AsksForm
from triggers.models import Schedule
from triggers.words import read

KINDS = [("cron", "At certain times (cron)"), ("interval", "Every so often"), ("once", "Once")]


def _moment(label: str, words: str) -> forms.DateTimeField:
    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
    return forms.DateTimeField(label=label, required=False, help_text=words, widget=widget)


def _number(label: str, words: str, *, least: int, most: int) -> forms.IntegerField:
    return forms.IntegerField(label=label, required=False, help_text=words, min_value=least, max_value=most)


def _one_of(label: str, choices: type[models.TextChoices], words: str = "") -> forms.ChoiceField:
    return forms.ChoiceField(
        label=label, required=False, choices=choices.choices, help_text=words, widget=forms.RadioSelect
    )


STAYS = {
    "spread_seconds", "thread_mode", "roll_every", "roll_runs", "context_policy", "context_runs", "overlap_policy",
    "missed_policy", "missed_limit", "failure_limit", "notify_policy",
}  # fmt: skip
"""Left empty, these are as they were, and of a new schedule as they are by default."""


class TimingForm(forms.Form):
    """When a schedule runs. What that means is for ``triggers.services`` to say."""

    words = forms.CharField(
        label="In words",
        required=False,
        max_length=200,
        help_text="Such as: every weekday at 7 · first monday 9:00 · every 2 hours · in 20 minutes · tomorrow at 8",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    kind = forms.ChoiceField(label="Or exactly", choices=KINDS)
    expression = forms.CharField(
        label="When",
        required=False,
        max_length=200,
        help_text=(
            "Cron: 0 7 * * 1-5 (minute, hour, day, month, weekday). Every so often: 2 hours. Once: 2026-03-29T07:00. "
            "The words count before it."
        ),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "class": "mono"}),
    )
    timezone = forms.CharField(
        label="Time zone",
        max_length=64,
        widget=forms.TextInput(attrs={"list": "zones", "autocomplete": "off"}),
    )
    starts_at = _moment("From", "Nothing is due before, by the clocks of your own time zone.")
    ends_at = _moment("Until", "Nothing is due after.")
    most_runs = _number("At most so many runs", "Then it is switched off.", least=1, most=2**31 - 1)
    spread_seconds = _number(
        "Spread", "In seconds. Its times are moved by one number up to this, so that not all come at once.",
        least=0, most=86_400,
    )  # fmt: skip


class ScheduleForm(TimingForm, AsksForm):
    """A schedule as a person edits it."""

    agent = forms.ModelChoiceField(queryset=Agent.objects.none(), empty_label=None)
    name = forms.CharField(
        required=False, max_length=120, help_text="What its thread is called. Empty: what it does, in words."
    )
    prompt = forms.CharField(
        label="Message",
        required=False,
        strip=False,
        help_text=(
            "What the agent is told each time. Empty: its task. {{now}}, {{last_run}}, {{last_result}} and {{change}} "
            "are filled in."
        ),
        widget=forms.Textarea(attrs={"rows": 4}),
    )
    thread_mode = _one_of("It writes to", Schedule.ThreadMode)
    thread = forms.ChoiceField(required=False, help_text=THREADS_SHOWN)
    roll_every = forms.ChoiceField(label="Made anew", required=False, choices=Schedule.Roll.choices)
    roll_runs = _number("After so many runs", "", least=1, most=10_000)
    context_policy = _one_of("It remembers", Context)
    context_runs = _number("How many runs", f"At most {MOST_CONTEXT_RUNS}.", least=1, most=MOST_CONTEXT_RUNS)
    watch_kind = forms.ChoiceField(
        label="Look first at",
        required=False,
        choices=Schedule.Watch.choices,
        help_text="If that has not changed, the agent is not asked, which costs nothing.",
    )
    watch_url = forms.CharField(
        label="Address", required=False, max_length=2000, widget=forms.TextInput(attrs={"inputmode": "url"})
    )
    watch_path = forms.CharField(
        label="Value", required=False, max_length=200, help_text="In a JSON document: such as data.items.0.name"
    )
    check_kind = forms.ChoiceField(label="A run has succeeded if", required=False, choices=CheckKind.choices)
    check_text = forms.CharField(
        label="What it must be",
        required=False,
        strip=False,
        help_text="The words, the regular expression, the JSON schema, or the tool's name.",
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    overlap_policy = _one_of("If the last run is still going", Schedule.Overlap)
    missed_policy = _one_of("If Zerg was off at the time", Schedule.Missed)
    missed_limit = _number("At most so many", "The newest of them.", least=1, most=100)
    failure_limit = _number(
        "Switch off after failures", "So many in a row. 0: never. Before that it waits longer each time.",
        least=0, most=1000,
    )  # fmt: skip
    notify_policy = _one_of("Tell me", Notify, "What failed, and what needs you, is told always.")
    notify_email = forms.BooleanField(label="By e-mail, too", required=False)
    notify_hook = forms.ModelChoiceField(
        label="By a webhook, too", queryset=OutgoingHook.objects.none(), required=False, empty_label="None"
    )
    enabled = forms.BooleanField(label="Runs by itself", required=False)

    def __init__(self, *args: Any, user: User, schedule: Schedule | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offer(user, schedule)

    def clean(self) -> dict[str, Any]:
        """What the words mean; and without what was left empty, which stays as it was: so does the thread that was
        chosen before, without “A thread of mine”.
        """
        fields = dict(self.cleaned_data)
        if words := fields.pop("words", ""):
            try:
                zone = fields.get("timezone") or self.user.timezone
                fields["kind"], fields["expression"] = read(words, zone, timezone.now())
            except ZergError as error:
                self.add_refusal(error)
        left = {name for name in STAYS if fields.get(name) in (None, "")}
        if fields.get("thread_mode") != Schedule.ThreadMode.BOUND:
            left.add("thread")
        return {name: value for name, value in fields.items() if name not in left}


VALUES = [name for name in ScheduleForm.base_fields if name not in {"agent", "thread", "words"}]
"""The fields that have the names and the values of a schedule's own."""


def initial_of(schedule: Schedule) -> dict[str, Any]:
    """A schedule's values for its form."""
    values = {name: getattr(schedule, name) for name in VALUES}
    thread = schedule.thread_id if schedule.thread_mode == Schedule.ThreadMode.BOUND else None
    return {**values, "agent": schedule.agent_id, "thread": thread or ""}


def first_values() -> dict[str, Any]:
    """What the form of a new schedule has, before anybody chooses: what its row would have."""
    blank = Schedule()
    return {name: getattr(blank, name) for name in VALUES if name != "notify_hook"}


def timing_of(schedule: Schedule) -> dict[str, Any]:
    """A schedule's values for ``triggers.services.preview``."""
    return {name: getattr(schedule, name) for name in TimingForm.base_fields if name != "words"}

"""What may come in about an agent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zoneinfo import available_timezones

from django import forms
from django.core.exceptions import ValidationError
from django.urls import reverse_lazy

from accounts.models import User
from agents import schedules
from agents.catalog import choose
from agents.models import Agent
from agents.services import save_agent
from agents.toolbox import TOOLS
from common.drafts import LAST_MOMENT
from common.errors import ZergError

if TYPE_CHECKING:
    AgentModelForm = forms.ModelForm[Agent]
else:
    AgentModelForm = forms.ModelForm  # Django's own takes no type argument

LONGEST_TEXT = 200_000
UNCHECKED = {"tools", "schedule"}
"""Boxes cannot be wrong; what a schedule means, or why it is none, is said by its preview."""
SCHEDULES_NAMES = {"expression": "schedule", "timezone": "schedule_timezone"}


def first_sentence(text: str) -> str:
    return " ".join(text.split()).partition(". ")[0].rstrip(".") + "."


class AgentForm(AgentModelForm):
    """An agent, and the schedule it runs by unless it has others."""

    tools = forms.MultipleChoiceField(
        required=False,
        choices=[(name, f"{name}: {first_sentence(tool.description)}") for name, tool in TOOLS.items()],
        widget=forms.CheckboxSelectMultiple,
    )
    schedule = forms.CharField(
        required=False,
        max_length=200,
        help_text="Cron text, such as 0 7 * * 1-5: minute, hour, day, month, weekday. Empty: only when you ask.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "class": "mono"}),
    )
    schedule_timezone = forms.CharField(
        label="Time zone",
        required=False,
        max_length=64,
        widget=forms.TextInput(attrs={"list": "zones", "autocomplete": "off"}),
    )

    class Meta:
        model = Agent
        fields = [
            "name", "description", "system_instructions", "task_instructions", "model", "tools", "memory_strategy",
            "memory_window", "temperature", "max_output_tokens", "max_steps", "config",
        ]  # fmt: skip
        labels = {
            "description": "What it does",
            "system_instructions": "Instructions",
            "task_instructions": "Task",
            "max_output_tokens": "Longest answer",
            "max_steps": "Most steps in a run",
            "memory_strategy": "It remembers",
            "memory_window": "Messages to remember",
            "config": "Settings for programs",
        }
        help_texts = {
            "model": "Choose one, or type its name. Empty: the default.",
            "task_instructions": "What it does when it runs by itself: on a schedule, or with Run now.",
            "max_output_tokens": "In tokens. Empty: as long as the model allows.",
            "temperature": "0 is steady, 1 is varied. Empty: the model's own.",
            "memory_window": "Used by “The last few messages”.",
            "config": "A JSON object. Zerg keeps it for your own programs.",
        }
        widgets = {
            "name": forms.TextInput(attrs={"autocomplete": "off"}),
            "description": forms.TextInput(attrs={"autocomplete": "off"}),
            "system_instructions": forms.Textarea(attrs={"rows": 8, "maxlength": LONGEST_TEXT}),
            "task_instructions": forms.Textarea(attrs={"rows": 4, "maxlength": LONGEST_TEXT}),
            "model": forms.TextInput(attrs={"list": "models", "autocomplete": "off", "spellcheck": "false"}),
            "temperature": forms.NumberInput(attrs={"min": 0, "max": 2, "step": "any"}),
            "config": forms.Textarea(attrs={"rows": 3, "spellcheck": "false", "class": "mono"}),
        }

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        self.fields["config"].show_hidden_initial = False  # what is saved is known here; no page has to say it
        present = schedules.default_of(self.instance, user) if self.instance.pk else None
        self.fields["schedule"].initial = present["expression"] if present else ""
        self.fields["schedule_timezone"].initial = present["timezone"] if present else user.timezone
        for name, field in self.fields.items():
            if name not in UNCHECKED:
                field.widget.attrs.update(CHECK)

    def clean_model(self) -> str:
        name: str = self.cleaned_data["model"].strip()
        try:
            choose(self.instance, name)
        except ZergError as error:
            # Without any provider an agent can still be written; the settings pages say what is missing.
            if error.code != "no_provider":
                raise ValidationError(error.message) from error
        return name

    def clean_system_instructions(self) -> str:
        return short_enough(self.cleaned_data["system_instructions"])

    def clean_task_instructions(self) -> str:
        return short_enough(self.cleaned_data["task_instructions"])

    def clean_config(self) -> dict[str, Any]:
        value = self.cleaned_data["config"]
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise ValidationError('This must be a JSON object, such as {"team": "news"}.')
        return value

    def clean_schedule_timezone(self) -> str:
        name: str = self.cleaned_data["schedule_timezone"].strip() or self.user.timezone
        if name not in available_timezones():
            raise ValidationError(f"“{name}” is no time zone. Use a name such as Europe/Berlin.")
        return name

    def typed(self) -> dict[str, list[str]]:
        """What was sent of each field, as it was sent."""
        data: Any = self.data
        return {name: data.getlist(name) for name in self.fields}

    def store(self) -> Agent:
        """Saves the valid form. Raises ZergError when the schedule is refused: call it inside a transaction."""
        agent = save_agent(self.instance, author=self.user)
        expression, zone = self.cleaned_data["schedule"].strip(), self.cleaned_data["schedule_timezone"]
        present = schedules.default_of(agent, self.user)
        wanted = {"expression": expression, "timezone": zone} if expression else None
        if wanted != present:
            schedules.set_default(agent, self.user, expression=expression, timezone=zone)
        return agent

    def add_refusal(self, error: ZergError) -> None:
        """Shows an expected error at the fields it names."""
        named = {SCHEDULES_NAMES.get(name, name): words for name, words in error.fields.items()}
        known = {name: words for name, words in named.items() if name in self.fields}
        for name, words in known.items():
            self.add_error(name, words)
        if not known:
            self.add_error(None, error.message)


class TypedForm(forms.Form):
    """When a form was last changed, in milliseconds since 1970 on the clock of who types; None without script."""

    typed_at = forms.IntegerField(required=False, min_value=0, max_value=LAST_MOMENT)


class TrialForm(AgentForm):
    """The agent as it stands in its form, to be tried. It needs no name yet, and nothing runs by itself."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in SCHEDULES_NAMES.values():
            del self.fields[name]
        self.fields["name"].required = False

    def clean_name(self) -> str:
        return str(self.cleaned_data["name"]) or "New agent"


CHECK = {
    "hx-post": reverse_lazy("agents:check"),
    "hx-trigger": "change",
    "hx-target": "next .msg",
    "hx-swap": "innerHTML",
    "hx-include": "closest form",
}


def short_enough(text: str) -> str:
    if len(text) > LONGEST_TEXT:
        raise ValidationError(f"This has {len(text):,} characters; at most {LONGEST_TEXT:,} fit.")
    if "\x00" in text:
        raise ValidationError("This holds a NUL character, which cannot be stored. Remove it.")
    return text

"""What may come in from a thread's pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms

from accounts.models import User
from agents.models import Agent, MemoryStrategy
from common.drafts import LAST_MOMENT
from threads.models import Thread

if TYPE_CHECKING:
    ThreadModelForm = forms.ModelForm[Thread]
    AgentChoiceField = forms.ModelChoiceField[Agent]
else:  # Django's own take no type argument
    ThreadModelForm = forms.ModelForm
    AgentChoiceField = forms.ModelChoiceField


class TitleForm(forms.Form):
    """A thread's new name."""

    title = forms.CharField(max_length=200, strip=True)


class SettingsForm(ThreadModelForm):
    """How the agent behaves in one thread."""

    memory_strategy = forms.ChoiceField(
        label="The agent remembers", required=False, choices=[("", "As the agent says"), *MemoryStrategy.choices]
    )

    class Meta:
        model = Thread
        fields = ["busy_policy", "memory_strategy"]
        labels = {"busy_policy": "A message sent while the agent works"}


class DraftForm(forms.Form):
    """What is being written; ``at`` in milliseconds since 1970, on the clock of who types."""

    content = forms.CharField(required=False, strip=False)
    at = forms.IntegerField(min_value=0, max_value=LAST_MOMENT)


class ImportForm(forms.Form):
    """A thread that was saved as JSON, and whose it is to be; without an agent, that of its name."""

    file = forms.FileField(
        label="File", help_text="One that “Save as JSON” has made.", widget=forms.FileInput(attrs={"accept": ".json"})
    )
    agent = AgentChoiceField(
        Agent.objects.none(), label="Agent", required=False, empty_label="Of the same name, else the first"
    )

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        mine = Agent.objects.for_user(user).filter(archived_at=None).only("name")
        self.fields["agent"].queryset = mine.order_by("name", "pk")  # type: ignore[attr-defined]

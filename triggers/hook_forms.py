"""What may come in about a webhook."""

from __future__ import annotations

from typing import Any

from django import forms

from accounts.models import User
from agents.models import Agent
from runs.models import OutgoingHook
from runs.terms import MOST_CONTEXT_RUNS, CheckKind, Context, Notify
from triggers.asks_form import THREADS_SHOWN, AsksForm
from triggers.models import Webhook

PROMPT = "Look at what came in. Say what matters, and what to do about it.\n\n{{payload}}"
SECRET = forms.CharField(
    required=False,
    max_length=500,
    help_text="Empty: Zerg makes one. Where the sender has one already, paste it here.",
    widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "spellcheck": "false"}),
)


class WebhookForm(AsksForm):
    """A webhook as a person edits it. Its style and its first secret are asked for once."""

    agent = forms.ModelChoiceField(queryset=Agent.objects.none(), empty_label=None)
    name = forms.CharField(max_length=120, help_text="What its thread is called.")
    style = forms.ChoiceField(
        label="The sender signs as",
        choices=Webhook.Style.choices,
        widget=forms.RadioSelect,
        help_text="GitHub's way is known to many. A bearer token is for programs that cannot sign.",
    )
    secret = SECRET
    prompt = forms.CharField(
        label="Message",
        strip=False,
        help_text="What the agent is told each time. {{payload}} stands for what was sent; it is marked as data.",
        widget=forms.Textarea(attrs={"rows": 6}),
    )
    thread_mode = forms.ChoiceField(label="It writes to", choices=Webhook.ThreadMode.choices, widget=forms.RadioSelect)
    thread = forms.ChoiceField(required=False, help_text=THREADS_SHOWN)
    context_policy = forms.ChoiceField(label="It remembers", choices=Context.choices)
    context_runs = forms.IntegerField(
        label="How many runs",
        min_value=1,
        max_value=MOST_CONTEXT_RUNS,
        help_text=f"At most {MOST_CONTEXT_RUNS}.",
        initial=3,
    )
    check_kind = forms.ChoiceField(label="A run succeeds if", required=False, choices=CheckKind.choices)
    check_text = forms.CharField(
        label="Held against",
        required=False,
        help_text="The words, the expression, the schema, or the tool's name.",
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    notify_policy = forms.ChoiceField(label="Tell me", choices=Notify.choices)
    notify_email = forms.BooleanField(label="By e-mail, too", required=False)
    notify_hook = forms.ModelChoiceField(
        label="By a webhook, too", required=False, queryset=OutgoingHook.objects.none(), empty_label="No"
    )
    enabled = forms.BooleanField(label="Requests are let in", required=False)

    def __init__(self, *args: Any, user: User, webhook: Webhook | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offer(user, webhook)
        if webhook:
            del self.fields["style"], self.fields["secret"]

    def clean(self) -> dict[str, Any]:
        """Without “A thread of mine”, the thread that was chosen before stays what it was."""
        fields = dict(self.cleaned_data)
        if fields.get("thread_mode") != Webhook.ThreadMode.BOUND:
            fields.pop("thread", None)
        return fields


class SecretForm(forms.Form):
    """Another secret."""

    secret = SECRET


def first_values(agent: Agent | None) -> dict[str, Any]:
    """Those of a new webhook's form."""
    return {
        "agent": agent,
        "style": Webhook.Style.STANDARD,
        "prompt": PROMPT,
        "thread_mode": Webhook.ThreadMode.OWN,
        "context_policy": Context.NOTHING,
        "context_runs": 3,
        "notify_policy": Notify.FAILURE,
        "enabled": True,
    }


def initial_of(webhook: Webhook) -> dict[str, Any]:
    """A webhook's values for its form."""
    left_out = {"agent", "thread", "style", "secret", "notify_hook"}
    values = {name: getattr(webhook, name) for name in WebhookForm.base_fields if name not in left_out}
    thread = webhook.thread_id if webhook.thread_mode == Webhook.ThreadMode.BOUND else None
    return {**values, "agent": webhook.agent_id, "thread": thread or "", "notify_hook": webhook.notify_hook_id}

"""What may come in about an outgoing webhook."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from django import forms
from django.core.exceptions import ValidationError

from runs.models import OutgoingHook

if TYPE_CHECKING:
    HookModelForm = forms.ModelForm[OutgoingHook]
else:
    HookModelForm = forms.ModelForm  # Django's own takes no type argument


class HookForm(HookModelForm):
    class Meta:
        model = OutgoingHook
        fields = ["name", "url"]
        help_texts = {
            "name": "To tell it from others.",
            "url": "Zerg sends a POST with JSON there when a run ends.",
        }
        widgets = {
            "name": forms.TextInput(attrs={"autocomplete": "off"}),
            "url": forms.TextInput(attrs={"inputmode": "url", "autocomplete": "off", "spellcheck": "false"}),
        }

    def clean_url(self) -> str:
        url: str = self.cleaned_data["url"].strip()
        try:
            parts = urlsplit(url)
            is_good = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
        except ValueError:
            is_good = False
        if not is_good or not url.isprintable() or " " in url:
            raise ValidationError("Enter the whole address, such as https://example.org/zerg.")
        if parts.username or parts.password or parts.fragment:
            raise ValidationError("Leave out passwords and what follows “#”: each message is signed with the secret.")
        return url

"""What may come in about a provider. A key goes in and never comes out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError

from accounts.models import User
from agents.models import Provider
from agents.services import as_edited_by, save_provider

if TYPE_CHECKING:
    ProviderModelForm = forms.ModelForm[Provider]
else:
    ProviderModelForm = forms.ModelForm  # Django's own takes no type argument


@dataclass(frozen=True)
class Preset:
    """A well-known provider. ``key_url`` is where its keys are made; empty where it needs none."""

    name: str
    base_url: str
    key_url: str = ""


PRESETS = {
    "openai": Preset("OpenAI", "https://api.openai.com/v1", "https://platform.openai.com/api-keys"),
    "anthropic": Preset("Anthropic", "https://api.anthropic.com/v1", "https://console.anthropic.com/settings/keys"),
    "openrouter": Preset("OpenRouter", "https://openrouter.ai/api/v1", "https://openrouter.ai/settings/keys"),
    "ollama": Preset("Ollama", "http://localhost:11434/v1"),
    "other": Preset("", ""),
}
LONGEST_KEY = 4000


class ProviderForm(ProviderModelForm):
    """A provider. Of one that is built in, name, address and key come from the settings and cannot be changed here."""

    key = forms.CharField(
        label="Key",
        required=False,
        max_length=LONGEST_KEY,
        widget=forms.PasswordInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    forget_key = forms.BooleanField(label="Remove the key that is stored", required=False)

    class Meta:
        model = Provider
        fields = ["name", "base_url", "default_model"]
        labels = {"default_model": "Its default model"}
        widgets = {
            "name": forms.TextInput(attrs={"autocomplete": "off"}),
            "base_url": forms.TextInput(attrs={"inputmode": "url", "autocomplete": "off", "spellcheck": "false"}),
            "default_model": forms.TextInput(attrs={"list": "models", "autocomplete": "off", "spellcheck": "false"}),
        }

    def __init__(self, *args: Any, author: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.author = author
        if self.instance.kind != Provider.Kind.CUSTOM:
            for name in ("name", "base_url", "key", "forget_key"):
                del self.fields[name]
            return
        stored = self.instance.key_encrypted
        if not stored:
            del self.fields["forget_key"]
            self.fields["key"].help_text = "Kept encrypted, and never shown again. Empty for a server without keys."
        else:
            hint = f" It ends in {self.instance.key_hint}." if self.instance.key_hint else ""
            self.fields["key"].help_text = f"A key is stored.{hint} Type a new one to replace it."

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"].strip()
        same = Provider.objects.filter(workspace=self.instance.workspace_id, name__iexact=name)
        if same.exclude(pk=self.instance.pk).exists():
            raise ValidationError("Another provider has this name. Take one that tells them apart.")
        return name

    def clean_base_url(self) -> str:
        # People paste the address of the call itself.
        return str(self.cleaned_data["base_url"]).strip().rstrip("/").removesuffix("/chat/completions")

    def clean_key(self) -> str:
        return clean_key(self.cleaned_data["key"])

    def store(self) -> Provider:
        """Saves the valid form; an empty key field keeps the key there is."""
        return save_provider(self.instance, author=self.author, key=self._key())

    def unsaved(self) -> Provider:
        """The provider as the valid form has it, to be asked whether it works."""
        as_edited_by(self.instance, self.author, key=self._key())
        return self.instance

    def _key(self) -> str | None:
        return self.cleaned_data.get("key") or ("" if self.cleaned_data.get("forget_key") else None)


class KeyForm(forms.Form):
    """A new key in place of the one there is."""

    key = forms.CharField(max_length=LONGEST_KEY, error_messages={"required": "Paste the new key first."})

    def clean_key(self) -> str:
        return clean_key(self.cleaned_data["key"])


def clean_key(text: str) -> str:
    """A key as it was pasted, without what surrounds it. Raises ValidationError for what no key looks like."""
    key = text.strip()
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ValidationError("A key has no spaces and only plain characters. Copy it again.")
    return key

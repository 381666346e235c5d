"""What people may enter about themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zoneinfo import available_timezones

from django import forms
from django.contrib.auth import password_validation
from django.core.exceptions import ValidationError

from accounts.models import SCOPES, User

if TYPE_CHECKING:
    UserModelForm = forms.ModelForm[User]
else:
    UserModelForm = forms.ModelForm  # Django's own takes no type argument

SCOPE_WORDS = {
    "agents:read": "Read agents",
    "agents:write": "Make and change agents",
    "threads:read": "Read threads and runs",
    "threads:write": "Write messages, which start runs",
    "threads:log": "Store lines in threads without a run",
    "runs:write": "Start, stop and retry runs",
    "schedules:write": "Make and change schedules",
}


class SignInForm(forms.Form):
    email = forms.EmailField(
        label="E-mail", widget=forms.EmailInput(attrs={"autocomplete": "username", "autofocus": True})
    )
    password = forms.CharField(
        strip=False, max_length=4096, widget=forms.PasswordInput(attrs={"autocomplete": "current-password"})
    )


class ProfileForm(UserModelForm):
    class Meta:
        model = User
        fields = ["name", "timezone", "theme", "density", "reading", "aloud", "single_keys"]
        labels = {
            "timezone": "Time zone",
            "reading": "While an answer is written",
            "aloud": "Of a reply, a screen reader says",
        }
        help_texts = {"name": "How Zerg addresses you.", "timezone": "Such as Europe/Berlin. Times are shown in it."}
        widgets = {
            "name": forms.TextInput(attrs={"autocomplete": "name"}),
            "timezone": forms.TextInput(attrs={"list": "zones", "autocomplete": "off"}),
            "theme": forms.RadioSelect,
            "density": forms.RadioSelect,
            "reading": forms.RadioSelect,
            "aloud": forms.RadioSelect,
        }

    def clean_timezone(self) -> str:
        name: str = self.cleaned_data["timezone"]
        if name not in available_timezones():
            raise ValidationError(f"There is no time zone “{name}”. Choose one from the list, such as Europe/Berlin.")
        return name


class PasswordForm(forms.Form):
    """A new password; the present one is asked for where there is one."""

    current = forms.CharField(
        label="Present password",
        strip=False,
        max_length=4096,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    new = forms.CharField(
        label="New password",
        strip=False,
        max_length=4096,
        help_text="At least 10 characters. A few unrelated words are easy to keep.",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        if not user.has_usable_password():
            del self.fields["current"]

    def clean_current(self) -> str:
        if not self.user.check_password(self.cleaned_data["current"]):
            raise ValidationError("This is not your present password.")
        return str(self.cleaned_data["current"])

    def clean_new(self) -> str:
        password_validation.validate_password(self.cleaned_data["new"], self.user)
        return str(self.cleaned_data["new"])


class TokenForm(forms.Form):
    name = forms.CharField(max_length=120, help_text="What it is for, so that you know what you revoke later.")
    scopes = forms.MultipleChoiceField(
        label="It may",
        choices=[(scope, f"{SCOPE_WORDS[scope]} ({scope})") for scope in SCOPES],
        initial=list(SCOPES),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose at least one thing that it may do."},
    )

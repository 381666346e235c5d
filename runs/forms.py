"""What may come in with a message, and what a person chooses about notices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.http import QueryDict

from common.errors import ZergError
from runs.models import BrowserNotices

WRONG = {
    "client_message_id": "client_message_id has at most 128 characters.",
    "typed_at": "typed_at is a time.",
    "leaf": "leaf is the number of a message.",
    "start": "start is the number of a message.",
}

if TYPE_CHECKING:
    BrowserNoticesModelForm = forms.ModelForm[BrowserNotices]
else:
    BrowserNoticesModelForm = forms.ModelForm  # Django's own takes no type argument


class SendForm(forms.Form):
    """What comes with a message; its text is judged by ``threads.services.clean_content``, which all doors share."""

    client_message_id = forms.CharField(required=False, max_length=128)
    typed_at = forms.IntegerField(required=False, min_value=0, max_value=4 * 10**12)
    leaf = forms.IntegerField(required=False, min_value=1, help_text="The end of the branch that its sender read.")
    start = forms.IntegerField(required=False, min_value=1, help_text="The message where a new branch begins.")


def read_message(data: QueryDict) -> dict[str, Any]:
    """The fields of ``SendForm``. Raises ZergError for those that cannot be read."""
    form = SendForm(data)
    if not form.is_valid():
        raise ZergError("bad_message", " ".join(WRONG.get(name, "") for name in form.errors).strip())
    fields: dict[str, Any] = form.cleaned_data
    return {**fields, "client_message_id": fields["client_message_id"] or None}


class BrowserNoticesForm(BrowserNoticesModelForm):
    class Meta:
        model = BrowserNotices
        fields = ["needs_you", "failed", "finished"]

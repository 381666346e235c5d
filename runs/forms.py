"""What may come in with a message."""

from __future__ import annotations

from django import forms


class SendForm(forms.Form):
    """A message; its content is judged by ``threads.services.clean_content``, which all doors share."""

    content = forms.CharField(required=False, strip=False)
    client_message_id = forms.CharField(required=False, max_length=128)

"""What may come in from a thread's pages."""

from __future__ import annotations

from django import forms


class TitleForm(forms.Form):
    """A thread's new name."""

    title = forms.CharField(max_length=200, strip=True)

"""Notes in the corner of the next page, with a way back."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest

UNDO = "undo "


def done(request: HttpRequest, text: str, *, undo: str = "") -> None:
    """Says that something is done. ``undo`` is an address of this site: a POST to it takes the deed back."""
    messages.success(request, text, extra_tags=f"{UNDO}{undo}" if undo else "")

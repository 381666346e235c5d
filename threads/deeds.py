"""What a person can do about an answer that failed, the best first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from common.templatetags.zerg import error_action
from threads.models import ThreadMessage

BROKE_OFF = {"worker_lost", "gave_up", "dropped_stream"}


@dataclass(frozen=True)
class Deed:
    """A button that posts to ``address``, with ``name`` as yes, or a link. ``leaves``: the answer is another page."""

    words: str
    address: str
    is_link: bool = False
    name: str = ""
    leaves: bool = False


def deeds_of(message: ThreadMessage, run: Any) -> list[Deed]:
    """Of a message that says why there is no answer, or no more of it; none while its run goes on."""
    if run is None or not run.is_finished:
        return []
    code, retry = message.error_code, reverse("runs:retry", args=[run.pk])
    again, other = Deed("Retry", retry), Deed("Use another model", retry, is_link=True)
    if code == "may_have_happened":
        return [Deed("Mark as done", reverse("runs:mark_done", args=[run.pk])), again]
    if code in BROKE_OFF and message.content:
        return [Deed("Continue", reverse("runs:continue", args=[message.pk])), again]
    if code == "rate_limited":
        return [Deed("Try now", retry), other]
    if code == "no_credit":
        return [other, again]
    if run.input_message_id is not None:
        edit = Deed("Edit the question", reverse("runs:edit", args=[run.input_message_id]), is_link=True)
        if code == "too_long":
            anew = reverse("runs:begin_anew", args=[run.pk])
            last = Deed("New thread with the last 20 messages", anew, leaves=True)
            return [Deed("Continue with a summary", retry, name="summary"), last, other]
        if code in ("content_refused", "message_too_long"):
            return [edit, again if code == "content_refused" else other]
    action = error_action(code)
    return [Deed(action["words"], reverse(action["url"]), is_link=True), again] if action else [again]

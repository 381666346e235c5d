"""What is sent to the outside about the end of a run: an e-mail's words, and the JSON of a webhook."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from accounts.zones import zone_of
from common.serialize import iso
from common.templatetags.zerg import duration
from runs.models import Delivery, Run, RunStatus
from runs.outcomes import answer_of
from runs.serializers import run_json

ANSWER_CHARS = 20_000
SUBJECT_CHARS = 150


def message_id(delivery: Delivery) -> str:
    """The same in every try. The time tells it from the delivery of the same number in a Zerg that was made anew."""
    return f"zerg_{delivery.pk}_{delivery.created_at:%Y%m%dT%H%M%S%f}"


def payload_of(delivery: Delivery, run: Run | None) -> str:
    """The body of a webhook: JSON, alike in every try. ``run`` is None for a test."""
    told = {"type": "zerg.test", "timestamp": iso(delivery.created_at), "data": {"message": "It works."}}
    if run is not None:
        answer = answer_of(run)
        data = run_json(run)
        del data["steps"]
        data |= {
            "schedule_id": run.schedule_id,
            "webhook_id": run.webhook_id,
            "nothing_new": run.nothing_new,
            "answer": answer[:ANSWER_CHARS],
            "answer_is_cut": len(answer) > ANSWER_CHARS,
            "url": address_of(run),
        }
        told |= {"type": "run.failed" if run.status == RunStatus.FAILED else "run.finished", "data": data}
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"))


def email_of(delivery: Delivery, run: Run, owner: User) -> EmailMessage:
    """The e-mail about a run, in plain text."""
    with timezone.override(zone_of(owner.timezone)):
        body = "\n".join(_lines(run))
    host = settings.DEFAULT_FROM_EMAIL.rpartition("@")[2].strip(" >") or "localhost"
    headers = {"Message-ID": f"<{message_id(delivery)}@{host}>", "Auto-Submitted": "auto-generated"}
    return EmailMessage(_subject(run), body, to=[delivery.target], headers=headers)


def address_of(run: Run) -> str:
    return settings.PUBLIC_ORIGIN + reverse("runs:detail", args=[run.pk])


def _subject(run: Run) -> str:
    """One line, whatever the agent is called."""
    words = " ".join(f"{run.agent.name}: {_outcome(run)}".split())
    return "".join(letter for letter in words if letter.isprintable())[:SUBJECT_CHARS]


def _outcome(run: Run) -> str:
    if run.status == RunStatus.FAILED:
        return "failed"
    return "nothing new" if run.nothing_new else "finished"


def _lines(run: Run) -> list[str]:
    answer = answer_of(run)
    facts = [*_origin(run), ("Status", f"{run.get_status_display()}{_reason(run)}")]
    if run.duration is not None:
        facts.append(("Took", duration(run.duration)))
    cut = "\n\n… It goes on: the rest is on the run's page." if len(answer) > ANSWER_CHARS else ""
    return [
        *(f"{name}: {value}" for name, value in facts),
        "",
        (answer[:ANSWER_CHARS] + cut) or "It gave no answer.",
        "",
        address_of(run),
        f"{settings.PUBLIC_ORIGIN}{reverse('threads:detail', args=[run.thread_id])}",
    ]


def _reason(run: Run) -> str:
    return f". {run.error_message}" if run.error_message else ""


def _origin(run: Run) -> list[tuple[str, str]]:
    """The schedule with the due time, or the webhook. Both live in the layer above, and are reached from below."""
    above: Any = run
    occurrence = above.occurrences.select_related("schedule__agent").first()
    if occurrence is not None:
        return [("Schedule", occurrence.schedule.title), ("Due", _clock(occurrence.scheduled_for))]
    kind, pk = ("schedules", run.schedule_id) if run.schedule_id else ("webhooks", run.webhook_id)
    found = getattr(above.agent, kind).filter(pk=pk).first()
    name = getattr(found, "title", "") or getattr(found, "name", "")
    words = [("Schedule" if run.schedule_id else "Webhook", name)] if name else []
    return [*words, ("Started", _clock(run.queued_at))]


def _clock(moment: datetime) -> str:
    return f"{timezone.localtime(moment):%a %d %b %Y, %H:%M %Z}"

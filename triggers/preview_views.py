"""What a timing means and what it will cost, while somebody types it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_POST

from accounts.models import User
from accounts.people import PersonRequest, signed_in
from accounts.zones import zone_of
from common.errors import ZergError
from common.templatetags.zerg import in_words
from triggers import services
from triggers.forecast import a_month
from triggers.forms import TimingForm
from triggers.models import Schedule


@signed_in
@require_POST
def preview(request: PersonRequest) -> HttpResponse:
    """What a timing means and its next times, or what is wrong with it: that too is an answer, while somebody types.

    The preview's area for htmx, a page of its own without script.
    """
    template = "schedules/_preview.html" if request.htmx else "schedules/page_preview.html"
    return render(request, template, preview_of_sent(request.user, request.POST))


def preview_of_sent(user: User, sent: Mapping[str, str]) -> dict[str, Any]:
    """``preview_context`` for the fields of a form: of a schedule's, or of an agent's (``schedule``)."""
    asked = {
        **{name: sent.get(name, "") for name in TimingForm.base_fields},
        "kind": sent.get("kind") or "cron",
        "expression": sent.get("expression", sent.get("schedule", "")),
        "timezone": sent.get("timezone", sent.get("schedule_timezone", "")).strip() or user.timezone,
    }
    form = TimingForm(asked)
    form.full_clean()
    if form.errors:
        return {"problem": next(iter(form.errors.values()))[0]}
    saved, agent = (sent.get(name, "") for name in ("schedule_id", "agent"))
    schedule = Schedule.objects.get_for(user, int(saved)) if saved.isdecimal() else None
    fields = {**form.cleaned_data, "spread_seconds": form.cleaned_data["spread_seconds"] or 0}
    return preview_context(user, fields, schedule, int(agent) if agent.isdecimal() else None)


def preview_context(
    user: User, asked: dict[str, Any], saved: Schedule | None = None, agent_id: int | None = None
) -> dict[str, Any]:
    """``{preview, times, forecast}`` or ``{problem}`` for ``_preview.html``; nothing where nothing is asked.

    ``asked`` is what ``services.preview`` takes. Of a ``saved`` schedule the times are its own, to the second.
    """
    if not (asked["words"].strip() or asked["expression"].strip()):
        return {}
    now = timezone.now()
    try:
        found = services.preview(after=now, saved=saved, **asked)
    except ZergError as error:
        return {"problem": error.message}
    moments = [datetime.fromisoformat(text) for text in found["next"]]
    times = [_time(moment, asked["timezone"], user.timezone, now) for moment in moments]
    return {"preview": found, "times": times, "forecast": a_month(found, user, saved, agent_id)}


def _time(moment: datetime, zone: str, own: str, now: datetime) -> dict[str, str]:
    """One due time, as texts: a template would turn it into the person's own zone, which stands beside it."""
    there, here = moment.astimezone(zone_of(zone)), moment.astimezone(zone_of(own))
    return {
        "iso": there.isoformat(),
        "words": f"{there:%a %-d %b %Y, %H:%M}",
        "in": in_words((moment - now).total_seconds()),
        "yours": f"{here:%a %H:%M}" if there.utcoffset() != here.utcoffset() else "",
    }

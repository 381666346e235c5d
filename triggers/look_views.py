"""“Try the look”: what a schedule would see before it runs."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST

from accounts.people import PersonRequest, signed_in
from common.errors import ZergError
from triggers.models import Schedule
from triggers.watching import watch_of
from triggers.watching.looks import shortened
from triggers.watching.trying import look_once

LONGEST_SHOWN = 2_000


@signed_in
@require_POST
def look(request: PersonRequest) -> HttpResponse:
    """What is at the address now, or what is wrong: that too is an answer. Nothing is stored.

    From the fields of the form: ``watch_kind``, ``watch_url``, ``watch_path``; ``schedule``, the id of one that exists,
    compares with what it saw last. The area for htmx, a page of its own without script.
    """
    template = "schedules/_look.html" if request.htmx else "schedules/page_look.html"
    return render(request, template, _context(request))


def _context(request: PersonRequest) -> dict[str, Any]:
    """``{now, change, problem}`` for ``_look.html``; ``change`` is None where nothing changed."""
    asked = {name: request.POST.get(name, "") for name in ("watch_kind", "watch_url", "watch_path")}
    wanted = Schedule(**asked)
    if request.POST.get("schedule", "").isdecimal():
        stored = Schedule.objects.get_for(request.user, int(request.POST["schedule"]))
        if watch_of(stored) == watch_of(wanted):
            wanted.watch_seen = stored.watch_seen
    try:
        sight = look_once(wanted, actor=request.user)
    except ZergError as error:
        return {"problem": error.message}
    return {"now": sight.now[:LONGEST_SHOWN], "change": None if sight.change is None else shortened(sight.change)}

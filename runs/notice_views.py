"""The inbox: what waits for a person and what they were told, and what their browsers may tell."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse, JsonResponse
from django.http.request import split_domain_port
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.people import PersonRequest, signed_in
from common.paging import stretch
from common.redirects import see_other
from runs import notices
from runs.deliveries import email_is_set_up
from runs.forms import BrowserNoticesForm
from runs.models import BrowserNotices, Notice, OutgoingHook
from runs.rail import rail_of

PER_PAGE = 50
NEWS_AT_ONCE = 5
BACK_TO = {"home": "home"}

EVENTS = [
    ("needs_you", "Something needs you", "A key was refused, a schedule was switched off, a call may have happened."),
    ("failed", "A run failed", "Also one that nobody watched."),
    (
        "finished",
        "A long run has finished",
        "It took over 30 seconds while you were elsewhere, or its schedule is to tell you.",
    ),
]


@signed_in
@require_safe
def inbox(request: PersonRequest) -> HttpResponse:
    """What needs the person, then everything that they were told, newest first."""
    waiting = list(notices.open_of(request.user).select_related("agent", "thread", "run")[: notices.MOST_OPEN])
    rows = Notice.objects.for_user(request.user).select_related("agent", "thread", "run")
    page = stretch(rows, request.GET, PER_PAGE)
    context = {
        "matters": notices.matters(row for row in waiting if row.strength == Notice.Strength.NEEDS_YOU),
        "is_open": bool(waiting),
        "page": page,
        "is_first": not page.newer,
    }
    return render(request, "inbox/page.html", context)


@signed_in
@require_POST
def done(request: PersonRequest, pk: int) -> HttpResponse:
    """Nothing is left to do about it, nor about what is alike."""
    notice = Notice.objects.get_for(request.user, pk)
    notices.settle(notices.alike(notice))
    return see_other(BACK_TO.get(request.POST.get("back", ""), "runs:inbox"))


@signed_in
@require_POST
def all_done(request: PersonRequest) -> HttpResponse:
    count = notices.settle(Notice.objects.for_user(request.user))
    messages.success(request, "Nothing waits for you now." if count else "Nothing was waiting for you.")
    return see_other("runs:inbox")


@signed_in
@require_safe
def news(request: PersonRequest) -> HttpResponse:
    """What a browser's leading tab asks for, every few seconds: ``{mark, count, newest, news,
    working}``.

    ``news`` are the notices that came ``after`` the one named, oldest first, of the kinds that the person wants from
    browsers. ``newest`` is the one to name next time, ``working`` the HTML of what works just now.
    """
    rail = rail_of(request.user)
    inbox = rail.inbox
    after = request.GET.get("after", "")
    rows: list[Notice] = []
    if after.isdecimal() and len(after) < 19 and inbox.newest > int(after):
        chosen = BrowserNotices.objects.for_user(request.user).first() or BrowserNotices()
        wanted = [strength for strength, _, _ in EVENTS if getattr(chosen, strength)]
        rows = list(notices.news_for(request.user, int(after), wanted).select_related("agent", "thread")[:NEWS_AT_ONCE])
    told = [_as_news(row) for row in reversed(rows)]
    working = render_to_string("runs/_rail.html", {"rail": rail})
    answer = {"mark": inbox.mark, "count": inbox.count, "newest": inbox.newest, "news": told, "working": working}
    return JsonResponse(answer)


VERBS = {"needs_you": "needs you", "failed": "failed", "finished": "has finished"}


def _as_news(notice: Notice) -> dict[str, Any]:
    address = reverse("threads:detail", args=[notice.thread_id]) if notice.thread_id else reverse("runs:inbox")
    return {
        "id": notice.pk,
        "strength": notice.strength,
        "title": f"{notice.agent.name} {VERBS[notice.strength]}",
        "text": f"{notice.thread.title}\n{notice.text}" if notice.thread else notice.text,
        "url": address,
    }


WHY_NOT = "Browsers allow notices only over https, and at localhost. This Zerg is open over plain http."


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def choose(request: PersonRequest) -> HttpResponse:
    """What the person's browsers tell. Whether one may tell anything at all, it asks on the page itself."""
    is_possible = settings.HTTPS or split_domain_port(request.get_host())[0] in settings.LOOPBACK_NAMES
    chosen = BrowserNotices.objects.for_user(request.user).first() or BrowserNotices(owner=request.user)
    form = BrowserNoticesForm(request.POST if request.method == "POST" else None, instance=chosen)
    for form_field in form.fields.values():
        form_field.disabled = not is_possible
    if form.is_bound and form.is_valid():
        form.save()
        messages.success(request, "Saved.")
        return see_other("settings:notices")
    context = {
        "events": [(form[name], words, help_text) for name, words, help_text in EVENTS],
        "is_possible": is_possible,
        "why_not": WHY_NOT,
        "email_is_set_up": email_is_set_up(),
        "hooks": OutgoingHook.objects.for_user(request.user),
        "tab": "notices",
    }
    return render(request, "settings/notices.html", context, status=422 if form.is_bound else 200)

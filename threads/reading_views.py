"""What a person's page tells about their reading, and what they look for in a thread."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from accounts.people import PersonRequest, signed_in
from common.errors import ZergError
from threads.models import Thread
from threads.reading import mark_read, mark_unread
from threads.search import LONGEST_QUERY, search
from threads.transcript import ids_after

FOUND_AT_MOST = 100


@signed_in
@require_POST
def read(request: PersonRequest, thread_id: int) -> HttpResponse:
    """The end was in view: the person has read up to the message with number ``seq``."""
    thread = Thread.objects.get_for(request.user, thread_id)
    seq = request.POST.get("seq", "")
    if not (seq.isdecimal() and len(seq) < 10):
        raise ZergError("invalid", "Say up to which message: seq is a whole number.", {"seq": "Not a number."})
    mark_read(thread, request.user, seq=int(seq))
    return HttpResponse(status=204)


@signed_in
@require_POST
def unread(request: PersonRequest, thread_id: int) -> HttpResponse:
    """The last answer is news again. Its page would read it at once, so the list comes next."""
    thread = Thread.objects.get_for(request.user, thread_id)
    mark_unread(thread, request.user)
    messages.success(request, f"“{thread}” is unread again.")
    return HttpResponseRedirect(reverse("threads:list"), status=303)


@signed_in
@require_GET
def find(request: PersonRequest, thread_id: int) -> HttpResponse:
    """The messages of a thread that hold all words of ``q``, the latest first: those of the branch that the thread goes
    on with before those of others. A part of a page, or without script a page of its own."""
    thread = Thread.objects.select_related("agent").get_for(request.user, thread_id)
    query = request.GET.get("q", "").strip()[:LONGEST_QUERY]
    found = search(request.user, query, thread_id=thread.pk, count=FOUND_AT_MOST)
    read = set(ids_after(thread.pk, thread.leaf_id, 0)) if found.hits else set()
    latest = sorted(found.hits, key=lambda hit: -(hit.message.seq or 0))
    groups = [[hit for hit in latest if (hit.message.pk in read) is is_read] for is_read in (True, False)]
    context = {"thread": thread, "query": query, "groups": groups, "found": found, "most": FOUND_AT_MOST}
    return render(request, "threads/_find_hits.html" if request.htmx else "threads/page_find.html", context)

"""The pages of threads: the list, a thread, its older messages, and what its page asks for when the socket is down."""

from __future__ import annotations

import json

from django.core.paginator import Paginator
from django.db.models import Count, Q
from django.http import HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from accounts.people import PersonRequest, signed_in
from agents.models import Agent
from threads.forms import TitleForm
from threads.hub import read_changes
from threads.models import Thread, ThreadMessage
from threads.page_feed import Place, frames_for
from threads.pages import active_run_of, leaf_below, queue_of, window
from threads.services import change, create_thread, delete_thread, update_thread

PER_PAGE = 40


@signed_in
@require_GET
def thread_list(request: PersonRequest) -> HttpResponse:
    """The person's threads, the latest first."""
    query = request.GET.get("q", "").strip()[:200]
    unfinished = Count("runs", filter=Q(runs__finished_at=None))
    threads = Thread.objects.for_user(request.user).select_related("agent").annotate(unfinished=unfinished)
    if query:
        threads = threads.filter(Q(title__icontains=query) | Q(agent__name__icontains=query))
    page = Paginator(threads.order_by("-updated_at", "-id"), PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "threads/page_list.html", {"page": page, "q": query})


@signed_in
@require_POST
def new_thread(request: PersonRequest, agent_id: int) -> HttpResponse:
    """Chat: a new thread with the agent, with the cursor in its composer."""
    agent = Agent.objects.get_for(request.user, agent_id)
    thread = create_thread(agent, owner=request.user)
    return _see(thread)


@signed_in
@require_GET
def thread_page(request: PersonRequest, thread_id: int) -> HttpResponse:
    """A thread: its newest messages, the queue, the composer."""
    thread = _thread(request, thread_id)
    before = request.GET.get("before", "")
    shown = window(thread, before=int(before) if before.isdecimal() and len(before) < 10 else None)
    context = {
        "thread": thread,
        "items": shown.items,
        "older_before": shown.older_before,
        "queue": queue_of(thread),
        "active_run": active_run_of(thread),
        "version": thread.version,
    }
    return render(request, "threads/page.html", context)


@signed_in
@require_GET
def older(request: PersonRequest, thread_id: int) -> HttpResponse:
    """The messages before ``?before=<seq>``, as a stretch of the log."""
    thread = _thread(request, thread_id)
    before = request.GET.get("before", "")
    shown = window(thread, before=int(before) if before.isdecimal() and len(before) < 10 else None)
    context = {"thread": thread, "items": shown.items, "older_before": shown.older_before}
    return render(request, "threads/_log.html", context)


@signed_in
@require_GET
def sync(request: PersonRequest, thread_id: int) -> HttpResponse:
    """The socket's frames over HTTP, for a page that cannot have a socket: ``?v=<version>&leaf=<id>&have=<json>``."""
    thread = _thread(request, thread_id)
    place = _place(request)
    changes = read_changes(thread.pk, place.version)
    if changes is None:
        return JsonResponse({"frames": []}, status=404)
    update = frames_for(changes, place)
    return JsonResponse({"frames": [json.loads(frame) for frame in update.frames], "v": update.place.version})


def _place(request: PersonRequest) -> Place:
    """Where a page says it is; what cannot be read counts as nothing, and gives it more than it needs."""
    try:
        have = {int(message): int(count) for message, count in json.loads(request.GET.get("have", "{}")).items()}
        version, leaf = int(request.GET.get("v", "0")), int(request.GET.get("leaf", "0"))
    except (ValueError, TypeError, AttributeError):
        return Place(0, None, {})
    return Place(version, leaf or None, have)


@signed_in
@require_POST
def rename(request: PersonRequest, thread_id: int) -> HttpResponse:
    """A title given by a person is final."""
    thread = _thread(request, thread_id)
    form = TitleForm(request.POST)
    if form.is_valid():
        update_thread(thread, title=form.cleaned_data["title"])
    return _see(thread)


@signed_in
@require_POST
def delete(request: PersonRequest, thread_id: int) -> HttpResponse:
    """Deletes a thread that is at rest."""
    thread = _thread(request, thread_id)
    delete_thread(thread)
    return HttpResponseRedirect(reverse("threads:list"), status=303)


@signed_in
@require_POST
def show_version(request: PersonRequest, message_id: int) -> HttpResponse:
    """Another answer to the same question becomes the branch that is read, and that the agent goes on from."""
    message = ThreadMessage.objects.get_for(request.user, message_id)
    with change(message.thread_id) as thread:
        if active_run_of(thread) is None:
            thread.leaf_id = leaf_below(thread, message)
    if request.htmx:  # the page's socket brings the other branch
        return HttpResponse(status=204)
    return HttpResponseRedirect(f"{reverse('threads:detail', args=[message.thread_id])}#m-{message.pk}", status=303)


def _thread(request: PersonRequest, thread_id: int) -> Thread:
    return Thread.objects.select_related("agent", "leaf").get_for(request.user, thread_id)


def _see(thread: Thread) -> HttpResponse:
    return HttpResponseRedirect(reverse("threads:detail", args=[thread.pk]), status=303)

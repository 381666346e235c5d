"""The pages of threads: a thread, its older messages, and what its page asks for when the socket is down."""

from __future__ import annotations

import json
from dataclasses import replace

from django.http import HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from accounts.people import PersonRequest, signed_in
from agents.models import Agent
from agents.welcome import HELLO, demo_agent
from common.drafts import moment_of
from common.errors import ZergError
from threads.changes import read_changes
from threads.context import context_of, fill_of
from threads.drafts import Written, save_draft, written_in
from threads.forms import DraftForm, SettingsForm, TitleForm
from threads.models import Thread, ThreadMessage
from threads.page_around import branch_kind
from threads.page_feed import NOWHERE, Place, frames_for, texts_of
from threads.pages import work_of
from threads.reading import line_in, place_of
from threads.search import LONGEST_QUERY
from threads.services import create_thread, delete_thread, update_thread
from threads.transcript import is_above
from threads.versions import Reading, reading_of, version_before, word_diff
from threads.window import Window, around, newer, newest, older


@signed_in
@require_POST
def new_thread(request: PersonRequest, agent_id: int) -> HttpResponse:
    """Chat: a new thread with the agent, with the cursor in its composer, where ``say`` is typed already."""
    agent = Agent.objects.get_for(request.user, agent_id)
    return _begun(request, agent, request.POST.get("say", ""))


@signed_in
@require_POST
def demo(request: PersonRequest) -> HttpResponse:
    """A thread with the tiny offline model, with a first message typed: to have seen an answer before any key."""
    return _begun(request, demo_agent(request.user), HELLO)


def _begun(request: PersonRequest, agent: Agent, text: str) -> HttpResponse:
    """A new thread, with ``text`` in its composer."""
    thread = create_thread(agent, owner=request.user)
    if text.strip():
        save_draft(thread, by=request.user, text=text, at=timezone.now())
    return _see(thread)


@signed_in
@require_GET
def thread_page(request: PersonRequest, thread_id: int) -> HttpResponse:
    """A thread: its newest messages, the queue, the composer.

    ``?leaf=<message>`` shows the branch through that message, ``?from=<message>`` the thread up to it: what is sent
    from there is a new branch. Neither changes what others read.
    """
    thread = _thread(request, thread_id)
    return page_of(request, thread, written_in(thread, by=request.user))


def page_of(request: PersonRequest, thread: Thread, written: Written, *, status: int = 200) -> HttpResponse:
    """The page of a thread, with what is ``written`` in its composer."""
    reading, shown = _shown_of(request, thread)
    work, place = work_of(thread), place_of(thread, request.user)
    context = {
        "thread": thread,
        "reading": reading,
        "branch": branch_kind(thread, reading.leaf_id, reading.via),
        "window": shown,
        "new": line_in(shown, place),
        "leaf_id": reading.leaf_id,
        "fill": fill_of(thread, reading.leaf_id),
        "queue": work.queue,
        "active_run": work.active_run,
        "version": thread.version,
        "settings": SettingsForm(instance=thread),
        "read": place,
        "find": request.GET.get("find", "")[:LONGEST_QUERY],
        "written": written,
        "look_again": None if "write" in request.GET else _looked_again(request),
    }
    return render(request, "threads/page.html", context, status=status)


def _looked_again(request: PersonRequest) -> str:
    """The query of this page when it loads anew by itself: one that differs, or only its fragment would be gone to."""
    query = request.GET.copy()
    query["look"] = str((_number(request, "look") or 0) + 1)
    return query.urlencode()


def _shown_of(request: PersonRequest, thread: Thread) -> tuple[Reading, Window]:
    """The branch and the stretch of it that the address names.

    ``?before=<seq>`` and ``?after=<seq>`` are beside a stretch, ``?around=<message>`` is about a message, in whichever
    branch it is; else it is the end.
    """
    before, after, wanted = (_number(request, name) for name in ("before", "after", "around"))
    reading = reading_of(thread, leaf=_number(request, "leaf"), start=_number(request, "from"))
    message = thread.messages.filter(pk=wanted, seq__isnull=False).first() if wanted else None
    if message:
        if not is_above(thread, message, reading.leaf_id):
            reading = reading_of(thread, leaf=message.pk, start=None)
        return reading, around(thread, message, reading.leaf_id, reading.address)
    if before:
        return reading, older(thread, before, reading.address)
    if after:
        return reading, newer(thread, after, reading.leaf_id, reading.address)
    return reading, newest(thread, reading.leaf_id, reading.address)


@signed_in
@require_GET
def more(request: PersonRequest, thread_id: int) -> HttpResponse:
    """The messages ``?before=<seq>`` or ``?after=<seq>``, as a stretch of the log that grows at one of its ends."""
    thread = _thread(request, thread_id)
    _, shown = _shown_of(request, thread)
    grown = replace(shown, earlier="") if _number(request, "after") else replace(shown, later="")
    return render(request, "threads/_log.html", {"thread": thread, "window": grown})


@signed_in
@require_GET
def context(request: PersonRequest, thread_id: int) -> HttpResponse:
    """What the next request of the branch that ends in ``?leaf=<message>`` is made of, and what the thread took."""
    thread = _thread(request, thread_id)
    reading = reading_of(thread, leaf=_number(request, "leaf"), start=None)
    parts = {"thread": thread, "context": context_of(thread, reading.leaf_id), "fill": fill_of(thread, reading.leaf_id)}
    return render(request, "threads/_context.html" if request.htmx else "threads/page_context.html", parts)


@signed_in
@require_GET
def sync(request: PersonRequest, thread_id: int) -> HttpResponse:
    """The socket's frames over HTTP, for a page without one: ``?e=<epoch>&v=<version>&leaf=<id>&have=<json>``."""
    thread = _thread(request, thread_id)
    place = _place(request)
    changes = read_changes(thread.pk, place.version)
    if changes is None:
        return JsonResponse({"frames": []}, status=404)
    frames = []
    if changes.knows_not(place.version, request.GET.get("e", "")):
        place = NOWHERE
        frames.append(json.dumps({"t": "epoch", "e": changes.thread.epoch}))
    news, place = frames_for(changes, place)
    frames += [*news, *texts_of(changes, place)]
    return JsonResponse({"frames": [json.loads(frame) for frame in frames], "v": place.version})


def _place(request: PersonRequest) -> Place:
    """Where a page says it is; what cannot be read counts as nothing, and gives it more than it needs."""
    try:
        have = {int(message): int(count) for message, count in json.loads(request.GET.get("have", "{}")).items()}
        version, leaf = int(request.GET.get("v", "0")), int(request.GET.get("leaf", "0"))
    except (ValueError, TypeError, AttributeError):
        return Place(0, None, {})
    return Place(version, leaf or None, have, _number(request, "via"))


@signed_in
@require_POST
def draft(request: PersonRequest, thread_id: int) -> HttpResponse:
    """Keeps what is being written."""
    thread = Thread.objects.get_for(request.user, thread_id)
    form = DraftForm(request.POST)
    if not form.is_valid():
        raise ZergError("invalid", "A draft has its content, and the time of its last change in milliseconds.")
    save_draft(thread, by=request.user, text=form.cleaned_data["content"], at=moment_of(form.cleaned_data["at"]))
    return HttpResponse(status=204)


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
def settings(request: PersonRequest, thread_id: int) -> HttpResponse:
    """What becomes of messages sent while the agent works, and what it remembers. Every open tab is told."""
    thread = _thread(request, thread_id)
    form = SettingsForm(request.POST, instance=thread)
    if not form.is_valid():
        raise ZergError("invalid", "Choose from the lists.")
    update_thread(thread, **form.cleaned_data)
    return HttpResponse(status=204) if request.htmx else _see(thread)


@signed_in
@require_POST
def delete(request: PersonRequest, thread_id: int) -> HttpResponse:
    """Deletes a thread that is at rest."""
    thread = _thread(request, thread_id)
    delete_thread(thread)
    return HttpResponseRedirect(reverse("threads:list"), status=303)


@signed_in
@require_GET
def what_changed(request: PersonRequest, message_id: int) -> HttpResponse:
    """What a person's message says, word by word, against its version before."""
    message = ThreadMessage.objects.select_related("thread__agent").get_for(request.user, message_id)
    before = version_before(message)
    context = {"thread": message.thread, "message": message, "pieces": word_diff(before, message.content)}
    return render(request, "threads/_changes.html" if request.htmx else "threads/page_changes.html", context)


def _thread(request: PersonRequest, thread_id: int) -> Thread:
    return Thread.objects.select_related("agent", "leaf").get_for(request.user, thread_id)


def _number(request: PersonRequest, name: str) -> int | None:
    """A whole number from the address; None for anything else."""
    said = request.GET.get(name, "")
    return int(said) if said.isdecimal() and len(said) < 19 else None


def _see(thread: Thread) -> HttpResponse:
    return HttpResponseRedirect(reverse("threads:detail", args=[thread.pk]), status=303)

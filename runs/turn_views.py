"""What people do to what was said, from a thread's page: edit it, have it answered in another way."""

from __future__ import annotations

from uuid import uuid4

from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from accounts.people import PersonRequest, signed_in
from agents.choices import model_options
from common.errors import ZergError
from common.redirects import see_other
from runs import branches, services
from runs.forms import read_message
from runs.models import Run
from runs.views import done
from threads.models import ThreadMessage

MOST_MODELS = 40


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: PersonRequest, message_id: int) -> HttpResponse:
    """A person's message in other words: the form, in place or on a page of its own; saving sends another version."""
    message = ThreadMessage.objects.select_related("thread__agent").get_for(request.user, message_id)
    context = {"message": message, "thread": message.thread, "text": message.content, "key": uuid4().hex}
    if request.method != "POST":
        return render(request, "threads/_edit.html" if request.htmx else "threads/page_edit.html", context)
    fields = read_message(request.POST)
    text, key = request.POST.get("content", ""), fields["client_message_id"]
    try:
        run = branches.edit(message, text=text, author=request.user, key=key)
    except ZergError as error:
        if request.htmx:  # the form is still there
            raise
        context |= {"text": text, "key": key, "refusal": error.message}
        return render(request, "threads/page_edit.html", context, status=error.status)
    if request.htmx:
        return done(request, run)
    address = reverse("threads:detail", args=[message.thread_id])
    return HttpResponseRedirect(f"{address}#m-{run.input_message_id}", status=303)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def retry(request: PersonRequest, run_id: int) -> HttpResponse:
    """Asks again, as before or with another ``model``, ``tools=no``, ``summary=yes`` or ``version=same``; both answers
    stay.

    GET: what there is to choose from.
    """
    run = Run.objects.select_related("agent").get_for(request.user, run_id)
    if request.method == "POST":
        asked = request.POST
        with_tools, summary = asked.get("tools") != "no", asked.get("summary") == "yes"
        model = asked.get("model", "")[:200]
        again = services.retry(
            run,
            actor=request.user,
            model=model,
            with_tools=with_tools,
            summary=summary,
            same_version=asked.get("version") == "same",
        )
        return done(request, again)
    context = {"run": run, "models": model_options(run.agent.workspace_id)[:MOST_MODELS], "tools": run.agent.tools}
    return render(request, "runs/_retry.html" if request.htmx else "runs/page_retry.html", context)


@signed_in
@require_POST
def begin_anew(request: PersonRequest, run_id: int) -> HttpResponse:
    """The question of a run once more, in a new thread that begins with the last messages before it."""
    run = Run.objects.select_related("thread__agent", "input_message").get_for(request.user, run_id)
    return see_other("threads:detail", branches.begin_anew(run, author=request.user).thread_id)


@signed_in
@require_POST
def go_on(request: PersonRequest, message_id: int) -> HttpResponse:
    """Has an answer completed that broke off."""
    message = ThreadMessage.objects.select_related("thread__agent").get_for(request.user, message_id)
    return done(request, branches.go_on(message, author=request.user))

"""What people do to runs from the pages: send, stop, retry, take back, run now."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import reverse
from django.views.decorators.http import require_POST

from accounts.people import PersonRequest, signed_in
from agents.models import Agent
from common.errors import ZergError
from runs import services
from runs.forms import SendForm
from runs.models import Run
from threads.models import Thread, ThreadMessage
from threads.services import create_thread


@signed_in
@require_POST
def send(request: PersonRequest, thread_id: int) -> HttpResponse:
    """A person's message: stored, and answered when the thread is free. The same client id again changes nothing."""
    thread = Thread.objects.get_for(request.user, thread_id)
    form = SendForm(request.POST)
    if not form.is_valid():
        raise ZergError("bad_message", "client_message_id has at most 128 characters.")
    text, key = form.cleaned_data["content"], form.cleaned_data["client_message_id"] or None
    try:
        run = services.start_run(thread, text=text, author=request.user, trigger=Run.Trigger.CHAT, key=key)
    except ZergError as error:
        return _refuse(request, error, thread)
    if request.headers.get("HX-Request") == "true":
        return JsonResponse({"run_id": run.pk, "message_id": run.input_message_id}, status=201)
    return _back_to(run, anchor=f"#m-{run.input_message_id}")


def _refuse(request: PersonRequest, error: ZergError, thread: Thread) -> HttpResponse:
    """The text stays in the box: with script there was no new page, without it the sentence stands on the old one."""
    if request.headers.get("HX-Request") == "true":
        return JsonResponse(error.as_json(), status=error.status)
    messages.error(request, error.message)
    return HttpResponseRedirect(reverse("threads:detail", args=[thread.pk]), status=303)


@signed_in
@require_POST
def stop(request: PersonRequest, run_id: int) -> HttpResponse:
    """Stops a run, wherever it is worked on. One that has just ended by itself is no error."""
    run = Run.objects.get_for(request.user, run_id)
    try:
        services.cancel(run)
    except ZergError as error:
        if error.code != "already_finished":
            raise
    return _done(request, run)


@signed_in
@require_POST
def retry(request: PersonRequest, run_id: int) -> HttpResponse:
    """Asks again; both answers stay."""
    run = Run.objects.get_for(request.user, run_id)
    services.retry(run, actor=request.user)
    return _done(request, run)


@signed_in
@require_POST
def remove_queued(request: PersonRequest, message_id: int) -> HttpResponse:
    """Takes a message back that waits in the queue."""
    message = ThreadMessage.objects.get_for(request.user, message_id)
    run = Run.objects.for_user(request.user).filter(input_message=message, status="queued").first()
    if run is None:
        raise ZergError("conflict", "This message is no longer waiting: its turn has come.")
    services.cancel(run)
    return _done(request, run)


@signed_in
@require_POST
def run_agent_now(request: PersonRequest, agent_id: int) -> HttpResponse:
    """Run now: the task instructions, in a thread of its own."""
    agent = Agent.objects.get_for(request.user, agent_id)
    thread = create_thread(
        agent, owner=request.user, title=f"{agent.name}, run by hand", thread_type=Thread.Type.MANUAL
    )
    try:
        run = services.run_agent(agent, actor=request.user, thread=thread, text="", trigger=Run.Trigger.MANUAL)
    except ZergError as error:
        thread.delete()
        messages.error(request, error.message)
        return HttpResponseRedirect(reverse("agents:detail", args=[agent.pk]), status=303)
    return _back_to(run)


def _done(request: PersonRequest, run: Run) -> HttpResponse:
    return HttpResponse(status=204) if request.headers.get("HX-Request") == "true" else _back_to(run)


def _back_to(run: Run, anchor: str = "") -> HttpResponse:
    return HttpResponseRedirect(reverse("threads:detail", args=[run.thread_id]) + anchor, status=303)
